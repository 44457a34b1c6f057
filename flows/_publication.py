"""Answers to segments, segments to a release: what ``publish`` does."""

import re
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from annotation.answers.adjudicate import STAGE, adjudicate_annotations
from flows._duplicates import linked_videos
from flows._identity import declared_people, identify, match_outcomes
from flows._leases import waited_lease
from flows._outcome import Outcome, record_run
from flows._perception import split_dropped, write_part
from flows._plan import disposed_videos, is_current, study_videos
from flows._stages import release_document, segments_part, study_experts, video_parts
from flows._study import Study, read_people
from flows._videos import kept_tracks_of, read_video_part
from flows._withdrawals import withdrawn_videos
from releases.build import ReleaseConfig, ReleaseInputs, build_release
from releases.build import is_current as release_is_current
from releases.privacy.linter import ForbiddenStrings
from releases.splits.assign import read_splits_lock
from schema.answer_rows import annotations_from_rows, known_answers_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, KEYPOINTS, KNOWN_ANSWERS, PLAYERS, SOURCES, TASKS, TRACKS
from schema.errors import DropReason, InvalidReleaseError, UsageError
from schema.people import Role
from schema.people_rows import roles_from_rows
from schema.privacy import make_subject_id
from schema.questions import QuestionKind
from schema.records import Dropped, Track, VideoId, VideoRecord
from schema.rows import segments_to_rows, videos_to_rows
from schema.tables import STUDY_KEY, digest_of

_NO_CANDIDATE = (QuestionKind.KNOWN, QuestionKind.AUDIT)
"""Questions that are about no candidate."""
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def publish(study: Study) -> Outcome:
    """Decide what people agreed on and build a release of it; the same inputs are published once.

    A version that is taken by other content is never replaced: the next minor version is published instead.
    """
    outcome = Outcome(stage="publish")
    started_ns = time.time_ns()
    with waited_lease(study.layout, "publish", STUDY_KEY):
        outcome.notes += identify(study).notes
        adjudicate(study)
        part = segments_part(study, study_videos(study))
        outcome.dropped += study.store.summary(part.spec, part.key, part.digest).dropped
        published = published_release(study)
        if published:
            outcome.notes.append(f"{published} holds just this already")
            return outcome
        folder = _build(study)
        outcome.done, outcome.rows = 1, 1
        outcome.notes.append(str(folder))
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome


def adjudicate(study: Study) -> None:
    """Make the study's part of verified segments unless it is current.

    Raises ``UsageError`` where perception was not redone yet: its people are not orphans, they are not known.
    """
    videos = study_videos(study)
    _check_perceived(study, videos)
    part = segments_part(study, videos)
    if is_current(study, part):
        return
    perceived = {v.video_id: v for v in videos if _has_people(study, v)}

    def tracks_of(video_id: VideoId) -> list[Track]:
        video = perceived.get(video_id)
        return kept_tracks_of(study, video) if video else []

    answers = annotations_from_rows(study.store.read(ANNOTATIONS))
    withdrawn = withdrawn_videos(study)
    segments, dropped = split_dropped(
        adjudicate_annotations(
            (answer for answer in answers if answer.anchor.video_id not in withdrawn),
            tasks=tasks_from_rows(study.store.read(TASKS)),
            tracks_of=tracks_of,
            sha256s={v.video_id: v.sha256 for v in perceived.values()},
            taxonomy=study.taxonomy,
            config=study.config.adjudicate,
            known=known_answers_from_rows(study.store.read(KNOWN_ANSWERS)),
            experts=study_experts(study),
        )
    )
    dropped += [
        Dropped(stage=STAGE, item_id=candidate_id, reason=DropReason.WITHDRAWN, detail="its video was withdrawn")
        for candidate_id in sorted(
            {
                a.about or a.candidate_id
                for a in answers
                if a.anchor.video_id in withdrawn and a.kind not in _NO_CANDIDATE
            }
        )
    ]
    write_part(study, part, segments_to_rows(segments), dropped)


def _check_perceived(study: Study, videos: list[VideoRecord]) -> None:
    answered = {answer.anchor.video_id for answer in annotations_from_rows(study.store.read(ANNOTATIONS))}
    waiting = [v.video_id for v in videos if v.video_id in answered and not _has_people(study, v)]
    if not waiting:
        return
    gone = sorted(disposed_videos(study).intersection(waiting))
    if gone:
        raise UsageError(
            f"{len(gone)} of the {len(answered)} videos with answers are not perceived with today's settings "
            f"({gone[0]} is one), and their files were deleted (collect.retain): set back what `pressroom explain` "
            "says has changed, or put their files back into media/ from a backup"
        )
    raise UsageError(
        f"{len(waiting)} of the {len(answered)} videos with answers are not perceived with today's settings "
        f"({waiting[0]} is one); `pressroom perceive` comes before `pressroom publish`"
    )


def _has_people(study: Study, video: VideoRecord) -> bool:
    parts = video_parts(study, video)
    return all(is_current(study, parts[spec.name]) for spec in (TRACKS, PLAYERS, KEYPOINTS))


def published_release(study: Study) -> Path | None:
    """Return the release that was built from today's inputs, if there is one."""
    digests = _input_digests(study)
    for folder in study_releases(study):
        config = replace(_release_config(study), version=folder.name.rpartition("-")[2])
        if release_is_current(
            study.layout.releases, config=config, taxonomy=study.taxonomy.name, input_digests=digests
        ):
            return folder
    return None


def study_releases(study: Study) -> list[Path]:
    """List the study's releases, oldest version first."""
    name = _release_config(study).name
    found = [p for p in study.layout.releases.glob(f"{name}-*") if _VERSION.fullmatch(p.name[len(name) + 1 :])]
    return sorted(found, key=lambda p: _version(p.name[len(name) + 1 :]))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


def _release_config(study: Study) -> ReleaseConfig:
    return replace(study.config.release, name=study.config.release.name or study.config.study.name)


def _input_digests(study: Study) -> dict[str, str]:
    outcomes = {video_id: f"{one.outcome}; {one.licence}" for video_id, one in match_outcomes(study).items()}
    document = release_document(
        study,
        study_videos(study),
        subjects=_declared_subjects(study),
        outcomes=dict(sorted(outcomes.items())),
        links=linked_videos(study),
    )
    return {"release": digest_of(document), "segments": document["inputs"]["segments"]}


def _declared_subjects(study: Study) -> dict[str, str]:
    return {video_id: make_subject_id(study.key, person) for video_id, person in declared_people(study).items()}


def _subject_of(study: Study, videos: list[VideoRecord]) -> dict[tuple[str, int], str | None]:
    """Give the declared person's subject id to the player's tracks, and none to anybody else's.

    The roles are those of perception: also where the study keeps everyone.
    """
    subjects = _declared_subjects(study)
    found: dict[tuple[str, int], str | None] = {}
    for video in videos:
        subject = subjects.get(video.video_id)
        if subject and is_current(study, video_parts(study, video)[PLAYERS.name]):
            roles = roles_from_rows(read_video_part(study, video, PLAYERS))
            found |= {(video.video_id, role.track_number): subject for role in roles if role.role is Role.PLAYER}
    return found


def _build(study: Study) -> Path:
    videos = study_videos(study)
    part = segments_part(study, videos)
    by_id = {video.video_id: video for video in videos}
    earlier = study_releases(study)
    config = _release_config(study)
    if earlier:
        newest = _version(earlier[-1].name.rpartition("-")[2])
        following = max(_version(config.version), (newest[0], newest[1] + 1, 0))
        config = replace(config, version=".".join(map(str, following)))
    inputs = ReleaseInputs(
        segments=study.store.read_part(part.spec, part.key, part.digest),
        annotations=_released_answers(study),
        videos=videos_to_rows(videos),
        subject_of=_subject_of(study, videos),
        match_outcomes=match_outcomes(study),
        keypoints_of=lambda video_id: read_video_part(study, by_id[VideoId(video_id)], KEYPOINTS),
        taxonomy=study.taxonomy,
        forbidden=forbidden_strings(study),
        dropped_counts=_dropped_counts(study),
        input_digests=_input_digests(study),
        linked_videos=linked_videos(study),
        earlier_splits=_earlier_splits(earlier),
        earlier_changelog=(earlier[-1] / "CHANGELOG.md").read_text(encoding="utf-8") if earlier else "",
    )
    return build_release(inputs, releases_folder=study.layout.releases, config=config)


def _released_answers(study: Study) -> pa.Table:
    """Return the answers to candidates: hidden items measure people, and stay hidden; windows have no one question."""
    answers = study.store.read(ANNOTATIONS)
    kinds = pc.fill_null(answers["kind"], QuestionKind.VERDICT.value)
    asked = pc.is_in(kinds, value_set=pa.array([QuestionKind.VERDICT.value, QuestionKind.EXPERT.value]))
    return answers.filter(pc.and_(asked, pc.invert(pc.fill_null(answers["deleted"], False))))


def _earlier_splits(earlier: list[Path]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for folder in earlier:
        splits |= read_splits_lock(folder / "splits.lock")
    return splits


def _dropped_counts(study: Study) -> dict[str, int]:
    part = segments_part(study, study_videos(study))
    counts: dict[str, int] = {}
    for lost in study.store.summary(part.spec, part.key, part.digest).dropped:
        counts[lost.reason] = counts.get(lost.reason, 0) + 1
    return counts


def forbidden_strings(study: Study) -> ForbiddenStrings:
    """Collect what must never be in a release: names, titles, links, native ids and file names of the sources."""
    sources = study.store.read(SOURCES).to_pylist()
    files = {Path(row["location"]).stem for row in sources if row["platform"] == "file"}
    return ForbiddenStrings(
        names=frozenset(read_people(study).values()),
        titles=frozenset(row["title"] for row in sources if row["title"]) | files,
        links=frozenset(row["location"] for row in sources),
        native_ids=frozenset(row["native_id"] for row in sources),
    )


def newest_release(study: Study) -> Path:
    """Return the newest release; raises ``InvalidReleaseError`` where there is none."""
    found = study_releases(study)
    if not found:
        raise InvalidReleaseError(f"{study.layout.releases}: no release yet; `pressroom publish` makes one")
    return found[-1]

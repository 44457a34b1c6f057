"""Answers to segments, segments to a release: what ``publish`` does."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from annotation.answers.adjudicate import STAGE, adjudicate_annotations
from flows._identity import identify
from flows._leases import waited_lease
from flows._outcome import Outcome, record_run
from flows._perception import split_dropped, write_part
from flows._plan import disposed_videos, is_current, study_videos
from flows._release_inputs import forbidden_strings, input_digests, release_inputs
from flows._releases import newest_release, release_config, study_releases, version_of
from flows._rewrites import Rewriter, rewriter, unanswered_rewrites
from flows._stages import segments_part, study_experts, video_parts
from flows._study import Study
from flows._videos import kept_tracks_of
from flows._withdrawals import withdrawn_videos
from releases.build import build_release, check_unaltered
from releases.build import is_current as release_is_current
from releases.splits.lock import read_splits_lock
from schema.answer_rows import annotations_from_rows, known_answers_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, KEYPOINTS, KNOWN_ANSWERS, PLAYERS, TASKS, TRACKS
from schema.errors import DropReason, UsageError
from schema.questions import QuestionKind
from schema.records import Dropped, Track, VideoId, VideoRecord
from schema.rows import segments_to_rows
from schema.tables import STUDY_KEY

__all__ = ["adjudicate", "forbidden_strings", "newest_release", "publish", "published_release", "study_releases"]

_NO_CANDIDATE = (QuestionKind.KNOWN, QuestionKind.AUDIT)
"""Questions that are about no candidate."""


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
        words = rewriter(study)
        published = published_release(study)
        if published and not unanswered_rewrites(study, published, asking=words):
            check_unaltered(published)
            outcome.notes += [f"{published} holds just this already", *(words.notes() if words else [])]
            return outcome
        folder = _build(study, words)
        outcome.done, outcome.rows = 1, 1
        outcome.notes += [str(folder), *(words.notes() if words else [])]
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
    """Return the newest release that was built from today's inputs, if there is one.

    A release is none of today's where a later one has split people anew: they would no longer be on its sides.
    """
    digests = input_digests(study)
    since: dict[str, str] = {}
    for folder in reversed(study_releases(study)):
        config = replace(release_config(study), version=folder.name.rpartition("-")[2])
        splits = read_splits_lock(folder / "splits.lock")
        if release_is_current(
            study.layout.releases, config=config, taxonomy=study.taxonomy.name, input_digests=digests
        ):
            return folder if _agree(splits, since) else None
        since = splits | since
    return None


def lacks_words(study: Study, release: Path) -> bool:
    """Tell whether a release has descriptions for which the study's language model gave no answer."""
    if not study.config.release.descriptions.endpoint:
        return False
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    return bool(manifest["descriptions"]["unanswered"])


def _agree(splits: Mapping[str, str], since: Mapping[str, str]) -> bool:
    return all(since.get(subject, split) == split for subject, split in splits.items())


def _build(study: Study, words: Rewriter | None) -> Path:
    earlier = study_releases(study)
    config = release_config(study)
    if earlier:
        newest = version_of(earlier[-1].name.rpartition("-")[2])
        following = max(version_of(config.version), (newest[0], newest[1] + 1, 0))
        config = replace(config, version=".".join(map(str, following)))
    return build_release(
        release_inputs(study, earlier, words=words), releases_folder=study.layout.releases, config=config
    )

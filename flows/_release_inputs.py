"""What a release of the study is built from, put together from its tables and its private files."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from flows._identity import declared_people, match_outcomes
from flows._imported import imported_digest, imported_forbidden, imported_inputs
from flows._plan import is_current, study_videos
from flows._rewrites import Rewriter, person_descriptions
from flows._split_inputs import copies_and_events, fixed_splits, matches_of, subject_attributes
from flows._stages import release_document, segments_part, video_parts
from flows._study import Study, read_people
from flows._videos import read_video_part
from flows._withdrawals import withdrawn_segments
from releases.build import check_unaltered
from releases.inputs import ReleaseInputs
from releases.privacy.linter import ForbiddenStrings
from releases.splits.lock import read_splits_lock
from schema.arrow import ANNOTATIONS, KEYPOINTS, PLAYERS, SOURCES
from schema.files import DIGEST_HEX_DIGITS, digest_of
from schema.people import Role
from schema.people_rows import roles_from_rows
from schema.privacy import make_subject_id
from schema.questions import QuestionKind
from schema.records import VideoId, VideoRecord
from schema.rows import videos_to_rows

RELEASED_KINDS = (QuestionKind.VERDICT, QuestionKind.EXPERT, QuestionKind.BLIND, QuestionKind.AUDIT)
"""Questions whose answers are published; the hidden items' truth would tell annotators which they are."""


def input_digests(study: Study) -> dict[str, str]:
    """Digest what a release of today would be built from, by name, without reading keypoints."""
    outcomes = {video_id: f"{one.outcome}; {one.licence}" for video_id, one in match_outcomes(study).items()}
    copies, events = copies_and_events(study)
    attributes = {subject: [one.sex, one.birth_year] for subject, one in subject_attributes(study).items()}
    document = release_document(
        study,
        study_videos(study),
        others={
            "subjects": _declared_subjects(study),
            "outcomes": dict(sorted(outcomes.items())),
            "copies": [list(pair) for pair in copies],
            "events": [list(pair) for pair in events],
            "matches": dict(sorted(matches_of(study).items())),
            "fixed_splits": dict(sorted(fixed_splits(study).items())),
            "attributes": _sealed(study, attributes),
            "descriptions": dict(sorted(person_descriptions(study).items())),
            "imported": imported_digest(study) if study.config.release.imported == "include" else "",
            "links": _sealed(study, _links(study)) if study.config.release.gated_links else "",
            "withdrawn_segments": withdrawn_segments(study),
        },
    )
    return {
        "release": digest_of(document),
        **{name: value if isinstance(value, str) else digest_of(value) for name, value in document["inputs"].items()},
    }


def _sealed(study: Study, declared: Mapping[str, object]) -> str:
    """Digest what a release does not tell with the study's key: of few people every possibility could be tried."""
    return hmac.new(study.key, digest_of(dict(sorted(declared.items()))).encode(), sha256).hexdigest()[
        :DIGEST_HEX_DIGITS
    ]


def release_inputs(study: Study, earlier: list[Path], *, words: Rewriter | None = None) -> ReleaseInputs:
    """Put together what a release is built from.

    Args:
        study: The study.
        earlier: Its releases, oldest first.
        words: Asks a language model to word descriptions.
    """
    videos = study_videos(study)
    part = segments_part(study, videos)
    by_id = {video.video_id: video for video in videos}
    copies, events = copies_and_events(study)
    return ReleaseInputs(
        segments=study.store.read_part(part.spec, part.key, part.digest),
        annotations=_released_answers(study),
        videos=videos_to_rows(videos),
        subject_of=subject_of_tracks(study, videos),
        match_outcomes=match_outcomes(study),
        keypoints_of=lambda video_id: read_video_part(study, by_id[VideoId(video_id)], KEYPOINTS),
        taxonomy=study.taxonomy,
        forbidden=forbidden_strings(study),
        dropped_counts=_dropped_counts(study),
        input_digests=input_digests(study),
        copies=copies,
        events=events,
        match_of=matches_of(study),
        fixed_splits=fixed_splits(study),
        subject_attributes=subject_attributes(study),
        person_descriptions=person_descriptions(study),
        rewrite=words,
        links=_links(study),
        imported=imported_inputs(study),
        withdrawn_segments=withdrawn_segments(study),
        earlier_splits=_earlier_splits(earlier),
        earlier_changelog=_earlier_changelog(earlier),
    )


def forbidden_strings(study: Study) -> ForbiddenStrings:
    """Collect what must never be in a release: names, titles, links, native ids and file names of the sources."""
    sources = study.store.read(SOURCES).to_pylist()
    files = {Path(row["location"]).stem for row in sources if row["platform"] == "file"}
    return ForbiddenStrings(
        names=frozenset(read_people(study).values()),
        titles=frozenset(row["title"] for row in sources if row["title"]) | files,
        links=frozenset(row["location"] for row in sources),
        native_ids=frozenset(row["native_id"] for row in sources) | imported_forbidden(study),
    )


def _declared_subjects(study: Study) -> dict[str, str]:
    return {video_id: make_subject_id(study.key, person) for video_id, person in declared_people(study).items()}


def subject_of_tracks(study: Study, videos: list[VideoRecord]) -> dict[tuple[str, int], str | None]:
    """Give the declared person's subject id to the player's tracks, and none to anybody else's.

    The roles are those of perception: also where the study keeps everyone.
    """
    subjects = _declared_subjects(study)
    found: dict[tuple[str, int], str | None] = {}
    for video in videos:
        subject = subjects.get(video.video_id)
        parts = video_parts(study, video)
        if subject and is_current(study, parts[PLAYERS.name]) and is_current(study, parts[KEYPOINTS.name]):
            roles = roles_from_rows(read_video_part(study, video, PLAYERS))
            found |= {(video.video_id, role.track_number): subject for role in roles if role.role is Role.PLAYER}
    return found


def _links(study: Study) -> dict[str, str]:
    """Return the public link of each video: its newest source's; a file has none."""
    rows = study.store.read(SOURCES).select(["video_id", "platform", "location"]).to_pylist()
    return {row["video_id"]: row["location"] for row in rows if row["platform"] != "file"}


def _released_answers(study: Study) -> pa.Table:
    answers = study.store.read(ANNOTATIONS)
    kinds = pc.fill_null(answers["kind"], QuestionKind.VERDICT.value)
    asked = pc.is_in(kinds, value_set=pa.array([kind.value for kind in RELEASED_KINDS]))
    return answers.filter(pc.and_(asked, pc.invert(pc.fill_null(answers["deleted"], False))))


def _earlier_splits(earlier: list[Path]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for folder in earlier:
        check_unaltered(folder, ["splits.lock"])
        splits |= read_splits_lock(folder / "splits.lock")
    return splits


def _earlier_changelog(earlier: list[Path]) -> str:
    if not earlier:
        return ""
    check_unaltered(earlier[-1], ["CHANGELOG.md"])
    return (earlier[-1] / "CHANGELOG.md").read_text(encoding="utf-8")


def _dropped_counts(study: Study) -> dict[str, int]:
    part = segments_part(study, study_videos(study))
    counts: dict[str, int] = {}
    for lost in study.store.summary(part.spec, part.key, part.digest).dropped:
        counts[lost.reason] = counts.get(lost.reason, 0) + 1
    return counts

"""A small study to publish: each subject has videos of 80 frames, a player's track with segments and a bystander's."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from releases.build import build_release, checksums_text
from releases.config import ReleaseConfig, UnlabelledConfig
from releases.inputs import ReleaseInputs
from releases.privacy.linter import ForbiddenStrings
from schema.answer_rows import annotations_to_rows
from schema.records import Part, VerifiedSegment
from schema.rows import keypoints_to_rows, segments_to_rows, videos_to_rows
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND
from tests.factories import (
    ARMS,
    NECK,
    make_anchor,
    make_annotation,
    make_keypoints,
    make_segment,
    make_span,
    make_video,
)

FRAMES = 80
FRAME_NS = 40_000_000
CONFIG = ReleaseConfig(
    name="test-gestures",
    row_group_rows=96,
    shard_rows=192,
    unlabelled=UnlabelledConfig(window_seconds=0.4, min_quality=0.0, slowest=0.0, fastest=1e9, most_per_subject=3),
)
"""Small enough that a few videos make several row groups and files; any window counts."""


def subject(number: int) -> str:
    return f"s{number:020x}"


def video(number: int) -> str:
    return f"v{number:020x}"


def digest(number: int) -> str:
    return f"{number + 0xABCDEF:064x}"


def segments_of(number: int, count: int = 2) -> list[VerifiedSegment]:
    """Segments of the player (track 0) of one video; the last one is an unclassified movement."""
    return [
        make_segment(
            segment_id=f"g{number:010x}{k:010x}",
            candidate_id=f"c{number:010x}{k:010x}",
            video_id=video(number),
            span=make_span(0.4 + 0.8 * k, 1.0 + 0.8 * k),
            class_id=(NECK, ARMS, None)[min(k, 2)],
            scripted=k % 2 == 1,
        )
        for k in range(count)
    ]


def keypoints_of(video_id: str) -> pa.Table:
    """Keypoints of the player and of a bystander, bystander first."""
    number = int(video_id[1:], 16)
    sequences = [
        make_keypoints(
            video_id=video_id,
            track_number=track,
            first_frame=2 * track,
            frame_count=FRAMES - 2 * track,
            seed=2 * number + track,
            unseen=(Part.FEET, Part.LEFT_HAND) if number % 2 else (Part.RIGHT_HAND,),
        )
        for track in (1, 0)
    ]
    return pa.concat_tables([keypoints_to_rows(sequence) for sequence in sequences])


def make_inputs(
    *, video_subjects: Iterable[int | None] = range(8), segments: list[VerifiedSegment] | None = None, **changes: Any
) -> ReleaseInputs:
    """Give one video for each entry of ``video_subjects``, with the number of its player or None."""
    people = list(video_subjects)
    numbers = range(len(people))
    found = segments if segments is not None else [s for n in numbers for s in segments_of(n, 1 + n % 3)]
    answers = [
        make_annotation(
            10 * k + who,
            candidate_id=segment.candidate_id,
            anchor=make_anchor(video_id=segment.video_id, span=segment.span),
            annotator_id=f"r{who:020x}",
            scripted=segment.scripted,
            comment="she said it was Ada Lovelace",
            answered_ns=1_700_000_000 * NS_PER_SECOND + k * 3 * 24 * 3600 * NS_PER_SECOND,
            lead_time_ns=4_400_000_000 + who,
        )
        for k, segment in enumerate(found)
        for who in (1, 2)
    ]
    inputs = ReleaseInputs(
        segments=segments_to_rows(found),
        annotations=annotations_to_rows(answers),
        videos=videos_to_rows(
            make_video(video_id=video(n), sha256=digest(n), frame_count=FRAMES, duration_ns=FRAMES * FRAME_NS)
            for n in numbers
        ),
        subject_of={(video(n), 0): None if person is None else subject(person) for n, person in enumerate(people)},
        keypoints_of=keypoints_of,
        taxonomy=load_taxonomy("imigue32"),
        forbidden=ForbiddenStrings(),
        dropped_counts={"rejected": 3},
        input_digests={"segments": "12" * 6},
    )
    return replace(inputs, **changes)


def build(folder: Path, inputs: ReleaseInputs | None = None, config: ReleaseConfig = CONFIG) -> Path:
    return build_release(inputs or make_inputs(), releases_folder=folder, config=config)


def files_of(release: Path) -> dict[str, bytes]:
    return {p.relative_to(release).as_posix(): p.read_bytes() for p in sorted(release.rglob("*")) if p.is_file()}


def read(release: Path, table: str) -> pa.Table:
    """Read one table of all splits, as anybody would."""
    return pa.concat_tables([pq.read_table(path) for path in sorted((release / "data").glob(f"{table}-*.parquet"))])


def resign(release: Path) -> None:
    """Write SHA256SUMS anew, as a faulty builder would."""
    (release / "SHA256SUMS").write_text(checksums_text(release))

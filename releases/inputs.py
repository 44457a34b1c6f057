"""What a release is built from: the tables and callables that the caller hands over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from releases.privacy import ForbiddenStrings
from schema.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchOutcome:
    """How the match before a press conference ended for its player."""

    outcome: str
    """``win`` or ``loss``."""
    licence: str = ""
    """Licence of the results that told it; empty where they carry none, or a person told it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReleaseInputs:
    """The data of a release; pressroom's store is the caller's business."""

    segments: pa.Table
    """Rows of ``schema.arrow.SEGMENTS``."""
    annotations: pa.Table
    """Rows of ``schema.arrow.ANNOTATIONS``, all batches; an annotation id that comes twice counts once."""
    videos: pa.Table
    """Rows of ``schema.arrow.VIDEOS``; the last row of a video counts."""
    subject_of: Mapping[tuple[str, int], str | None]
    """Who is on a track, by (video id, track number); absent or None: nobody declared it."""
    keypoints_of: Callable[[str], pa.Table]
    """Gives the rows of ``schema.arrow.KEYPOINTS`` of a video, in any order; called once for each video."""
    taxonomy: Taxonomy
    forbidden: ForbiddenStrings
    """Names, links and native ids from ``private/`` that must not appear anywhere."""
    match_outcomes: Mapping[str, MatchOutcome] = field(default_factory=dict)
    """How the match of a video's player ended, by video id; absent: unknown, or there was none."""
    dropped_counts: Mapping[str, int] = field(default_factory=dict)
    """What the stages before left out, by reason; told in the card."""
    input_digests: Mapping[str, str] = field(default_factory=dict)
    """Digest of each input by name; written into the manifest. Never a media file's own sha256."""
    linked_videos: Sequence[tuple[str, str]] = ()
    """Pairs of videos that are copies of one recording or show one event: they share a side."""
    earlier_splits: Mapping[str, str] = field(default_factory=dict)
    """Splits of subjects in earlier releases (``releases.splits.read_splits_lock``)."""
    earlier_changelog: str = ""
    """CHANGELOG.md of the release before."""

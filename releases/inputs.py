"""What a release is built from: the tables and callables that the caller hands over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from releases.privacy.linter import ForbiddenStrings
from schema.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchOutcome:
    """How the match before a press conference ended for its player."""

    outcome: str
    """``win`` or ``loss``."""
    licence: str = ""
    """Licence of the results that told it; empty where they carry none, or a person told it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectAttributes:
    """What the study's players file declares of one person."""

    sex: str = ""
    """``f``, ``m`` or empty."""
    birth_year: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What a language model made of a segment's fields."""

    text: str = ""
    """Its sentences; empty where they were refused, or there was no answer."""
    refused: bool = False
    """There was an answer, and it said more than the fields."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedInputs:
    """Imported data sets that enter the release beside the study's own segments."""

    segments: pa.Table
    """Rows of ``schema.imported.IMPORTED_SEGMENTS``."""
    videos: pa.Table
    """Rows of ``schema.imported.IMPORTED_VIDEOS``."""
    keypoints_of: Callable[[str], pa.Table]
    """Gives the rows of ``schema.arrow.KEYPOINTS`` of an imported video."""
    licences: Mapping[str, str]
    """Licence of each data set by its name, as the person who imported it said."""


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
    copies: Sequence[tuple[str, str]] = ()
    """Pairs of videos that are copies of one recording, the poorer one first: they share a side."""
    events: Sequence[tuple[str, str]] = ()
    """Pairs of videos that show one event, such as a joint conference: they share a side."""
    match_of: Mapping[str, str] = field(default_factory=dict)
    """The match before each press conference, by video id; videos of both its players have the same one."""
    fixed_splits: Mapping[str, str] = field(default_factory=dict)
    """Splits of subjects that the study itself lists (``release.splits.lists``, ``leave_out``)."""
    subject_attributes: Mapping[str, SubjectAttributes] = field(default_factory=dict)
    """What is declared of the people, by subject id."""
    person_descriptions: Mapping[str, str] = field(default_factory=dict)
    """Sentences that reviewers wrote, by segment id."""
    rewrite: Callable[[Mapping[str, Any]], Rewritten] | None = None
    """Asks a language model to word a row of *segments*; None: nobody is asked."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Public link of each video, by video id; read only where ``release.gated_links`` is set."""
    imported: ImportedInputs | None = None
    withdrawn_segments: int = 0
    """Segments of earlier releases that were withdrawn since."""
    earlier_splits: Mapping[str, str] = field(default_factory=dict)
    """Splits of subjects in earlier releases; they never change (``releases.splits.lock.read_splits_lock``)."""
    earlier_changelog: str = ""
    """CHANGELOG.md of the release before."""

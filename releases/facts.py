"""The numbers of a release, counted from its finished tables: what the card and the manifest tell."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """How much one split holds."""

    subjects: int
    videos: int
    segments: int
    scripted_segments: int
    votes: int
    keypoint_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """How much a release holds and what was left out of it."""

    splits: dict[str, SplitFacts]
    """By split; only those that hold segments."""
    class_counts: dict[str, dict[str, int]]
    """Segments by class id and split; an unclassified movement is ``""``."""
    scripted_votes: int
    left_out_segments: dict[str, int]
    """By reason."""
    left_out_votes: dict[str, int]
    """By reason."""
    shortened_segments: int
    """Spans that were cut to their track."""
    dropped_counts: dict[str, int]
    """What the stages before left out, by reason."""
    outcome_counts: dict[str, int] = field(default_factory=dict)
    """Videos by match outcome; those without one are not counted."""
    outcome_licences: tuple[str, ...] = ()
    """Licences of the results tables that gave them."""

    @property
    def subjects(self) -> int:
        """Return the number of known people."""
        return sum(split.subjects for split in self.splits.values())

    @property
    def segments(self) -> int:
        """Return the number of segments."""
        return sum(split.segments for split in self.splits.values())

    @property
    def scripted_segments(self) -> int:
        """Return the number of segments that rest on scripts' answers alone."""
        return sum(split.scripted_segments for split in self.splits.values())

    @property
    def votes(self) -> int:
        """Return the number of answers."""
        return sum(split.votes for split in self.splits.values())

    @property
    def keypoint_rows(self) -> int:
        """Return the number of frames with keypoints."""
        return sum(split.keypoint_rows for split in self.splits.values())


def count_split(segments: list[Row], votes: list[Row], *, keypoint_rows: int) -> SplitFacts:
    """Count one split from its rows."""
    return SplitFacts(
        subjects=len({row["subject_id"] for row in segments} - {None}),
        videos=len({row["video_id"] for row in segments}),
        segments=len(segments),
        scripted_segments=sum(row["scripted"] for row in segments),
        votes=len(votes),
        keypoint_rows=keypoint_rows,
    )


def count_classes(segments: Mapping[str, list[Row]]) -> dict[str, dict[str, int]]:
    """Count segments by class id and split, classes by id."""
    counts: dict[str, Counter[str]] = {}
    for split, rows in segments.items():
        for row in rows:
            counts.setdefault(row["class_id"] or "", Counter())[split] += 1
    return {class_id: {split: counts[class_id][split] for split in segments} for class_id in sorted(counts)}

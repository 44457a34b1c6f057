"""The numbers of a release, counted from its finished tables: what the card and the manifest tell."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakCheck:
    """One question that was put to the splits, and what came of it."""

    name: str
    """subject, recording, conference, unknown_subject or match."""
    question: str
    """In words: "Is a person in two splits?"."""
    checked: int
    """So many people, recordings, conferences or matches were looked at."""
    found: int
    """So many are in two splits; above 0 it is a build error, for matches only where the study says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """The proof that the checks of the splits ran: ``leak-report.json``."""

    checks: tuple[LeakCheck, ...] = ()
    copies_left_out: int = 0
    """Videos left out, because a copy of them lies on another side that was published before."""
    notes: tuple[str, ...] = ()
    """What was mended and how, in words, without ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reidentification:
    """Whether the published face points tell people apart: the nearest neighbour of each video is another video."""

    tested: bool
    why: str
    """Why it was not tested, or what was done, in words."""
    subjects: int = 0
    """People with two videos or more."""
    videos: int = 0
    accuracy: float = 0.0
    """Share of videos whose nearest neighbour by published face points is of the same person."""
    accuracy_low: float = 0.0
    accuracy_high: float = 0.0
    """Its 95 % interval."""
    chance: float = 0.0
    """What guessing would give."""
    accuracy_of_all_points: float = 0.0
    """The same by all 68 face points as estimated, for comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeFacts:
    """What became of one declared attribute of the subjects."""

    name: str
    declared: int
    published: int
    """As declared, or generalised."""
    generalised: int
    nulled: int
    """Declared, but shared by too few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionFacts:
    """Who wrote the descriptions."""

    by_person: int = 0
    by_template: int = 0
    by_model: int = 0
    refused: int = 0
    """Model answers that said more than the fields."""
    unanswered: int = 0
    """Segments for which the endpoint gave no answer; another publish asks again."""
    words_digest: str = ""
    """Digest of what the model said; empty where it said nothing. Other inputs have theirs in the recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReadiness:
    """Whether the release suffices for one of the field's tasks."""

    task: str
    """unsupervised, semi-supervised, supervised, retrieval or emotion."""
    suffices: bool
    why: str
    """What it holds for the task, or what it lacks, with numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationFacts:
    """How the answers were given."""

    annotators: int = 0
    mean_answers: float = 0.0
    """Counted answers a segment of the study's own."""
    mean_agreement: float | None = None
    median_seconds: float | None = None
    """Time an answer of a person took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """How much one split holds."""

    subjects: int
    videos: int
    segments: int
    scripted_segments: int
    votes: int
    keypoint_rows: int
    unlabelled: int = 0
    """Windows for training without labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """How much a release holds and what was left out of it."""

    splits: dict[str, SplitFacts]
    """By split; only those that hold a video."""
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
    leak_report: LeakReport = field(default_factory=LeakReport)
    reidentification: Reidentification = field(default_factory=lambda: Reidentification(tested=False, why="not tested"))
    attributes: tuple[AttributeFacts, ...] = ()
    descriptions: DescriptionFacts = field(default_factory=DescriptionFacts)
    annotation: AnnotationFacts = field(default_factory=AnnotationFacts)
    readiness: tuple[TaskReadiness, ...] = ()
    origins: dict[str, int] = field(default_factory=dict)
    """Segments by the data set that they come from."""
    origin_licences: dict[str, str] = field(default_factory=dict)
    """Licence of each imported data set, as the person who imported it said."""
    withdrawn_segments: int = 0
    """Segments of earlier releases that were withdrawn since."""
    moved_subjects: int = 0
    """People who are in another split than in earlier releases: the study split anew."""

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


def count_split(
    segments: list[Row], votes: list[Row], videos: list[Row], windows: list[Row], *, keypoint_rows: int
) -> SplitFacts:
    """Count one split from its rows."""
    return SplitFacts(
        subjects=len({row["subject_id"] for row in (*segments, *windows)} - {None}),
        videos=len(videos),
        segments=len(segments),
        scripted_segments=sum(row["scripted"] for row in segments),
        votes=len(votes),
        keypoint_rows=keypoint_rows,
        unlabelled=len(windows),
    )


def count_classes(segments: Mapping[str, list[Row]]) -> dict[str, dict[str, int]]:
    """Count segments by class id and split, classes by id."""
    counts: dict[str, Counter[str]] = {}
    for split, rows in segments.items():
        for row in rows:
            counts.setdefault(row["class_id"] or "", Counter())[split] += 1
    return {class_id: {split: counts[class_id][split] for split in segments} for class_id in sorted(counts)}

"""What is measured of a seed model on people it has not seen: plain numbers, written by whoever measures."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure with its interval; what was not measured is None in the place of this.

    Raises ``ValueError`` for a number that is none, or an interval that is open or turned round.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers where they are born: a file of numbers that holds "NaN" can't be read again."""
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")
        if not all(math.isfinite(number) for number in (self.value, self.low or 0.0, self.high or 0.0)):
            raise ValueError("a figure must be a number; what was not measured is None")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the interval {self.low} to {self.high} is turned round")


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOverlap:
    """A figure that depends on how well spans must lie on each other."""

    overlap: float
    """Temporal intersection over union, 0..1."""
    score: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class AtProposals:
    """A figure that depends on how many proposals are looked at."""

    proposals: float
    """Best proposals that count, in the unit of ``DetectionScores.proposals_unit``."""
    score: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionScores:
    """How well gestures are found in whole recordings."""

    mean_average_precision: tuple[AtOverlap, ...] = ()
    """Mean over classes of the average precision, by overlap."""
    f1_strict: Measured | None = None
    """F1 at an overlap above 0.3, one claim for one gesture, class right."""
    f1_starter_kit: Measured | None = None
    """The same as the MiGA starter kit matches: one claim may serve several gestures."""
    precision: Measured | None = None
    """Of ``f1_strict``."""
    recall: Measured | None = None
    """Of ``f1_strict``."""
    average_recall: tuple[AtProposals, ...] = ()
    """Share of gestures that are found, whatever class is named, by the number of proposals."""
    proposals_unit: str = "a minute"
    """Of what the best proposals are counted: ``a minute``, ``a recording``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often segments of a class were taken for another; raises ``ValueError`` where it is not square."""

    labels: tuple[str, ...]
    """Class ids, in the order of rows and columns."""
    counts: tuple[tuple[int, ...], ...]
    """One row for what a segment is, one column for what the model said."""

    def __post_init__(self) -> None:
        """Check the shape."""
        if {len(self.counts), *map(len, self.counts)} - {len(self.labels)}:
            raise ValueError("a confusion matrix has a row and a column for each label")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationScores:
    """How well cut segments are told apart."""

    segments: int
    """Segments that were judged."""
    accuracy: Measured | None = None
    macro_f1: Measured | None = None
    """Mean of the classes' F1: rare classes count as much as common ones."""
    confusion: Confusion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameScore:
    """The figures of one class or one body-part group."""

    name: str
    """Class id, or the group's name."""
    examples: int
    """True gestures among the held-out people."""
    f1: Measured | None = None
    """Detection, overlap above 0.3, one to one."""
    average_precision: Measured | None = None
    """Detection, overlap above 0.3."""
    recall: Measured | None = None
    """Share of the true gestures that are found, overlap above 0.3, one to one."""
    accuracy: Measured | None = None
    """Share of cut segments of this class (group) that are given it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Claims of about the same score, and how many of them were right."""

    low: float
    high: float
    count: int
    mean_score: float
    share_right: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationScores:
    """Whether a score of 0.7 is right in 70 % of the cases, before and after calibration."""

    before: Measured | None = None
    """Expected calibration error of the scores as they come."""
    after: Measured | None = None
    """Expected calibration error as the model is handed out."""
    bins_before: tuple[ReliabilityBin, ...] = ()
    bins_after: tuple[ReliabilityBin, ...] = ()
    about: str = ""
    """What is scored, in words: the class probabilities of cut segments, the scores of detections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line of a plot; raises ``ValueError`` where its two sides differ in length."""

    name: str
    across: tuple[float, ...]
    """Updates of a loss curve, recall of a precision-recall curve."""
    up: tuple[float, ...]
    """Loss, or precision."""

    def __post_init__(self) -> None:
        """Check lengths and numbers."""
        if len(self.across) != len(self.up) or not self.up:
            raise ValueError(f"{self.name}: a curve has as many values across as up, and at least one")
        if not all(map(math.isfinite, (*self.across, *self.up))):
            raise ValueError(f"{self.name}: a curve holds numbers alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancingRow:
    """What another weight of rare classes gives."""

    setting: str
    """In words: "classes as often as they come"."""
    accuracy: Measured | None = None
    macro_f1: Measured | None = None
    rare_recall: Measured | None = None
    """Mean recall of the rarer half of the classes."""
    is_used: bool = False
    """Whether this model was trained so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Another way to propose, measured on the same people."""

    name: str
    """In words: "sliding window, linear classifier", "motion alone"."""
    detection: DetectionScores | None = None
    accuracy: Measured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetrics:
    """All that was measured of a model by subject-wise cross-validation; empty where nothing was."""

    folds: tuple[tuple[str, ...], ...] = ()
    """Keyed ids of the people who were held out together."""
    seeds: tuple[int, ...] = ()
    """Seeds that the figures are the mean of."""
    sequences: int = 0
    """Recordings of held-out people."""
    gestures: int = 0
    """True gestures in them."""
    minutes: float = 0.0
    """Length of the recordings that were judged."""
    confidence: float = 0.95
    """Of all intervals."""
    intervals: str = ""
    """Where the intervals are from: "bootstrap over people, 1000 times"."""
    detection: DetectionScores | None = None
    classification: ClassificationScores | None = None
    classes: tuple[NameScore, ...] = ()
    groups: tuple[NameScore, ...] = ()
    calibration: CalibrationScores | None = None
    precision_recall: tuple[Curve, ...] = ()
    """Named by overlap: "overlap 0.3"."""
    losses: tuple[Curve, ...] = ()
    """Named by stage: "pre-training", "training", "fold 2 of 3"."""
    balancing: tuple[BalancingRow, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences that a reader of the numbers must know."""

    @property
    def is_measured(self) -> bool:
        """Tell whether people were held out at all."""
        return bool(self.detection or self.classification)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One headline figure of a model, by the key under which two models are compared."""

    key: str
    name: str
    measured: Measured
    more_is_better: bool = field(default=True)


def headline_figures(metrics: ModelMetrics) -> tuple[Figure, ...]:
    """List the figures that tell a model in a few lines, those that were measured alone, in a fixed order."""
    return tuple(
        Figure(key=key, name=name, measured=measured, more_is_better=key != "calibration_error")
        for key, name, measured in _named(metrics)
        if measured is not None
    )


def figures_by_key(metrics: ModelMetrics) -> Mapping[str, Figure]:
    """Give the same by key."""
    return {figure.key: figure for figure in headline_figures(metrics)}


def _named(metrics: ModelMetrics) -> Iterator[tuple[str, str, Measured | None]]:
    found, cut = metrics.detection or DetectionScores(), metrics.classification or ClassificationScores(segments=0)
    yield "f1_strict", "F1 at overlap 0.3, one to one", found.f1_strict
    yield "f1_starter_kit", "F1 at overlap 0.3, as the MiGA starter kit matches", found.f1_starter_kit
    yield "precision", "precision at overlap 0.3", found.precision
    yield "recall", "recall at overlap 0.3", found.recall
    for row in found.mean_average_precision:
        yield f"map_{row.overlap:g}", f"mAP at overlap {row.overlap:g}", row.score
    for each in found.average_recall:
        name = f"average recall, best {each.proposals:g} {found.proposals_unit}"
        yield f"average_recall_{each.proposals:g}", name, each.score
    yield "accuracy", "accuracy on cut segments", cut.accuracy
    yield "macro_f1", "macro F1 on cut segments", cut.macro_f1
    calibration = metrics.calibration or CalibrationScores()
    yield "calibration_error", "expected calibration error", calibration.after

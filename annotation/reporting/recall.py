"""How many of the gestures that there are the study's proposals find, estimated from audited random windows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.matching import box_iou, match_one_to_one
from schema.questions import AuditWindow
from schema.records import Candidate, VideoId
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

ALL_GROUPS = "all"
UNCLASSIFIED = "unclassified"
"""Group of movements that no class names."""
SAME_GESTURE_IOU = 0.3
"""Temporal IoU from which on a candidate shows what a person marked (FIELD notes 7.4)."""
SAME_PERSON_IOU = 0.3
"""Overlap of boxes from which on a candidate is about the person whose window was searched."""
BEGUN_BEFORE_NS = 100_000_000
"""A gesture marked from the window's first frames on began before it, and belongs to another window."""
CUT_SHORT_NS = 500_000_000
"""Of a gesture that begins later than this before the window's end too little is seen to compare it: it is left out,
whether it was found or not."""
CONFIDENCE = 0.95
ASSUMED_LIKENESS = 0.1
"""Correlation within one person where the data can't show it because all gestures were found, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenGesture:
    """A gesture that people agreed on when they searched a window."""

    window_id: str
    class_id: str | None
    span: TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedGesture:
    """Such a gesture, and whether a candidate had been proposed for it."""

    window: AuditWindow
    group: str
    """Body-part group of the class, or ``unclassified``."""
    class_id: str | None
    span: TimeSpan
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallEstimate:
    """The recall of the proposals for one group of classes, with what is known of its error."""

    group: str
    found_count: int
    """Gestures seen in audited windows for which there is a candidate."""
    missed_count: int
    recall: float | None
    """Share of the study's gestures that the proposals find; None where people saw none at all."""
    low: float
    """Interval of 95 % for ``recall``: 0..1 where nothing was seen."""
    high: float
    missed_per_minute: float
    """Gestures without a candidate, for each minute that somebody is followed."""
    missed_per_minute_low: float
    missed_per_minute_high: float
    """Above 0 also where nothing was missed: few minutes prove little."""
    window_count: int
    minutes: float
    """Minutes that people searched."""
    people_count: int
    """Subjects (videos where nobody declared a subject) in the windows."""


def match_audit(
    windows: Sequence[AuditWindow],
    seen: Iterable[SeenGesture],
    candidates: Iterable[Candidate],
    *,
    taxonomy: Taxonomy,
) -> list[AuditedGesture]:
    """Say of each gesture that people saw whether a candidate shows it.

    Within a window gestures and candidates of that person are paired one to one by temporal IoU, at least 0.3, those
    of one class group first. Candidates are cut at the window's edges, as the marks are. A gesture belongs to the
    window in which it begins, so that none counts twice, and to none if that is within its last half second.

    Args:
        windows: Windows that were searched.
        seen: What people agreed on there; gestures of other windows are passed over.
        candidates: Every candidate of the videos, asked or not.
        taxonomy: The study's classes.

    Raises:
        ConfigError: A class is not one of the taxonomy.
    """
    proposed: defaultdict[VideoId, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        proposed[candidate.video_id].append(candidate)
    marked: defaultdict[str, list[SeenGesture]] = defaultdict(list)
    for gesture in seen:
        marked[gesture.window_id].append(gesture)
    return [
        gesture
        for window in windows
        for gesture in _match_window(window, marked[window.window_id], proposed[window.video_id], taxonomy)
    ]


def _match_window(
    window: AuditWindow, seen: Sequence[SeenGesture], candidates: Sequence[Candidate], taxonomy: Taxonomy
) -> list[AuditedGesture]:
    mine = [
        (candidate, cut)
        for candidate in candidates
        if box_iou(candidate.box_xyxy, window.box_xyxy) >= SAME_PERSON_IOU
        and (cut := _cut(candidate.span, window.span)) is not None
    ]

    def likeness(gesture: SeenGesture, other: tuple[Candidate, TimeSpan]) -> float:
        candidate, span = other
        iou = gesture.span.temporal_iou(span)
        same_group = group_of(gesture.class_id, taxonomy) == group_of(candidate.class_id, taxonomy)
        return iou + same_group if iou >= SAME_GESTURE_IOU else 0.0

    # a gesture that is left out below still takes its candidate away from the others
    found = {index for index, _ in match_one_to_one(seen, mine, score=likeness, at_least=SAME_GESTURE_IOU)}
    return [
        AuditedGesture(
            window=window,
            group=group_of(gesture.class_id, taxonomy),
            class_id=gesture.class_id,
            span=gesture.span,
            found=index in found,
        )
        for index, gesture in enumerate(seen)
        if window.span.start_ns + BEGUN_BEFORE_NS <= gesture.span.start_ns <= window.span.end_ns - CUT_SHORT_NS
    ]


def group_of(class_id: str | None, taxonomy: Taxonomy) -> str:
    """Return the body-part group of a class; raises ``ConfigError`` for one that the taxonomy lacks."""
    return UNCLASSIFIED if class_id is None else taxonomy.by_id(class_id).group


def estimate_recall(
    windows: Sequence[AuditWindow],
    gestures: Iterable[AuditedGesture],
    *,
    groups: Sequence[str],
    person_of: Callable[[VideoId], str] = str,
) -> list[RecallEstimate]:
    """Estimate recall over the whole study, for all gestures together and for each group.

    Recall is the ratio of found to all gestures, each weighted by 1 / ``sampled_share`` of its window. Its interval is
    that of Korn and Graubard (1998, Survey Methodology 24, 193-201), made for shares in clustered samples: the exact
    binomial one for as many independent gestures as the ratio's variance between people is worth (Taylor
    linearisation), fewer where few people were seen. Missed gestures per minute have the gamma interval of Fay and
    Feuer (1997, Statistics in Medicine 16, 791-801). Neither shrinks to nothing where nothing, or everything, was
    missed.

    Args:
        windows: Windows that were searched, those in which people saw nothing too.
        gestures: What ``match_audit`` gives for them.
        groups: Groups to report besides ``all``, in that order.
        person_of: Who is in a video, for those who appear in several; a video is a person of its own by default.

    Returns:
        ``all`` first, then each group, also those in which nothing was seen.

    Raises:
        ValueError: A window's share is not in (0, 1].
    """
    for window in windows:
        if not 0 < window.sampled_share <= 1:
            raise ValueError(f"{window.window_id}: drawn with a chance of {window.sampled_share}")
    given = list(gestures)
    people = sorted({person_of(window.video_id) for window in windows})
    number_of = {person: number for number, person in enumerate(people)}
    return [
        _estimate(
            group,
            windows,
            [g for g in given if group in (ALL_GROUPS, g.group)],
            lambda video_id: number_of[person_of(video_id)],
            len(people),
        )
        for group in (ALL_GROUPS, *groups)
    ]


def _estimate(
    group: str,
    windows: Sequence[AuditWindow],
    gestures: Sequence[AuditedGesture],
    person_number: Callable[[VideoId], int],
    people_count: int,
) -> RecallEstimate:
    weights = np.array([1 / g.window.sampled_share for g in gestures], dtype=np.float64)
    found = np.array([g.found for g in gestures], dtype=np.bool_)
    people = np.array([person_number(g.window.video_id) for g in gestures], dtype=np.int64)
    recall, low, high = _share(weights, found, people)
    minutes = [w.span.seconds / 60 / w.sampled_share for w in windows]
    exposures = np.zeros(people_count, dtype=np.float64)
    np.add.at(exposures, np.array([person_number(w.video_id) for w in windows], dtype=np.int64), minutes)
    largest = max((1 / w.sampled_share for w in windows), default=0.0)
    missed = _rate(weights[~found], people[~found], exposures, largest)
    return RecallEstimate(
        group=group,
        found_count=int(found.sum()),
        missed_count=int((~found).sum()),
        recall=recall,
        low=low,
        high=high,
        missed_per_minute=missed[0],
        missed_per_minute_low=missed[1],
        missed_per_minute_high=missed[2],
        window_count=len(windows),
        minutes=sum(w.span.duration_ns for w in windows) / NS_PER_SECOND / 60,
        people_count=people_count,
    )


def _share(
    weights: npt.NDArray[np.float64], found: npt.NDArray[np.bool_], people: npt.NDArray[np.int64]
) -> tuple[float | None, float, float]:
    """Return a weighted share with its interval (Korn and Graubard 1998)."""
    from scipy.special import betaincinv

    if not weights.size:
        return None, 0.0, 1.0
    share = float(weights[found].sum() / weights.sum())
    count = min(_independent_count(weights, found, people, share), float(weights.size))
    tail = (1 - CONFIDENCE) / 2
    hits = share * count
    low = 0.0 if hits <= 0 else float(betaincinv(hits, count - hits + 1, tail))
    high = 1.0 if hits >= count else float(betaincinv(hits + 1, count - hits, 1 - tail))
    return share, min(low, share), max(high, share)


def _independent_count(
    weights: npt.NDArray[np.float64], found: npt.NDArray[np.bool_], people: npt.NDArray[np.int64], share: float
) -> float:
    """Return how many independent gestures the sample is worth, at least 1."""
    _, person = np.unique(people, return_inverse=True)
    people_count = int(person.max()) + 1
    if people_count == 1:
        return 1.0  # one person says nothing of others
    kish = float(weights.sum() ** 2 / (weights**2).sum())
    residuals = np.bincount(person, weights=weights * (found - share))
    variance = float((residuals**2).sum()) / float(weights.sum()) ** 2
    if variance <= 1e-12:  # all found, or none: nothing shows how alike a person's gestures are
        return max(1.0, kish / (1 + ASSUMED_LIKENESS * (weights.size / people_count - 1)))
    return max(1.0, share * (1 - share) / (variance * _few_people(weights.size, people_count)))


def _rate(
    weights: npt.NDArray[np.float64],
    people: npt.NDArray[np.int64],
    exposures: npt.NDArray[np.float64],
    largest: float,
) -> tuple[float, float, float]:
    """Return weighted events per unit of exposure with their interval (Fay and Feuer 1997).

    The variance is Poisson's, or that between people where it is greater: some hide more gestures than others.

    Args:
        weights: Of each event.
        people: Number of the person of each event.
        exposures: Weighted exposure of each person.
        largest: Largest weight that an event could have had.
    """
    from scipy.special import gammaincinv

    exposure = float(exposures.sum())
    if exposure <= 0:
        return 0.0, 0.0, float("inf")
    tail = (1 - CONFIDENCE) / 2
    rate = float(weights.sum()) / exposure
    residuals = np.bincount(people, weights=weights, minlength=exposures.size) - rate * exposures
    between = float((residuals**2).sum()) * _few_people(weights.size, exposures.size)
    variance = max(float((weights**2).sum()), between) / exposure**2
    low = 0.0 if rate == 0 else variance / rate * float(gammaincinv(rate**2 / variance, tail))
    more, most = largest / exposure, variance + (largest / exposure) ** 2
    high = most / (rate + more) * float(gammaincinv((rate + more) ** 2 / most, 1 - tail))
    return rate, low, high


def _few_people(event_count: int, people_count: int) -> float:
    """Return by how much a variance between few people is too small to go on with normal quantiles."""
    from scipy.special import stdtrit

    if people_count < 2:
        return 0.0  # one person shows no variance
    quantile = 1 - (1 - CONFIDENCE) / 2
    student = float(stdtrit(people_count - 1, quantile) / stdtrit(max(event_count - 1, 1), quantile))
    return people_count / (people_count - 1) * max(1.0, student) ** 2


def _cut(span: TimeSpan, window: TimeSpan) -> TimeSpan | None:
    start_ns, end_ns = max(span.start_ns, window.start_ns), min(span.end_ns, window.end_ns)
    return TimeSpan(start_ns=start_ns, end_ns=end_ns) if start_ns < end_ns else None

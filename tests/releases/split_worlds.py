"""Made-up people, videos and labels whose splits are planned; the labels follow iMiGUE's where its list is at hand."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from hypothesis import strategies as st

from releases.splits.config import SPLITS, SplitsConfig
from releases.splits.plan import SplitPlan, SplitRequest, SplitSegment

IMIGUE_LABELS = Path(__file__).parents[3] / "shared" / "media" / "labels" / "imigue_miga_train_labels.csv"
IMIGUE_LIKE_COUNTS = (
    *(4230, 1650, 1120, 900, 760, 640, 560, 480, 420, 380, 340, 300, 270, 240, 210, 190, 170, 150, 130, 110),
    *(90, 80, 70, 55, 45, 35, 25, 18, 12, 8, 2, 1),
)
"""Segments of 32 classes, the commonest a third of all and the rarest a single one."""


def subject(number: int) -> str:
    return f"s{number:020x}"


def video(number: int) -> str:
    return f"v{number:020x}"


def segment(
    person: int | None, of_video: int, class_id: str | None = "c01", outcome: str | None = None
) -> SplitSegment:
    return SplitSegment(
        subject_id=None if person is None else subject(person),
        video_id=video(of_video),
        class_id=class_id,
        match_outcome=outcome,
    )


def segments_of(counts: Mapping[int, int]) -> list[SplitSegment]:
    """So many segments of each person, each person in a video of their own."""
    return [segment(person, person) for person, count in counts.items() for _ in range(count)]


@st.composite
def requests(draw: Callable[..., object], *, people: int = 9, videos: int = 12) -> SplitRequest:
    """Worlds in which people share videos, videos are linked, and earlier releases have decided some sides."""
    pairs = st.lists(st.tuples(st.integers(0, videos + 2), st.integers(0, videos + 2)), max_size=5)
    shown = [draw(st.sets(st.integers(0, people), max_size=2)) for _ in range(videos)]
    labels = [(who, number) for number, found in enumerate(shown) for who in sorted(found)]
    taken = draw(st.lists(st.sampled_from(labels or [(0, 0)]), max_size=40))
    segments = [segment(who, number, f"c{(who + number) % 4}", draw(OUTCOMES)) for who, number in taken]
    segments += [segment(None, number) for number in draw(st.lists(st.integers(0, videos), max_size=3))]
    linked = [[(video(a), video(b)) for a, b in draw(pairs) if a != b] for _ in range(2)]
    decided = st.dictionaries(st.integers(0, people).map(subject), st.sampled_from(SPLITS), max_size=5)
    return SplitRequest(
        segments=segments,
        other_subjects=sorted(draw(st.sets(st.integers(0, people).map(subject), max_size=3))),
        subjects_of_video={video(n): {subject(who) for who in found} for n, found in enumerate(shown)},
        sexes={subject(n): "fm"[n % 2] for n in range(people)},
        copies=linked[0],
        events=linked[1],
        match_of={video(n): f"m{n // 2}" for n in range(videos)},
        locked=draw(decided),
        config=SplitsConfig(),
    )


OUTCOMES = st.sampled_from(("win", "loss", None))


def torn_recordings(request: SplitRequest, plan: SplitPlan) -> Iterator[set[str]]:
    """Find, by trying every pair again and again, the linked videos that are left and lie on two sides."""
    groups = [{video_id} for video_id in request.subjects_of_video]
    for link in [*request.copies, *request.events]:
        joined = {*link}.union(*(group for group in groups if group & {*link}))
        groups = [group for group in groups if not group & {*link}] + [joined]
    for group in groups:
        sides = {
            plan.assignment[who]
            for video_id in group - plan.left_out_videos.keys()
            for who in request.subjects_of_video.get(video_id, ())
            if who in plan.assignment
        }
        if len(sides) > 1:
            yield group


def imigue_labels() -> list[tuple[str, str]]:
    """Video and class of the 13,670 published training labels."""
    with IMIGUE_LABELS.open(newline="") as file:
        return [(row["video_id"], row["class_id_zero_based"]) for row in csv.DictReader(file)]


def synthetic_labels(videos: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Labels of the same skew; a few long videos have many."""
    random = Random(seed)
    weights = [random.paretovariate(1.5) for _ in range(videos)]
    return [
        (f"{random.choices(range(videos), weights)[0]:05}", str(number))
        for number, count in enumerate(IMIGUE_LIKE_COUNTS)
        for _ in range(count)
    ]


def populated(labels: Sequence[tuple[str, str]], *, people: int, seed: int) -> SplitRequest:
    """Give made-up people the videos; some people have many more than others, and outcome and sex are drawn."""
    random = Random(seed)
    weights = [random.paretovariate(1.5) for _ in range(people)]
    names = sorted({name for name, _ in labels})
    who = {name: random.choices(range(people), weights)[0] for name in names}
    outcome = {name: random.choice(("win", "loss", None)) for name in names}
    numbers = {name: number for number, name in enumerate(names)}
    return SplitRequest(
        segments=[segment(who[name], numbers[name], class_id, outcome[name]) for name, class_id in labels],
        sexes={subject(n): random.choice("fm") for n in range(people)},
        config=SplitsConfig(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviations:
    """How far the splits are from their shares, mean over strata and splits, percentage points."""

    overall: float
    of_classes: float
    of_common_classes: float
    """Of those with 20 segments or more."""
    of_outcomes: float
    of_sexes: float
    missing: int
    """Pairs of class and held-out split without a segment of it."""


def deviations(request: SplitRequest, assignment: Mapping[str, str]) -> Deviations:
    held: defaultdict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)
    for one in request.segments:
        if one.subject_id is None:
            continue
        split = assignment[one.subject_id]
        held["all", None][split] += 1
        held["class", one.class_id][split] += 1
        held["outcome" if one.match_outcome else "no outcome", one.match_outcome][split] += 1
        held["sex", request.sexes[one.subject_id]][split] += 1
    shares = request.config.shares

    def mean(kind: str, least: int = 0) -> float:
        found = [counts for (of, _), counts in held.items() if of == kind and counts.total() >= least]
        return sum(
            100 * abs(counts[split] / counts.total() - share) for counts in found for split, share in shares.items()
        ) / (len(found) * len(shares))

    return Deviations(
        overall=mean("all"),
        of_classes=mean("class"),
        of_common_classes=mean("class", least=20),
        of_outcomes=mean("outcome"),
        of_sexes=mean("sex"),
        missing=sum(not counts[s] for (of, _), counts in held.items() if of == "class" for s in ("val", "test")),
    )


def random_splits(request: SplitRequest, *, seed: int) -> dict[str, str]:
    """Put whole people into splits by lot, in the wanted shares of people."""
    people = sorted({one.subject_id for one in request.segments if one.subject_id})
    Random(seed).shuffle(people)
    first, second = round(0.7 * len(people)), round(0.85 * len(people))
    return {who: "train" if n < first else "val" if n < second else "test" for n, who in enumerate(people)}

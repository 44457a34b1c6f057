"""Simulated candidates with known truth, and annotators of stated skill: what a campaign is rehearsed with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from schema.privacy import ID_HEX_DIGITS
from schema.questions import KnownAnswer, QuestionKind
from schema.records import Anchor, Annotation, CandidateId, ReviewTask, Verdict, VideoId
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

FRAME_NS = 40_000_000
"""Edges lie on frames of a clip at 25 frames per second."""
START_NS = 1_700_000_000 * NS_PER_SECOND
"""Unix time at which simulated campaigns begin."""
GESTURES_PER_VIDEO = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What really happens in a candidate."""

    exists: bool
    class_id: str | None
    """The true class; None where there is no gesture, or none that a class names."""
    span: TimeSpan
    ease: float = 1.0
    """What annotators' chances of being right are multiplied with: 1 is plain to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAnnotator:
    """Somebody whose answers are drawn by chance; probabilities 0..1."""

    annotator_id: str
    sees: float
    """Says that there is a gesture where there is one."""
    refuses: float
    """Says that there is none where there is none."""
    keeps: float
    """Names the class where the one that is shown is right."""
    finds: float
    """Names the class where another one, or none, is shown."""
    follows: float = 0.9
    """Names the class that is shown where the answer is wrong; else any other."""
    edge_error_ns: int = 80_000_000
    """Standard deviation of the edges that the annotator sets."""
    leaves_ns: int | None = 200_000_000
    """Edges that are further off than this are moved; None: never."""
    unsure: float = 0.0
    """Share of the answers that are "unsure"."""
    seconds: float = 4.0
    """Median time an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRates:
    """What candidates are: the rest shows no gesture at all."""

    right: float = 0.5
    """Share whose proposed class is right."""
    other: float = 0.15
    """Share that shows a gesture of another class."""
    edge_error_ns: int = 200_000_000
    """Standard deviation of the proposed edges."""
    hard: float = 0.15
    """Share that is hard to see."""
    hard_ease: float = 0.75
    """What chances are multiplied with there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Questions and the truth of each, by ``candidate_id``."""

    tasks: tuple[ReviewTask, ...]
    truths: Mapping[str, Truth]
    known: tuple[KnownAnswer, ...]
    """Truths of the questions that are hidden known items."""


def make_crew(count: int, *, careless: int, accepting: int, random: np.random.Generator) -> list[SimulatedAnnotator]:
    """Make annotators: ordinary ones of differing skill, then careless ones, then some who accept everything."""
    crew = []
    for number in range(count):
        annotator = SimulatedAnnotator(
            annotator_id=f"r{number:020d}",
            sees=float(random.uniform(0.82, 0.97)),
            refuses=float(random.uniform(0.78, 0.97)),
            keeps=float(random.uniform(0.93, 0.99)),
            finds=float(random.uniform(0.6, 0.9)),
            edge_error_ns=int(random.uniform(40, 120) * 1e6),
        )
        if number >= count - accepting:
            annotator = replace(
                annotator, sees=1.0, refuses=0.0, keeps=1.0, finds=0.0, follows=1.0, leaves_ns=None, seconds=1.5
            )
        elif number >= count - accepting - careless:
            annotator = replace(
                annotator, sees=0.6, refuses=0.4, keeps=0.7, finds=0.15, follows=0.5, edge_error_ns=400_000_000
            )
        crew.append(annotator)
    return crew


def make_campaign(
    count: int,
    *,
    taxonomy: Taxonomy,
    class_shares: Mapping[str, float],
    random: np.random.Generator,
    rates: ProposalRates | None = None,
    known_count: int = 0,
) -> Campaign:
    """Make candidates and hidden known items alike, each a question with its truth.

    Args:
        count: Candidates.
        taxonomy: Whose classes are proposed.
        class_shares: How common each class is, by its id; any positive numbers.
        random: Where chance comes from.
        rates: How often proposals are right.
        known_count: Hidden known items, drawn like the candidates.
    """
    rates = rates or ProposalRates()
    ids = sorted(class_shares)
    weights = np.array([class_shares[class_id] for class_id in ids], dtype=np.float64)
    drawn = random.choice(len(ids), size=(count + known_count, 2), p=weights / weights.sum())
    tasks: list[ReviewTask] = []
    truths: dict[str, Truth] = {}
    known: list[KnownAnswer] = []
    for number, (true_number, other_number) in enumerate(drawn.tolist()):
        hidden = number >= count
        task, truth = _candidate(
            number, ids[true_number], ids[other_number], taxonomy=taxonomy, rates=rates, random=random
        )
        if hidden:
            task = replace(task, kind=QuestionKind.KNOWN)
            truth = replace(truth, ease=1.0)  # a known item is chosen because nobody doubts it
            known.append(_known(task, truth))
        tasks.append(task)
        truths[task.candidate_id] = truth
    return Campaign(tasks=tuple(tasks), truths=truths, known=tuple(known))


def _candidate(
    number: int, true_id: str, other_id: str, *, taxonomy: Taxonomy, rates: ProposalRates, random: np.random.Generator
) -> tuple[ReviewTask, Truth]:
    draw = float(random.random())
    exists = draw < rates.right + rates.other
    shown_id = true_id if draw < rates.right else other_id
    if exists and draw >= rates.right and shown_id == true_id:
        shown_id = next(gesture.class_id for gesture in taxonomy if gesture.class_id != true_id)
    start_ns = (number % GESTURES_PER_VIDEO) * 20 * NS_PER_SECOND + 5 * NS_PER_SECOND
    length_ns = int(np.clip(random.lognormal(0.4, 0.5), 0.4, 6) * NS_PER_SECOND)
    span = _moved(TimeSpan(start_ns=start_ns, end_ns=start_ns + length_ns), 0, random)
    truth = Truth(
        exists=exists,
        class_id=true_id if exists else None,
        span=span,
        ease=rates.hard_ease if float(random.random()) < rates.hard else 1.0,
    )
    video = f"{number // GESTURES_PER_VIDEO:020d}"
    anchor = Anchor(
        video_id=VideoId("v" + video),
        sha256=sha256(video.encode()).hexdigest(),
        span=_moved(span, rates.edge_error_ns, random),
        box_xyxy=(100.0, 50.0, 300.0, 450.0),
    )
    return _task(number, anchor, taxonomy=taxonomy, class_id=shown_id, score=float(random.random())), truth


def _task(number: int, anchor: Anchor, *, taxonomy: Taxonomy, class_id: str, score: float) -> ReviewTask:
    gesture = taxonomy.by_id(class_id)
    return ReviewTask(
        candidate_id=CandidateId("c" + sha256(f"simulated {number}".encode()).hexdigest()[:ID_HEX_DIGITS]),
        anchor=anchor,
        taxonomy=taxonomy.name,
        class_id=class_id,
        question=gesture.question,
        evidence=gesture.evidence[0] if gesture.evidence else "",
        proposer="simulated",
        score=score,
        reason="simulated",
        server_id="simulated",
        project_number=1,
        task_number=number + 1,
    )


def _known(task: ReviewTask, truth: Truth) -> KnownAnswer:
    negative = "relabelled" if truth.class_id != task.class_id else "exact"
    return KnownAnswer(
        question_id=task.candidate_id,
        variant=negative if truth.exists else "negative",
        exists=truth.exists,
        class_id=truth.class_id,
        span=truth.span if truth.exists else task.anchor.span,
        source="study",
    )


def _moved(span: TimeSpan, error_ns: int, random: np.random.Generator) -> TimeSpan:
    """Move both edges by chance, on to frames; at least one frame is left."""
    start_ns, end_ns = (
        max(0, round((edge_ns + float(random.normal(0, 1)) * error_ns) / FRAME_NS)) * FRAME_NS
        for edge_ns in (span.start_ns, span.end_ns)
    )
    return TimeSpan(start_ns=start_ns, end_ns=max(end_ns, start_ns + FRAME_NS))


def judge(
    annotator: SimulatedAnnotator,
    task: ReviewTask,
    truth: Truth,
    *,
    classes: Sequence[str],
    random: np.random.Generator,
) -> tuple[Verdict, str | None, TimeSpan | None]:
    """Draw an annotator's verdict on a candidate.

    Args:
        annotator: Who is asked.
        task: The question, with the class that is shown.
        truth: What really happens.
        classes: What a wrong class is drawn from.
        random: Where chance comes from.

    Returns:
        Verdict, the class that it gives (of accept and adjust the one that is shown), and the edges where the
        annotator moved them.
    """
    if float(random.random()) < annotator.unsure:
        return Verdict.UNSURE, None, None
    says = float(random.random())
    if says >= (annotator.sees * truth.ease if truth.exists else 1 - annotator.refuses * truth.ease):
        return Verdict.REJECT, None, None
    shown_right = truth.exists and truth.class_id == task.class_id
    chance = (annotator.keeps if shown_right else annotator.finds) * truth.ease
    if truth.exists and float(random.random()) < chance:
        class_id = truth.class_id
    elif not shown_right and float(random.random()) < annotator.follows:
        class_id = task.class_id
    else:
        class_id = classes[int(random.integers(len(classes)))]
    edges = _edges(annotator, task, truth, random=random)
    if class_id != task.class_id:
        return Verdict.RELABEL, class_id, edges
    return (Verdict.ADJUST if edges else Verdict.ACCEPT), class_id, edges


def _edges(
    annotator: SimulatedAnnotator, task: ReviewTask, truth: Truth, *, random: np.random.Generator
) -> TimeSpan | None:
    """Set the edges where those that are shown look wrong; None leaves them."""
    if annotator.leaves_ns is None or not truth.exists:
        return None
    seen, shown = _moved(truth.span, annotator.edge_error_ns, random), task.anchor.span
    off_ns = max(abs(seen.start_ns - shown.start_ns), abs(seen.end_ns - shown.end_ns))
    return seen if off_ns > annotator.leaves_ns else None


def answer(
    annotator: SimulatedAnnotator,
    task: ReviewTask,
    truth: Truth,
    *,
    number: int,
    classes: Sequence[str],
    random: np.random.Generator,
) -> Annotation:
    """Draw an answer as the table *annotations* holds it; ``number`` tells answers apart and orders them."""
    verdict, class_id, edges = judge(annotator, task, truth, classes=classes, random=random)
    return Annotation(
        annotation_id=f"a{number:020d}",
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        taxonomy=task.taxonomy,
        question=task.question,
        proposed_class_id=task.class_id,
        annotator_id=annotator.annotator_id,
        scripted=False,
        verdict=verdict,
        class_id=class_id,
        comment="",
        answered_ns=START_NS + number * NS_PER_SECOND,
        lead_time_ns=int(annotator.seconds * float(random.lognormal(0, 0.4)) * NS_PER_SECOND),
        kind=task.kind,
        about=task.about,
        answered_span=edges,
        proposer=task.proposer,
        answer_number=number,
    )

"""Simulated people at work: crews of stated skill, their marks in windows, and the time that their answers take.

Every number here is an assumption of ours, to plan with until ``pressroom report annotation`` measures a study's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotation.answers.simulate import FRAME_NS, START_NS, SimulatedAnnotator, Truth
from schema.errors import UsageError
from schema.questions import Mark
from schema.records import Annotation, ReviewTask, Verdict
from schema.timespan import NS_PER_SECOND, TimeSpan

EXPERT_ID = "r" + "9" * 20
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """What the people of a crew are drawn from, evenly between two ends; probabilities as ``SimulatedAnnotator``."""

    sees: Range
    refuses: Range
    keeps: Range
    finds: Range
    edge_error_s: Range


SKILLS: Mapping[str, Skill] = {
    "careful": Skill(
        sees=(0.93, 0.99), refuses=(0.92, 0.99), keeps=(0.97, 1.0), finds=(0.85, 0.97), edge_error_s=(0.03, 0.08)
    ),
    # the ranges of simulate.make_crew
    "ordinary": Skill(
        sees=(0.82, 0.97), refuses=(0.78, 0.97), keeps=(0.93, 0.99), finds=(0.6, 0.9), edge_error_s=(0.04, 0.12)
    ),
    "careless": Skill(
        sees=(0.65, 0.85), refuses=(0.6, 0.8), keeps=(0.8, 0.95), finds=(0.4, 0.7), edge_error_s=(0.1, 0.3)
    ),
}
"""By the name that ``pressroom simulate --skill`` takes."""
EXPERT = SimulatedAnnotator(
    annotator_id=EXPERT_ID, sees=0.99, refuses=0.99, keeps=1.0, finds=0.97, edge_error_ns=40_000_000
)
"""Decides what the crew could not settle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSeconds:
    """How long an answer takes: the clip once at its own speed, and what is done then; seconds."""

    decide: float = 2.0
    """Every answer."""
    rename: float = 3.0
    """Choosing another class than the one that is shown."""
    move_edges: float = 4.0
    """Putting both edges of a candidate elsewhere."""
    mark: float = 7.0
    """Drawing one gesture in a window: two edges and a class."""

    def of(self, answer: Annotation, clip: TimeSpan) -> float:
        """Return the seconds of an answer to a question that shows this clip."""
        done = self.mark * len(answer.marks)
        if answer.verdict is Verdict.RELABEL:
            done += self.rename
        if answer.answered_span is not None:
            done += self.move_edges
        return clip.seconds + self.decide + done


def skilled_crew(skill: str, count: int, random: np.random.Generator) -> list[SimulatedAnnotator]:
    """Draw people of a stated skill; raises ``UsageError`` for a skill that is none of ``SKILLS``."""
    if skill not in SKILLS:
        raise UsageError(f"skill {skill!r} must be one of {', '.join(SKILLS)}")
    ranges = SKILLS[skill]
    return [
        SimulatedAnnotator(
            annotator_id=f"r{number:020d}",
            sees=float(random.uniform(*ranges.sees)),
            refuses=float(random.uniform(*ranges.refuses)),
            keeps=float(random.uniform(*ranges.keeps)),
            finds=float(random.uniform(*ranges.finds)),
            edge_error_ns=int(random.uniform(*ranges.edge_error_s) * NS_PER_SECOND),
        )
        for number in range(count)
    ]


def shows(clip: TimeSpan, gesture: TimeSpan) -> bool:
    """Tell whether people who see the clip see the gesture: half of it, or half of the clip is full of it."""
    return 2 * clip.overlap_ns(gesture) >= min(clip.duration_ns, gesture.duration_ns)


def within(clip: TimeSpan, span: TimeSpan) -> TimeSpan | None:
    """Cut a span at the clip's ends: nobody sets edges that are not shown; None where nothing is left."""
    start_ns, end_ns = max(clip.start_ns, span.start_ns), min(clip.end_ns, span.end_ns)
    return TimeSpan(start_ns=start_ns, end_ns=end_ns) if start_ns < end_ns else None


def answer_window(
    annotator: SimulatedAnnotator,
    task: ReviewTask,
    truths: Sequence[Truth],
    *,
    number: int,
    classes: Sequence[str],
    random: np.random.Generator,
) -> Annotation:
    """Draw the marks of somebody who searches a window in which no class is shown.

    Each gesture is marked with the chance *sees*, and named rightly with *finds*, both times its ease, else by any
    class. Where nothing happens, one movement is marked with the chance 1 - *refuses*, anywhere, for a quarter of the
    window. Edges are moved by the annotator's error and cut at the window's ends.

    Args:
        annotator: Who is asked.
        task: The question; its anchor's span is the window.
        truths: What happens in it, each cut at the window's ends.
        number: Tells answers apart and orders them.
        classes: What a wrong class is drawn from.
        random: Where chance comes from.
    """
    window = task.anchor.span
    seen = [truth for truth in truths if float(random.random()) < annotator.sees * truth.ease]
    marks = [mark for truth in seen if (mark := _mark(annotator, truth, window, classes, random)) is not None]
    if not truths and float(random.random()) >= annotator.refuses:
        start_ns = window.start_ns + int(float(random.uniform(0, 0.75)) * window.duration_ns)
        span = TimeSpan(start_ns=start_ns, end_ns=start_ns + max(1, window.duration_ns // 4))
        marks = [_as_mark(span, classes[int(random.integers(len(classes)))])]
    return Annotation(
        annotation_id=f"a{number:020d}",
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        taxonomy=task.taxonomy,
        question=task.question,
        proposed_class_id=None,
        annotator_id=annotator.annotator_id,
        scripted=False,
        verdict=Verdict.MARKED if marks else Verdict.NOTHING,
        class_id=None,
        comment="",
        answered_ns=START_NS + number * NS_PER_SECOND,
        lead_time_ns=0,
        kind=task.kind,
        marks=tuple(sorted(marks, key=lambda mark: mark.span)),
        proposer=task.proposer,
        suggestion_shown=False,
        answer_number=number,
    )


def _mark(
    annotator: SimulatedAnnotator,
    truth: Truth,
    window: TimeSpan,
    classes: Sequence[str],
    random: np.random.Generator,
) -> Mark | None:
    named = float(random.random()) < annotator.finds * truth.ease
    class_id = truth.class_id if named else classes[int(random.integers(len(classes)))]
    error_ns = annotator.edge_error_ns
    start_ns = max(0, truth.span.start_ns + round(float(random.normal()) * error_ns))
    end_ns = max(truth.span.end_ns + round(float(random.normal()) * error_ns), start_ns + FRAME_NS)
    span = within(window, TimeSpan(start_ns=start_ns, end_ns=end_ns))
    return None if span is None else _as_mark(span, class_id)


def _as_mark(span: TimeSpan, class_id: str | None) -> Mark:
    first_frame = span.start_ns // FRAME_NS
    return Mark(
        span=span, class_id=class_id, first_frame=first_frame, end_frame=max(first_frame + 1, span.end_ns // FRAME_NS)
    )

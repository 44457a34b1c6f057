"""How people answer the hidden items: class and edges apart, and a record of each annotator's skill."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from annotation.answers.revisions import standing_answers
from schema.questions import KnownAnswer
from schema.records import Annotation, Verdict

EDGES_RIGHT_IOU = 0.7
"""From this temporal IoU on edges are right: the IoU from which on two candidates ask the same."""
EDGES_TOLERANCE_NS = 120_000_000
"""Edges this near to the truth are right as well, three frames at 25 a second: of a gesture of 0.3 s no IoU says it."""
HALF_LIFE = 30
"""An answer to a hidden item weighs half after so many later ones: skill changes, and recent weeks tell more."""
PRIOR_RIGHT, PRIOR_WRONG = 4.0, 1.0
"""A newcomer counts as somebody who got 4 of 5 right (q = 0.8 in FIELD notes 7.2), until known items say more."""
LEAST_CLASS_SKILL = 0.7
"""Below this share of right classes nobody is trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownScore:
    """One answer to one hidden item, measured."""

    question_id: str
    annotator_id: str
    answered_ns: int
    exists: bool
    """Whether there was a gesture to find."""
    existence_right: bool
    """Whether the person saw that there is one, or that there is none."""
    class_right: bool
    """Whether the verdict and the class are right."""
    edges_iou: float | None
    """Temporal IoU of the given and the true edges; None where there are none, or the person saw no gesture."""
    onset_error_ns: int | None
    """Given minus true start: positive is late."""
    offset_error_ns: int | None

    @property
    def edges_right(self) -> bool | None:
        """Whether the edges are as good as edges can be; None where there are none to compare."""
        if self.edges_iou is None or self.onset_error_ns is None or self.offset_error_ns is None:
            return None
        worst_ns = max(abs(self.onset_error_ns), abs(self.offset_error_ns))
        return self.edges_iou >= EDGES_RIGHT_IOU or worst_ns <= EDGES_TOLERANCE_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillRecord:
    """What hidden items say of one annotator; newer answers weigh more, few answers lie near a newcomer's 0.8."""

    annotator_id: str
    known_count: int
    """Hidden items answered, without those on which the person was unsure."""
    class_right_count: int
    edges_count: int
    """Answers whose edges could be compared."""
    edges_right_count: int
    class_skill: float
    """Chance that verdict and class are right, 0..1."""
    edges_skill: float
    """Chance that the edges are right, 0..1."""
    sensitivity: float
    """Chance that a gesture is seen as one, 0..1."""
    specificity: float
    """Chance that what is none is rejected, 0..1: low for somebody who accepts everything."""
    is_trusted: bool
    """Enough hidden items were answered, and enough of them rightly."""


def score_known(annotation: Annotation, known: KnownAnswer) -> KnownScore | None:
    """Measure an answer to a hidden item against its truth.

    Returns:
        The score; None for "unsure" and for an answer that was taken back, which say nothing.

    Raises:
        ValueError: The answer is one to another question.
    """
    if annotation.candidate_id != known.question_id:
        raise ValueError(f"{annotation.candidate_id} is not the hidden item {known.question_id}")
    if annotation.deleted or annotation.verdict is Verdict.UNSURE:
        return None
    seen = annotation.verdict is not Verdict.REJECT
    comparable = seen and known.exists
    given, true = annotation.judged_span, known.span
    return KnownScore(
        question_id=known.question_id,
        annotator_id=annotation.annotator_id,
        answered_ns=annotation.answered_ns,
        exists=known.exists,
        existence_right=seen == known.exists,
        class_right=seen == known.exists and (not seen or annotation.class_id == known.class_id),
        edges_iou=given.temporal_iou(true) if comparable else None,
        onset_error_ns=given.start_ns - true.start_ns if comparable else None,
        offset_error_ns=given.end_ns - true.end_ns if comparable else None,
    )


def score_all(annotations: Iterable[Annotation], known: Iterable[KnownAnswer]) -> list[KnownScore]:
    """Score each person's standing answer to each hidden item, by person and time.

    Answers to other questions are passed over, so that the whole table can be given.
    """
    truth = {answer.question_id: answer for answer in known}
    answers = standing_answers(a for a in annotations if a.candidate_id in truth)
    scores = (score_known(answer, truth[answer.candidate_id]) for answer in answers)
    given = [score for score in scores if score is not None]
    return sorted(given, key=lambda s: (s.annotator_id, s.answered_ns, s.question_id))


def skill_records(scores: Iterable[KnownScore], *, trust_after: int) -> dict[str, SkillRecord]:
    """Sum up each annotator's scores, whatever their order.

    A skill is ``(c + a) / (n + a + b)`` with ``a = 4``, ``b = 1`` (FIELD notes 7.2), where c and n count answers by
    weight: the newest weighs 1, and half as much after every 30 later ones.

    Args:
        scores: What ``score_all`` gives.
        trust_after: Hidden items that somebody answers before being trusted (``AnnotateConfig.known_before_trust``).
    """
    of: defaultdict[str, list[KnownScore]] = defaultdict(list)
    for score in scores:
        of[score.annotator_id].append(score)
    return {annotator_id: _record(annotator_id, of[annotator_id], trust_after) for annotator_id in sorted(of)}


def _record(annotator_id: str, scores: list[KnownScore], trust_after: int) -> SkillRecord:
    newest_first = sorted(scores, key=lambda s: (s.answered_ns, s.question_id), reverse=True)
    edges = [score.edges_right for score in newest_first if score.edges_right is not None]
    class_skill = _skill([score.class_right for score in newest_first])
    return SkillRecord(
        annotator_id=annotator_id,
        known_count=len(scores),
        class_right_count=sum(score.class_right for score in scores),
        edges_count=len(edges),
        edges_right_count=sum(edges),
        class_skill=class_skill,
        edges_skill=_skill(edges),
        sensitivity=_skill([score.existence_right for score in newest_first if score.exists]),
        specificity=_skill([score.existence_right for score in newest_first if not score.exists]),
        is_trusted=len(scores) >= trust_after and class_skill >= LEAST_CLASS_SKILL,
    )


def _skill(newest_first: list[bool]) -> float:
    weights: list[float] = [0.5 ** (place / HALF_LIFE) for place in range(len(newest_first))]
    right = sum(weight for weight, is_right in zip(weights, newest_first, strict=True) if is_right)
    return (right + PRIOR_RIGHT) / (sum(weights) + PRIOR_RIGHT + PRIOR_WRONG)

"""Answers become opinions: what each person says of each item, whichever question it was asked by."""

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from annotation.answers.revisions import age_key, standing_answers
from annotation.answers.windows import MarkedBy, group_marks, make_item_id
from schema.questions import Mark, QuestionKind
from schema.records import Annotation, ReviewTask, Verdict
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

NO_GESTURE = "no gesture"
UNCLASSIFIED = "unclassified"
"""Outcomes beside the ids of classes: nothing happens; a movement that no class names."""
WINDOW = "window"
"""Source of the items that people drew themselves."""
SAME_GESTURE_IOU = 0.3
"""Temporal IoU from which on a mark in a blind window is the candidate that the window was cut around."""

_OUTCOMES = {Verdict.REJECT: NO_GESTURE, Verdict.NOTHING: NO_GESTURE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one annotator says of one item."""

    item_id: str
    annotator_id: str
    outcome: str
    """A class's id, ``UNCLASSIFIED`` or ``NO_GESTURE``."""
    proposed: str
    """The outcome that was shown before the answer; empty where none was."""
    span: TimeSpan
    """The edges that the answer stands for; of no gesture the span that was asked about."""
    moved: bool
    """Whether the annotator set these edges, or left them as they were shown."""
    expert: bool
    answer: Annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that either is a micro-gesture or is not, and what was said of it."""

    item_id: str
    """The candidate's id, the question's of a hidden known item, or ``m`` + hash for what people drew themselves."""
    proposed: str
    """The outcome that was proposed; empty where nobody proposed anything."""
    source: str
    """Who proposed it."""
    opinions: tuple[Opinion, ...]
    """In order of annotator; empty where everybody was unsure."""
    unsure_count: int = 0
    """Annotators whose answer counts and who could not tell."""
    scripted: bool = False
    """Whether only scripts have answered."""
    planted: bool = False
    """Whether it is a hidden known item."""
    verdict_answers: int = 0
    """Answers to the question of kind ``VERDICT`` that count, "unsure" among them."""
    verdict_unsure: int = 0
    unread: tuple[str, ...] = ()
    """Other taxonomies than the study's that answers were given in."""


def outcome_of(class_id: str | None) -> str:
    """Return the outcome that a class stands for; None is a movement that no class names."""
    return UNCLASSIFIED if class_id is None else class_id


def count_answers(annotations: Iterable[Annotation], *, taxonomy: Taxonomy) -> list[Annotation]:
    """Return the answers to one question that count, oldest first.

    The table is append-only and an edited answer is a new row, so an annotator's earlier rows are history, and an
    answer that was taken back is none. Of an annotator's several answers the newest counts. Two rows of the same
    instant are told apart by their id, so that the result does not depend on the order of the rows. Answers in another
    taxonomy don't count, nor do those whose author is in doubt (``flag``).
    """
    return standing_answers(a for a in annotations if a.taxonomy == taxonomy.name)


def items_of(
    annotations: Iterable[Annotation], *, tasks: Iterable[ReviewTask], experts: Set[str], taxonomy: Taxonomy
) -> list[Item]:
    """Sort all answers by what they are about, in an order that does not depend on that of the rows.

    Answers to the verdict, expert and blind questions about a candidate are of one item; a blind answer counts for
    the candidate by the mark that overlaps it best (temporal IoU ``SAME_GESTURE_IOU`` at least), or as "no gesture".
    What else was drawn makes items of its own, to which everybody who saw the window has an opinion. A hidden known
    item is an item of its own. Of a person's several answers about an item the newest counts; where a person has
    answered, scripts don't.

    Args:
        annotations: All answers of the study; the same row may come several times.
        tasks: The recorded questions.
        experts: ``annotator_id`` of those whose word decides.
        taxonomy: The study's taxonomy.

    Raises:
        ConfigError: An answer gives a class that the taxonomy does not have.
    """
    by_question: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        by_question[annotation.candidate_id].append(annotation)
    asked = _newest_tasks(tasks)
    candidates: dict[str, list[Annotation]] = defaultdict(list)
    windows: dict[str, list[Annotation]] = {}
    unread: dict[str, set[str]] = defaultdict(set)
    for question_id, rows in sorted(by_question.items()):
        counted = count_answers(rows, taxonomy=taxonomy)
        kind, about = rows[0].kind, rows[0].about
        if kind in (QuestionKind.AUDIT, QuestionKind.BLIND):
            windows[question_id] = counted
        if kind is not QuestionKind.AUDIT:
            item_id = question_id if kind is QuestionKind.KNOWN else about or question_id
            candidates[item_id] += counted
            unread[item_id].update(row.taxonomy for row in rows if row.taxonomy != taxonomy.name)
    items = [
        _candidate_item(item_id, rows, task=asked.get(item_id), experts=experts, unread=unread[item_id])
        for item_id, rows in candidates.items()
    ]
    for rows in windows.values():
        items += _window_items(rows, experts=experts)
    _check_classes(items, taxonomy)
    return sorted(items, key=lambda item: item.item_id)


def _newest_tasks(tasks: Iterable[ReviewTask]) -> dict[str, ReviewTask]:
    """Return the question by its id; one that was asked on several servers was asked alike."""
    return {
        task.candidate_id: task
        for task in sorted(tasks, key=lambda task: (task.server_id, task.project_number, task.task_number))
    }


def _check_classes(items: Sequence[Item], taxonomy: Taxonomy) -> None:
    named = {opinion.outcome for item in items for opinion in item.opinions} - {NO_GESTURE, UNCLASSIFIED}
    for class_id in sorted(named):
        taxonomy.by_id(class_id)


def _counting(answers: Iterable[Annotation]) -> list[Annotation]:
    """Keep each annotator's newest answer, and of persons alone where there are any; by annotator."""
    newest = {answer.annotator_id: answer for answer in sorted(answers, key=age_key)}
    kept = [newest[annotator_id] for annotator_id in sorted(newest)]
    return [answer for answer in kept if not answer.scripted] or kept


def _candidate_item(
    item_id: str, answers: Sequence[Annotation], *, task: ReviewTask | None, experts: Set[str], unread: Set[str]
) -> Item:
    counted = _counting(answers)
    opinions = [_opinion(item_id, answer, experts=experts) for answer in counted]
    verdicts = _counting(answer for answer in answers if answer.kind is QuestionKind.VERDICT)
    suggesting = task or next((answer for answer in counted if answer.suggestion_shown), None)
    proposed = "" if suggesting is None else _proposal(suggesting)
    proposer = "" if suggesting is None else suggesting.proposer
    return Item(
        item_id=item_id,
        proposed=proposed,
        source=f"{proposer} {UNCLASSIFIED}" if proposed == UNCLASSIFIED else proposer,
        opinions=tuple(opinion for opinion in opinions if opinion is not None),
        unsure_count=opinions.count(None),
        scripted=bool(counted) and counted[0].scripted,
        planted=bool(answers) and answers[0].kind is QuestionKind.KNOWN,
        verdict_answers=len(verdicts),
        verdict_unsure=sum(answer.verdict is Verdict.UNSURE for answer in verdicts),
        unread=tuple(sorted(unread)),
    )


def _proposal(suggesting: ReviewTask | Annotation) -> str:
    class_id = suggesting.class_id if isinstance(suggesting, ReviewTask) else suggesting.proposed_class_id
    return outcome_of(class_id)


def _opinion(item_id: str, answer: Annotation, *, experts: Set[str]) -> Opinion | None:
    """Read an answer about a candidate; None is no opinion."""
    if answer.verdict is Verdict.UNSURE:
        return None
    mark = _mark_of_candidate(answer) if answer.verdict is Verdict.MARKED else None
    if answer.verdict is Verdict.MARKED:
        outcome = outcome_of(mark.class_id) if mark else NO_GESTURE
    else:
        outcome = _OUTCOMES.get(answer.verdict) or outcome_of(answer.class_id)
    return Opinion(
        item_id=item_id,
        annotator_id=answer.annotator_id,
        outcome=outcome,
        proposed=outcome_of(answer.proposed_class_id) if answer.suggestion_shown else "",
        span=mark.span if mark else answer.judged_span,
        moved=mark is not None or answer.answered_span is not None,
        expert=answer.annotator_id in experts,
        answer=answer,
    )


def _mark_of_candidate(answer: Annotation) -> Mark | None:
    """Return the mark in a blind window that is the candidate; what it shows is the anchor's span."""
    asked = answer.anchor.span
    near = [mark for mark in answer.marks if mark.span.temporal_iou(asked) >= SAME_GESTURE_IOU]
    return max(near, key=lambda mark: (mark.span.temporal_iou(asked), -mark.span.start_ns), default=None)


def _window_items(answers: Sequence[Annotation], *, experts: Set[str]) -> list[Item]:
    """Make items of what people drew in one window, beside the candidate of a blind one."""
    counted = _counting(answers)
    drawn = [
        MarkedBy(answer=answer, mark=mark)
        for answer in counted
        if answer.verdict is Verdict.MARKED
        for mark in answer.marks
        if answer.kind is not QuestionKind.BLIND or mark != _mark_of_candidate(answer)
    ]
    return [_drawn_item(group, counted, experts=experts) for group in group_marks(drawn)]


def _drawn_item(group: dict[str, MarkedBy], answers: Sequence[Annotation], *, experts: Set[str]) -> Item:
    item_id = make_item_id(group)
    decided = [answer for answer in answers if answer.verdict is not Verdict.UNSURE]
    opinions = []
    for answer in decided:
        drawn = group.get(answer.annotator_id)
        opinions.append(
            Opinion(
                item_id=item_id,
                annotator_id=answer.annotator_id,
                outcome=outcome_of(drawn.mark.class_id) if drawn else NO_GESTURE,
                proposed="",
                span=drawn.mark.span if drawn else answer.anchor.span,
                moved=drawn is not None,
                expert=answer.annotator_id in experts,
                answer=answer,
            )
        )
    return Item(
        item_id=item_id,
        proposed="",
        source=WINDOW,
        opinions=tuple(opinions),
        unsure_count=len(answers) - len(decided),
        scripted=answers[0].scripted,
    )

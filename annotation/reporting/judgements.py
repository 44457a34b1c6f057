"""Answers as reports count them: who saw which spans in which question, and how long it took."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from annotation.answers.opinions import NO_GESTURE, outcome_of
from annotation.answers.revisions import age_key
from schema.questions import QuestionKind
from schema.records import Annotation, Verdict
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

AFFIRMING = frozenset({Verdict.ACCEPT, Verdict.ADJUST, Verdict.RELABEL, Verdict.MARKED})
PROBING = frozenset({QuestionKind.KNOWN, QuestionKind.EXPERT})
"""Kinds that don't tell how well annotators agree: altered on purpose, or chosen because people disagreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSpan:
    """A micro-gesture that a person saw."""

    outcome: str
    """Class id, or ``opinions.UNCLASSIFIED``."""
    span: TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one person's standing answer to one question says."""

    annotation: Annotation
    """The newest revision."""
    first_answered_ns: int
    """Unix time of the first revision."""
    spent_ns: int
    """Time that the person took over all revisions; 0 where the page tells none."""
    spans: tuple[SeenSpan, ...]
    """Empty: no gesture."""

    @property
    def item_id(self) -> str:
        """The candidate that it is about; of hidden items and audit windows the question."""
        is_known = self.annotation.kind is QuestionKind.KNOWN  # made from a candidate, and altered
        return self.annotation.candidate_id if is_known else self.annotation.about or self.annotation.candidate_id

    @property
    def is_decided(self) -> bool:
        """Whether it says anything: "unsure" does not."""
        return self.annotation.verdict is not Verdict.UNSURE

    @property
    def outcome(self) -> str:
        """The class that was seen, ``NO_GESTURE``, or of a window with several classes all of them."""
        return " + ".join(sorted({seen.outcome for seen in self.spans})) or NO_GESTURE

    @property
    def proposed_outcome(self) -> str:
        """The class that was proposed, as an outcome."""
        return outcome_of(self.annotation.proposed_class_id)

    @property
    def moved_edges(self) -> bool:
        """Whether the person set the edges instead of taking those that were shown."""
        return bool(self.annotation.marks) or self.annotation.answered_span is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A question with several people's judgements, in the order in which they were given."""

    question_id: str
    video_id: str
    kind: QuestionKind
    window: TimeSpan
    """What all of them saw."""
    week: str
    """ISO week of the last of these answers, such as ``2025-W23``."""
    judgements: tuple[Judgement, ...]


def standing_judgements(annotations: Iterable[Annotation], *, taxonomy: Taxonomy) -> list[Judgement]:
    """Return each person's standing answer to each question, by the time of the first revision.

    Of an answer's revisions the newest counts, and none where that one takes it back. Of several answers of one person
    to one question the newest counts. Answers in another taxonomy don't, nor do those whose author is in doubt
    (``flag``), nor scripts' where a person has answered anything: a study's figures are about people, and about
    scripts only while there is nobody else.
    """
    by_answer: dict[tuple[object, ...], list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        if annotation.taxonomy == taxonomy.name:
            number = annotation.annotation_id if annotation.answer_number is None else annotation.answer_number
            by_answer[(annotation.annotator_id, annotation.candidate_id, number)].append(annotation)
    standing: dict[tuple[str, str], Judgement] = {}
    for revisions in by_answer.values():
        judgement = _judgement(revisions)
        newest = judgement.annotation
        key = (newest.annotator_id, newest.candidate_id)
        if (
            not newest.deleted
            and not newest.flag
            and (key not in standing or age_key(newest) > age_key(standing[key].annotation))
        ):
            standing[key] = judgement
    given = sorted(standing.values(), key=lambda j: (j.first_answered_ns, j.annotation.annotation_id))
    return [j for j in given if not j.annotation.scripted] or given


def _judgement(revisions: Sequence[Annotation]) -> Judgement:
    newest = max(revisions, key=age_key)
    return Judgement(
        annotation=newest,
        first_answered_ns=min(a.answered_ns for a in revisions),
        spent_ns=max(a.lead_time_ns for a in revisions),
        spans=_seen_spans(newest),
    )


def _seen_spans(annotation: Annotation) -> tuple[SeenSpan, ...]:
    if annotation.verdict not in AFFIRMING:
        return ()
    if annotation.verdict is Verdict.MARKED:
        return tuple(SeenSpan(outcome=outcome_of(mark.class_id), span=mark.span) for mark in annotation.marks)
    return (SeenSpan(outcome=outcome_of(annotation.class_id), span=annotation.judged_span),)


def compared_questions(judgements: Iterable[Judgement], *, answers_each: int, context_seconds: float) -> list[Compared]:
    """Return the questions that tell how well people agree: those with two decided answers at least.

    Only the first ``answers_each`` answers of a question count: later ones were asked for because the first
    disagreed, and would make agreement look worse than it is. Known items and questions to experts don't count for the
    same reason (``PROBING``).

    Args:
        judgements: As ``standing_judgements`` gives them.
        answers_each: How many people each question is put to at first; less than 2 counts as 2.
        context_seconds: What a clip shows before and after what it asks about.
    """
    by_question: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in judgements:
        if judgement.annotation.kind not in PROBING:
            by_question[judgement.annotation.candidate_id].append(judgement)
    found = []
    for question_id, given in sorted(by_question.items()):
        ordered = sorted(given, key=lambda j: (j.first_answered_ns, j.annotation.annotation_id))
        decided = [j for j in ordered[: max(2, answers_each)] if j.is_decided]
        if len(decided) >= 2:
            found.append(_compared(question_id, decided, context_ns=round(context_seconds * NS_PER_SECOND)))
    return found


def _compared(question_id: str, decided: Sequence[Judgement], *, context_ns: int) -> Compared:
    first = decided[0].annotation
    window = first.anchor.span
    if first.kind is not QuestionKind.AUDIT:  # an audit asks about all that its clip shows
        window = TimeSpan(start_ns=max(0, window.start_ns - context_ns), end_ns=window.end_ns + context_ns)
    for judgement in decided:
        for seen in judgement.spans:
            window = window.hull(seen.span)
    return Compared(
        question_id=question_id,
        video_id=first.anchor.video_id,
        kind=first.kind,
        window=window,
        week=week_of(max(j.first_answered_ns for j in decided)),
        judgements=tuple(decided),
    )


def week_of(instant_ns: int) -> str:
    """Return the ISO week of a Unix time, in UTC, such as ``2025-W23``."""
    year, week, _ = datetime.fromtimestamp(instant_ns / NS_PER_SECOND, tz=UTC).isocalendar()
    return f"{year}-W{week:02d}"

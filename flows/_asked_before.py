"""What was asked about a video before and what people said there: a candidate that repeats it keeps its id."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pyarrow.compute as pc

from annotation.answers.revisions import standing_answers
from flows._study import Study
from schema.answer_rows import annotations_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, TASKS
from schema.questions import QuestionKind
from schema.records import Annotation, CandidateId, ReviewTask, Verdict, VideoRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBefore:
    """The questions about one video file; hidden items are altered, and windows propose nothing."""

    tasks: tuple[ReviewTask, ...]
    """What people or an expert were asked, each under its candidate's id."""
    said: dict[str, frozenset[str]]
    """Classes that the answers to a question speak of, by the candidate's id: the one shown, those chosen instead, and
    every class where people saw nothing at all in a movement of no class."""
    unanswered: frozenset[str]
    """Candidates that were asked in the ordinary way and that nobody has answered in any."""


def asked_before(study: Study, video: VideoRecord) -> AskedBefore:
    """Read what was asked about a video."""
    questions = study.store.read(TASKS)
    asked = tasks_from_rows(questions.filter(pc.equal(questions["sha256"], video.sha256)))
    kinds = (QuestionKind.VERDICT, QuestionKind.EXPERT)
    tasks = tuple(replace(one, candidate_id=_candidate_of(one)) for one in asked if one.kind in kinds)
    rows = study.store.read(ANNOTATIONS)
    answers = annotations_from_rows(rows.filter(pc.equal(rows["video_id"], video.video_id)))
    answered = {name for answer in answers for name in (answer.candidate_id, answer.about)}
    other = {task.candidate_id for task in tasks if task.kind is not QuestionKind.VERDICT}
    return AskedBefore(
        tasks=tasks,
        said=_said([answer for answer in answers if answer.kind in kinds], [g.class_id for g in study.taxonomy]),
        unanswered=frozenset({str(task.candidate_id) for task in tasks} - answered - other),
    )


def _candidate_of(row: ReviewTask | Annotation) -> CandidateId:
    return CandidateId(row.about or row.candidate_id)


def _said(answers: Iterable[Annotation], classes: Sequence[str]) -> dict[str, frozenset[str]]:
    by_candidate: defaultdict[str, list[Annotation]] = defaultdict(list)
    for answer in standing_answers(answers):
        if answer.verdict is not Verdict.UNSURE:
            by_candidate[_candidate_of(answer)].append(answer)
    return {name: _classes_said(given, classes) for name, given in by_candidate.items()}


def _classes_said(answers: Sequence[Annotation], classes: Sequence[str]) -> frozenset[str]:
    nothing = all(one.verdict is Verdict.REJECT and one.proposed_class_id is None for one in answers)
    spoken_of = (name for one in answers for name in (one.proposed_class_id, one.class_id) if name is not None)
    return frozenset(classes if nothing else spoken_of)

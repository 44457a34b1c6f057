"""What the study knows of each annotator: how much, how fast, and how well by the hidden items."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from annotation.answers.revisions import standing_answers
from annotation.asking.known_scores import SkillRecord, score_all, skill_records
from schema.questions import Annotator, KnownAnswer
from schema.records import Annotation
from schema.timespan import NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorRecord:
    """One annotator's work so far."""

    annotator_id: str
    annotator: Annotator | None
    """None: the person answered, but was never added."""
    scripted: bool
    answer_count: int
    """Answers that stand: of an edited one the newest revision, none that was taken back or is flagged."""
    flagged_count: int
    """Answers that name this person and may be somebody else's."""
    median_seconds: float | None
    """Of one standing answer; None where the page told no time."""
    skill: SkillRecord | None
    """None: no hidden item was answered yet."""


def annotator_records(
    annotations: Iterable[Annotation],
    *,
    known: Iterable[KnownAnswer],
    annotators: Mapping[str, Annotator],
    trust_after: int,
) -> list[AnnotatorRecord]:
    """Sum up the work of everybody who was added or has answered; those who were added first, by name.

    Args:
        annotations: All answers of the study, every revision.
        known: The truth of the hidden items.
        annotators: Those who were added, by id.
        trust_after: Hidden items that somebody answers before being trusted.
    """
    rows = list(annotations)
    skills = skill_records(score_all(rows, known), trust_after=trust_after)
    standing: defaultdict[str, list[Annotation]] = defaultdict(list)
    for answer in standing_answers(rows):
        standing[answer.annotator_id].append(answer)
    flagged: defaultdict[str, set[tuple[str, int | None]]] = defaultdict(set)
    for row in rows:
        if row.flag:
            flagged[row.annotator_id].add((row.candidate_id, row.answer_number))
    scripted = {row.annotator_id for row in rows if row.scripted}
    records = [
        AnnotatorRecord(
            annotator_id=annotator_id,
            annotator=annotators.get(annotator_id),
            scripted=annotator_id in scripted,
            answer_count=len(standing[annotator_id]),
            flagged_count=len(flagged[annotator_id]),
            median_seconds=_median_seconds(standing[annotator_id]),
            skill=skills.get(annotator_id),
        )
        for annotator_id in annotators.keys() | {row.annotator_id for row in rows}
    ]
    return sorted(records, key=_place)


def _median_seconds(answers: Iterable[Annotation]) -> float | None:
    times_ns = [answer.lead_time_ns for answer in answers if answer.lead_time_ns > 0]
    return median(times_ns) / NS_PER_SECOND if times_ns else None


def _place(record: AnnotatorRecord) -> tuple[bool, str, str]:
    name = record.annotator.name if record.annotator else ""
    return record.annotator is None, name, record.annotator_id

"""Answers that were edited, given twice or taken back: which of the recorded rows stand."""

from collections.abc import Iterable

from schema.records import Annotation


def standing_answers(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Return each annotator's standing answer to each question, oldest first, whatever the order of the rows.

    An edited answer is a new row of the same ``answer_number``, one that was taken back ends with a row that says so;
    then an earlier answer of that person to the question stands again, if there is one. Answers whose author is in
    doubt (``flag``) don't count: they would be held against somebody who may not have given them.
    """
    revisions: dict[tuple[str, str, int | None], Annotation] = {}
    for annotation in sorted(annotations, key=age_key):
        revisions[annotation.candidate_id, annotation.annotator_id, annotation.answer_number] = annotation
    standing: dict[tuple[str, str], Annotation] = {}
    for annotation in sorted(revisions.values(), key=age_key):
        if not annotation.deleted and not annotation.flag:
            standing[annotation.candidate_id, annotation.annotator_id] = annotation
    return sorted(standing.values(), key=age_key)


def age_key(annotation: Annotation) -> tuple[int, str]:
    """Order answers by age; two of the same instant are told apart by their id."""
    return annotation.answered_ns, annotation.annotation_id

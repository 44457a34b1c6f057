"""Questions, answers and who gives them, to Arrow rows and back."""

from collections.abc import Iterable
from dataclasses import asdict, fields

import pyarrow as pa

from schema.arrow import ANNOTATIONS, ANNOTATORS, KNOWN_ANSWERS, TASKS
from schema.questions import Annotator, KnownAnswer, Mark, QuestionKind, Role
from schema.records import Anchor, Annotation, CandidateId, ReviewTask, Verdict, VideoId
from schema.rows import BOX_COLUMNS, Row, table_of
from schema.timespan import TimeSpan

_LATER = ("kind", "about", "page_version", "round_number")
"""What the first version did not record of a question."""


def tasks_to_rows(tasks: Iterable[ReviewTask]) -> pa.Table:
    """Turn review tasks into rows of *tasks*."""
    return table_of(TASKS, (_plain(t, leave_out=("anchor",)) | _anchor_row(t.anchor) for t in tasks))


def tasks_from_rows(table: pa.Table) -> list[ReviewTask]:
    """Read review tasks back; rows of an older version are verdicts without a clip's frames."""
    given = [f.name for f in fields(ReviewTask) if f.name not in ("anchor", *_LATER)]
    return [
        ReviewTask(
            **{name: row[name] for name in given},
            anchor=_anchor(row),
            kind=QuestionKind(row["kind"] or QuestionKind.VERDICT),
            about=row["about"] or "",
            page_version=row["page_version"] or "",
            round_number=row["round_number"] or 0,
        )
        for row in table.to_pylist()
    ]


def annotations_to_rows(annotations: Iterable[Annotation]) -> pa.Table:
    """Turn annotations into rows of *annotations*."""
    return table_of(ANNOTATIONS, map(_annotation_row, annotations))


def _annotation_row(annotation: Annotation) -> Row:
    edges = annotation.answered_span
    return (
        _plain(annotation, leave_out=("anchor", "answered_span", "marks"))
        | _anchor_row(annotation.anchor)
        | {"answered_start_ns": edges and edges.start_ns, "answered_end_ns": edges and edges.end_ns}
        | {"marks": [_mark_row(mark) for mark in annotation.marks]}
    )


_PLAIN = (
    *("annotation_id", "taxonomy", "question", "proposed_class_id", "annotator_id", "scripted", "class_id", "comment"),
    *("answered_ns", "lead_time_ns", "description", "answer_number"),
)


def annotations_from_rows(table: pa.Table) -> list[Annotation]:
    """Read annotations back; what an older version did not record has its default."""
    return [_annotation(row) for row in table.to_pylist()]


def _annotation(row: Row) -> Annotation:
    start_ns, end_ns = row["answered_start_ns"], row["answered_end_ns"]
    return Annotation(
        **{name: row[name] for name in _PLAIN},
        candidate_id=CandidateId(row["candidate_id"]),
        anchor=_anchor(row),
        verdict=Verdict(row["verdict"]),
        kind=QuestionKind(row["kind"] or QuestionKind.VERDICT),
        about=row["about"] or "",
        answered_span=None if start_ns is None else TimeSpan(start_ns=start_ns, end_ns=end_ns),
        marks=tuple(map(_mark, row["marks"] or ())),
        proposer=row["proposer"] or "",
        suggestion_shown=row["suggestion_shown"] is not False,
        page_version=row["page_version"] or "",
        deleted=bool(row["deleted"]),
        flag=row["flag"] or "",
        raw=row["raw"] or "",
    )


def known_answers_to_rows(answers: Iterable[KnownAnswer]) -> pa.Table:
    """Turn the truth of hidden items into rows of *known_answers*."""
    return table_of(KNOWN_ANSWERS, (_plain(a, leave_out=("span",)) | _span_row(a.span) for a in answers))


def known_answers_from_rows(table: pa.Table) -> list[KnownAnswer]:
    """Read the truth of hidden items back."""
    given = [f.name for f in fields(KnownAnswer) if f.name != "span"]
    return [KnownAnswer(**{name: row[name] for name in given}, span=_span(row)) for row in table.to_pylist()]


def annotators_to_rows(annotators: Iterable[Annotator]) -> pa.Table:
    """Turn annotators into rows of *annotators*."""
    return table_of(ANNOTATORS, (asdict(annotator) for annotator in annotators))


def annotators_from_rows(table: pa.Table) -> dict[str, Annotator]:
    """Read annotators back by their id: of an annotator's several rows the newest."""
    rows = sorted(table.to_pylist(), key=lambda row: row["added_ns"])
    return {row["annotator_id"]: Annotator(**row | {"role": Role(row["role"])}) for row in rows}


def _plain(record: ReviewTask | Annotation | KnownAnswer | Mark, *, leave_out: tuple[str, ...]) -> Row:
    return {f.name: getattr(record, f.name) for f in fields(record) if f.name not in leave_out}


def _span_row(span: TimeSpan) -> Row:
    return {"start_ns": span.start_ns, "end_ns": span.end_ns}


def _span(row: Row) -> TimeSpan:
    return TimeSpan(start_ns=row["start_ns"], end_ns=row["end_ns"])


def _anchor_row(anchor: Anchor) -> Row:
    place = {"video_id": anchor.video_id, "sha256": anchor.sha256}
    return place | _span_row(anchor.span) | dict(zip(BOX_COLUMNS, anchor.box_xyxy, strict=True))


def _anchor(row: Row) -> Anchor:
    x1, y1, x2, y2 = (row[name] for name in BOX_COLUMNS)
    return Anchor(video_id=VideoId(row["video_id"]), sha256=row["sha256"], span=_span(row), box_xyxy=(x1, y1, x2, y2))


def _mark_row(mark: Mark) -> Row:
    return _plain(mark, leave_out=("span",)) | _span_row(mark.span)


def _mark(row: Row) -> Mark:
    given = {name: row[name] for name in ("class_id", "first_frame", "end_frame")}
    return Mark(**given, span=_span(row))

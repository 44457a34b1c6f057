"""What ``pressroom report annotation`` writes: the page and the JSON file of a verification campaign."""

import csv
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from annotation.answers.consensus import Settled, Settlement
from annotation.answers.opinions import NO_GESTURE, UNCLASSIFIED
from annotation.answers.revisions import standing_answers
from annotation.reporting.advice import advice_of
from annotation.reporting.recall import RecallEstimate, SeenGesture, estimate_recall, match_audit
from annotation.reporting.report import AnnotationReport, ReportSource, build_report, pseudonyms_of
from annotation.reporting.report_page import legend_rows, report_page
from flows._identity import declared_people
from flows._plan import current_candidates, study_videos
from flows._standing import Standing, read_standing
from flows._study import Study
from schema.arrow import ANNOTATIONS
from schema.errors import ConfigError
from schema.questions import AuditWindow, QuestionKind, expert_ids
from schema.records import ReviewTask, Verdict
from schema.tables import written_beside

LIKELIER_THAN_NOT = 0.5
LEGEND = "report-names.csv"
"""Below ``private/``: whom the pseudonyms of the report stand for."""


def report_annotation(study: Study, *, as_json: bool) -> None:
    """Write the report, and print where it is or, for machines, what it says.

    Raises ``ConfigError`` where an answer gives a class that the taxonomy does not have.
    """
    report, page, document = write_report(study, with_gamma=True)
    if as_json:
        typer.echo(json.dumps(report_document(report, study), indent=1))
        return
    typer.echo(page)
    typer.echo(document)


def write_report(study: Study, *, with_gamma: bool) -> tuple[AnnotationReport, Path, Path]:
    """Write the page, the JSON file and, below ``private/``, the legend; returns the report and the two files."""
    standing = read_standing(study)
    legend = study.layout.private / LEGEND
    # the names of earlier reports stay: else they would shift when a withdrawal erases somebody's only answers
    answered = study.store.read(ANNOTATIONS)["annotator_id"].to_pylist()
    pseudonyms = pseudonyms_of(answered, known=_known_names(legend))
    report = build_report(
        ReportSource(
            study=study.config.study.name,
            made_ns=time.time_ns(),
            pseudonyms=pseudonyms,
            annotations=standing.annotations,
            known=standing.known,
            settlement=standing.settlement,
            steps=Counter(plan.step for plan in standing.overlaps.values()),
            experts=expert_ids(standing.annotators),
            recall=_recall(study, standing),
            taxonomy=study.taxonomy,
            config=study.config.annotate,
            with_gamma=with_gamma,
        )
    )
    page, document = (study.layout.reports / f"annotation.{suffix}" for suffix in ("html", "json"))
    with written_beside(page) as beside:
        beside.write_text(report_page(report, taxonomy=study.taxonomy), encoding="utf-8")
    with written_beside(document) as beside:
        beside.write_text(json.dumps(report_document(report, study), indent=1) + "\n", encoding="utf-8")
    names = {who: annotator.name for who, annotator in standing.annotators.items()}
    _write_legend(legend, legend_rows(pseudonyms, names))
    return report, page, document


def report_document(report: AnnotationReport, study: Study) -> dict[str, Any]:
    """Return what the JSON file holds: the report and its advice."""
    advice = [{"topic": one.topic, "text": one.text} for one in advice_of(report, taxonomy=study.taxonomy)]
    return report.document() | {"advice": advice}


def _write_legend(path: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    with written_beside(path) as beside, open(beside, "x", newline="", opener=_for_owner_alone) as file:
        csv.writer(file).writerows([("pseudonym", "annotator_id", "name"), *rows])


def _known_names(path: Path) -> dict[str, str]:
    """Read the names of earlier reports by annotator's id; a legend that can't be read is an error to mend.

    Raises ``ConfigError`` naming the file.
    """
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            names = {row["annotator_id"]: row["pseudonym"] for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise ConfigError(f"{path}: can't be read ({type(error).__name__}); delete it, and names begin anew") from error
    if not all(name[:1] == "A" and name[1:].isdigit() for name in names.values()):
        raise ConfigError(f"{path}: holds a pseudonym that is not like A1; delete it, and names begin anew")
    return names


def _for_owner_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _recall(study: Study, standing: Standing) -> list[RecallEstimate]:
    """Estimate recall from the audit windows that people answered; empty where there are none."""
    windows = searched_windows(study, standing)
    if not windows:
        return []
    people = declared_people(study)
    candidates = [candidate for _, candidate in current_candidates(study, study_videos(study))]
    gestures = match_audit(windows, seen_gestures(standing.settlement), candidates, taxonomy=study.taxonomy)
    return estimate_recall(
        windows,
        gestures,
        groups=(*study.taxonomy.groups, UNCLASSIFIED),
        person_of=lambda video_id: people.get(video_id, video_id),
    )


def searched_windows(study: Study, standing: Standing) -> list[AuditWindow]:
    """Return the audit windows that enough people searched."""
    told = (a for a in standing_answers(standing.annotations) if a.kind is QuestionKind.AUDIT)
    searched: Counter[str] = Counter(answer.candidate_id for answer in told if answer.verdict is not Verdict.UNSURE)
    # a window that one of two people has searched would count as one in which less happens
    needed = study.config.annotate.first_answers
    return [w for w in audit_windows(standing.of_kind(QuestionKind.AUDIT)) if searched[w.window_id] >= needed]


def audit_windows(tasks: Sequence[ReviewTask]) -> list[AuditWindow]:
    """Return the audit windows that were asked, each once; ``score`` of their tasks is the chance to be drawn."""
    found = {
        task.candidate_id: AuditWindow(
            window_id=task.candidate_id,
            video_id=task.anchor.video_id,
            track_number=0,
            span=task.anchor.span,
            box_xyxy=task.anchor.box_xyxy,
            sampled_share=task.score,
        )
        for task in tasks
    }
    return [found[window_id] for window_id in sorted(found)]


def seen_gestures(settlement: Settlement) -> list[SeenGesture]:
    """Return the gestures that more likely than not are there in audit windows, each in the window where it was drawn.

    Windows are not asked again until they are certain, so that the threshold of candidates would lose most of what
    one of two people saw.
    """
    found = []
    for _, item in sorted(settlement.items.items()):
        windows = {o.answer.candidate_id for o in item.opinions if o.answer.kind is QuestionKind.AUDIT}
        if windows and item.existence >= LIKELIER_THAN_NOT and item.span is not None:
            class_id = likeliest_class(item)
            found.append(SeenGesture(window_id=min(windows), class_id=class_id, span=item.span))
    return found


def likeliest_class(item: Settled) -> str | None:
    """Return the class that most people saw in an item that is there, the first by name of several; None is no class.

    The likeliest outcome may still be "no gesture" where people see it but differ about the class.
    """
    if item.outcome != NO_GESTURE:
        return item.class_id
    named = Counter(opinion.outcome for opinion in item.opinions if opinion.outcome != NO_GESTURE)
    outcome = min(named, key=lambda name: (-named[name], name), default=UNCLASSIFIED)
    return None if outcome == UNCLASSIFIED else outcome

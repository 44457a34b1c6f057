"""What ``pressroom report rounds`` writes: what each round of the study bought, from recorded tables alone."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

import typer

from annotation.answers.opinions import NO_GESTURE
from annotation.reporting.effort import CANDIDATE_KINDS, IDLE_FACTOR
from annotation.reporting.judgements import Judgement, standing_judgements
from annotation.reporting.recall import UNCLASSIFIED, AuditedGesture, group_of, match_audit
from annotation.reporting.report import settled_outcomes
from annotation.reporting.rounds import AskedItem, RoundRow, RoundSource, measure_rounds, rounds_document
from annotation.reporting.rounds_page import rounds_markdown, rounds_page
from flows._identity import declared_people
from flows._plan import current_candidates, study_videos
from flows._questions import candidate_of
from flows._report_annotation import searched_windows, seen_gestures
from flows._rounds import read_rounds, rounds_of_questions
from flows._standing import Standing, read_standing
from flows._study import Study
from schema.questions import AuditWindow, QuestionKind
from schema.records import Candidate, ReviewTask
from schema.tables import written_beside
from schema.timespan import NS_PER_SECOND

TODAY = "proposed today"
"""Recall of every candidate of the newest round, those that were not asked too."""


def report_rounds(study: Study, *, as_json: bool) -> None:
    """Write the page and the JSON file, and print what they say as Markdown or, for machines, as JSON.

    Nothing is trained or proposed for it. Raises ``ConfigError`` where an answer gives a class that the taxonomy does
    not have.
    """
    rows, document = study_rounds(study)
    page = study.layout.reports / "rounds.html"
    made_on = f"{datetime.now(UTC):%Y-%m-%d}"
    with written_beside(page) as beside:
        text = rounds_page(rows, study=study.config.study.name, made_on=made_on, today=document[TODAY])
        beside.write_text(text, encoding="utf-8")
    with written_beside(page.with_suffix(".json")) as beside:
        beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(document, indent=1))
        return
    typer.echo(rounds_markdown(rows))
    typer.echo(f"\n{page}")


def study_rounds(study: Study) -> tuple[list[RoundRow], dict[str, Any]]:
    """Measure every round of the study; returns the rows, and what the JSON file holds."""
    standing, numbers = _in_todays_classes(read_standing(study), study), rounds_of_questions(study)
    windows = searched_windows(study, standing)
    asked = _candidate_tasks(standing)
    sources = [
        RoundSource(
            round_number=one.round_number,
            model=one.model,
            begun_on=f"{datetime.fromtimestamp(one.begun_ns / NS_PER_SECOND, UTC):%Y-%m-%d}" if one.begun_ns else "",
            gestures=_audited(
                study,
                standing,
                windows,
                [
                    candidate_of(task, track_number=0)
                    for task in asked.values()
                    if numbers.get(task.candidate_id, 0) <= one.round_number
                ],
            ),
        )
        for one in read_rounds(study)
    ]
    people = declared_people(study) if windows else {}
    rows = measure_rounds(
        sources,
        _items(study, standing, asked, numbers),
        windows=windows,
        groups=(*study.taxonomy.groups, UNCLASSIFIED),
        person_of=lambda video_id: people.get(video_id, video_id),
    )
    today = _today(study, standing, windows)
    return rows, {"study": study.config.study.name, "rounds": rounds_document(rows), TODAY: today}


def _in_todays_classes(standing: Standing, study: Study) -> Standing:
    """Leave out what was asked or answered in another taxonomy, whose classes belong to no group of this one."""
    name = study.taxonomy.name
    return replace(
        standing,
        tasks=[task for task in standing.tasks if task.taxonomy == name],
        annotations=[answer for answer in standing.annotations if answer.taxonomy == name],
    )


def _today(study: Study, standing: Standing, windows: Sequence[AuditWindow]) -> dict[str, int] | None:
    """Count the audited gestures that the newest round's candidates show, asked or not; None where nothing was seen."""
    there = [candidate for _, candidate in current_candidates(study, study_videos(study))]
    gestures = _audited(study, standing, windows, there)
    return {"found": sum(g.found for g in gestures), "seen": len(gestures)} if gestures else None


def _audited(
    study: Study, standing: Standing, windows: Sequence[AuditWindow], candidates: Sequence[Candidate]
) -> list[AuditedGesture] | None:
    if not windows:
        return None
    return match_audit(windows, seen_gestures(standing.settlement), candidates, taxonomy=study.taxonomy)


def _candidate_tasks(standing: Standing) -> dict[str, ReviewTask]:
    """Return the question about each candidate that was asked, by its id: the verdict, else the expert's."""
    found: dict[str, ReviewTask] = {}
    for task in sorted(standing.tasks, key=lambda t: (t.kind is QuestionKind.VERDICT, t.server_id, t.task_number)):
        if task.kind in CANDIDATE_KINDS:
            found[task.about or task.candidate_id] = task
    return found


def _items(
    study: Study, standing: Standing, asked: Mapping[str, ReviewTask], numbers: Mapping[str, int]
) -> list[AskedItem]:
    """Say of each candidate that was asked what came of it, and what it cost."""
    settled = settled_outcomes(standing.settlement, config=study.config.annotate)
    judgements = [
        judgement
        for judgement in standing_judgements(standing.annotations, taxonomy=study.taxonomy)
        if judgement.annotation.kind in CANDIDATE_KINDS
    ]
    spent = _spent_seconds(judgements)
    answers = Counter(judgement.item_id for judgement in judgements)
    return [
        AskedItem(
            item_id=item_id,
            round_number=numbers.get(task.candidate_id, 0),
            proposer=task.proposer,
            group=group_of(task.class_id, study.taxonomy),
            outcome=settled[item_id] != NO_GESTURE if item_id in settled else None,
            answers=answers[item_id],
            seconds=spent.get(item_id, 0.0),
        )
        for item_id, task in sorted(asked.items())
    ]


def _spent_seconds(judgements: Sequence[Judgement]) -> dict[str, float]:
    """Sum up people's time by candidate; a break counts as ten times the median, as in the report on annotation."""
    timed = [judgement.spent_ns for judgement in judgements if judgement.spent_ns]
    longest_ns = IDLE_FACTOR * median(timed) if timed else 0.0
    spent: defaultdict[str, float] = defaultdict(float)
    for judgement in judgements:
        spent[judgement.item_id] += min(judgement.spent_ns, longest_ns) / NS_PER_SECOND
    return dict(spent)

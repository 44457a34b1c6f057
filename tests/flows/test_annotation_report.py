"""``pressroom report annotation``: files in the right places, for the right eyes, from what the study holds."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from flows import _report_annotation
from flows._cli import app
from flows._report_annotation import LEGEND, write_report
from flows._study import Study, open_study
from schema.answer_rows import annotations_to_rows, annotators_to_rows, known_answers_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, ANNOTATORS, KNOWN_ANSWERS, TASKS
from schema.errors import ConfigError
from schema.questions import Annotator, Mark, QuestionKind, Role
from schema.records import Annotation, Verdict
from tests.factories import NECK, make_anchor, make_annotation, make_candidate, make_span, make_task, make_video
from tests.simulated_campaign import AnsweredCampaign, simulate
from tests.studies import make_study

WINDOW = "w" + "0" * 20


@pytest.fixture(scope="module")
def campaign() -> AnsweredCampaign:
    return simulate(80, known_count=15, weeks=3)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    recording = tmp_path / "study" / "recordings" / "one.mp4"
    recording.parent.mkdir(parents=True)
    recording.touch()
    return make_study(tmp_path / "study")


def record(study: Study, campaign: AnsweredCampaign) -> None:
    study.store.append(TASKS, tasks_to_rows(campaign.tasks))
    study.store.append(ANNOTATIONS, annotations_to_rows(campaign.annotations))
    study.store.append(KNOWN_ANSWERS, known_answers_to_rows(campaign.known))
    people = [
        Annotator(
            annotator_id=one.annotator_id,
            name=f"Serena Quigley {number}",
            account=f"quigley{number}@example.org",
            role=Role.ANNOTATOR,
            active=True,
            added_ns=1,
        )
        for number, one in enumerate(campaign.crew)
    ]
    study.store.append(ANNOTATORS, annotators_to_rows(people))


def report_command(study: Study, *options: str) -> str:
    done = CliRunner().invoke(app, ["report", "annotation", str(study.layout.root), *options])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(autouse=True)
def without_gamma(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package takes 15 s to begin; tests/annotation/test_agreement_gamma.py is about it."""
    monkeypatch.setattr("annotation.reporting.agreement_gamma.find_spec", lambda _: None)


def test_the_page_the_document_and_the_names_are_written(study: Study, campaign: AnsweredCampaign):
    record(study, campaign)
    page, document = (Path(line) for line in report_command(study).splitlines())
    assert (page, document) == tuple(study.layout.root / "reports" / f"annotation.{end}" for end in ("html", "json"))
    told = json.loads(document.read_text())
    assert told["totals"]["answer_count"] == len(campaign.annotations)
    assert told["gamma"]["note"].endswith('`pip install "pressroom[agreement]"`')
    assert "pip install &#34;pressroom[agreement]&#34;" in page.read_text()
    assert {one["topic"] for one in told["advice"]} >= {"people"}
    for text in (page.read_text(), document.read_text()):
        for one in campaign.crew:
            assert one.annotator_id not in text
        for answer in campaign.annotations:
            assert answer.anchor.video_id not in text
        assert "Quigley" not in text
        assert "quigley" not in text
    legend = study.layout.private / LEGEND
    assert legend.stat().st_mode & 0o077 == 0
    with legend.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["annotator_id"], row["name"]) for row in rows} == {
        (one.annotator_id, f"Serena Quigley {number}") for number, one in enumerate(campaign.crew)
    }
    assert {row["pseudonym"] for row in rows} == {row["name"] for row in told["annotators"]}


def test_json_is_what_the_file_holds(study: Study, campaign: AnsweredCampaign):
    record(study, campaign)
    printed = json.loads(report_command(study, "--json"))
    assert printed == json.loads((study.layout.reports / "annotation.json").read_text())


def test_a_study_without_answers_has_a_report_that_says_so(study: Study):
    report_command(study)
    assert "Nobody has answered yet" in (study.layout.reports / "annotation.html").read_text()


def test_a_withdrawn_video_leaves_the_figures_and_renames_nobody(study: Study, campaign: AnsweredCampaign):
    record(study, campaign)
    gone = campaign.annotations[0].anchor.video_id
    before, *_ = write_report(study, with_gamma=False)
    study.store.purge(ANNOTATIONS, lambda rows: pc.not_equal(rows["video_id"], gone))
    after, *_ = write_report(open_study(study.layout.root), with_gamma=False)
    left = sum(answer.anchor.video_id != gone for answer in campaign.annotations)
    assert (before.totals.answer_count, after.totals.answer_count) == (len(campaign.annotations), left)
    assert {row.name for row in after.annotators} <= {row.name for row in before.annotators}
    counts = {row.name: row.answer_count for row in before.annotators}
    assert all(row.answer_count <= counts[row.name] for row in after.annotators)


def test_who_lost_every_answer_keeps_the_name_and_nobody_gets_it(study: Study, campaign: AnsweredCampaign):
    record(study, campaign)
    write_report(study, with_gamma=False)
    names = legend_of(study)
    first = next(who for who, name in names.items() if name == "A1")
    study.store.purge(ANNOTATIONS, lambda rows: pc.not_equal(rows["annotator_id"], first))
    write_report(open_study(study.layout.root), with_gamma=False)
    assert legend_of(study) == names
    (study.layout.private / LEGEND).write_text("pseudonym,annotator_id,name\nnobody,r1,\n")
    with pytest.raises(ConfigError, match="not like A1"):
        write_report(study, with_gamma=False)


def legend_of(study: Study) -> dict[str, str]:
    with (study.layout.private / LEGEND).open(newline="") as file:
        return {row["annotator_id"]: row["pseudonym"] for row in csv.DictReader(file)}


def window_answer(person: int, *marks: tuple[float, float]) -> Annotation:
    """What a person drew in a window of 15 s."""
    return make_annotation(
        person,
        candidate_id=WINDOW,
        anchor=make_anchor(span=make_span(0, 15)),
        kind=QuestionKind.AUDIT,
        verdict=Verdict.MARKED if marks else Verdict.NOTHING,
        class_id=None,
        proposed_class_id=None,
        suggestion_shown=False,
        marks=tuple(
            Mark(span=make_span(*mark), class_id=NECK, first_frame=round(mark[0] * 25), end_frame=round(mark[1] * 25))
            for mark in marks
        ),
    )


def test_recall_comes_from_the_windows_that_people_searched(study: Study, monkeypatch: pytest.MonkeyPatch):
    """Two people see the same two gestures in a window; for one of them there is a candidate."""
    task = make_task(
        candidate_id=WINDOW, anchor=make_anchor(span=make_span(0, 15)), kind=QuestionKind.AUDIT, score=0.25
    )
    unsearched = replace(task, candidate_id="w" + "1" * 20, task_number=2)
    study.store.append(TASKS, tasks_to_rows([task, unsearched]))
    answers = [window_answer(1, (2.0, 3.5), (9.0, 10.0)), window_answer(2, (2.1, 3.5), (9.0, 10.1))]
    study.store.append(ANNOTATIONS, annotations_to_rows(answers))
    held = [(make_video(), make_candidate())]
    monkeypatch.setattr(_report_annotation, "current_candidates", lambda *_: held)
    report, *_ = write_report(study, with_gamma=False)
    everything = report.recall[0]
    assert (everything.found_count, everything.missed_count, everything.window_count) == (1, 1, 1)
    assert everything.recall == 0.5
    assert report.effort.overall.accepted_count == 2
    assert [row.name for row in report.agreement.by_page] == ["without a suggestion"]

"""The report: whom and what it names, whom it does not, and a page that needs nothing beside itself."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from annotation.answers.consensus import settle
from annotation.asking.overlap import Step
from annotation.config import AnnotateConfig
from annotation.reporting.advice import Advice, advice_of
from annotation.reporting.recall import AuditedGesture, RecallEstimate, estimate_recall
from annotation.reporting.report import AnnotationReport, ReportSource, build_report, pseudonyms_of
from annotation.reporting.report_page import interval_text, legend_rows, report_page
from annotation.reporting.resampling import Estimate
from schema.questions import AuditWindow, KnownAnswer, QuestionKind
from schema.records import Annotation, ReviewTask, Verdict
from tests.factories import ARMS, BOX, NECK, make_annotation, make_span, make_task
from tests.simulated_campaign import TAXONOMY, AnsweredCampaign, simulate


@pytest.fixture(scope="module")
def campaign() -> AnsweredCampaign:
    """Seven people over five weeks; the last accepts everything, the one before is careless."""
    return simulate(200)


@pytest.fixture(scope="module")
def report(campaign: AnsweredCampaign) -> AnnotationReport:
    return report_of(campaign.annotations, tasks=campaign.tasks, known=campaign.known, recall=low_recall())


def report_of(
    annotations: Sequence[Annotation],
    *,
    tasks: Sequence[ReviewTask] = (),
    known: Sequence[KnownAnswer] = (),
    recall: Sequence[RecallEstimate] = (),
    steps: dict[Step, int] | None = None,
    experts: frozenset[str] = frozenset(),
) -> AnnotationReport:
    settlement = settle(tasks=tasks, annotations=annotations, known=known, experts=experts, taxonomy=TAXONOMY)
    return build_report(
        ReportSource(
            study="press-2025",
            made_ns=1_703_000_000_000_000_000,
            pseudonyms=pseudonyms_of(answer.annotator_id for answer in annotations),
            annotations=annotations,
            known=known,
            settlement=settlement,
            steps=steps or {},
            experts=experts,
            recall=recall,
            taxonomy=TAXONOMY,
            config=AnnotateConfig(),
            with_gamma=False,
        )
    )


def low_recall() -> list[RecallEstimate]:
    """Forty windows of eight people in which a third of the gestures of the head has a candidate."""
    windows = [
        AuditWindow(
            window_id=f"w{n}",
            video_id=f"v{n % 8}",
            track_number=0,
            span=make_span(0, 15),
            box_xyxy=BOX,
            sampled_share=0.1,
        )
        for n in range(40)
    ]
    gestures = [
        AuditedGesture(window=window, group="Head", class_id="turtle_neck", span=make_span(2, 3), found=n % 3 == 0)
        for n, window in enumerate(windows)
    ]
    return estimate_recall(windows, gestures, groups=TAXONOMY.groups)


def texts(report: AnnotationReport, topic: str) -> list[str]:
    return [advice.text for advice in advice_of(report, taxonomy=TAXONOMY) if advice.topic == topic]


def test_the_careless_and_nobody_else_are_talked_to(campaign: AnsweredCampaign, report: AnnotationReport):
    names = pseudonyms_of(answer.annotator_id for answer in campaign.annotations)
    careless, accepting = (names[annotator.annotator_id] for annotator in campaign.crew[-2:])
    told = {text.partition(":")[0].removeprefix("Talk with "): text for text in texts(report, "people")}
    assert told.keys() == {careless, accepting}
    assert "sees a gesture in 100% of the hidden clips that hold none" in told[accepting]
    assert re.search(r"takes 1\.\d s for an answer \(the others 4\.\d s\)", told[accepting])


@pytest.mark.parametrize("seed", range(4))
def test_people_of_equal_skill_are_left_alone(seed: int):
    crew = simulate(150, people=8, known_count=30, seed=seed)
    good = {annotator.annotator_id for annotator in crew.crew[:-2]}
    answers = [answer for answer in crew.annotations if answer.annotator_id in good]
    found = report_of(answers, tasks=crew.tasks, known=crew.known)
    assert len(texts(found, "people")) <= 1, "six careful people: at most one chance alarm"


def test_two_classes_that_people_mix_up_are_named():
    answers = [
        make_annotation(
            10 * q + person,
            candidate_id=f"c{q:020d}",
            annotator_id=f"r{person}",
            verdict=Verdict.RELABEL if person and q % 2 else Verdict.ACCEPT,
            class_id=ARMS if person and q % 2 else NECK,
        )
        for q in range(20)
        for person in range(2)
    ]
    (text,) = texts(report_of(answers), "classes")
    assert text.startswith(
        "Say in the definitions what tells “Folding arms” from “Touching or scratching neck”: 10 times"
    )


def test_a_class_on_which_people_agree_less_needs_a_better_definition():
    random = np.random.default_rng(1)
    answers = []
    for q in range(60):
        class_id = ARMS if q % 2 else NECK
        for person in range(2):
            rejects = class_id == ARMS and random.random() < 0.6
            answers.append(
                make_annotation(
                    10 * q + person,
                    candidate_id=f"c{q:020d}",
                    annotator_id=f"r{person}",
                    proposed_class_id=class_id,
                    verdict=Verdict.REJECT if rejects else Verdict.ACCEPT,
                    class_id=None if rejects else class_id,
                )
            )
    (text,) = texts(report_of(answers), "classes")
    assert text.startswith("Define “Folding arms” better")


def test_the_rest_that_needs_doing_is_told(report: AnnotationReport):
    assert texts(report, "proposals") == [text for text in texts(report, "proposals") if "Head" in text] != []
    one = make_annotation(flag="changed by another account", annotation_id="a9")
    found = report_of([make_annotation(2, scripted=True), one], steps={Step.EXPERT: 3})
    assert any(text.startswith("Ask who really gave 1 answer (A2 1)") for text in texts(found, "people"))
    campaign = " ".join(texts(found, "campaign"))
    for words in ("Only scripts have answered", "Ask an expert: 3 candidates", "No hidden items"):
        assert words in campaign
    assert "recall is unknown" in " ".join(texts(found, "proposals"))


def test_figures_of_people_are_counted_by_hand():
    task = make_task(kind=QuestionKind.KNOWN)
    known = KnownAnswer(
        question_id=task.candidate_id, variant="negative", exists=False, class_id=None, span=make_span(), source="study"
    )
    hidden = make_annotation(kind=QuestionKind.KNOWN)
    unsure = make_annotation(
        2, annotator_id=hidden.annotator_id, candidate_id="c" + "7" * 20, verdict=Verdict.UNSURE, class_id=None
    )
    (row,) = report_of([hidden, unsure], tasks=[task], known=[known]).annotators
    assert (row.name, row.answer_count, row.median_seconds) == ("A1", 2, 4)
    values = [e.value for e in (row.unsure, row.known_right, row.negatives_accepted) if e is not None]
    assert values == [0.5, 0, 1]
    assert (row.edges_right, row.agrees) == (None, None)


def test_names_stay_as_the_table_grows(campaign: AnsweredCampaign):
    people = [answer.annotator_id for answer in campaign.annotations]
    before, after = pseudonyms_of(people[:30]), pseudonyms_of(people)
    assert after.items() >= before.items()
    assert len(set(after.values())) == len(campaign.crew)


def test_the_page_needs_nothing_beside_itself_and_names_nobody(campaign: AnsweredCampaign, report: AnnotationReport):
    page = report_page(report, taxonomy=TAXONOMY)
    assert re.findall(r"<(?:script|link|img|iframe|object)|@import|url\((?!#)|src=|href=\"(?!#)", page) == []
    assert {link for link in re.findall(r"https?://[^\s\"<]+", page) if "w3.org" not in link} == set()
    for annotator in campaign.crew:
        assert annotator.annotator_id not in page
    for gone in ("nan", "None", "undefined", "candidate_id"):
        assert not re.search(rf">[^<]*\b{gone}\b[^<]*<", page), gone
    assert page.count("<svg") >= 6


def test_the_order_of_the_answers_changes_names_alone(campaign: AnsweredCampaign, report: AnnotationReport):
    again = report_of(campaign.annotations[::-1], tasks=campaign.tasks, known=campaign.known, recall=low_recall())
    assert (again.agreement.overall, again.effort, again.totals) == (
        report.agreement.overall,
        report.effort,
        report.totals,
    )
    assert report_page(report, taxonomy=TAXONOMY) == report_page(report, taxonomy=TAXONOMY)


def test_the_document_is_json_without_numbers_that_json_lacks(report: AnnotationReport):
    text = json.dumps(report.document(), allow_nan=False)
    document = json.loads(text)
    assert document["agreement"]["overall"]["f1"]["value"] == report.agreement.overall.f1.value
    assert {row["name"] for row in document["annotators"]} == {f"A{n}" for n in range(1, 8)}


def test_before_anybody_has_answered_the_page_says_what_to_do():
    page = report_page(report_of([]), taxonomy=TAXONOMY)
    assert "Nobody has answered yet" in page
    assert "pressroom push" in page


def test_one_answer_makes_a_page_without_figures():
    page = report_page(report_of([make_annotation()], tasks=[make_task()]), taxonomy=TAXONOMY)
    assert "No question has two decided answers yet" in page
    assert "by 1 person" in page


def test_experts_are_told_apart():
    answers = [make_annotation(1), make_annotation(2, kind=QuestionKind.EXPERT, about="c" + "2" * 20)]
    found = report_of(answers, experts=frozenset({answers[1].annotator_id}))
    assert [(row.name, row.is_expert) for row in found.annotators] == [("A1", False), ("A2", True)]


def test_the_legend_holds_everybody_who_ever_had_a_name():
    rows = legend_rows({"r1": "A1", "r2": "A2"}, {"r1": "Ada"})
    assert rows == [("A1", "r1", "Ada"), ("A2", "r2", "")]


def test_names_of_earlier_reports_stay_and_are_given_to_nobody_else():
    assert pseudonyms_of(["r3", "r1", "r4", "r3"], known={"r1": "A2", "r2": "A1"}) == {
        "r1": "A2",
        "r2": "A1",
        "r3": "A3",
        "r4": "A4",
    }


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (None, "-"),
        (Estimate(value=0.5), "0.50"),
        (Estimate(value=-0.001, low=-0.004, high=0.2), "0.00 (0.00 to 0.20)"),
    ],
    ids=str,
)
def test_figures_are_written_with_what_is_known_of_them(estimate: Estimate | None, text: str):
    assert interval_text(estimate) == text


def test_advice_is_sorted_by_topic(report: AnnotationReport):
    topics = [advice.topic for advice in advice_of(report, taxonomy=TAXONOMY)]
    order = ["people", "classes", "campaign", "proposals"]
    assert topics == sorted(topics, key=order.index)
    assert isinstance(advice_of(report, taxonomy=TAXONOMY)[0], Advice)


@pytest.mark.browser
def test_the_page_fits_an_a4_sheet_and_asks_for_nothing(report: AnnotationReport, tmp_path: Path):
    from playwright.sync_api import sync_playwright

    file = tmp_path / "report.html"
    file.write_text(report_page(report, taxonomy=TAXONOMY), encoding="utf-8")
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 703, "height": 1000})  # 186 mm: A4 without its margins
        page.on("request", lambda request: asked.append(request.url))
        page.emulate_media(media="print")
        page.goto(file.as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        cut = page.evaluate(
            "[...document.querySelectorAll('table, svg')].filter(e => e.getBoundingClientRect().right > 703).length"
        )
        pdf = page.pdf(format="A4", prefer_css_page_size=True)
        browser.close()
    assert asked == [file.as_uri()]
    assert (width, cut) == (703, 0)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 7

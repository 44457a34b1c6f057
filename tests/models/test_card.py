"""The card of a model: its numbers are those of the metrics, it needs nothing but itself and hides no lack."""

import json
import re
import zlib
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.card import NOT_FOR, card_files, figure_text, moment_text, seconds_text
from models.config import TrainConfig
from models.facts import Origin
from models.metrics import (
    AtOverlap,
    CalibrationScores,
    Confusion,
    Curve,
    DetectionScores,
    Measured,
    ModelMetrics,
    NameScore,
    ReliabilityBin,
    headline_figures,
)
from tests.made_up_models import TAXONOMY, class_counts, made_up_facts, made_up_metrics, small_facts

DIGEST = "0123456789ab"
ALLOWED_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"pHYs"}


class Page(HTMLParser):
    """Collects what a page loads, links to and says, and the cells of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)
            if {"th", "td"} & set(self.open):
                self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all_of(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags for name, value in attrs.items() if name == attribute and value]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return card_files(made_up_facts(), digest=DIGEST)


@pytest.fixture(scope="module")
def page(files: dict[str, bytes]) -> Page:
    return Page(files["card.html"].decode())


def text_of(files: dict[str, bytes]) -> str:
    return files["README.md"].decode()


def table_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_headline_figure_is_told_with_its_interval_in_both_forms(files: dict[str, bytes], page: Page) -> None:
    figures = headline_figures(made_up_metrics())
    assert len(figures) == 15
    told, cells = {row[0]: row[1] for row in table_rows(text_of(files)) if len(row) == 2}, page.rows
    for figure in figures:
        m = figure.measured
        assert told[figure.name] == f"{m.value:.3f} ({m.low:.3f} to {m.high:.3f})"
        assert [figure.name, f"{m.value:.3f}", f"{m.low:.3f}", f"{m.high:.3f}"] in cells


def test_every_class_is_told_with_its_examples_and_whether_its_group_stands_for_it(
    files: dict[str, bytes], page: Page
) -> None:
    scores = {score.name: score for score in made_up_metrics().classes}
    in_text = {row[0]: row for row in table_rows(text_of(files)) if len(row) == 8}
    in_page = {row[0]: row for row in page.rows if len(row) == 8}
    for class_id, count in class_counts().items():
        gesture = TAXONOMY.by_id(class_id)
        how = "told apart" if count >= 10 else "group alone"
        assert in_text[gesture.name][1:4] == [gesture.group, f"{count:,}", how]
        assert in_page[gesture.name][1:4] == [gesture.group, f"{count:,}", how]
        f1 = scores[class_id].f1 if class_id in scores else None
        assert in_text[gesture.name][4] == figure_text(f1)
        assert in_page[gesture.name][4].startswith(f"{f1.value:.3f}" if f1 else "-")
    counts = [int(row[2].replace(",", "")) for row in page.rows if len(row) == 8 and row[0] != "class"]
    assert counts == sorted(class_counts().values(), reverse=True)


def test_groups_comparisons_and_the_effect_of_balancing_are_told(files: dict[str, bytes], page: Page) -> None:
    metrics, text = made_up_metrics(), text_of(files)
    rows = {row[0]: row for row in table_rows(text)}
    for score in metrics.groups:
        assert rows[score.name][1:] == [
            f"{score.examples:,}", *map(figure_text, (score.f1, score.average_precision, score.recall, score.accuracy)),
        ]  # fmt: skip
    assert rows["this model"][1] == figure_text(metrics.detection.f1_strict)
    assert rows["motion alone"][1] == "0.120 (0.080 to 0.160)"
    assert rows["motion alone"][5] == "-", "it names no class"
    assert rows["between (balance 0.5) (this model)"][2] == "0.370 (0.330 to 0.410)"
    for name in ("this model", "sliding window, linear", "motion alone"):
        assert name in [row[0] for row in page.rows]


def test_the_card_says_what_it_learned_from_and_what_binds_it(files: dict[str, bytes], page: Page) -> None:
    told = " ".join(text_of(files).replace("`", "").split())
    for words in (told, page.text):
        for line in NOT_FOR:
            assert line in words
        for part in (
            "iMiGUE agreement: academic use, no redistribution",
            "may be bound by that data's agreement",
            "8 people, with 300 to 580 gestures each (median 440)",
            "17 gestures of people whom nobody declared",
            "press-gestures 0.3.0",
            "5,400",
            "2025-10-09 08:53 UTC",
            "33.0 s for training",
            "bootstrap over people, 1000 times",
            "Illustrative gestures are 31 %",
            "measured on nobody",
            "8 people in 3 folds, 96 recordings, 2,870 gestures, 412.5 minutes",
            "0.143 (0.123 to 0.163)",
            DIGEST,
        ):
            assert part in words, part
    assert ["study", "60", "1,800", "5", "the study's own"] in page.rows


def test_neither_form_names_a_person_or_a_recording(files: dict[str, bytes]) -> None:
    facts = made_up_facts()
    for name in ("README.md", "card.html"):
        text = re.sub(r'"data:image/png;base64,[^"]+"', "", files[name].decode())
        for one in (*facts.data.video_ids, *facts.data.unlabelled_video_ids, *facts.data.subject_gestures):
            assert one not in text


def test_the_page_needs_nothing_but_itself(files: dict[str, bytes], page: Page) -> None:
    assert page.open == [], "every tag is closed"
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert all(source.startswith("data:image/png;base64,") for source in page.all_of("src"))
    assert all(target.startswith("#") for target in page.all_of("href"))
    assert {target[1:] for target in page.all_of("href")} == set(page.all_of("id"))
    text = re.sub(r'"data:image/png;base64,[^"]+"', "", files["card.html"].decode())
    assert "://" not in text
    assert "url(" not in text


def test_page_and_text_show_every_plot_and_no_other(files: dict[str, bytes], page: Page) -> None:
    plots = {name: data for name, data in files.items() if name.startswith("plots/")}
    assert len(plots) == 7
    shown = [b64decode(source.partition(",")[2]) for source in page.all_of("src")]
    assert sorted(shown) == sorted(plots.values())
    assert set(re.findall(r"\]\((plots/\w+\.png)\)", text_of(files))) == set(plots)
    for tag, attrs in page.tags:
        if tag == "img":
            png = b64decode((attrs["src"] or "").partition(",")[2])
            assert (attrs["width"], attrs["height"]) == tuple(map(str, Image.open(BytesIO(png)).size))
            assert len(attrs["alt"] or "") > 20


def test_plots_carry_no_text_about_who_made_them_and_are_not_blank(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        if not name.startswith("plots/"):
            continue
        place, kinds = 8, set()
        while place < len(data):
            length = int.from_bytes(data[place : place + 4], "big")
            kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
            assert zlib.crc32(kind + content) == int.from_bytes(data[place + 8 + length : place + 12 + length], "big")
            kinds.add(kind)
            place += 12 + length
        assert kinds <= ALLOWED_CHUNKS, name
        picture = Image.open(BytesIO(data)).convert("RGB")
        assert picture.getpixel((0, 0)) == (255, 255, 255), "on white: Markdown is shown on any colour"
        assert len(picture.getcolors(1 << 20) or ()) > 10, name


def test_a_model_of_which_nothing_was_measured_has_an_honest_card() -> None:
    files = card_files(small_facts(), digest=DIGEST)
    page = Page(files["card.html"].decode())
    assert page.open == []
    for words in (page.text, " ".join(text_of(files).split())):
        assert "Nobody was held out" in words
        assert "Not measured: a score of 0.7 need not be right in 70 % of the cases" in words
        assert "interval" not in words
        assert "held out once" not in words
    assert {name for name in files if name.startswith("plots/")} == set()
    assert "](plots/" not in text_of(files)


def test_what_was_not_measured_has_a_dash_and_no_plot() -> None:
    metrics = ModelMetrics(
        folds=(("s0a",),),
        detection=DetectionScores(f1_strict=Measured(value=0.3), mean_average_precision=(_at(0.3, 0.2),)),
        classes=(NameScore(name=TAXONOMY.classes[0].class_id, examples=3),),
        calibration=CalibrationScores(after=Measured(value=0.1)),
    )
    files = card_files(replace(made_up_facts(), metrics=metrics), digest=DIGEST)
    assert {name for name in files if name.startswith("plots/")} == {"plots/classes.png", "plots/detection.png"}
    text = text_of(files)
    assert "| F1 at overlap 0.3, one to one | 0.300 |" in text
    assert "Expected calibration error: - as it comes, 0.100 calibrated" in text
    assert "starter kit" not in text


def _at(overlap: float, value: float) -> AtOverlap:
    return AtOverlap(overlap=overlap, score=Measured(value=value))


def test_scripted_answers_unknown_licences_and_the_model_before_are_said_loudly() -> None:
    facts = small_facts()
    data = replace(
        facts.data, scripted_gestures=12, init="seed-0@ba9876543210",
        origins=(Origin(name="found", licence=" ", sequences=1, gestures=2, subjects=1),),
    )  # fmt: skip
    files = card_files(replace(facts, data=data), digest=DIGEST)
    for words in (text_of(files), files["card.html"].decode()):
        assert "12 of the gestures it learned from rest on answers of a script" in words
        assert "nobody said under which licence" in words
        assert "what binds that model binds this one" in words
    none = card_files(replace(facts, data=replace(data, origins=())), digest=DIGEST)
    assert "treat the weights as bound" in text_of(none)


def test_words_of_others_stay_words() -> None:
    facts = small_facts()
    evil = Origin(name="`<b>|x", licence="<script>alert(1)</script> | `code`\n# Heading", sequences=1, gestures=1,
                  subjects=1)  # fmt: skip
    metrics = ModelMetrics(notes=("<i>note</i>",))
    files = card_files(replace(facts, metrics=metrics, data=replace(facts.data, origins=(evil,))), digest=DIGEST)
    page = Page(files["card.html"].decode())
    assert {"script", "i", "set"}.isdisjoint({tag for tag, _ in page.tags})
    assert "<script>" not in text_of(files)
    assert not re.search(r"^# Heading", text_of(files), re.MULTILINE)


@pytest.mark.parametrize("size", [1, 2, 33, 52])
def test_a_confusion_matrix_of_any_size_is_drawn(size: int) -> None:
    labels = tuple(f"class_{number}" for number in range(size))
    counts = np.eye(size, dtype=int) * 5
    metrics = ModelMetrics(
        folds=(("a",),),
        classification=replace(
            made_up_metrics().classification,
            confusion=Confusion(labels=labels, counts=tuple(map(tuple, counts.tolist()))),
        ),
    )
    files = card_files(replace(small_facts(), metrics=metrics), digest=DIGEST)
    assert Image.open(BytesIO(files["plots/confusion.png"])).size[0] == 1472


def test_plots_of_scarce_numbers_are_drawn() -> None:
    empty = ReliabilityBin(low=0.0, high=0.5, count=0, mean_score=0.0, share_right=0.0)
    full = ReliabilityBin(low=0.5, high=1.0, count=1, mean_score=0.9, share_right=1.0)
    metrics = ModelMetrics(
        calibration=CalibrationScores(bins_after=(empty, full)),
        losses=(Curve(name="training", across=(1.0,), up=(-0.5,)), *(_loss(n) for n in range(6))),
        precision_recall=(Curve(name="overlap 0.3", across=(0.0,), up=(0.0,)),),
    )
    facts = replace(small_facts(config=TrainConfig(fewest_examples=0)), class_counts={TAXONOMY.classes[0].class_id: 1})
    files = card_files(replace(facts, metrics=metrics), digest=DIGEST)
    names = {name for name in files if name.startswith("plots/")}
    assert names == {f"plots/{name}.png" for name in ("classes", "losses", "precision_recall", "reliability")}


def _loss(number: int) -> Curve:
    return Curve(name=f"stage {number}", across=(1.0, 2.0), up=(1.0, 0.5))


def test_the_card_tells_every_setting(page: Page) -> None:
    config = TrainConfig()
    rows = {row[0]: row[1] for row in page.rows if len(row) == 2}
    assert rows["train.seed"] == str(config.seed)
    assert rows["train.augment.flip"] == str(config.augment.flip)
    assert rows["train.pretrain.method"] == config.pretrain.method


def test_lengths_moments_and_figures_are_written_as_people_read_them() -> None:
    assert [seconds_text(seconds) for seconds in (36.24, 300.0, 7_300.0)] == ["36.2 s", "5 min", "2.0 h"]
    assert moment_text(0) == "1970-01-01 00:00 UTC"
    assert figure_text(None) == "-"
    assert figure_text(Measured(value=0.5)) == "0.500"


def test_the_page_opens_in_a_browser_without_loading_anything(files: dict[str, bytes], tmp_path: Path) -> None:
    executable = Path("/usr/bin/chromium")
    if not executable.exists():
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    (tmp_path / "card.html").write_bytes(files["card.html"])
    loaded: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1366, "height": 768})
        tab.on("request", lambda request: loaded.append(request.url.partition(":")[0]))
        tab.on("console", lambda message: loaded.append(message.text))
        tab.goto((tmp_path / "card.html").as_uri())
        sizes = tab.evaluate("[...document.images].map(i => [i.naturalWidth, i.complete])")
        overflow = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        browser.close()
    assert set(loaded) <= {"file", "data"}
    assert sizes == [[1472, True]] * 7
    assert overflow <= 0


def test_metrics_hold_every_number_of_the_card(tmp_path: Path) -> None:
    from models.documents import documents_of

    document = json.loads(documents_of(made_up_facts(), {})["metrics.json"])
    assert document["detection"]["f1_strict"] == pytest.approx({"value": 0.41, "low": 0.37, "high": 0.45})
    assert len(document["classes"]) == 16
    assert [row["count"] for row in document["calibration"]["bins_after"]] == [900 // (n + 1) for n in range(10)]

"""`pressroom models list|show|compare` of seed models: by name, identity or path, and one line for what is wrong."""

import json
import shlex
import shutil
import webbrowser
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows._cli import app
from flows._init import init_study
from flows._model_comparison import compare_metrics, not_comparable
from flows._rounds import Round
from flows._study import open_study
from models.config import AugmentConfig
from models.folder import digest_of_folder, write_model
from models.metrics import (
    CalibrationScores,
    ClassificationScores,
    Measured,
    ModelMetrics,
    NameScore,
    headline_figures,
)
from schema.arrow import ROUNDS
from schema.rows import table_of
from tests.made_up_models import TAXONOMY, made_up_detection, made_up_weights, small_facts

NECK = TAXONOMY.classes[0].class_id


def measured(value: float, half: float = 0.02) -> Measured:
    return Measured(value=value, low=value - half, high=value + half)


def metrics_of(f1: float, error: float = 0.05, **changes: object) -> ModelMetrics:
    return ModelMetrics(
        folds=(("s0a", "s1a"), ("s2a",)),
        sequences=3,
        gestures=40,
        detection=made_up_detection(f1),
        classification=ClassificationScores(segments=40, accuracy=measured(0.8)),
        calibration=CalibrationScores(before=measured(0.2), after=measured(error, 0.01)),
        classes=(NameScore(name=NECK, examples=9, f1=measured(f1)),),
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a model, a better one, one that was not measured, and what a killed writer left."""
    root = tmp_path_factory.mktemp("made") / "study"
    init_study(root, name="painted")
    first = replace(small_facts("seed-1"), metrics=metrics_of(0.40))
    config = replace(first.config, seed=5, augment=AugmentConfig(flip=0.0))
    second = replace(small_facts("seed-2"), metrics=metrics_of(0.55, error=0.01), config=config)
    write_model(root / "models" / "seed-1", made_up_weights(0), first)
    write_model(root / "models" / "seed-2", made_up_weights(1), second)
    write_model(root / "models" / "seed-10", made_up_weights(2), small_facts("seed-10"))
    shutil.copytree(root / "models" / "seed-1", root / "models" / ".writing-seed-1.77.abcd")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "study"))


def said(command: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == status, done.output
    return done.output


def refused(command: str, status: int = 2) -> str:
    message = said(command, status)
    assert message.startswith("pressroom: ")
    assert message.count("\n") == 1
    return message


def choose(root: Path, identity: str) -> None:
    row = Round(round_number=1, model=identity, begun_ns=1)
    open_study(root).store.append(ROUNDS, table_of(ROUNDS, [asdict(row)]))


def test_list_tells_each_model_and_which_one_proposes(root: Path) -> None:
    digest = digest_of_folder(root / "models" / "seed-2")
    choose(root, f"seed-2@{digest}")
    lines = said(f"models list {root}").splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["seed-1", "seed-2", "seed-10"]
    assert "seed-2 *" in lines[2]
    assert lines[2].split()[-1] == digest
    for cell in ("2025-10-09 08:53", "16+16", "0.550", "0.800", "0.010"):
        assert cell in lines[2]
    assert lines[3].split()[-6:-1] == ["-"] * 5, "nothing was measured of it"
    rows = json.loads(said(f"models list {root} --json"))
    assert set(rows) == {"seed_models"}, "a named study: no networks for keypoints"
    assert [(row["name"], row["proposes"]) for row in rows["seed_models"]] == [
        ("seed-1", False), ("seed-2", True), ("seed-10", False),
    ]  # fmt: skip
    row = rows["seed_models"][1]
    assert row["identity"] == f"seed-2@{digest}"
    assert row["figures"]["f1_strict"] == pytest.approx({"value": 0.55, "low": 0.51, "high": 0.59})
    assert row["figures"]["calibration_error"]["value"] == 0.01
    assert row["origins"] == ["study", "imigue"]
    assert row["release"] == {"name": "press-gestures", "version": "0.3.0", "digest": "0123456789ab"}
    assert len(row["classes"]) == 16


def test_a_model_of_the_same_name_and_other_weights_does_not_propose(root: Path) -> None:
    choose(root, "seed-2@000000000000")
    told = said(f"models list {root}")
    assert " *" not in told.splitlines()[2]
    assert "the study proposes with seed-2@000000000000, which is not here" in told


def test_a_damaged_model_is_listed_with_its_damage(root: Path) -> None:
    (root / "models" / "seed-2" / "data.json").write_text("{}", encoding="utf-8")
    told = said(f"models list {root}")
    assert "seed-2: data.json is not as it was written" in told
    rows = json.loads(said(f"models list {root} --json"))["seed_models"]
    assert [row["identity"] is None for row in rows] == [False, True, False]
    assert "data.json" in rows[1]["damage"]
    assert "data.json" in refused(f"models show seed-2 {root}", 3)
    assert "data.json" in refused(f"models compare seed-1 seed-2 {root}", 3)


def test_a_study_without_models_says_how_to_make_one(tmp_path: Path) -> None:
    init_study(tmp_path / "new", name="painted")
    assert said(f"models list {tmp_path}/new") == (
        "no seed model yet: `pressroom train` makes one of what people verified\n"
    )
    assert "there are none; `pressroom train` makes one" in refused(f"models show seed-1 {tmp_path}/new")


def test_in_a_study_the_study_need_not_be_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mmpose")
    monkeypatch.chdir(root)
    told = said("models list")
    assert told.index("seed-10") < told.index("Networks for keypoints:") < told.index("rtmw-l")
    assert said("models show seed-1").startswith("model           seed-1@")
    assert said("models show rtmw-l_8xb320-270e_cocktail14-384x288").startswith("config ")
    assert "seed-1@" in said("models compare seed-1 seed-2")


def test_elsewhere_the_networks_for_keypoints_are_listed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mmpose")
    monkeypatch.chdir(tmp_path)
    assert set(json.loads(said("models list --json"))) == {"weights_folder", "models", "onnx"}
    assert said("models list").startswith("config ")
    message = refused("models show seed-1")
    assert "mmpose describes no whole-body network 'seed-1'" in message
    assert "`pressroom models show seed-1 STUDY`" in message


def test_without_mmpose_a_study_is_told_and_nothing_else_fails(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows._model_commands.find_spec", lambda name: None)
    monkeypatch.chdir(root)
    assert "mmpose, which describes them, is not installed" in said("models list")
    assert set(json.loads(said("models list --json"))) == {"seed_models"}
    assert said("models show seed-1").startswith("model ")
    assert "there are seed-1, seed-2, seed-10; nearest is 'seed-1'" in refused("models show sed-1")


def test_show_takes_a_name_an_identity_or_a_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = digest_of_folder(root / "models" / "seed-1")
    by_name = said(f"models show seed-1 {root}")
    assert by_name == said(f"models show seed-1@{digest} {root}") == said(f"models show {root}/models/seed-1")
    monkeypatch.chdir(root / "models" / "seed-1")
    assert by_name == said("models show .")
    for words in (
        f"seed-1@{digest}",
        "whole: every byte as it was written",
        "study (1,800 gestures), imigue (1,200 gestures)",
        "press-gestures 0.3.0 (0123456789ab)",
        "33 s training",
        "wholebody133, 49 points, 2D, 12.5 frames/s",
        "16 classes, 6 groups",
        "arms_akimbo",
        "on 3 held-out people, 95 % intervals",
        "0.400 (0.360 to 0.440)",
        "the same before calibration",
        "card.html",
    ):
        assert words in by_name


def test_show_gives_machines_everything(root: Path) -> None:
    told = json.loads(said(f"models show seed-2 {root} --json"))
    assert told["identity"] == f"seed-2@{digest_of_folder(root / 'models' / 'seed-2')}"
    assert told["checked"] is True
    assert told["config"]["augment"]["flip"] == 0.0
    assert told["metrics"]["detection"]["f1_strict"]["value"] == 0.55
    assert told["data"]["subject_gestures"]["s0a"] == 300


def test_show_opens_the_card(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    said(f"models show seed-1 {root} --open")
    assert opened == [(root / "models" / "seed-1" / "card.html").as_uri()]


def test_show_finds_a_byte_that_changed_in_the_weights(root: Path) -> None:
    path = root / "models" / "seed-1" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    assert "seed-1: weights.safetensors is not as it was written" in refused(f"models show seed-1 {root}", 3)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("show seed-3 {root}", "the study has no model 'seed-3': there are seed-1, seed-2, seed-10; nearest is 'seed-"),
        ("show .writing-seed-1.77.abcd {root}", "has no model"),
        ("show ../private {root}", "has no model"),
        ("show {root}/models {root}", "is no model: name the folder"),
        ("show seed-1@000000000000 {root}", "the study's model seed-1 is seed-1@"),
        ("compare seed-1 sed-2 {root}", "nearest is 'seed-2'"),
        ("compare seed-1 seed-2 {root}/nothing", "no such study file"),
    ],
)
def test_an_unknown_name_is_one_line(root: Path, command: str, words: str) -> None:
    assert words in refused(f"models {command.format(root=root)}")


def test_compare_tells_differences_and_whether_they_are_sure(root: Path) -> None:
    told = json.loads(said(f"models compare seed-1 seed-2 {root} --json"))
    rows = {row["key"]: row for row in told["figures"]}
    assert rows["f1_strict"]["difference"] == pytest.approx(0.15)
    assert (rows["f1_strict"]["intervals_overlap"], rows["f1_strict"]["better"]) == (False, "second")
    assert rows["calibration_error"]["difference"] == pytest.approx(-0.04)
    assert rows["calibration_error"]["better"] == "second", "less error is better"
    assert (rows["accuracy"]["difference"], rows["accuracy"]["better"]) == (0.0, None)
    assert rows["accuracy"]["intervals_overlap"] is True
    assert told["classes"][0]["name"] == NECK
    assert told["classes"][0]["difference"] == pytest.approx(0.15)
    assert told["settings"] == {"train.seed": [0, 5], "train.augment.flip": [0.5, 0.0]}
    assert told["not_comparable"] is None
    turned = json.loads(said(f"models compare seed-2 seed-1 {root} --json"))
    assert {row["key"]: row["better"] for row in turned["figures"]}["f1_strict"] == "first"


def test_compare_prints_both_models_side_by_side(root: Path) -> None:
    lines = said(f"models compare seed-1 {root}/models/seed-2 {root}").splitlines()
    (f1,) = (line for line in lines if line.startswith("F1 at overlap 0.3, one to one"))
    assert f1.split("  ")[1:] != []
    for cell in ("0.400 (0.36-0.44)", "0.550 (0.51-0.59)", "+0.150", "seed-2 is better"):
        assert cell in f1
    (accuracy,) = (line for line in lines if line.startswith("accuracy"))
    assert accuracy.endswith("intervals overlap")
    assert f"F1 of class {NECK}" in "\n".join(lines)
    assert "setting train.seed: 0 -> 5" in lines
    assert not any(line.startswith("Beware") for line in lines)


def test_compare_with_what_was_not_measured_says_so(root: Path) -> None:
    lines = said(f"models compare seed-1 seed-10 {root}").splitlines()
    assert lines[-1] == "Beware: nothing was measured of seed-10: nobody was held out."
    rows = json.loads(said(f"models compare seed-1 seed-10 {root} --json"))["figures"]
    assert {row["difference"] for row in rows} == {None}
    assert {row["better"] for row in rows} == {None}


def test_figures_of_other_people_or_gestures_are_not_put_beside_each_other_in_silence() -> None:
    facts = replace(small_facts(), metrics=metrics_of(0.4))
    others = replace(facts, metrics=replace(facts.metrics, folds=(("s0a", "s9z"),)))
    assert "measured on other people (3 and 2, 1 of them the same)" in not_comparable(facts, others)
    more = replace(facts, metrics=replace(facts.metrics, gestures=41))
    assert "other gestures of the same people" in not_comparable(facts, more)
    assert not_comparable(facts, facts) == ""


def test_a_comparison_has_each_figure_once_and_no_verdict_without_intervals() -> None:
    bare = ModelMetrics(classification=ClassificationScores(segments=1, accuracy=Measured(value=0.5)))
    rows = compare_metrics(bare, metrics_of(0.4))
    assert sorted(row.key for row in rows) == sorted(figure.key for figure in headline_figures(metrics_of(0.4)))
    (accuracy,) = (row for row in rows if row.key == "accuracy")
    assert accuracy.difference == pytest.approx(0.3)
    assert (accuracy.intervals_overlap, accuracy.better) == (None, None)

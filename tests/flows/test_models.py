"""`pressroom models` tells where weights go, and what it exports can be named by a study."""

import json
import shlex

from typer.testing import CliRunner

from flows._backends import build_back_end
from flows._cli import app
from flows._config import load_config
from perception.backends.mmpose.onnx import OnnxKeypointEstimator
from tests.pose_networks import mmpose_that_sees_paintings


def said(command, status=0):
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == status, done.output
    return done.output


def test_list_tells_which_weights_are_here(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path))
    before = json.loads(said("models list --json"))
    (tmp_path / before["models"][0]["checkpoint"]).touch()
    (tmp_path / "mine.onnx").touch()
    after = json.loads(said("models list --json"))
    assert [row["is_here"] for row in before["models"]].count(True) == 0
    assert [row["is_here"] for row in after["models"]].index(True) == 0
    assert after["onnx"] == ["mine.onnx"]
    assert before["models"][1]["name"] == "rtmw-l_8xb320-270e_cocktail14-384x288"
    assert before["models"][1]["hand_ap"] == 0.663
    table = said("models list")
    assert "mine.onnx" in table
    assert all(row["name"] in table for row in after["models"])


def test_show_says_where_weights_come_from_and_what_a_study_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path))
    page = said("models show rtmw-m_8xb1024-270e_cocktail14-256x192")
    assert "https://download.openmmlab.com/" in page
    assert str(tmp_path) in page
    assert "Apache-2.0" in page
    study = tmp_path / "study.toml"
    study.write_text('[study]\nname = "mine"\n' + page[page.index("[back_ends]") :], encoding="utf-8")
    assert load_config(study).back_ends.keypoints == "mmpose"


def test_show_of_an_unknown_network_is_one_line():
    assert said("models show rtmw-small", status=2).startswith(
        "pressroom: config: mmpose describes no whole-body network"
    )


def test_exported_network_is_found_by_the_name_that_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path))
    settings = mmpose_that_sees_paintings()
    told = said(f"models export {settings.config} --checkpoint {settings.checkpoint}")
    study = tmp_path / "study.toml"
    study.write_text('[study]\nname = "mine"\n' + told[told.index("[back_ends]") :], encoding="utf-8")
    estimator = build_back_end(load_config(study).back_ends, "keypoints")
    assert isinstance(estimator, OnnxKeypointEstimator)
    assert list(estimator.estimate([])) == []
    assert "must be named something.onnx" in said(
        f"models export {settings.config} --output {tmp_path}/a.pth", status=2
    )

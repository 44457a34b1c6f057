"""Back ends named on the command line: used for that command alone, and told wherever they matter."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows._cli import app
from flows._doctor import examine
from flows._overrides import VARIABLES, named_back_ends
from flows._plan import study_videos, to_perceive
from flows._study import Study, open_study
from schema.errors import ConfigError
from tests.studies import make_study, paint_video, run_to_candidates, set_keys

NAMED = {"tracker": "synthetic", "keypoints": "synthetic"}
OPTIONS = ("--tracker", "synthetic", "--keypoints", "synthetic")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study whose file names the embedded back ends, which see nobody in its painted video."""
    paint_video(tmp_path / "study" / "recordings" / "a.mp4")
    return make_study(tmp_path / "study", tracks="mediapipe", keypoints="mediapipe")


def pressroom(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_run_with_other_back_ends_makes_its_parts_with_them_and_leaves_the_file_alone(study: Study):
    root = study.layout.root
    before = study.file.read_bytes()
    with named_back_ends(**NAMED):
        outcomes = run_to_candidates(open_study(root))
        again = open_study(root)
        assert to_perceive(again, study_videos(again)) == []
    assert outcomes["propose"].rows >= 1, "the painted person was followed in the child process too"
    assert study.file.read_bytes() == before
    assert len(to_perceive(study, study_videos(study))) == 1, "by the study file it is still to do"

    video_id = study_videos(study)[0].video_id
    plan = json.loads(pressroom("plan", root, *OPTIONS, "--json").stdout)
    assert plan["videos_to_perceive"] == 0
    assert plan["back_ends"]["tracks"] == "synthetic (study.toml: mediapipe)"
    plan = json.loads(pressroom("plan", root, "--json").stdout)
    assert (plan["videos_to_perceive"], plan["back_ends"]["tracks"]) == (1, "mediapipe")
    explained = {row["table"]: row for row in json.loads(pressroom("explain", root, video_id, "--json").stdout)}
    assert "back_end.name was 'synthetic', is 'mediapipe'" in explained["tracks"]["why"]
    explained = json.loads(pressroom("explain", root, video_id, *OPTIONS, "--json").stdout)
    assert [row["table"] for row in explained if not row["current"]] == []


def test_the_variables_do_the_same_for_any_command(study: Study, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PRESSROOM_TRACKER", "synthetic")
    plan = json.loads(pressroom("plan", study.layout.root, "--json").stdout)
    assert plan["back_ends"]["tracks"] == "synthetic (study.toml: mediapipe)"
    monkeypatch.setenv("PRESSROOM_TRACKER", "synthetik")
    refused = pressroom("plan", study.layout.root)
    assert refused.exit_code == 2
    assert "$PRESSROOM_TRACKER: there is no back end 'synthetik'; did you mean 'synthetic'?" in refused.stderr


def test_settings_of_the_back_end_that_is_replaced_do_not_stop_the_other(study: Study):
    set_keys(study.layout.root, back_ends={"tracks_settings": {"look_seconds": 0.2}})
    with named_back_ends(tracker="synthetic", keypoints=None):
        assert open_study(study.layout.root).back_ends["tracks"]["settings"] == {"min_side_px": 6}
    with named_back_ends(tracker="mediapipe", keypoints=None):
        assert open_study(study.layout.root).back_ends["tracks"]["settings"]["look_seconds"] == 0.2


def test_the_environment_is_as_before_also_after_an_error():
    before = dict(os.environ)
    with pytest.raises(ConfigError), named_back_ends(tracker="synthetic", keypoints="nothing"):
        pass
    with pytest.raises(ConfigError), named_back_ends(**NAMED):
        raise ConfigError(os.environ["PRESSROOM_TRACKER"])
    assert dict(os.environ) == before


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_name_that_there_is_none_of_is_one_line_and_changes_nothing(study: Study, tmp_path: Path, command: str):
    where = {"run": [study.layout.root], "demo": ["--root", tmp_path / "demo"]}[command]
    for option, name, nearest in (("--tracker", "ultralytic", "ultralytics"), ("--keypoints", "mmpos", "mmpose")):
        refused = pressroom(command, *where, option, name)
        assert refused.exit_code == 2
        (line,) = refused.stderr.splitlines()
        assert f"{option}: there is no back end {name!r}; did you mean {nearest!r}?" in line
    assert not (tmp_path / "demo").exists()


def test_a_demo_whose_weights_are_missing_is_refused_before_anything_is_written(tmp_path: Path):
    refused = pressroom("demo", "--root", tmp_path / "demo", "--tracker", "ultralytics")
    assert refused.exit_code == 3
    (line,) = refused.stderr.splitlines()
    assert str(tmp_path / "weights" / "yolo11n.pt") in line
    assert not (tmp_path / "demo").exists()


def test_the_doctor_tells_which_back_ends_can_run_and_what_the_others_lack(study: Study, tmp_path: Path):
    findings = {finding.what: finding for finding in examine(study.layout.root)}
    assert findings["back end tracks mediapipe"].detail == "can run"
    lacking = findings["back end tracks ultralytics"]
    assert lacking.good
    assert lacking.optional
    assert str(tmp_path / "weights" / "yolo11n.pt") in lacking.detail
    assert "tracks mediapipe" in findings["back ends of the study"].detail
    set_keys(study.layout.root, back_ends={"tracks": "ultralytics"})
    findings = {finding.what: finding for finding in examine(study.layout.root)}
    assert not findings["back ends of the study"].good
    assert "yolo11n.pt" in findings["back ends of the study"].detail

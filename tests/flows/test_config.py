"""The study file and the call: what is wrong with them is said in one line, with exit status 2."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from click.testing import Result
from typer.testing import CliRunner

from flows._cli import app
from flows._config import load_config
from flows._init import init_study
from flows._outcome import ExitStatus
from tests.studies import SYNTHETIC, make_study, paint_video, set_keys

REPOSITORY = Path(__file__).parents[2]


def pressroom(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def write_study(root: Path, **sections: object) -> Path:
    """Write a small right study file, changed by ``sections``."""
    root.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"study": {"name": "right"}, "back_ends": dict(SYNTHETIC)}
    for section, values in sections.items():
        document[section] = document.get(section, {}) | values if isinstance(values, dict) else values
    (root / "study.toml").write_text(tomlkit.dumps(document))
    return root


def complaint_of(result: Result) -> str:
    """Return the one line of a refused call."""
    assert result.exit_code == ExitStatus.WRONG_CALL, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("pressroom: ")
    return line


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("painted") / "study"
    paint_video(root / "recordings" / "v0.mp4", seconds=2)
    make_study(root)
    return root


@pytest.mark.parametrize(
    ("sections", "named", "nearest"),
    [
        ({"shotz": {"min_seconds": 0.2}}, "unknown key shotz", "shots"),
        ({"study": {"taxonmy": "smg17"}}, "unknown key study.taxonmy", "study.taxonomy"),
        ({"tracks": {"max_gap_second": 1.0}}, "unknown key tracks.max_gap_second", "tracks.max_gap_seconds"),
        ({"proposals": {"contact": {"tuch": 0.1}}}, "unknown key proposals.contact.tuch", "proposals.contact.touch"),
        (
            {"sources": [{"kind": "folder", "path": "."}, {"kind": "file", "pathh": "a.mp4"}]},
            "unknown key sources[1].pathh",
            "sources[1].path",
        ),
        (
            {"back_ends": {"tracks_settings": {"min_sid_px": 9}}},
            "unknown key back_ends.tracks_settings.min_sid_px",
            "back_ends.tracks_settings.min_side_px",
        ),
        ({"study": {"taxonomy": "imigue31"}}, "study.taxonomy: no taxonomy 'imigue31'", "'imigue32'"),
        ({"back_ends": {"keypoints": "mediapip"}}, "back_ends.keypoints: there is no back end", "'mediapipe'"),
    ],
)
def test_a_misspelt_key_or_name_is_refused_with_its_path_and_the_nearest_valid_one(
    tmp_path: Path, sections: dict[str, object], named: str, nearest: str
) -> None:
    line = complaint_of(pressroom("plan", write_study(tmp_path, **sections)))
    assert named in line
    assert nearest in line.partition(named)[2]


def test_a_setting_of_a_back_end_without_any_is_refused(tmp_path: Path) -> None:
    write_study(tmp_path, back_ends={"shots_settings": {"threshold": 1.0}})
    line = complaint_of(pressroom("plan", tmp_path))
    assert "unknown key back_ends.shots_settings.threshold" in line
    assert "takes none" in line


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"run": {"workers": "two"}}, "run.workers"),
        ({"run": {"workers": "2"}}, "run.workers"),
        ({"run": {"workers": True}}, "run.workers"),
        ({"run": {"workers": 2.5}}, "run.workers"),
        ({"run": {"workers": 0}}, "run.workers"),
        ({"run": {"downloads": 0}}, "run.downloads"),
        ({"shots": {"min_seconds": [0.2]}}, "shots.min_seconds"),
        ({"proposals": {"motion": {"over_s": "0.4"}}}, "proposals.motion.over_s"),
        ({"release": {"authors": "A. Author"}}, "release.authors"),
        ({"release": {"version": "1.0"}}, "release.version"),
        ({"annotate": {"clip_background": "blak"}}, "annotate.clip_background"),
        ({"adjudicate": {"min_posterior": 0.2}}, "min_posterior"),
        ({"sources": [{"kind": "folder", "path": "."}, {"kind": "fil", "path": "a.mp4"}]}, "sources[1].kind"),
        ({"sources": {"kind": "folder"}}, "sources"),
        ({"study": {"name": 3}}, "study.name"),
        ({"study": {"name": "My Study"}}, "study.name"),
        ({"run": 3}, "run"),
        ({"back_ends": {"tracks_settings": {"min_side_px": "six"}}}, "back_ends.tracks_settings.min_side_px"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_path_of_its_key(
    tmp_path: Path, sections: dict[str, object], key: str
) -> None:
    assert f" {key}" in complaint_of(pressroom("plan", write_study(tmp_path, **sections)))


def test_whole_numbers_and_lists_fit_where_toml_has_nothing_closer(tmp_path: Path) -> None:
    write_study(tmp_path, shots={"min_seconds": 1}, release={"authors": ["A. Author"]})
    config = load_config(tmp_path / "study.toml")
    assert (config.shots.min_seconds, config.release.authors) == (1.0, ("A. Author",))


def test_a_study_without_a_name_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("[study]\n")
    assert "study.name" in complaint_of(pressroom("status", tmp_path))


@pytest.mark.parametrize("content", [b"[study\nname = 1", b"\xff\xfe\x00", b"a = 1\na = 2\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.toml").write_bytes(content)
    line = complaint_of(pressroom("status", tmp_path))
    assert str(tmp_path / "study.toml") in line
    assert "not a TOML file" in line


@pytest.mark.parametrize("command", ["plan", "status", "collect", "run", "publish", "up", "down"])
def test_a_folder_without_a_study_points_to_init(tmp_path: Path, command: str) -> None:
    line = complaint_of(pressroom(command, tmp_path))
    assert "no such study file" in line
    assert "pressroom init" in line
    assert not list(tmp_path.iterdir())


def test_a_study_that_is_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no study")
    assert "notes.txt" in complaint_of(pressroom("plan", tmp_path / "notes.txt"))


@pytest.mark.parametrize("command", ["init", "plan", "run", "status", "up"])
def test_a_uri_is_refused_as_a_place_for_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    line = complaint_of(pressroom(command, "s3://bucket/study"))
    assert "s3://bucket/study" in line
    assert "must be a local folder" in line
    assert not list(tmp_path.iterdir())


def test_the_real_command_ends_with_status_2_and_one_line(tmp_path: Path) -> None:
    write_study(tmp_path, tracks={"min_second": 1.0})
    done = subprocess.run(
        [sys.executable, "-m", "flows._cli", "plan", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitStatus.WRONG_CALL
    told = f"pressroom: {tmp_path / 'study.toml'}: unknown key tracks.min_second; nearest is tracks.min_seconds\n"
    assert (done.stdout, done.stderr) == ("", told)


def test_a_new_study_can_be_planned_at_once(tmp_path: Path) -> None:
    root = tmp_path / "Final (2024) -- Paris"
    made = pressroom("init", root)
    assert made.exit_code == ExitStatus.DONE, made.output
    assert f"pressroom plan {shlex.quote(str(root))}" in made.stdout
    set_keys(root, back_ends=SYNTHETIC)
    planned = pressroom("plan", root, "--json")
    assert planned.exit_code == ExitStatus.DONE, planned.output
    facts = json.loads(planned.stdout)
    assert facts.pop("gigabytes_free") >= facts.pop("gigabytes_left") > 0
    assert facts.pop("back_ends")["tracks"] == "synthetic"
    assert {name: value for name, value in facts.items() if value} == {}
    assert load_config(root / "study.toml").study.name == "final-2024-paris"
    assert (root / "private").stat().st_mode & 0o077 == 0


def test_init_never_touches_a_study(tmp_path: Path) -> None:
    init_study(tmp_path)
    (tmp_path / "private" / "sources.csv").write_text("location,person\nhttps://example.org/a.mp4,p1\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "exists already" in complaint_of(pressroom("init", tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_machines_get_json(painted: Path) -> None:
    facts = json.loads(pressroom("status", painted, "--json").stdout)
    assert facts["videos"] == 0
    assert facts["waiting"]["collect"] == 1
    assert json.loads(pressroom("plan", painted, "--json").stdout)["sources_to_collect"] == 1


def test_an_unknown_key_has_no_explanation(painted: Path) -> None:
    line = complaint_of(pressroom("explain", painted, "v" + "0" * 20))
    assert "pressroom status" in line
    known = pressroom("explain", painted, "study", "--json")
    assert [row["table"] for row in json.loads(known.stdout)] == ["segments"]


def test_the_doctor_finds_this_machine_good(painted: Path) -> None:
    result = pressroom("doctor", painted, "--json")
    assert result.exit_code == ExitStatus.DONE, result.output
    findings = json.loads(result.stdout)
    assert all(finding["good"] for finding in findings)
    assert {"study.toml", "free disk", "mediapipe", "deno"} <= {finding["what"] for finding in findings}
    assert "MISSING" not in pressroom("doctor", painted).stdout


def test_the_doctor_refuses_a_study_that_is_wrong(tmp_path: Path) -> None:
    write_study(tmp_path, run={"worker": 1})
    assert "run.workers" in complaint_of(pressroom("doctor", tmp_path, "--json"))

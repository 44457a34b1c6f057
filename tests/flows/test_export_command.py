"""``pressroom export`` as a user calls it."""

import json

import pytest
from typer.testing import CliRunner

from flows._cli import app
from releases.exports.formats import EXPORTS
from tests.releases.exported_release import small_release


@pytest.fixture
def release(tmp_path):
    small_release(tmp_path / "release")
    return tmp_path / "release"


def called(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_it_tells_what_was_written_and_what_was_left_out(release, tmp_path):
    result = called(release, "pyskl", tmp_path / "out.pkl", "--layout", "imigue22")
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'out.pkl'}: 9 segments as pyskl in 2 files" in result.output
    assert "left out: 1 (unclassified)" in result.output
    assert (tmp_path / "out.pkl").is_file()


def test_json_is_for_machines(release, tmp_path):
    result = called(release, "activitynet", tmp_path / "out.json", "--split", "train,val", "--json")
    told = json.loads(result.output)
    assert told["segments"] == 8
    assert told["left_out"] == {"unclassified": 1}
    assert told["format"] == "activitynet"


def test_a_wrong_call_is_one_line_and_status_2(release, tmp_path):
    result = called(release, "activity-net", tmp_path / "out")
    assert result.exit_code == 2
    assert result.output.strip().splitlines() == [
        f"pressroom: no format 'activity-net'; there are {', '.join(EXPORTS)}; nearest is 'activitynet'"
    ]
    assert called(release, "elan", tmp_path / "out", "--every", "3").exit_code == 2
    assert called(release, "elan", release / "inside").exit_code == 2
    assert called(tmp_path / "release", "elan", "s3://bucket/out").exit_code == 2


def test_a_folder_that_is_no_release_is_one_line_and_status_3(tmp_path):
    (tmp_path / "nothing").mkdir()
    result = called(tmp_path / "nothing", "elan", tmp_path / "out")
    assert result.exit_code == 3
    assert len(result.output.strip().splitlines()) == 1


def test_the_help_names_every_format():
    text = called("--help").output
    assert all(name in text for name in EXPORTS)

"""The commands on releases, given what they can not take; releases of imported data; a release as strangers load it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from typer.testing import CliRunner

from flows import _runner
from flows._cli import app
from flows._import import ImportCall, import_data_set
from flows._init import init_study
from flows._publication import publish, study_releases
from flows._study import open_study
from releases.build import checksums_text
from releases.documents import stats as stats_page
from releases.privacy.links import build_links_part
from releases.tables.columns import TABLES
from releases.validation.validate import validate_release
from schema.errors import InvalidReleaseError
from tests.miga_files import miga_recordings, write_miga
from tests.releases.release_data import build
from tests.releases.test_import_sequences import make_sequence, write_pickle
from tests.studies import set_keys

COMMANDS: dict[str, Callable[[Path, Path], tuple[object, ...]]] = {
    "validate": lambda _, bad: ("release", "validate", bad),
    "diff": lambda good, bad: ("release", "diff", good, bad),
    "stats": lambda _, bad: ("release", "stats", bad),
    "push": lambda _, bad: ("release", "push", bad, "lab/gestures", "--endpoint", "http://127.0.0.1:9"),
    "export": lambda good, bad: ("export", bad, "boris", good.parent / "out.tsv"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stats_page, "plots_of", lambda _: {})
        return build(tmp_path_factory.mktemp("good"))


def called(command: str, good: Path, bad: Path, *more: str) -> tuple[int, str]:
    """Call a command; returns its status and what it said. A traceback is an error of its own."""
    arguments = [*map(str, COMMANDS[command](good, bad)), *more]
    result = CliRunner().invoke(app, arguments, env={"HF_TOKEN": "hf_none"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output.strip()


def signed_again(good: Path, target: Path, change: Callable[[Path], object]) -> Path:
    """Copy a release, change it and sign it, as a faulty or older pressroom would."""
    shutil.copytree(good, target)
    change(target)
    (target / "SHA256SUMS").write_text(checksums_text(target))
    return target


def manifest_with(**changes: Any) -> Callable[[Path], object]:
    def change(release: Path) -> None:
        path = release / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2) + "\n")

    return change


def as_version_2(release: Path) -> None:
    """Take away what releases of schema 2 did not have."""
    manifest_with(schema_version=2)(release)
    shutil.rmtree(release / "stats")
    for path in (release / "croissant.json", release / "leak-report.json", *release.glob("data/unlabelled-*")):
        path.unlink()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_there_is_a_wrong_call(command: str, good: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("nothing", "file"):
        status, said = called(command, good, tmp_path / name)
        assert (status, said) == (2, f"pressroom: {tmp_path / name}: no such folder; name the folder of a release")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_no_release_is_one_line_and_status_3(command: str, good: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    build_links_part({}, videos=[], folder=tmp_path, release_name="painted", version="0.1.0")
    bare = signed_again(good, tmp_path / "bare", lambda release: shutil.rmtree(release / "data"))
    for folder in (tmp_path / "empty", tmp_path / "painted-0.1.0-links", bare):
        status, said = called(command, good, folder)
        assert (status, len(said.splitlines())) == (3, 1), (folder, said)
        assert "Error" not in said


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"diff"}))
def test_a_release_of_an_older_schema_is_told_as_such(command: str, good: Path, tmp_path: Path) -> None:
    older = signed_again(good, tmp_path / "older", as_version_2)
    status, said = called(command, good, older)
    assert (status, len(said.splitlines())) == (3, 1), said
    assert "version" in said or "schema" in said
    assert "2" in said


def test_the_difference_to_an_older_schema_is_told(good: Path, tmp_path: Path) -> None:
    status, said = called("diff", good, signed_again(good, tmp_path / "older", as_version_2))
    assert status == 0
    assert "column unlabelled.window_id: gone" in said.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("content", [b"{no", b"[]", b"\xff\xfe\x00", b'{"format": 3}', b"null"])
def test_a_manifest_that_is_none_is_told_without_a_traceback(
    command: str, content: bytes, good: Path, tmp_path: Path
) -> None:
    def change(release: Path) -> None:
        (release / "manifest.json").write_bytes(content)

    status, said = called(command, good, signed_again(good, tmp_path / "damaged", change))
    if command == "diff" and content.startswith(b'{"format"'):
        return  # a mapping that says nothing differs from one that does
    assert status == 3
    assert "manifest.json" in said or "version" in said or "schema" in said, said


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"push"}))
def test_json_is_json(command: str, good: Path, tmp_path: Path) -> None:
    status, said = called(command, good, Path(shutil.copytree(good, tmp_path / "release")), "--json")
    assert status == 0
    assert isinstance(json.loads(said), dict)


def test_findings_are_json_too_and_the_status_tells(good: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(good, tmp_path / "release"))
    (damaged / "LICENSE").write_text("mine")
    status, said = called("validate", good, damaged, "--json")
    assert status == 3
    told = json.loads(said)
    assert (told["valid"], [finding["file"] for finding in told["findings"]]) == (False, ["LICENSE"])


def imported_study(root: Path, call: ImportCall, *, taxonomy: str) -> Path:
    init_study(root, name="imported")
    set_keys(root, study={"taxonomy": taxonomy})
    import_data_set(open_study(root), call, tell=lambda line: None)
    return root


def test_imported_data_are_left_out_until_the_study_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats_page, "plots_of", lambda _: {})
    write_miga(tmp_path / "miga", list(miga_recordings(subjects=4, recordings=4, segments=12, frames=600)))
    call = ImportCall(
        format_name="miga", path=tmp_path / "miga", subjects=tmp_path / "miga" / "subjects.csv", licence="agreement 7"
    )
    root = imported_study(tmp_path / "study", call, taxonomy="imigue32")
    with pytest.raises(InvalidReleaseError, match=r"12 imported.*release\.imported = \"include\"") as caught:
        publish(open_study(root))
    assert "\n" not in str(caught.value)
    set_keys(root, release={"imported": "include"})
    publish(open_study(root))
    (release,) = study_releases(open_study(root))
    assert validate_release(release) == []
    segments = polars.read_parquet(f"{release}/data/segments-*.parquet")
    assert segments.height == 12
    assert set(segments["origin"]) == {"miga"}
    assert segments["posterior"].null_count() == 12
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["origin_licences"] == {"miga": "agreement 7"}
    assert "agreement 7" in (release / "LICENSE").read_text()
    assert publish(open_study(root)).done == 0
    set_keys(root, release={"imported": "exclude"})
    with pytest.raises(InvalidReleaseError, match="12 imported"):
        publish(open_study(root))


def test_in_a_terminal_a_refused_build_is_one_line_and_a_second_publish_costs_no_prefect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats_page, "plots_of", lambda _: {})
    write_miga(tmp_path / "miga", list(miga_recordings(subjects=2, recordings=2, segments=4, frames=200)))
    call = ImportCall(format_name="miga", path=tmp_path / "miga", subjects=tmp_path / "miga" / "subjects.csv")
    root = imported_study(tmp_path / "study", call, taxonomy="imigue32")

    command = [sys.executable, "-m", "flows._cli", "publish", str(root)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=55)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    assert refused.stderr.startswith("pressroom: no segment to publish (4 imported)")
    set_keys(root, release={"imported": "include"})
    publish(open_study(root))
    (release,) = study_releases(open_study(root))
    monkeypatch.setattr(_runner, "connect", lambda _: pytest.fail("there is nothing for Prefect to do"))
    again = CliRunner().invoke(app, ["publish", str(root)])
    assert (again.exit_code, again.output) == (0, f"publish: {release} holds just this already\n")
    (release / "LICENSE").write_text("mine")
    altered = CliRunner().invoke(app, ["publish", str(root)])
    assert altered.exit_code == 3
    assert "was altered after it was published (LICENSE)" in altered.output


def test_labels_of_whole_clips_keep_null_edges_and_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats_page, "plots_of", lambda _: {})
    names = [f"{person:04d}_01_{number:04d}" for person in (3, 4, 5, 6) for number in (1, 2)]
    lines = "".join(f"{name}.mp4 {9 + k % 3}\n" for k, name in enumerate(names))
    (tmp_path / "ma52").mkdir()
    (tmp_path / "ma52" / "ma52_train_list_videos.txt").write_text(lines)
    sequences = [make_sequence(name, frames=40, label=9 + k % 3) for k, name in enumerate(names)]
    write_pickle(tmp_path / "ma52" / "skeletons" / "MA52_train.pkl", sequences)
    call = ImportCall(format_name="ma52", path=tmp_path / "ma52", licence="by agreement")
    root = imported_study(tmp_path / "study", call, taxonomy="ma52")
    set_keys(root, release={"imported": "include"})
    publish(open_study(root))
    (release,) = study_releases(open_study(root))
    assert validate_release(release) == []
    segments = polars.read_parquet(f"{release}/data/segments-*.parquet")
    assert segments.height == len(names)
    for column in ("start_ns", "end_ns", "duration_seconds", "agreement"):
        assert segments[column].null_count() == len(names), column
    assert np.array_equal(segments["keypoints_row_count"].to_numpy(), [40] * len(names))
    for command in ("validate", "stats", "export"):
        assert called(command, release, release)[0] == 0, command


LOADS = """
import sys
import datasets, mlcroissant
release, tables = sys.argv[1], sys.argv[2:]
datasets.disable_progress_bars()
assert sorted(datasets.get_dataset_config_names(release)) == sorted(tables)
for table in tables:
    for split, rows in datasets.load_dataset(release, table).items():
        assert len(rows) == 0 or rows[0]
segments = datasets.load_dataset(release)
described = mlcroissant.Dataset(jsonld=release + "/croissant.json")
assert not described.metadata.ctx.issues.errors
records = list(described.records("segments"))
assert len(records) == sum(map(len, segments.values())) > 0
"""


def test_a_release_loads_whole_by_the_libraries_that_people_have(good: Path, tmp_path: Path) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    release = shutil.copytree(good, tmp_path / good.name)
    done = subprocess.run(
        [sys.executable, "-c", LOADS, str(release), *TABLES],
        env=environment, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert validate_release(Path(release)) == [], "loading leaves nothing in the release"

"""What holds for every export format: whole or not there, the same bytes again, and the release left as it was."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from releases.exports.base import ExportOptions, ReleaseSource, in_lanes
from releases.exports.formats import EXPORTS, OPTIONS, export_release
from releases.exports.targets import remove_leftovers
from schema.errors import InvalidReleaseError, StoreFullError, UsageError
from tests.releases.exported_release import ReleaseWriter, small_release

FOLDERS = ("miga", "elan", "boris", "webdataset")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "release"
    small_release(folder)
    return folder


def digests(path):
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return {str(p.relative_to(path)) if p != path else "": hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize("name", EXPORTS)
def test_a_second_export_has_the_same_bytes_and_the_release_stays_as_it_was(release, tmp_path, name):
    before = digests(release)
    for number in (1, 2):
        export_release(release, name, tmp_path / str(number) / "out", ExportOptions())
    first, second = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert first == second
    assert first
    assert digests(release) == before


@pytest.mark.parametrize("name", EXPORTS)
def test_the_bytes_do_not_depend_on_the_hash_seed_the_clock_or_the_folder(release, tmp_path, name):
    code = (
        "import sys, time; from pathlib import Path; time.time = lambda: 1e9;"
        "from releases.exports.base import ExportOptions; from releases.exports.formats import export_release;"
        "export_release(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), ExportOptions())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)}
    there = tmp_path / "elsewhere" / "out"
    subprocess.run([sys.executable, "-c", code, release, name, there], check=True, env=environment)
    export_release(release, name, tmp_path / "here" / "out", ExportOptions())
    assert digests(tmp_path / "here") == digests(tmp_path / "elsewhere")


@pytest.mark.parametrize("name", EXPORTS)
def test_nothing_that_is_there_is_written_over(release, tmp_path, name):
    target = tmp_path / "out"
    target.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        export_release(release, name, target, ExportOptions())
    assert target.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", FOLDERS)
def test_an_empty_folder_is_filled_and_a_full_one_is_not(release, tmp_path, name):
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    (full / "note").write_text("mine")
    export_release(release, name, empty, ExportOptions())
    assert any(empty.iterdir())
    with pytest.raises(UsageError, match="or an empty folder"):
        export_release(release, name, full, ExportOptions())
    assert [p.name for p in full.iterdir()] == ["note"]


@pytest.mark.parametrize(
    ("name", "writing"),
    {
        "pyskl": "_annotation",
        "activitynet": "pathlib.Path.write_text",
        "miga": "_write_lists",
        "elan": "_write_eaf",
        "boris": "_project",
        "coco": "_append",
        "webdataset": "_write_points",
    }.items(),
)
def test_a_full_disk_leaves_nothing_and_is_told(release, tmp_path, name, writing, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing if "." in writing else f"releases.exports.{name}.{writing}", full)
    with pytest.raises(StoreFullError, match="make room and run the same command again"):
        export_release(release, name, tmp_path / "deep" / "out", ExportOptions())
    assert not list((tmp_path / "deep").iterdir())


@pytest.mark.parametrize("name", ["webdataset", "coco", "pyskl", "miga"])
def test_a_killed_export_leaves_no_target_and_the_next_one_clears_up(release, tmp_path, name):
    code = (
        "import itertools, os, signal, sys; from pathlib import Path; from releases.reader import Release;"
        "from releases.exports.base import ExportOptions; from releases.exports.formats import export_release;"
        "read = Release.keypoint_rows; calls = itertools.count(); die = lambda: os.kill(os.getpid(), signal.SIGKILL);"
        "Release.keypoint_rows = lambda *given, **named: die() if next(calls) == 5 else read(*given, **named);"
        "Release.keypoints = lambda self, s: self.keypoint_rows(s['split'], s['keypoints_first_row'], 1);"
        "export_release(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), ExportOptions())"
    )
    target = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", code, release, name, target], check=False, env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    left = list(tmp_path.iterdir())
    assert left
    assert all(path.name.startswith(".") for path in left)
    export_release(release, name, target, ExportOptions())
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "out.labels.txt"}


def test_the_leftover_of_an_export_that_still_runs_is_not_touched(tmp_path):
    mine = tmp_path / f".exporting-out.{os.getpid()}.abcd"
    mine.mkdir()
    remove_leftovers(tmp_path, ".exporting-out.")
    assert mine.is_dir()


def test_an_unknown_format_is_told_with_the_nearest(release, tmp_path):
    with pytest.raises(UsageError, match=r"no format 'pyskel'.*nearest is 'pyskl'"):
        export_release(release, "pyskel", tmp_path / "out", ExportOptions())


def test_options_of_other_formats_are_refused(release, tmp_path):
    given = {
        "layout": ExportOptions(layout="coco17"),
        "xsub": ExportOptions(xsub=True),
        "every": ExportOptions(every=2),
    }
    assert given.keys() == OPTIONS.keys()
    for option, options in given.items():
        with pytest.raises(UsageError, match=f"--{option} is for"):
            export_release(release, "elan", tmp_path / "out", options)
    assert not any(tmp_path.iterdir())


def test_only_the_splits_that_are_asked_for_are_read(release, tmp_path):
    options = ExportOptions(splits=("test",))
    for name in EXPORTS:
        assert export_release(release, name, tmp_path / name, options).segments == 1
    with pytest.raises(UsageError, match=r"no split 'tests' in .*there are train, val, test"):
        export_release(release, "elan", tmp_path / "x", ExportOptions(splits=("tests",)))


def test_a_release_is_never_written_into(release):
    with pytest.raises(UsageError, match="lies in the release"):
        export_release(release, "boris", release / "boris", ExportOptions())
    assert not (release / "boris").exists()


def test_what_is_no_release_is_refused_in_a_line(release, tmp_path):
    with pytest.raises(InvalidReleaseError, match=r"is not a release: it has no manifest.json"):
        export_release(tmp_path, "elan", tmp_path / "out", ExportOptions())
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InvalidReleaseError, match="can't be read: restore"):
        export_release(tmp_path, "elan", tmp_path / "out", ExportOptions())
    (tmp_path / "manifest.json").write_bytes((release / "manifest.json").read_bytes())
    with pytest.raises(InvalidReleaseError, match="is not a release"):
        export_release(tmp_path, "elan", tmp_path / "out", ExportOptions())


def test_a_release_of_an_older_schema_is_refused(tmp_path):
    writer = ReleaseWriter(tmp_path / "old")
    writer.video("v1", "train")
    writer.track("v1", 0, "train", frames=range(10), subject="s1")
    writer.write(schema_version=2)
    with pytest.raises(InvalidReleaseError, match="schema 2, and exports read schema 3: publish it anew"):
        export_release(tmp_path / "old", "elan", tmp_path / "out", ExportOptions())


@pytest.mark.parametrize("name", ["elan", "webdataset", "pyskl", "miga"])
def test_a_damaged_table_is_told_and_nothing_is_left(tmp_path, name):
    folder = tmp_path / "release"
    small_release(folder)
    table = next((folder / "data").glob("segments-train-*" if name == "elan" else "keypoints-train-*"))
    content = bytearray(table.read_bytes())
    content[200:4000] = bytes(3800)
    table.write_bytes(content)
    with pytest.raises(InvalidReleaseError, match=r"can't be read .*release validate"):
        export_release(folder, name, tmp_path / "exports" / "out", ExportOptions())
    assert not list((tmp_path / "exports").iterdir())


def test_lanes_hold_spans_that_do_not_overlap_and_touching_ones_share_a_lane():
    assert in_lanes([(0, 10), (5, 20), (10, 12), (11, 30), (20, 21)]) == [0, 1, 0, 2, 0]


def test_track_runs_are_found_over_row_groups_and_files(release):
    source = ReleaseSource.opened(release, splits=())
    runs = [(r.video_id, r.track_number, r.first_row, r.row_count) for r in source.track_runs("train")]
    assert runs == [("v0a", 0, 0, 100), ("v0a", 1, 100, 150), ("v0a", 2, 250, 50), ("v0b", 0, 300, 80)]


@pytest.mark.parametrize("name", EXPORTS)
def test_a_release_without_a_segment_gives_an_export_without_any(tmp_path, name):
    writer = ReleaseWriter(tmp_path / "release")
    writer.video("v1", "train")
    writer.track("v1", 0, "train", frames=range(70), subject="s1")
    writer.window("w1", "v1", 0, 0, 64)
    writer.write()
    result = export_release(tmp_path / "release", name, tmp_path / "out", ExportOptions())
    assert (result.segments, dict(result.left_out)) == (0, {})
    if name in ("coco", "activitynet"):
        assert json.loads((tmp_path / "out").read_text())


def test_a_segment_of_a_video_that_is_not_there_is_told(tmp_path):
    writer = ReleaseWriter(tmp_path / "release")
    writer.video("v1", "train")
    writer.track("v1", 0, "train", frames=range(70), subject="s1")
    writer.segment("g1", ("v1", 0), (0, 9), "touching_jaw")
    writer.rows["segments"]["train"][0]["video_id"] = "v2"
    writer.write()
    with pytest.raises(InvalidReleaseError, match="videos-train has no 'v2', which a segment names"):
        export_release(tmp_path / "release", "elan", tmp_path / "out", ExportOptions())
    assert not (tmp_path / "out").exists()

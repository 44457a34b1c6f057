"""``pressroom import``: what a study holds afterwards, twice, after changes and kills, and what a release gets."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from flows._cli import app
from flows._import import ImportCall, import_data_set
from flows._imported import imported_digest, imported_forbidden, imported_inputs
from flows._init import init_study
from flows._study import Study, open_study
from releases.inputs import ImportedInputs
from schema.arrow import IMPORTED_KEYPOINTS, IMPORTED_SEGMENTS, IMPORTS, PLAYERS, SOURCES, WITHDRAWALS
from schema.errors import DamagedTableError, UsageError
from schema.layouts import MIGA35, to_xyc
from schema.people import Role
from schema.people_rows import roles_from_rows
from schema.rows import keypoints_from_rows, table_of
from schema.tables import Store
from tests.miga_files import MigaRecording, miga_recordings, write_miga
from tests.studies import make_study, paint_video, run_to_candidates, set_keys

FRAME_NS = 40_000_000
HALF_STEP_PX = 1 / 32


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    init_study(tmp_path / "study", name="importing")
    return tmp_path / "study"


@pytest.fixture
def written(tmp_path: Path) -> list[MigaRecording]:
    recordings = list(miga_recordings(subjects=3, recordings=4, segments=12, frames=600))
    write_miga(tmp_path / "miga", recordings)
    return recordings


def call(tmp_path: Path, **changes: Any) -> ImportCall:
    return ImportCall(
        **{"format_name": "miga", "path": tmp_path / "miga", "subjects": tmp_path / "miga" / "subjects.csv"} | changes
    )


def imported(study: Study, tmp_path: Path, **changes: Any) -> ImportedInputs:
    import_data_set(study, call(tmp_path, **changes), tell=lambda line: None)
    found = imported_inputs(study)
    assert found is not None
    return found


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


def contents(folder: Path) -> dict[str, str]:
    """Digest every file of a study, those of leases and caches excepted."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and not {"leases", "work"} & set(p.parts))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def told(inputs: ImportedInputs) -> tuple[Any, ...]:
    """Give all that a release would take, without the name of the run."""
    tables = [inputs.videos.drop_columns(["import_id"]), inputs.segments.drop_columns(["import_id"])]
    keypoints = [inputs.keypoints_of(video_id) for video_id in inputs.videos["video_id"].to_pylist()]
    return *(table.to_pylist() for table in tables), keypoints


def test_a_release_gets_what_the_files_hold_under_other_names(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    study = open_study(study_folder)
    inputs = imported(study, tmp_path, licence="signed agreement", name="imigue")
    videos = inputs.videos.to_pylist()
    assert inputs.licences == {"imigue": "signed agreement"}
    assert [(v["origin"], v["layout"], v["split"]) for v in videos] == [
        ("imigue", "miga35", {"validate": "val"}.get(r.split, r.split)) for r in written
    ]
    subjects = {v["subject_id"] for v in videos}
    assert len(subjects) == 3
    assert all(len(v["subject_id"]) == 21 and v["subject_id"][0] == "s" for v in videos)
    assert all(len(v["video_id"]) == 21 and v["video_id"][0] == "v" for v in videos)
    segments = inputs.segments.to_pylist()
    single = [k for k, source in enumerate(MIGA35.sources) if len(source) == 1]
    for video, recording in zip(videos, written, strict=True):
        own = [s for s in segments if s["video_id"] == video["video_id"]]
        frames = [(int(s["label"]), s["start_ns"] // FRAME_NS, s["end_ns"] // FRAME_NS - 1) for s in own]
        assert frames == [(n.number, n.first_frame, n.last_frame) for n in recording.labels]
        (sequence,) = keypoints_from_rows(inputs.keypoints_of(video["video_id"]))
        assert sequence.times_ns.tolist() == [k * FRAME_NS for k in range(len(recording.values))]
        back = to_xyc(sequence.keypoints_xy, sequence.scores, MIGA35)[:, single]
        assert np.abs(back - recording.values[:, single])[..., :2].max() <= HALF_STEP_PX + 1e-3
        assert np.abs(back - recording.values[:, single])[..., 2].max() <= 0.5 / 255 + 1e-3
    assert len({s["segment_id"] for s in segments}) == 12


def test_nothing_outside_of_private_tells_a_path_or_a_person(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    subjects = tmp_path / "people.csv"
    subjects.write_text("recording,subject\n0001,Painted Player\n")
    imported(open_study(study_folder), tmp_path, subjects=subjects)
    for path in (p for p in study_folder.rglob("*") if p.is_file() and "private" not in p.parts):
        content = path.read_bytes()
        assert b"Painted" not in content, path
        assert str(tmp_path).encode() not in content or path.suffix == ".lease", path
    told_in_private = b"".join(p.read_bytes() for p in (study_folder / "private").rglob("*.parquet"))
    assert b"Painted Player" in told_in_private


def test_the_same_files_again_change_nothing_and_are_told_so(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    arguments = ("miga", tmp_path / "miga", "--into", study_folder, "--subjects", tmp_path / "miga" / "subjects.csv")
    first = invoke(*arguments)
    assert first.exit_code == 0, first.output
    assert "import: miga: 4 recordings, 12 segments, 600 frames" in first.output
    before = contents(study_folder)
    second = invoke(*arguments)
    assert second.exit_code == 0
    assert "miga holds just this already: 4 recordings, 12 segments" in second.output
    assert contents(study_folder) == before
    third = json.loads(invoke(*arguments, "--json").output)
    assert (third["changed"], third["recordings"], third["segments"]) == (False, 4, 12)


def test_changed_files_and_other_words_replace_what_was_there(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    study = open_study(study_folder)
    before = imported(study, tmp_path)
    digest = imported_digest(study)
    (labels,) = (tmp_path / "miga").rglob("0002_label.csv")
    labels.write_text("17,5,9\n")
    report = import_data_set(study, call(tmp_path), tell=print)
    assert any("replaces the earlier import of 'miga' (4 recordings)" in note for note in report.notes)
    after = imported_inputs(study)
    assert after is not None
    assert imported_digest(study) != digest
    kept = [s for s in before.segments.to_pylist() if s["video_id"] != before.videos["video_id"][1].as_py()]
    now = after.segments.to_pylist()
    assert {s["segment_id"] for s in kept} < {s["segment_id"] for s in now}
    assert len(now) == len(kept) + 1
    assert imported(study, tmp_path, rate="50").videos["rate_numerator"].to_pylist() == [50] * 4


def test_two_data_sets_stand_beside_each_other_and_share_no_id(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    study = open_study(study_folder)
    imported(study, tmp_path, name="one")
    inputs = imported(study, tmp_path, name="two")
    origins = {row["video_id"]: row["origin"] for row in inputs.videos.to_pylist()}
    assert sorted(origins.values()) == ["one"] * 4 + ["two"] * 4
    for table, column in ((inputs.segments, "segment_id"), (inputs.videos, "subject_id")):
        values: dict[str, set[str]] = {"one": set(), "two": set()}
        for row in table.to_pylist():
            values[origins[row["video_id"]]].add(row[column])
        assert values["one"].isdisjoint(values["two"]), column


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("at", "is_replacing"), [(2, False), (5, False), (6, False), (8, False), (5, True), (7, True), (8, True)]
)
def test_a_killed_import_is_not_seen_and_the_same_command_finishes_it(
    study_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, is_replacing: bool
):
    """Steps 1 to 4 are parts of keypoints; 5 to 8 the tables, of which the last makes it count."""
    study = open_study(study_folder)
    if is_replacing:
        import_data_set(study, call(tmp_path), tell=print)
        (labels,) = (tmp_path / "miga").rglob("0002_label.csv")
        labels.write_text("17,5,9\n")
    steps = {"done": 4 if is_replacing else 0}  # the skeletons did not change: their parts are not written again

    def counting(real: Callable[..., None]) -> Callable[..., None]:
        def step(self: Store, *arguments: Any, **options: Any) -> None:
            steps["done"] += 1
            if steps["done"] == at:
                raise Killed
            real(self, *arguments, **options)

        return step

    earlier = imported_inputs(study)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "write_part", counting(Store.write_part))
        patched.setattr(Store, "append", counting(Store.append))
        with pytest.raises(Killed):
            import_data_set(study, call(tmp_path), tell=print)
    after_kill = imported_inputs(open_study(study_folder))
    if earlier is None:
        assert after_kill is None
    else:
        assert after_kill is not None
        assert told(after_kill) == told(earlier)
    report = import_data_set(open_study(study_folder), call(tmp_path), tell=print)
    assert report.changed
    finished = imported_inputs(open_study(study_folder))
    assert finished is not None
    assert finished.segments.num_rows == (12 if not is_replacing else 10)
    import_data_set(study, call(tmp_path, name="elsewhere"), tell=print)
    assert study.store.read(IMPORTS).num_rows == (2 if not is_replacing else 3)


def test_a_lost_part_is_told_and_comes_back_with_the_same_files(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    study = open_study(study_folder)
    before = told(imported(study, tmp_path))
    part = sorted((study_folder / "imported_keypoints").iterdir())[0]
    part.unlink()
    inputs = imported_inputs(study)
    assert inputs is not None
    with pytest.raises(DamagedTableError, match="pressroom import"):
        inputs.keypoints_of(part.name.partition(".")[0])
    assert told(imported(study, tmp_path)) == before
    assert part.exists()


def test_bad_files_are_told_one_by_one_and_the_exit_status_says_so(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    (skeletons,) = (tmp_path / "miga").rglob("0001_light_hand.csv")
    skeletons.write_text("left,right\n")
    (labels,) = (tmp_path / "miga").rglob("0002_label.csv")
    labels.write_text("40,1,2\n41,1,2\n1,2,3\n")
    result = invoke("miga", tmp_path / "miga", "--into", study_folder)
    assert result.exit_code == 1
    lines = [line.strip() for line in result.output.splitlines() if line.startswith("  000")]
    assert [line.partition(":")[0] for line in lines] == ["0001_light_hand.csv", "0002_label.csv line 1"]
    assert "3 recordings, 7 segments, 450 frames, 3 dropped (bad_import)" in result.output
    assert "3 recordings tell no person" in result.output
    assert invoke("miga", tmp_path / "miga", "--into", study_folder).exit_code == 1, "also when nothing is new"


def test_where_nothing_can_be_taken_nothing_is_recorded(study_folder: Path, tmp_path: Path):
    (tmp_path / "miga").mkdir()
    (tmp_path / "miga" / "0001_light_hand.csv").write_text("")
    before = contents(study_folder)
    result = invoke("miga", tmp_path / "miga", "--into", study_folder)
    assert result.exit_code == 2
    lines = result.output.splitlines()
    assert lines[0].strip().startswith("0001_light_hand.csv: the file is empty")
    assert "nothing could be imported" in lines[1]
    after = contents(study_folder)
    assert {name: value for name, value in after.items() if "pseudonym" not in name} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mgia", "miga", "--into", "study"), "nearest is 'miga'"),
        (("smg", "miga", "--into", "study"), "SMG has the classes of smg17"),
        (("miga", "absent", "--into", "study"), "no such file or folder"),
        (("miga", "miga", "--into", "study", "--rate", "0"), "--rate '0'"),
        (("miga", "miga", "--into", "study", "--rate", "fast"), "--rate 'fast'"),
        (("miga", "miga", "--into", "study", "--size", "big"), "--size 'big'"),
        (("miga", "miga", "--into", "study", "--name", "study"), "--name 'study'"),
        (("miga", "miga", "--into", "study", "--name", "My Data"), "--name 'My Data'"),
        (("miga", "miga", "--into", "study", "--labels", "miga/subjects.csv"), "has no class"),
        (("pyskl", "miga", "--into", "study", "--layout", "coco18"), "nearest is 'coco17'"),
        (("label-studio", "miga", "--into", "study", "--subjects", "miga/subjects.csv"), "--subjects is for"),
        (("miga", "miga", "--into", "study", "--subjects", "absent.csv"), "can't be read"),
        (("miga", "https://host/x", "--into", "study"), "local folder"),
    ],
)
@pytest.mark.usefixtures("study_folder", "written")
def test_a_wrong_call_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_study_whose_classes_changed_since_asks_for_a_new_import(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    imported(open_study(study_folder), tmp_path)
    set_keys(study_folder, study={"taxonomy": "ma52"})
    with pytest.raises(UsageError, match="imported with the classes of imigue32"):
        imported_inputs(open_study(study_folder))


def test_a_withdrawn_recording_is_gone_and_never_comes_back(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    study = open_study(study_folder)
    gone = imported(study, tmp_path).videos["video_id"][0].as_py()
    row = dict.fromkeys(WITHDRAWALS.schema.names) | {"video_id": gone, "cause": "requested", "withdrawn_ns": 1}
    study.store.append(WITHDRAWALS, table_of(WITHDRAWALS, [row]))
    inputs = imported_inputs(study)
    assert inputs is not None
    assert gone not in {*inputs.videos["video_id"].to_pylist(), *inputs.segments["video_id"].to_pylist()}
    report = import_data_set(study, call(tmp_path, rate="50"), tell=print)
    assert report.dropped == {"withdrawn": 1}
    assert report.exit_status == 0, "it was asked for"
    assert (
        gone
        not in study.store.read(IMPORTED_SEGMENTS)
        .filter(
            np.array(study.store.read(IMPORTED_SEGMENTS)["import_id"].to_pylist())
            == study.store.read(IMPORTS)["import_id"][-1].as_py()
        )["video_id"]
        .to_pylist()
    )


def test_names_and_ids_that_tell_are_forbidden_and_plain_numbers_are_not(
    study_folder: Path, tmp_path: Path, written: list[MigaRecording]
):
    study = open_study(study_folder)
    assert imported_forbidden(study) == frozenset()
    assert imported_digest(study) == ""
    subjects = tmp_path / "people.csv"
    subjects.write_text("recording,subject\n0001,Anna\n0002,7\n0003,P-0003-X\n")
    imported(study, tmp_path, subjects=subjects)
    forbidden = imported_forbidden(study)
    assert {"Anna", "P-0003-X"} <= forbidden
    assert not forbidden & {"0001", "7"}
    paths = {text for text in forbidden if "/" in text}
    assert len(paths) == 4
    assert all(Path(path).is_file() for path in paths)


def test_labels_of_another_project_are_put_on_the_study_s_videos_and_players(tmp_path: Path):
    paint_video(tmp_path / "study" / "recordings" / "press day.mp4", color=1)
    study = make_study(tmp_path / "study")
    run_to_candidates(study)
    (video_id,) = set(study.store.read(SOURCES)["video_id"].to_pylist())
    value = {"ranges": [{"start": 21, "end": 35}], "timelinelabels": ["Touching/scratching neck"]}
    item = {"id": "a", "type": "timelinelabels", "value": value}
    tasks = [
        {"data": {"video": f"/data/upload/1/0a1b2c3d-{name}.mp4"}, "annotations": [{"result": [item]}]}
        for name in ("press day", "another day")
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    result = invoke("label-studio", tmp_path / "export.json", "--into", tmp_path / "study", "--name", "colleagues")
    assert result.exit_code == 1, "one task is of a video that the study does not hold"
    assert "1 recordings, 1 segments" in result.output
    assert "export.json task 2: the study holds no video" in result.output
    inputs = imported_inputs(study)
    assert inputs is not None
    assert inputs.videos.num_rows == 0
    (segment,) = inputs.segments.to_pylist()
    parts = study.store.parts(PLAYERS)
    roles = roles_from_rows(study.store.read_part(PLAYERS, parts[0].key, parts[0].digest))
    assert segment["track_number"] in {role.track_number for role in roles if role.role is Role.PLAYER}
    assert (segment["video_id"], segment["class_id"]) == (video_id, "touching_or_scratching_neck")
    assert (segment["start_ns"], segment["end_ns"]) == (2_000_000_000, 3_500_000_000)
    assert segment["origin"] == "colleagues"
    assert study.store.parts(IMPORTED_KEYPOINTS) == []

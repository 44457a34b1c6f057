"""Building: what enters, what is left out and counted, the same bytes every time, and nothing half-made."""

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from releases.build import build_release, is_current
from releases.config import Profile, ReleaseConfig
from releases.documents.licences import LICENCES
from releases.privacy.linter import ForbiddenStrings
from releases.splits.lock import read_splits_lock
from releases.tables import write
from releases.tables.columns import FACE_POINTS_KEPT, SEGMENTS, VIDEOS, VOTES
from releases.validation.validate import validate_release
from schema.errors import ConfigError, DamagedTableError, InvalidReleaseError, StoreFullError
from schema.rows import segments_to_rows, videos_to_rows
from tests.factories import make_span, make_video
from tests.releases.release_data import (
    CONFIG,
    FRAME_NS,
    FRAMES,
    build,
    digest,
    files_of,
    keypoints_of,
    make_inputs,
    read,
    segments_of,
    subject,
    video,
)


def test_the_same_inputs_give_the_same_bytes_in_any_row_order(published: Path, tmp_path: Path) -> None:
    inputs = make_inputs()
    shuffled = replace(
        inputs,
        segments=inputs.segments.take(list(reversed(range(inputs.segments.num_rows)))),
        annotations=pa.concat_tables([inputs.annotations.slice(7), inputs.annotations.slice(0, 9)]),
        videos=inputs.videos.take(list(reversed(range(inputs.videos.num_rows)))),
        keypoints_of=lambda video_id: keypoints_of(video_id).sort_by([("frame_index", "descending")]),
    )
    assert files_of(build(tmp_path, shuffled)) == files_of(published)


def test_row_groups_and_files_are_bounded_and_say_nothing_of_the_day(published: Path) -> None:
    shards = sorted((published / "data").glob("keypoints-train-*"))
    assert len(shards) == 3
    for path in shards:
        metadata = pq.ParquetFile(path).metadata
        assert metadata.num_rows <= CONFIG.shard_rows
        assert all(metadata.row_group(g).num_rows <= CONFIG.row_group_rows for g in range(metadata.num_row_groups))
        encodings = metadata.row_group(0).column(metadata.schema.names.index("k000_x")).encodings
        assert "DELTA_BINARY_PACKED" in encodings


def test_each_segment_points_to_the_keypoints_of_its_span(published: Path) -> None:
    for split in ("train", "val", "test"):
        data = published / "data"
        segments = polars.read_parquet(data / f"segments-{split}-*.parquet").to_dicts()
        keypoints = polars.read_parquet(data / f"keypoints-{split}-*.parquet")
        for segment in segments:
            rows = keypoints.slice(segment["keypoints_first_row"], segment["keypoints_row_count"])
            same = keypoints.filter(
                (polars.col("video_id") == segment["video_id"])
                & (polars.col("track_number") == segment["track_number"])
                & (polars.col("time_ns") >= segment["start_ns"])
                & (polars.col("time_ns") < segment["end_ns"])
            )
            assert rows.equals(same)
            assert rows["frame_index"][0] == segment["first_frame"]
            assert rows["frame_index"][-1] + 1 == segment["end_frame"]


def test_segments_keep_what_people_agreed_on(published: Path) -> None:
    inputs = make_inputs()
    given = {row["segment_id"]: row for row in inputs.segments.to_pylist()}
    released = read(published, "segments").to_pylist()
    assert len(released) == len(given)
    for row in released:
        source = given[row["segment_id"]]
        shared = (source.keys() & row.keys()) - {"description"}
        assert {name: row[name] for name in shared} == {name: source[name] for name in shared}
        assert row["subject_id"] == inputs.subject_of[row["video_id"], row["track_number"]]
    numbers = {(row["class_id"], row["class_number"]) for row in released}
    assert (None, None) in numbers
    assert ("folding_arms", 17) in numbers


def test_no_person_and_no_video_is_in_two_splits(published: Path) -> None:
    rows = read(published, "segments").to_pylist()
    for key in ("subject_id", "video_id"):
        assert len({(row[key], row["split"]) for row in rows}) == len({row[key] for row in rows})
    assert read_splits_lock(published / "splits.lock") == {row["subject_id"]: row["split"] for row in rows}


def test_the_default_profile_has_no_face_points_and_no_bystander(published: Path) -> None:
    keypoints = read(published, "keypoints")
    numbers = {int(name[1:4]) for name in keypoints.column_names if name.endswith("_score")}
    assert numbers == set(range(23)) | set(FACE_POINTS_KEPT) | set(range(91, 133))
    assert set(keypoints["track_number"].to_pylist()) == {0}


def test_the_research_profile_keeps_the_face(tmp_path: Path) -> None:
    release = build(tmp_path, make_inputs(video_subjects=[1]), replace(CONFIG, profile="research"))
    assert "k050_x" in read(release, "keypoints").column_names
    assert "biometric" in (release / "README.md").read_text()
    assert validate_release(release) == []


def test_nothing_leads_to_a_source_or_tells_when_somebody_answered(published: Path) -> None:
    whole = b"".join(files_of(published).values())
    for table, columns in (("segments", SEGMENTS), ("votes", VOTES), ("videos", VIDEOS)):
        assert read(published, table).column_names == columns.names
    assert all(digest(n).encode() not in whole for n in range(8))
    votes = read(published, "votes").to_pylist()
    assert {row["lead_seconds"] for row in votes} == {4}
    assert {row["study_week"] for row in votes} == set(range(1 + 14 * 3 // 7))
    assert not any("Lovelace" in str(row) for row in votes)


def test_every_answer_is_a_vote_once_and_edits_are_numbered(tmp_path: Path) -> None:
    inputs = make_inputs(video_subjects=[1])
    answers = inputs.annotations.to_pylist()
    edited = answers[0] | {
        "annotation_id": "a-edited",
        "verdict": "reject",
        "answered_ns": answers[-1]["answered_ns"] + 1,
    }
    elsewhere = answers[0] | {"annotation_id": "a-elsewhere", "candidate_id": "c-other"}
    all_answers = pa.Table.from_pylist([edited, *answers, elsewhere, answers[0]], schema=inputs.annotations.schema)
    votes = read(build(tmp_path, replace(inputs, annotations=all_answers)), "votes").to_pylist()
    assert Counter(row["vote_id"] for row in votes) == Counter(
        [row["annotation_id"] for row in answers] + ["a-edited", "a-elsewhere"]
    )
    mine = [
        row
        for row in votes
        if row["candidate_id"] == edited["candidate_id"] and row["annotator_id"] == edited["annotator_id"]
    ]
    assert [(row["revision"], row["verdict"]) for row in mine] == [(1, "accept"), (2, "reject")]
    assert [row["segment_id"] for row in votes if row["vote_id"] == "a-elsewhere"] == [None]


def test_one_person_gives_one_split_and_the_card_says_so(tmp_path: Path) -> None:
    release = build(tmp_path, make_inputs(video_subjects=[1, 1, 1]))
    assert {path.name.split("-")[1] for path in (release / "data").iterdir()} == {"train"}
    assert (
        "There is one split, `train`, because there is at most one known subject" in (release / "README.md").read_text()
    )
    assert validate_release(release) == []


def test_two_people_of_one_recording_are_on_one_side(tmp_path: Path) -> None:
    other = replace(segments_of(0)[0], segment_id="g9", candidate_id="c9", track_number=1)
    subject_of = {(video(0), 0): subject(1), (video(0), 1): subject(2)}
    release = build(tmp_path, make_inputs(video_subjects=[1], segments=[*segments_of(0), other], subject_of=subject_of))
    assert read_splits_lock(release / "splits.lock") == {subject(1): "train", subject(2): "train"}
    assert validate_release(release) == []


def test_unknown_people_are_left_out_and_counted(tmp_path: Path) -> None:
    release = build(tmp_path, make_inputs(video_subjects=[1, None, 2, 3, None]))
    rows = read(release, "segments").to_pylist()
    assert {row["video_id"] for row in rows} == {video(0), video(2), video(3)}
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["left_out"] == {"segments": {"unknown_subject": 4}, "votes": {"segment_left_out": 8}}
    assert "| segments | unknown_subject | 4 |" in (release / "README.md").read_text()


def test_unknown_people_may_be_put_in_train_but_never_beside_a_held_out_person(tmp_path: Path) -> None:
    config = replace(CONFIG, unknown_subjects="train")
    beside = [
        replace(segments_of(n, 1)[0], segment_id=f"g9{n}", candidate_id=f"c9{n}", track_number=1) for n in range(3)
    ]
    known = [s for n in range(4) for s in segments_of(n, 1)]
    inputs = make_inputs(video_subjects=[1, 2, 3, None], segments=known + beside)
    release = build(tmp_path, inputs, config)
    rows = read(release, "segments").to_pylist()
    unknown = [row for row in rows if row["subject_id"] is None]
    side = {row["video_id"]: row["split"] for row in rows if row["subject_id"] is not None}
    assert {row["split"] for row in unknown} == {"train"}
    assert {row["video_id"] for row in unknown} == {video(3), *(v for v, s in side.items() if s == "train")}
    assert json.loads((release / "manifest.json").read_text())["left_out"]["segments"] == {"unknown_subject": 2}
    assert validate_release(release) == []


def test_subjects_keep_their_side_and_the_changelog_grows(published: Path, tmp_path: Path) -> None:
    earlier = read_splits_lock(published / "splits.lock")
    inputs = make_inputs(
        video_subjects=[*range(8), 30, 31, 32, 2],
        earlier_splits=earlier,
        earlier_changelog=(published / "CHANGELOG.md").read_text(),
    )
    release = build(tmp_path, inputs, replace(CONFIG, version="0.2.0"))
    now = read_splits_lock(release / "splits.lock")
    assert {s: now[s] for s in earlier} == earlier
    assert len(now) == 11
    changes = (release / "CHANGELOG.md").read_text()
    assert changes.count("# Changelog\n") == 1
    assert changes.index("## 0.2.0") < changes.index("## 0.1.0")


def test_a_segment_without_keypoints_is_left_out_and_counted(tmp_path: Path) -> None:
    lost = replace(segments_of(0)[0], segment_id="g-lost", candidate_id="c-lost", track_number=7)
    late = replace(segments_of(0)[0], segment_id="g-late", candidate_id="c-late", span=make_span(50, 60))
    subject_of = {(video(0), 0): subject(1), (video(0), 7): subject(1)}
    inputs = make_inputs(video_subjects=[1], segments=[*segments_of(0), lost, late], subject_of=subject_of)
    release = build(tmp_path, inputs)
    assert read(release, "segments").num_rows == 2
    assert json.loads((release / "manifest.json").read_text())["left_out"]["segments"] == {"no_keypoints": 2}


def test_a_span_beyond_its_track_is_cut_and_counted(tmp_path: Path) -> None:
    end_ns = FRAMES * FRAME_NS
    whole = replace(segments_of(0)[0], span=make_span(0, end_ns / 1e9))
    beyond = replace(segments_of(0)[1], span=make_span(1, 99))
    release = build(tmp_path, make_inputs(video_subjects=[1], segments=[whole, beyond]))
    assert [row["end_ns"] for row in read(release, "segments").to_pylist()] == [end_ns, end_ns]
    assert json.loads((release / "manifest.json").read_text())["shortened_segments"] == 1
    assert "1 span(s) reached beyond" in (release / "README.md").read_text()
    assert validate_release(release) == []


def test_pictures_beyond_int16_get_wider_columns(tmp_path: Path) -> None:
    videos = videos_to_rows([make_video(video_id=video(0), sha256=digest(0), width=3840, height=2160)])
    release = build(tmp_path, make_inputs(video_subjects=[1], videos=videos))
    assert read(release, "keypoints").schema.field("k000_x").type == pa.int32()
    assert validate_release(release) == []


def test_what_is_there_already_is_done_and_another_content_asks_for_a_version(published: Path, tmp_path: Path) -> None:
    inputs = make_inputs()
    release = build(tmp_path, inputs)
    before = {path: path.stat().st_mtime_ns for path in release.rglob("*")}
    assert build(tmp_path, inputs) == release
    assert {path: path.stat().st_mtime_ns for path in release.rglob("*")} == before
    with pytest.raises(InvalidReleaseError, match=r"raise release\.version"):
        build(tmp_path, make_inputs(video_subjects=[1]))
    (release / "LICENSE").write_text("public domain")
    with pytest.raises(InvalidReleaseError, match="altered"):
        build(tmp_path, inputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == [release.name]


def test_is_current_looks_at_inputs_and_settings(published: Path) -> None:
    def current(config: ReleaseConfig = CONFIG, **digests: str) -> bool:
        given = {"segments": "12" * 6} | digests
        return is_current(published.parent, config=config, taxonomy="imigue32", input_digests=given)

    assert current()
    assert not current(segments="00")
    assert not current(replace(CONFIG, title="Other"))
    assert not current(replace(CONFIG, version="9.0.0"))


def test_a_build_killed_half_way_leaves_nothing_that_looks_like_a_release(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        os._exit(9)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr("releases.build.check_leaks", killed)
        build(tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".building-")
    assert files_of(build(tmp_path)) == files_of(published)
    assert [path.name for path in tmp_path.iterdir()] == [published.name]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.ShardWriter, "write", full)
    with pytest.raises(StoreFullError, match="disk is full"):
        build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_must_not_be_published_is_refused_in_one_line(tmp_path: Path) -> None:
    inputs = make_inputs(video_subjects=[1])
    twice = pa.concat_tables([inputs.segments, inputs.segments])
    for changes, error, message in (
        ({"segments": twice}, InvalidReleaseError, "more than once"),
        ({"videos": inputs.videos.slice(0, 0)}, InvalidReleaseError, "no row in videos"),
        ({"subject_of": {}}, InvalidReleaseError, r"no segment to publish \(1 unknown_subject\)"),
        ({"segments": segments_to_rows([])}, InvalidReleaseError, "none was verified"),
        ({"segments": inputs.segments.drop_columns("class_id")}, DamagedTableError, "segments"),
        ({"keypoints_of": lambda _: keypoints_of(video(5))}, DamagedTableError, "another video"),
        (
            {"keypoints_of": lambda v: pa.concat_tables([keypoints_of(v), keypoints_of(v)])},
            DamagedTableError,
            "do not increase",
        ),
        ({"keypoints_of": lambda v: keypoints_of(v).drop_columns("k000_x")}, DamagedTableError, "columns"),
        ({"forbidden": ForbiddenStrings(native_ids=frozenset({"hand_on_neck"}))}, InvalidReleaseError, "identity leak"),
    ):
        with pytest.raises(error, match=message):
            build(tmp_path, replace(inputs, **changes))
        assert list(tmp_path.iterdir()) == []


def test_settings_that_can_not_work_are_refused(tmp_path: Path) -> None:
    for changes, message in (
        ({"name": "Not A Folder"}, "release.name"),
        ({"version": "1.0"}, "release.version"),
        ({"license_id": "CC-BY-NC"}, "nearest is 'CC-BY-NC-4.0'"),
        ({"row_group_rows": 0}, "release.row_group_rows"),
        ({"shard_rows": 3}, "release.shard_rows"),
    ):
        with pytest.raises(ConfigError, match=message):
            replace(CONFIG, **changes)
    with pytest.raises(ConfigError, match=r"release\.name is empty"):
        build_release(make_inputs(video_subjects=[1]), releases_folder=tmp_path, config=ReleaseConfig())


@pytest.mark.parametrize("license_id", LICENCES)
def test_every_licence_makes_a_valid_release(license_id: str, tmp_path: Path) -> None:
    config = replace(CONFIG, license_id=license_id, authors=("A Team: of people",), title='Gestures: "quoted" & more')
    assert validate_release(build(tmp_path, make_inputs(video_subjects=[1]), config)) == []


@pytest.mark.parametrize("profile", ["identity-free", "research"])
def test_positions_are_stored_as_they_were_given_but_those_of_a_hidden_face(profile: Profile, tmp_path: Path) -> None:
    released = read(build(tmp_path, config=replace(CONFIG, profile=profile)), "keypoints")
    if profile == "identity-free":
        head = {f"k{k:03d}_{what}" for k in (*range(5), *FACE_POINTS_KEPT) for what in ("x", "y", "score")}
        released = released.select([name for name in released.column_names if name not in head])
    for number in range(8):
        given = keypoints_of(video(number)).filter(pa.compute.field("track_number") == 0)
        mine = released.filter(pa.compute.field("video_id") == video(number))
        assert mine.cast(given.select(mine.column_names).schema).equals(given.select(mine.column_names))
        assert np.all(np.diff(mine["frame_index"].to_numpy()) == 1)

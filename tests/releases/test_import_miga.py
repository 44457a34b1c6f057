"""MiGA's files: they come back to the frame, the right hand is the right one, and each bad file has one clear line."""

import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releases.imports.base import ImportedRecording
from releases.imports.miga import fingers_are_swapped
from releases.imports.subjects import DeclaredSubject, read_subjects
from schema.errors import DropReason, UsageError
from schema.layouts import MIGA35, to_xyc
from schema.taxonomy import load_taxonomy
from tests.miga_files import (
    CLASS_SHARES,
    ILLUSTRATIVE,
    MigaLabel,
    draw_labels,
    miga_recordings,
    person_values,
    write_miga,
    write_recording,
    write_skeletons,
)
from tests.releases.import_data import frames_of, make_options, read_all

CLASS_IDS = {gesture.number: gesture.class_id for gesture in load_taxonomy("imigue32")}
CLASS_IDS[ILLUSTRATIVE] = CLASS_IDS[32]
SINGLE = [k for k, source in enumerate(MIGA35.sources) if len(source) == 1]
"""Joints that are one of the 133 points; neck and mid-hip are means of others."""


def one_recording(folder: Path, **changes: object):
    recording = replace(next(miga_recordings(recordings=1, segments=4, frames=300)), **changes)
    write_recording(folder / recording.native_id, recording)
    return recording


def read_one(folder: Path, **options: object) -> ImportedRecording:
    taken, lost = read_all("miga", folder, make_options(**options))
    assert lost == []
    assert len(taken) == 1
    return taken[0]


def test_a_data_set_comes_back_to_the_frame_with_its_people_and_splits(tmp_path: Path):
    written = list(miga_recordings(subjects=4, recordings=7, segments=30, frames=2000, seed=3))
    folder = write_miga(tmp_path, written)
    taken, lost = read_all("miga", folder, make_options(subjects=read_subjects(tmp_path / "subjects.csv")))
    assert lost == []
    assert [r.native_id for r in taken] == [r.native_id for r in written]
    assert sum(len(r.segments) for r in taken) == 30
    for ours, theirs in zip(taken, written, strict=True):
        assert frames_of(ours) == [(CLASS_IDS[n.number], n.first_frame, n.last_frame) for n in theirs.labels]
        assert (ours.native_subject, ours.split) == (theirs.subject, {"validate": "val"}.get(theirs.split, "train"))
        assert ours.match_outcome == ("win" if int(ours.native_id) % 3 else "loss")
        assert (ours.rate, ours.width, ours.height, ours.frame_count) == (25, 1280, 720, len(theirs.values))
        (track,) = ours.tracks
        back = to_xyc(track.keypoints_xy, track.scores, MIGA35)
        np.testing.assert_allclose(back[:, SINGLE], theirs.values[:, SINGLE], atol=1e-3)


def test_a_joint_without_confidence_or_at_the_corner_is_not_seen(tmp_path: Path):
    values = person_values(20, seed=1, hands_seen=1)
    values[3, 2] = (500, 300, 0)
    values[4, 2] = (0, 0, 0.9)
    values[5, 2] = (np.nan, 300, 0.9)
    values[6, 2] = (1e9, 300, 0.9)
    values[7, 2, 2] = 1.7
    one_recording(tmp_path, values=values, labels=())
    (track,) = read_one(tmp_path).tracks
    shoulder = 6  # joint 2, "ShoulderLeft", is the person's own right shoulder
    assert track.scores[3:7, shoulder].tolist() == [0, 0, 0, 0]
    assert np.isnan(track.keypoints_xy[3:7, shoulder]).all()
    assert track.scores[7, shoulder] == 1
    np.testing.assert_allclose(track.keypoints_xy[2, shoulder], values[2, 2, :2], atol=1e-3)


def test_a_label_s_last_frame_belongs_to_it_and_the_first_is_0(tmp_path: Path):
    labels = (MigaLabel(number=17, first_frame=0, last_frame=0), MigaLabel(number=99, first_frame=299, last_frame=299))
    one_recording(tmp_path, labels=labels)
    first, last = read_one(tmp_path).segments
    assert (first.class_id, first.start_ns, first.end_ns) == ("folding_arms", 0, 40_000_000)
    assert (last.class_id, last.label) == ("illustrative_body_language", "99")
    assert (last.start_ns, last.end_ns) == (299 * 40_000_000, 300 * 40_000_000)


def test_another_rate_and_size_are_taken_as_said(tmp_path: Path):
    one_recording(tmp_path, labels=(MigaLabel(number=1, first_frame=30, last_frame=59),))
    recording = read_one(tmp_path, rate=Fraction(30_000, 1001), size=(600, 338))
    assert (recording.width, recording.height) == (600, 338)
    assert [(s.start_ns, s.end_ns) for s in recording.segments] == [(1_001_000_000, 2_002_000_000)]


class TestHands:
    """Whose finger joints 25-29 are is not published: each recording's wrists say it."""

    def values(self, *, swapped: bool) -> np.ndarray:
        values = person_values(100, seed=5, hands_seen=0.5)
        return values[:, [*range(25), *range(30, 35), *range(25, 30)]] if swapped else values

    @pytest.mark.parametrize("swapped", [False, True])
    def test_fingers_go_to_the_hand_whose_wrist_is_near(self, tmp_path: Path, swapped: bool):
        assert fingers_are_swapped(self.values(swapped=swapped)) == swapped
        one_recording(tmp_path, values=self.values(swapped=swapped), labels=())
        (track,) = read_one(tmp_path).tracks
        seen = self.values(swapped=False)[:, 25, 2] > 0
        right_thumb = 116
        np.testing.assert_array_equal(track.scores[:, right_thumb] > 0, seen)
        np.testing.assert_allclose(track.keypoints_xy[seen, right_thumb], self.values(swapped=False)[seen, 25, :2])

    def test_a_moment_of_crossed_hands_changes_nothing(self):
        values = self.values(swapped=False)
        values[:20, 4], values[:20, 7] = values[:20, 7].copy(), values[:20, 4].copy()
        assert not fingers_are_swapped(values)

    def test_without_a_hand_the_names_stand(self):
        values = self.values(swapped=True)
        values[:, 25:] = 0
        assert not fingers_are_swapped(values)


HEADINGS = {
    "of pandas": "," + ",".join(map(str, range(105))),
    "of pandas with its own column": ",".join(map(str, range(106))),
    "in words": "frame," + ",".join(f"joint{k}" for k in range(105)),
    "in quotes": '"",' + ",".join(f'"{k}"' for k in range(105)),
}


@pytest.mark.parametrize("heading", HEADINGS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_heading_a_byte_order_mark_and_windows_lines_change_nothing(
    tmp_path: Path, heading: str, ends: str, mark: str
):
    recording = one_recording(tmp_path)
    plain = read_one(tmp_path)
    path = tmp_path / "0001" / "0001_light_hand.csv"
    lines = [HEADINGS[heading], *path.read_text().splitlines(), "", ""]
    path.write_bytes((mark + ends.join(lines)).encode())
    labels = path.with_name("0001_label.csv")
    labels.write_bytes((mark + labels.read_text().replace("\n", ends)).encode())
    found = read_one(tmp_path)
    assert found.frame_count == len(recording.values)
    assert found.segments == plain.segments
    np.testing.assert_array_equal(found.tracks[0].keypoints_xy, plain.tracks[0].keypoints_xy)


def test_whatever_the_unused_first_column_holds_is_not_read(tmp_path: Path):
    one_recording(tmp_path)
    plain = read_one(tmp_path).tracks[0].keypoints_xy
    path = tmp_path / "0001" / "0001_light_hand.csv"
    lines = [f"frame_{n}," + line.partition(",")[2] for n, line in enumerate(path.read_text().splitlines())]
    path.write_text("\n".join(lines))
    np.testing.assert_array_equal(read_one(tmp_path).tracks[0].keypoints_xy, plain)


def spoilt(lines: list[str], number: int, column: int, cell: str) -> list[str]:
    cells = lines[number].split(",")
    cells[column] = cell
    return [*lines[:number], ",".join(cells), *lines[number + 1 :]]


SPOILT = {
    "no byte": (lambda lines: b"", DropReason.EMPTY, "empty"),
    "line ends alone": (lambda lines: b"\n\n", DropReason.BAD_IMPORT, "no frame"),
    "a short line": (
        lambda lines: [*lines[:6], lines[6].rpartition(",")[0], *lines[7:]],
        None,
        "line 7 has 105 values",
    ),
    "a long line": (lambda lines: [*lines[:6], lines[6] + ",1", *lines[7:]], None, "line 7 has 107 values"),
    "a cut line": (lambda lines: [*lines[:299], lines[299][:200]], None, "line 300 has"),
    "a word": (lambda lines: spoilt(lines, 6, 10, "x1y"), None, "line 7, column 11: 'x1y' is no number"),
    "a word at the start": (lambda lines: spoilt(lines, 0, 10, "left"), None, "line 1, column 11"),
    "semicolons": (lambda lines: [line.replace(",", ";") for line in lines], None, "separated by commas"),
    "another format": (lambda lines: [",".join(line.split(",")[:76]) for line in lines], None, "76 values where 106"),
    "a wide file": (lambda lines: "\n".join(lines).encode("utf-16"), None, "UTF-8"),
    "a picture": (lambda lines: b"\x89PNG\r\n\x1a\n\0\0\0" + bytes(range(256)) * 9, None, "UTF-8"),
    "nobody": (
        lambda lines: [line.partition(",")[0] + ",0" * 105 for line in lines],
        DropReason.NO_KEYPOINTS,
        "nobody is seen",
    ),
    "everything far out": (
        lambda lines: [line.partition(",")[0] + ",1e12,1e300,1" * 35 for line in lines],
        DropReason.NO_KEYPOINTS,
        "nobody is seen",
    ),
    "nothing finite": (
        lambda lines: [line.partition(",")[0] + ",inf,-inf,nan" * 35 for line in lines],
        DropReason.NO_KEYPOINTS,
        "nobody is seen",
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_bad_file_has_one_clear_line_and_the_others_are_taken(tmp_path: Path, fault: str):
    change, reason, words = SPOILT[fault]
    one_recording(tmp_path)
    one_recording(tmp_path, native_id="0002")
    path = tmp_path / "0002" / "0002_light_hand.csv"
    content = change(path.read_text().splitlines())
    path.write_bytes(content if isinstance(content, bytes) else "\n".join(content).encode())
    taken, lost = read_all("miga", tmp_path, make_options())
    assert [r.native_id for r in taken] == ["0001"]
    assert [one.reason for one in lost] == [reason or DropReason.BAD_IMPORT]
    line = str(lost[0])
    assert line.startswith("0002_light_hand.csv: ")
    assert words in line
    assert "\n" not in line
    assert len(line) < 200


def test_an_empty_cell_or_a_nan_is_a_joint_that_is_not_seen(tmp_path: Path):
    one_recording(tmp_path, labels=())
    path = tmp_path / "0001" / "0001_light_hand.csv"
    lines = spoilt(spoilt(path.read_text().splitlines(), 6, 1, ""), 7, 2, "NaN")
    lines = spoilt(lines, 8, 3, " 0.5 ")
    path.write_text("\n".join(lines))
    scores = read_one(tmp_path).tracks[0].scores
    assert scores[5:9, 0].tolist() == pytest.approx([scores[5, 0], 0, 0, 0.5])
    assert scores[5, 0] > 0


LABEL_FAULTS = {
    "0,10,20": "class 0 is none of 1 to 31 and 99",
    "40,10,20": "class 40 is none of",
    "-3,10,20": "class -3",
    "5,20,10": "no span",
    "5,-1,10": "no span",
    "5,290,300": "go beyond the last skeleton, frame 299",
    "5,9999999999999,99999999999999": "go beyond",
    "5,10": "`class,start,end`",
    "5,10,20,30": "`class,start,end`",
    "five,10,20": "`class,start,end`",
    "5,1.5,20": "`class,start,end`",
    "5,,20": "`class,start,end`",
    "5;10;20": "`class,start,end`",
    "5,9999999999999999999999999,2": "`class,start,end`",
    '"5,10,20': "`class,start,end`",
}


@pytest.mark.parametrize("line", LABEL_FAULTS)
def test_a_bad_label_is_left_out_with_its_line_and_the_others_are_taken(tmp_path: Path, line: str):
    one_recording(tmp_path, labels=())
    (tmp_path / "0001" / "0001_label.csv").write_text(f"17,0,9\n18,20,39\n{line}\n")
    taken, lost = read_all("miga", tmp_path, make_options())
    assert frames_of(taken[0]) == [("folding_arms", 0, 9), ("dustoffing_clothes", 20, 39)]
    assert [(one.where, one.count) for one in lost] == [("0001_label.csv line 3", 1)]
    assert LABEL_FAULTS[line] in str(lost[0])
    assert "\n" not in str(lost[0])


def test_many_bad_labels_of_a_file_are_one_line_with_their_count(tmp_path: Path):
    one_recording(tmp_path, labels=())
    (tmp_path / "0001" / "0001_label.csv").write_text("0,1,2\n17,0,9\n40,1,2\n17,0,9\n")
    taken, lost = read_all("miga", tmp_path, make_options())
    assert len(taken[0].segments) == 1
    assert [one.count for one in lost] == [3], "a label that comes twice is one of them"
    assert "3 labels of this file are left out" in str(lost[0])


def test_a_recording_without_labels_is_taken_without_any(tmp_path: Path):
    one_recording(tmp_path)
    (tmp_path / "0001" / "0001_label.csv").unlink()
    assert read_one(tmp_path).segments == ()


def test_a_recording_that_comes_twice_is_taken_once(tmp_path: Path):
    one_recording(tmp_path / "train")
    one_recording(tmp_path / "val")
    taken, lost = read_all("miga", tmp_path, make_options())
    assert [(r.native_id, r.split) for r in taken] == [("0001", "train")]
    assert [one.reason for one in lost] == [DropReason.DUPLICATE]


@pytest.mark.parametrize(
    ("folder", "split"),
    [("imigue_skeleton_train", "train"), ("My-Validation", "val"), ("imigue_skeleton_test", "test"), ("trainer", None)],
)
def test_folders_tell_the_split(tmp_path: Path, folder: str, split: str | None):
    one_recording(tmp_path / folder)
    assert read_one(tmp_path).split == split
    assert read_one(tmp_path / folder).split == split, "also where the folder itself is imported"
    assert read_one(tmp_path / folder / "0001" / "0001_light_hand.csv").native_id == "0001", "or one file"


def test_a_folder_that_begins_with_test_is_no_split(tmp_path: Path):
    one_recording(tmp_path / "test_downloads_of_may")
    assert read_one(tmp_path / "test_downloads_of_may").split is None


def test_a_study_with_other_classes_and_an_empty_folder_are_told_in_a_line(tmp_path: Path):
    one_recording(tmp_path)
    with pytest.raises(UsageError, match="iMiGUE has the classes of imigue32, and the study those of ma52"):
        read_all("miga", tmp_path, make_options("ma52"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match="_light_hand"):
        read_all("miga", tmp_path / "nothing", make_options())
    with pytest.raises(UsageError, match="nearest is 'miga'"):
        read_all("miga1", tmp_path, make_options())
    with pytest.raises(UsageError, match="no such file or folder"):
        read_all("miga", tmp_path / "absent", make_options())
    with pytest.raises(UsageError, match="--layout is for ma52, pyskl"):
        read_all("miga", tmp_path, make_options(layout="coco17"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_label_that_is_in_the_recording_comes_back(tmp_path: Path, data: st.DataObject):
    folder = tmp_path / "any" / "0001"
    if not folder.is_dir():
        one_recording(tmp_path / "any", labels=())
    numbers = st.sampled_from([*range(1, 32), 99])
    spans = st.tuples(st.integers(0, 299), st.integers(0, 299)).map(sorted)
    drawn = data.draw(st.lists(st.tuples(numbers, spans), max_size=6, unique_by=lambda one: (one[0], *one[1])))
    (folder / "0001_label.csv").write_text("".join(f"{n},{a},{b}\n" for n, (a, b) in drawn))
    found = frames_of(read_one(tmp_path / "any", rate=Fraction(data.draw(st.integers(1, 120)))))
    assert sorted(found) == sorted((CLASS_IDS[n], a, b) for n, (a, b) in drawn)


def test_a_long_recording_is_read_at_once(tmp_path: Path):
    folder = tmp_path / "0001"
    folder.mkdir()
    write_skeletons(folder / "0001_light_hand.csv", person_values(30_000, seed=2))
    began = time.monotonic()
    assert read_one(tmp_path).frame_count == 30_000
    assert time.monotonic() - began < 20, "a row at a time in Python would take longer; benchmarks tell the speed"


class TestSubjects:
    """The importing person says who is in which recording."""

    def read(self, tmp_path: Path, text: str) -> dict[str, DeclaredSubject]:
        (tmp_path / "subjects.csv").write_text(text, encoding="utf-8")
        return read_subjects(tmp_path / "subjects.csv")

    def test_columns_may_come_in_any_order_and_cells_be_empty(self, tmp_path: Path):
        found = self.read(tmp_path, "\ufeffsubject,split,recording,outcome\n7,test,0001,Lose\n,,0002,\n")
        assert found["0001"] == DeclaredSubject(subject="7", match_outcome="loss", split="test")
        assert found["0002"] == DeclaredSubject(subject=None)

    def test_a_spreadsheet_that_ate_the_zeros_is_understood(self, tmp_path: Path):
        one_recording(tmp_path)
        found = self.read(tmp_path, "recording,subject\n1,7\n")
        assert read_one(tmp_path, subjects=found).native_subject == "7"

    def test_a_recording_may_have_a_rate_and_a_size_of_its_own(self, tmp_path: Path):
        one_recording(tmp_path)
        found = self.read(tmp_path, "recording,subject,rate,size\n0001,,30000/1001,600x338\n0002,,,\n")
        recording = read_one(tmp_path, subjects=found, rate=Fraction(50))
        assert (recording.rate, recording.width, recording.height) == (Fraction(30_000, 1001), 600, 338)
        assert found["0002"] == DeclaredSubject(subject=None)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("recording,person\n1,2\n", "unknown column 'person'"),
            ("recording\n1\n", "recording and subject are needed"),
            ("", "recording and subject are needed"),
            ("recording,subject,outcome\n1,2,draw\n", "line 2: outcome 'draw'"),
            ("recording,subject,split\n1,2,left\n", "line 2: split 'left'"),
            ("recording,subject,rate\n1,2,0\n", "line 2: rate '0'"),
            ("recording,subject,size\n1,2,x\n", "line 2: size 'x'"),
            ("recording,subject\n1,2\n1,3\n", "line 3: recording '1' comes twice"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_line(self, tmp_path: Path, text: str, words: str):
        with pytest.raises(UsageError) as caught:
            self.read(tmp_path, text)
        assert words in str(caught.value)


def test_made_up_labels_follow_the_class_shares_of_the_data_set():
    random = np.random.default_rng(0)
    counts = Counter(n.number for _ in range(60) for n in draw_labels(5000, 50, random))
    total = sum(counts.values())
    assert total == 3000
    for number, share in enumerate(CLASS_SHARES, start=1):
        expected = share / sum(CLASS_SHARES)
        found = counts[ILLUSTRATIVE if number == 32 else number] / total
        assert abs(found - expected) < 4 * np.sqrt(expected / total) + 1e-3, number


def test_the_published_label_list_of_imigue_is_written_and_read_back(tmp_path: Path, shared_media: Path):
    """13,670 real labels; the list has no times, so each gets a place of its own in its video."""
    lines = (shared_media / "labels" / "imigue_miga_train_labels.csv").read_text().splitlines()[1:]
    of_video: dict[str, list[int]] = {}
    for line in lines:
        video, _, class_number = line.split(",")
        of_video.setdefault(video, []).append(int(class_number) + 1)
    chosen = dict(sorted(of_video.items())[:25])
    for video, numbers in chosen.items():
        labels = tuple(
            MigaLabel(number=99 if n == 32 else n, first_frame=3 * k, last_frame=3 * k + 2)
            for k, n in enumerate(numbers)
        )
        one_recording(tmp_path, native_id=video, values=person_values(3 * len(numbers), seed=0), labels=labels)
    taken, lost = read_all("miga", tmp_path, make_options())
    assert lost == []
    assert len(lines) == 13_670
    assert {r.native_id: [s.class_id for s in r.segments] for r in taken} == {
        video: [CLASS_IDS[n] for n in numbers] for video, numbers in chosen.items()
    }

"""Lists of people and their splits: a study's own, and iMiGUE's protocols."""

from pathlib import Path

import pytest

from releases.splits.lists import imigue_cross_subject, imigue_emotion_protocol, read_split_list
from schema.errors import ConfigError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "splits.csv"


def test_a_list_is_read_with_the_lines_that_messages_name(path: Path) -> None:
    path.write_text("\ufeffsplit,person_id,remark\ntest, p7 ,x\n\ntrain,7,\n", encoding="utf-8")
    assert [(p.person_id, p.split, p.line) for p in read_split_list(path)] == [("p7", "test", 2), ("7", "train", 4)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person,split\n", "line 1: the column person_id is missing"),
        ("person_id\np1\n", "line 1: the column split is missing"),
        ("person_id,split\np1,train\np2,dev\n", "line 3: split 'dev' is none of train, val, test"),
        ("person_id,split\np1,train\np2\n", "line 3: split '' is none of"),
        ("person_id,split\n ,train\n", "line 2: the person_id is empty"),
        ("person_id,split\nSecret Name,train\np2,test\nSecret Name,test\n", "line 4 lists the person of line 2 again"),
    ],
)
def test_a_wrong_line_is_told_in_one_line_by_its_number(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_split_list(path)
    told = str(refused.value)
    assert told.startswith("release.splits.lists: ")
    assert message in told
    assert "\n" not in told
    assert "Secret" not in told


def test_a_list_that_is_not_there_or_no_text_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="correct its path"):
        read_split_list(path)
    path.write_bytes(b"person_id,split\n\xff\xfe,train\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_split_list(path)


def test_imigue_s_subjects_are_all_in_one_of_two_splits() -> None:
    splits = imigue_cross_subject()
    assert sorted(splits) == list(range(1, 73))
    assert [list(splits.values()).count(split) for split in ("train", "val", "test")] == [37, 0, 35]
    assert (splits[1], splits[2], splits[62], splits[72]) == ("test", "train", "train", "test")


def test_imigue_s_emotion_protocol_is_by_video() -> None:
    protocol = imigue_emotion_protocol()
    assert (len(protocol.train_videos), len(protocol.test_videos)) == (102, 100)
    assert not set(protocol.train_videos) & set(protocol.test_videos)
    assert max(protocol.train_videos) == 453

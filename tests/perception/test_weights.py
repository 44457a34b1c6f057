"""Weights lie where the documents say, and their digest tells what is in them."""

from pathlib import Path

import pytest

from perception.backends.weights import find_weights, place_of_weights, sha256_of_weights, weights_folder
from schema.errors import MissingPartError

ABOUT = {"what": "the detector", "source": "from its maker", "licence": "MIT"}


def test_weights_folder_is_the_users_choice(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path / "chosen"))
    assert weights_folder() == tmp_path / "chosen"
    monkeypatch.delenv("PRESSROOM_WEIGHTS")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights_folder() == tmp_path / ".cache" / "pressroom" / "weights"


def test_names_lie_in_the_folder_and_paths_where_they_say(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/somebody")
    assert place_of_weights("yolo11n.pt") == tmp_path / "yolo11n.pt"
    assert place_of_weights("mine/yolo11n.pt") == tmp_path / "mine" / "yolo11n.pt"
    assert place_of_weights("./yolo11n.pt") == Path("yolo11n.pt")
    assert place_of_weights("~/yolo11n.pt") == Path("/home/somebody/yolo11n.pt")
    assert place_of_weights("/data/yolo11n.pt") == Path("/data/yolo11n.pt")


def test_missing_weights_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path))
    with pytest.raises(
        MissingPartError, match=r"^the detector: there is no .*from its maker; licence: MIT.*$"
    ) as caught:
        find_weights("yolo11n.pt", **ABOUT)
    assert str(tmp_path / "yolo11n.pt") in str(caught.value)
    (tmp_path / "yolo11n.pt").touch()
    assert find_weights("yolo11n.pt", **ABOUT) == tmp_path / "yolo11n.pt"


def test_digest_is_of_the_content(tmp_path):
    file, same = tmp_path / "a.pt", tmp_path / "b.pt"
    file.write_bytes(b"weights")
    same.write_bytes(b"weights")
    assert sha256_of_weights(file) == sha256_of_weights(same)
    same.write_bytes(b"weightz")
    assert sha256_of_weights(file) != sha256_of_weights(same), "a file that was written anew is read anew"


def test_digest_of_a_folder_is_of_names_and_contents(tmp_path):
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_bytes(b"weights")
        (tmp_path / name / "model.xml").write_bytes(b"layers")
    (tmp_path / "two" / "model.xml").rename(tmp_path / "two" / "other.xml")
    digests = [sha256_of_weights(tmp_path / name) for name in ("one", "two", "three")]
    assert digests[0] == digests[2] != digests[1]

"""The study's source list."""

from pathlib import Path

import pytest

from collectors.sources import SourceConfig, read_sources
from schema.errors import ConfigError

KEY = bytes(32)


def read(folder: Path, *sources: SourceConfig) -> list[tuple[str, str | None]]:
    return [(e.location, e.person_id) for e in read_sources(sources, study_folder=folder, pseudonym_key=KEY)]


def test_all_kinds_of_sources_are_read_in_order(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("b.MP4", "a.webm", ".hidden.mp4", "notes.txt"):
        (clips / name).touch()
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "more.csv").write_text(
        'location,person\n\nhttps://example.org/x?a=1&b=2,p7\n"../clips/a, b.mp4",\n', encoding="utf-8-sig"
    )

    found = read(
        tmp_path,
        SourceConfig(kind="link", url="https://example.org/v", person="p1"),
        SourceConfig(kind="folder", path="clips", person="p2"),
        SourceConfig(kind="list", path="lists/more.csv"),
        SourceConfig(kind="file", path="not-there-yet.mp4"),
    )

    assert found == [
        ("https://example.org/v", "p1"),
        (str(clips / "a.webm"), "p2"),
        (str(clips / "b.MP4"), "p2"),
        ("https://example.org/x?a=1&b=2", "p7"),
        (str(clips / "a, b.mp4"), None),
        (str(tmp_path / "not-there-yet.mp4"), None),
    ]


def test_a_place_listed_twice_is_one_source_and_needs_one_person(tmp_path: Path) -> None:
    once = SourceConfig(kind="file", path="a.mp4", person="p1")
    assert read(tmp_path, SourceConfig(kind="file", path="./x/../a.mp4"), once) == [(str(tmp_path / "a.mp4"), "p1")]
    with pytest.raises(ConfigError, match=r"sources\[1\]\.path.*another person"):
        read(tmp_path, once, SourceConfig(kind="file", path="a.mp4", person="p2"))


def test_a_moved_study_keeps_its_source_ids(tmp_path: Path) -> None:
    source = SourceConfig(kind="file", path="videos/a.mp4")
    ids = {read_sources([source], study_folder=tmp_path / place, pseudonym_key=KEY)[0].source_id for place in "ab"}
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SourceConfig(kind="link"), r"sources\[0\]\.url: missing"),
        (SourceConfig(kind="file", url="https://e.org/v"), r"sources\[0\]\.path: missing"),
        (SourceConfig(kind="link", url="https://e.org/v", path="x"), r"sources\[0\]\.path: .* takes 'url'"),
        (SourceConfig(kind="link", url="ftp://secret.org/v"), r"sources\[0\]\.url: not an http"),
        (SourceConfig(kind="link", url="https://"), r"sources\[0\]\.url: not an http"),
        (SourceConfig(kind="link", url="https://[secret"), r"sources\[0\]\.url: not an http"),
        (SourceConfig(kind="folder", path="secret"), r"sources\[0\]\.path: the folder can't be read: No such"),
        (SourceConfig(kind="folder", path="."), r"sources\[0\]\.path: the folder holds no video file"),
        (SourceConfig(kind="list", path="secret.csv"), r"sources\[0\]\.path: the list can't be read: No such"),
        (SourceConfig(kind="list", path="."), r"sources\[0\]\.path: the list can't be read: Is a directory"),
        (SourceConfig(kind="list", path="secret.csv", person="p"), r"sources\[0\]\.person: a list names people"),
    ],
)
def test_a_wrong_source_is_one_clear_line(tmp_path: Path, source: SourceConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, source)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "first line must be location,person"),
        (b"url,person\nhttps://secret.org,p\n", "first line must be location,person"),
        (b"location,person\nhttps://secret.org/\xff,p\n", "not UTF-8"),
        (b"location,person\nhttps://secret.org\n", "line 2: 1 columns instead of 2"),
        (b"location,person\na,b,secret\n", "line 2: 3 columns instead of 2"),
        (b"location,person\n,secret\n", "line 2: the location is empty"),
        (b"location,person\na.mp4,\ngopher://secret,\n", "line 3: not an http or https link"),
        (b'location,person\n"secret,\n', "as CSV"),
    ],
)
def test_a_broken_list_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, SourceConfig(kind="list", path="list.csv"))
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)

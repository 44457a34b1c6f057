"""The study's source list."""

from pathlib import Path

import pytest

from collectors.sources import SourceConfig, read_origins, read_sources
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


def test_a_list_may_be_plain_text(tmp_path: Path) -> None:
    (tmp_path / "links.txt").write_text(
        "# finals\n\n https://example.org/v?a=1#t=2 \nclips/a, b.mp4\n  # more\nhttp://example.org/w\r\n",
        encoding="utf-8-sig",
    )
    found = read(tmp_path, SourceConfig(kind="list", path="links.txt", person="p1"))
    assert found == [
        ("https://example.org/v?a=1#t=2", "p1"),
        (str(tmp_path / "clips/a, b.mp4"), "p1"),
        ("http://example.org/w", "p1"),
    ]


def test_a_list_with_the_csv_header_is_csv_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "links").write_text("location,person\nhttps://example.org/v,p2\n")
    assert read(tmp_path, SourceConfig(kind="list", path="links")) == [("https://example.org/v", "p2")]
    with pytest.raises(ConfigError, match=r"sources\[0\]\.person: a CSV list names people by line"):
        read(tmp_path, SourceConfig(kind="list", path="links", person="p1"))


def test_a_bad_line_of_a_plain_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "links.txt").write_text("a.mp4\nftp://secret.org/v\n")
    with pytest.raises(ConfigError, match=r"sources\[0\]\.path, line 2: not an http") as caught:
        read(tmp_path, SourceConfig(kind="list", path="links.txt"))
    assert "secret" not in str(caught.value)


def test_each_entry_carries_the_filters_of_its_sources(tmp_path: Path) -> None:
    (tmp_path / "links.txt").write_text("https://example.org/a\nhttps://example.org/b\n")
    entries = read_sources(
        [
            SourceConfig(kind="list", path="links.txt", max_seconds=600, include=("press",)),
            SourceConfig(kind="link", url="https://example.org/b", min_height_px=480),
        ],
        study_folder=tmp_path,
        pseudonym_key=KEY,
    )
    assert [(e.filters.max_seconds, e.filters.include, len(e.filters.others)) for e in entries] == [
        (600, ("press",), 0),
        (600, ("press",), 1),
    ]


ORIGINS = (
    SourceConfig(kind="link", url="https://example.org/v"),
    SourceConfig(kind="channel", url="https://youtube.com/@club/videos", person="p1", limit=50),
    SourceConfig(kind="search", query=" press conference "),
    SourceConfig(kind="feed", url="https://example.org/feed.xml", exclude=("live",)),
    SourceConfig(kind="search", query="press conference", site="fakesearch", limit=7),
)


def test_origins_are_read_in_order_and_static_kinds_left_to_read_sources(tmp_path: Path) -> None:
    origins = read_origins(ORIGINS, pseudonym_key=KEY)
    assert [(o.kind, o.location, o.limit, o.person_id, o.listed_at) for o in origins] == [
        ("channel", "https://youtube.com/@club/videos", 50, "p1", "sources[1]"),
        ("search", "ytsearch:press conference", 20, None, "sources[2]"),
        ("feed", "https://example.org/feed.xml", 0, None, "sources[3]"),
        ("search", "fakesearch:press conference", 7, None, "sources[4]"),
    ]
    assert origins[2].filters.exclude == ("live",)
    assert [location for location, _ in read(tmp_path, *ORIGINS)] == ["https://example.org/v"]
    assert len({o.origin_id for o in origins}) == len(origins)
    assert all(o.origin_id.startswith("o") and "example" not in o.origin_id for o in origins)


def test_an_origin_listed_twice_is_asked_once(tmp_path: Path) -> None:
    url = "https://youtube.com/@club/videos"
    (origin,) = read_origins(
        [
            SourceConfig(kind="channel", url=url, limit=50, include=("press",)),
            SourceConfig(kind="channel", url=url, limit=80, include=("interview",), person="p1"),
        ],
        pseudonym_key=KEY,
    )
    assert (origin.limit, origin.person_id, len(origin.filters.others)) == (80, "p1", 1)
    whole = SourceConfig(kind="channel", url=url)
    assert read_origins([ORIGINS[1], SourceConfig(kind="channel", url=url)], pseudonym_key=KEY)[0].limit == 0
    assert read_origins([whole, ORIGINS[1]], pseudonym_key=KEY)[0].limit == 0
    with pytest.raises(ConfigError, match=r"sources\[1\]: .*another person"):
        read_origins([ORIGINS[1], SourceConfig(kind="channel", url=url, person="p2")], pseudonym_key=KEY)


def test_a_search_keeps_its_id_when_its_limit_changes() -> None:
    ids = {
        read_origins([SourceConfig(kind="search", query="words", limit=n)], pseudonym_key=KEY)[0].origin_id
        for n in (5, 9)
    }
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SourceConfig(kind="channel"), r"sources\[0\]\.url: missing"),
        (SourceConfig(kind="search", url="https://secret.org"), r"sources\[0\]\.query: missing"),
        (SourceConfig(kind="search", query="x", url="https://secret.org"), r"sources\[0\]\.url: .* takes 'query'"),
        (SourceConfig(kind="feed", url="file:///secret"), r"sources\[0\]\.url: not an http"),
        (SourceConfig(kind="link", url="https://e.org", query="secret"), r"sources\[0\]\.query: .* takes 'url'"),
        (SourceConfig(kind="feed", url="https://e.org", limit=3), r"sources\[0\]\.limit: only a channel"),
        (SourceConfig(kind="channel", url="https://e.org", limit=-1), r"sources\[0\]\.limit: must be between"),
        (SourceConfig(kind="channel", url="https://e.org", site="x"), r"sources\[0\]\.site: only a source of kind"),
        (SourceConfig(kind="search", query="x", site="You Tube:"), r"sources\[0\]\.site: must be a site's name"),
        (SourceConfig(kind="feed", url="https://e.org", include=("(",)), r"sources\[0\]\.include\[0\]: not a regular"),
        (SourceConfig(kind="folder", path=".", uploaded_from="x"), r"sources\[0\]\.uploaded_from: 'x' is no date"),
    ],
)
def test_a_wrong_origin_is_one_clear_line(tmp_path: Path, source: SourceConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_origins([source], pseudonym_key=KEY)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, source)


def test_a_study_file_takes_every_key_of_a_source() -> None:
    from flows._config import StudyConfig, check_settings

    row = {
        "kind": "channel",
        "url": "https://e.org/@club",
        "limit": 10,
        "person": "p1",
        "uploaded_from": "2026-01-01",
        "include": ["press"],
        "languages": ["en"],
        "max_seconds": 900,
        "not_live": False,
    }
    config = check_settings({"study": {"name": "x"}, "sources": [row]}, StudyConfig, prefix="")
    assert (config.sources[0].include, config.sources[0].max_seconds, config.sources[0].limit) == (("press",), 900, 10)
    with pytest.raises(ConfigError, match=r"sources\[0\]\.includes; nearest is sources\[0\]\.include$"):
        check_settings({"study": {"name": "x"}, "sources": [row | {"includes": []}]}, StudyConfig, prefix="")

"""The opt-out list: every spelling of a link, a channel and a name, and one line for what can't be understood."""

from pathlib import Path

import pytest

from collectors.facts import Facts
from collectors.opt_outs import NameFinder, OptOuts, plain_link, read_opt_outs
from schema.errors import ConfigError

ID = "dQw4w9WgXcQ"
WATCH = f"https://www.youtube.com/watch?v={ID}"


def listed(folder: Path, *rows: str) -> OptOuts:
    path = folder / "opt-outs.csv"
    path.write_text("\n".join(["kind,value", *rows]) + "\n", encoding="utf-8")
    return read_opt_outs(path)


@pytest.mark.parametrize(
    "spelling",
    [
        f"http://youtube.com/watch?v={ID}",
        f"https://m.youtube.com/watch?app=desktop&v={ID}&t=17s#t=17",
        f"https://music.youtube.com/watch?v={ID}&list=PL1&index=3&pp=abc",
        f"https://youtu.be/{ID}?si=Abc-123",
        f"https://www.youtube.com/shorts/{ID}?feature=share",
        f"https://www.youtube.com/live/{ID}",
        f"https://www.youtube-nocookie.com/embed/{ID}?start=4",
        f"https://www.youtube.com/v/{ID}",
        f"HTTPS://WWW.YouTube.com/watch?utm_source=x&v={ID}",
        f"www.youtube.com/watch?v={ID}",
        f"youtu.be/{ID}",
    ],
)
def test_a_link_is_known_in_any_spelling(tmp_path: Path, spelling: str) -> None:
    assert listed(tmp_path, f"url,{spelling}").forbids_link(WATCH)
    if "://" in spelling:
        assert listed(tmp_path, f"url,{WATCH}").forbids_link(spelling)
    other = WATCH.replace("dQw", "DQw")
    assert not listed(tmp_path, f"url,{spelling}").forbids_link(other), "ids differ in case"


def test_other_videos_and_playlists_are_not_mistaken_for_one() -> None:
    assert plain_link("https://youtube.com/embed/videoseries?list=PL1") != plain_link(
        "https://youtube.com/embed/videoseries?list=PL2"
    )
    assert plain_link("https://example.org/a?id=1") != plain_link("https://example.org/a?id=2")
    assert plain_link("https://www.example.org:443/a/?fbclid=1&id=1") == plain_link("http://example.org/a?id=1#x")


def test_a_video_is_known_by_the_sites_own_id_of_it(tmp_path: Path) -> None:
    found = listed(tmp_path, "url,https://vimeo.com/channels/staffpicks/76979871")
    assert found.forbids_link("https://player.vimeo.com/video/76979871", platform="vimeo", native_id="76979871")
    assert found.forbids_link("https://short.example/x", platform="vimeo", native_id="76979871")
    assert not found.forbids_link("https://other.example/76979871", platform="other", native_id="76979871")
    assert not found.forbids_link("https://player.vimeo.com/video/1", platform="vimeo", native_id="1")
    assert not found.forbids_link("https://player.vimeo.com/video/1"), "an empty id is none"


CHANNEL = Facts(
    channel="Centre Court \u2013 Médias",
    channel_links=("https://www.youtube.com/channel/UCabcDEF", "https://www.youtube.com/@CentreCourt"),
)


@pytest.mark.parametrize(
    "value",
    [
        "https://www.youtube.com/@centrecourt/videos",
        "youtube.com/@CentreCourt",
        "@centrecourt",
        "https://m.youtube.com/channel/UCabcDEF/streams?si=x",
        "UCabcDEF",
        "centre court medias",
        "Centre Court - MÉDIAS",
    ],
)
@pytest.mark.parametrize("kind", ["channel", "CHANNEL "])
def test_a_channel_is_known_by_link_handle_id_and_name(tmp_path: Path, kind: str, value: str) -> None:
    found = listed(tmp_path, f"{kind},{value}")
    assert found.forbids_channel(CHANNEL)
    assert not found.forbids_channel(Facts(channel="Centre Court", channel_links=("https://www.youtube.com/@centre",)))


def test_a_channel_that_stands_among_the_urls_is_understood(tmp_path: Path) -> None:
    assert listed(tmp_path, "url,https://www.youtube.com/@CentreCourt").forbids_channel(CHANNEL)
    assert listed(tmp_path, f"channel,{WATCH}").forbids_link(f"https://youtu.be/{ID}")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("video,https://example.org/a", r"line 2: needs a kind \(url, channel, player\) and a value"),
        ("player,", "line 2: needs a kind"),
        ("url,the one from tuesday", "line 2: a url must be an http or https link"),
        ("channel,ftp://example.org/a", "line 2: a url must be an http or https link"),
        ("channel,???", "line 2: the value has neither letters nor digits"),
        ('player,"Serena', "can't be read as CSV in UTF-8"),
    ],
)
def test_what_is_not_understood_is_one_line_that_tells_no_value(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        listed(tmp_path, row)
    assert "\n" not in str(caught.value)
    assert not any(word in str(caught.value) for word in ("tuesday", "Serena", "example.org/a"))


def test_a_list_without_its_header_or_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "opt-outs.csv"
    for content in (b"https://example.org/a\n", b"kind;value\nurl;https://example.org/a\n", b""):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="first line must begin with kind,value"):
            read_opt_outs(path)
    path.write_bytes("kind,value\nplayer,Dvořák\n".encode("cp1250"))
    with pytest.raises(ConfigError, match="UTF-8"):
        read_opt_outs(path)
    path.write_bytes(b"\xef\xbb\xbfKind, Value,asked on\r\n\r\nplayer,p1,2026-05-20\r\n")
    assert set(read_opt_outs(path).players) == {"p1"}
    assert read_opt_outs(tmp_path / "none.csv").links == frozenset()


FINDER = NameFinder([("Iga Świątek", ("Igusia",)), ("Łukasz Kubot", ()), ("Serena Williams", ())])


@pytest.mark.parametrize(
    ("title", "certain", "possible"),
    [
        ("IGA SWIATEK press conference", True, True),
        ("Świątek, Iga: after round 2", True, True),
        ("Igusia speaks", True, True),
        ("Lukasz Kubot on doubles", True, True),
        ("ŁUKASZ KUBOT", True, True),
        ('Swiatek: "I\'m happy"', False, True),
        ("Świątek's press conference", False, True),
        ("Williams press conference", False, True),
        ("Venus Williams press conference", False, False),
        ("Press conference after round 2", False, False),
        ("Swiateks", False, False),
        ("", False, False),
    ],
)
def test_a_player_is_known_by_name(title: str, certain: bool, possible: bool) -> None:
    assert FINDER.is_named(title, certainly=True) is certain
    assert FINDER.is_named(title) is possible

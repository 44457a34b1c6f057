"""Leaks of every kind, planted in every kind of place that a stranger can read, are found; a clean folder has none."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.privacy.linter import ForbiddenStrings, check_leaks, find_leaks, lint_text
from releases.privacy.needles import Needles
from schema.errors import InvalidReleaseError

FORBIDDEN = ForbiddenStrings(
    names=frozenset({"Zoë van der Quux", "Łukasz Świąt-Nowak", "Jürgen Föhn", "李小明", "Rose Long"}),
    titles=frozenset({"Quarter final 2019: what she said"}),
    links=frozenset({"https://www.example.org/watch?v=abc123"}),
    native_ids=frozenset({"dQw4w9WgXcQ", "a_1"}),
)
VOCABULARY = frozenset({"long"})
LEAKS = {
    "name": "Zoë van der Quux",
    "link": "https://www.example.org/watch?v=abc123",
    "native id": "dQw4w9WgXcQ",
    "e-mail address": "someone@example.net",
    "handle": "@somebody",
    "part of a name": "Quux",
}
Plant = Callable[[Path, str], None]


def png(*chunks: tuple[bytes, bytes], behind: bytes = b"") -> bytes:
    made = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", bytes(13)), *chunks, (b"IDAT", zlib.compress(bytes(8))), (b"IEND", b"")):
        made += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return made + behind


def jpeg(marker: int, body: bytes) -> bytes:
    segment = bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
    return b"\xff\xd8" + segment + b"\xff\xda" + struct.pack(">H", 2) + b"pixels\xff\xd9"


def in_png(*, kind: bytes, prefix: bytes, packed: bool = False, encoding: str = "utf-8") -> Plant:
    def plant(folder: Path, leak: str) -> None:
        text = f"as she, {leak} said".encode(encoding)
        (folder / "plot.png").write_bytes(png((kind, prefix + (zlib.compress(text) if packed else text))))

    return plant


def in_column(make: Callable[[str], pa.Array]) -> Plant:
    return lambda folder, leak: pq.write_table(
        pa.table({"words": make(f"as she, {leak} said")}), folder / "t.parquet", compression="zstd"
    )


def in_text(name: str, template: str) -> Plant:
    def plant(folder: Path, leak: str) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.replace("LEAK", leak), encoding="utf-8")

    return plant


def in_field_metadata(folder: Path, leak: str) -> None:
    field = pa.field("a", pa.struct([pa.field("b", pa.int8(), metadata={"doc": f"as she, {leak} said"})]))
    pq.write_table(pa.table([pa.array([{"b": 1}], field.type)], schema=pa.schema([field])), folder / "t.parquet")


def in_footer_metadata(folder: Path, leak: str) -> None:
    with pq.ParquetWriter(folder / "t.parquet", pa.schema([("a", pa.int8())])) as writer:
        writer.write_table(pa.table({"a": pa.array([1], pa.int8())}))
        writer.add_key_value_metadata({"note": f"as she, {leak} said"})


def in_column_name(folder: Path, leak: str) -> None:
    pq.write_table(pa.table({f"as she, {leak} said": [1]}), folder / "t.parquet")


def in_bytes(name: str, make: Callable[[bytes], bytes], encoding: str = "utf-8") -> Plant:
    def plant(folder: Path, leak: str) -> None:
        (folder / name).write_bytes(make(f"as she, {leak} said".encode(encoding)))

    return plant


PLACES: dict[str, Plant] = {
    "card": in_text("README.md", "# Card\n\nSegments of people, LEAK for one.\n"),
    "line break in a card": in_text("README.md", "Segments of people,\nLEAK for one.\n"),
    "table in a card": in_text("README.md", "| a | b |\n|---|---|\n| x, LEAK | 1 |\n"),
    "html": in_text("stats/index.html", "<html><body><p>as she, <b>LEAK</b> said</p></body></html>"),
    "html comment": in_text("stats/index.html", "<html><!-- as she, LEAK said --></html>"),
    "svg": in_text("stats/a.svg", '<svg xmlns="http://www.w3.org/2000/svg"><desc>as she, LEAK said</desc></svg>'),
    "json value": in_text("croissant.json", '{"@type": "sc:Dataset", "description": "as she, LEAK said"}'),
    "json key": in_text("leak-report.json", '{"as she, LEAK said": 1}'),
    "hidden file": in_text(".notes", "as she, LEAK said"),
    "deep folder": in_text("a/b/c/d/e/notes.txt", "as she, LEAK said"),
    "utf-16": in_bytes("n.txt", bytes, encoding="utf-16"),
    "file without a known ending": in_text("blob.bin", "\x00\x01as she, LEAK said\x02"),
    "string column": in_column(lambda text: pa.array(["fine", text])),
    "large string column": in_column(lambda text: pa.array([text], pa.large_string())),
    "dictionary column": in_column(lambda text: pa.array([text, text]).dictionary_encode()),
    "bytes column": in_column(lambda text: pa.array([text.encode()])),
    "list column": in_column(lambda text: pa.array([["fine"], ["fine", text]])),
    "struct column": in_column(lambda text: pa.array([{"a": {"b": [text]}}])),
    "map column": in_column(lambda text: pa.array([[("key", text)]], pa.map_(pa.string(), pa.string()))),
    "key of a map column": in_column(lambda text: pa.array([[(text, 1)]], pa.map_(pa.string(), pa.int8()))),
    "column name": in_column_name,
    "field metadata": in_field_metadata,
    "footer metadata": in_footer_metadata,
    "png text": in_png(kind=b"tEXt", prefix=b"Comment\0"),
    "png compressed text": in_png(kind=b"zTXt", prefix=b"Comment\0\0", packed=True),
    "png international text": in_png(kind=b"iTXt", prefix=b"Comment\0\0\0en\0\0"),
    "png compressed international text": in_png(kind=b"iTXt", prefix=b"Comment\0\1\0en\0\0", packed=True),
    "png exif": in_png(kind=b"eXIf", prefix=b"II*\0\0\0"),
    "png exif in utf-16": in_png(kind=b"eXIf", prefix=b"MM\0*", encoding="utf-16-le"),
    "png unknown chunk": in_png(kind=b"prVt", prefix=b""),
    "behind a png": in_bytes("p.png", lambda text: png(behind=text)),
    "jpeg exif": in_bytes("a.jpg", lambda text: jpeg(0xE1, b"Exif\0\0II*\0" + text)),
    "jpeg comment": in_bytes("a.jpg", lambda text: jpeg(0xFE, text)),
}


def kinds(folder: Path) -> set[str]:
    return {leak.kind for leak in find_leaks(folder, forbidden=FORBIDDEN, vocabulary=VOCABULARY)}


@pytest.mark.parametrize("kind", LEAKS)
@pytest.mark.parametrize("place", PLACES)
def test_a_planted_leak_is_found_wherever_it_is(place: str, kind: str, tmp_path: Path) -> None:
    PLACES[place](tmp_path, "nothing")
    assert kinds(tmp_path) == set()
    PLACES[place](tmp_path, LEAKS[kind])
    assert kind in kinds(tmp_path)
    with pytest.raises(InvalidReleaseError) as caught:
        check_leaks(tmp_path, forbidden=FORBIDDEN, vocabulary=VOCABULARY)
    assert LEAKS[kind] not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "zoe_van_der_quux.png",
        "ZoeVanDerQuux2.txt",
        "quux-strip.png",
        "stats/QUUX/plot.png",
        ".quux",
        "clip%20Zo%C3%AB%20van%20der%20Quux.txt",
        "dQw4w9WgXcQ.txt",
        "mail-someone@example.net",
        "a_1.txt",
    ],
)
def test_names_of_files_and_folders_are_read_and_not_repeated(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("fine")
    assert kinds(tmp_path)
    with pytest.raises(InvalidReleaseError) as caught:
        check_leaks(tmp_path, forbidden=FORBIDDEN, vocabulary=VOCABULARY)
    assert "quux" not in str(caught.value).casefold()


def test_empty_folders_and_where_links_lead_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "van-der-quux-zoe").mkdir()
    assert kinds(tmp_path) == {"name", "part of a name"}
    (tmp_path / "van-der-quux-zoe").rmdir()
    (tmp_path / "shard").symlink_to("/films/dQw4w9WgXcQ.mp4")
    assert kinds(tmp_path) == {"native id"}


@pytest.mark.parametrize(
    "text",
    [
        "ZOË VAN DER QUUX",
        "Quux, Zoe van der",
        "zoe-van-der-quux",
        "ZoeVanDerQuux",
        "Zoë van\nder Quux",
        "Zoë van der Qu-\nux",
        "Zo\u00adë van der Qu\u200bux",
        "Zo%C3%AB%20van%20der%20Quux",
        "Zo&euml; van der Quux",
        "Zo&#235; van der Quux",
        "Zo&#xEB; van der Quux",
        "Zo\\u00eb van der Quux",
        "Zoe\u0308 van der Quux",
        "<td>Zoë</td><td>van der</td><td>Quux</td>",
        "\uff3a\uff4f\uff45 van der \uff31\uff55\uff55\uff58",
        "Lukasz Swiat Nowak",
        "NOWAK Łukasz Świąt",
        "Juergen Foehn",
        "Jurgen Fohn",
        "by 李小明 in the morning",
        "the quarter-final 2019 (what she said)",
    ],
)
def test_a_name_is_found_however_it_is_written(text: str, tmp_path: Path) -> None:
    assert "name" in lint_text(text, FORBIDDEN)
    (tmp_path / "index.html").write_text(f"<p>{text}</p>")
    assert "name" in kinds(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "Long strokes along the arm, then once more.",
        "she rose and sat down; a long, thin rose arose",
        "The right hand touches the neck for 1.77 s, back and forth.",
        "Quarter final 2018: what she said",
        "v0123456789abcdef0177 a_12 ab_1",
        "100% of the time &amp; more",
        "jurgen and fohn apart",
        "",
    ],
)
def test_ordinary_text_is_no_leak(text: str) -> None:
    assert lint_text(text, FORBIDDEN, vocabulary=VOCABULARY) == []


def test_a_clean_release_with_everything_that_releases_write_has_no_leak(tmp_path: Path) -> None:
    context = {"@context": {"@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"}, "@type": "x"}
    context["@context"] |= {"dct": "http://purl.org/dc/terms/"}  # type: ignore[operator]
    (tmp_path / "croissant.json").write_text(json.dumps(context))
    card = "# Card\n\nRose to the Hub of Hugging Face; see https://creativecommons.org/licenses/by/4.0/.\n@misc{a, x}\n"
    (tmp_path / "README.md").write_text(card)
    (tmp_path / "reader.py").write_text("@dataclass\nclass Rose:  # of, Rose\n    pass\n")
    (tmp_path / "LICENSE").write_text("given by, Rose\nhttps://www.apache.org/licenses/LICENSE-2.0\n")
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><style>@media print { p {} }</style><p>Rose</p></html>'
    (tmp_path / "index.html").write_text(page)
    (tmp_path / "plot.png").write_bytes(png((b"pHYs", bytes(9)), (b"tEXt", b"Title\0classes")))
    pq.write_table(pa.table({"id": ["s0123456789abcdef0123", None], "n": [1, 2]}), tmp_path / "t.parquet")
    assert find_leaks(tmp_path, forbidden=FORBIDDEN, vocabulary=VOCABULARY) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("croissant.json", "https://schema.org.evil.example/"),
        ("croissant.json", "https://example.org/"),
        ("README.md", "https://schema.org/"),
        ("README.md", "https://creativecommons.org.evil.example/"),
        ("README.md", "https://creativecommons.org@evil.example/"),
        ("README.md", "youtu.be/xyz"),
        ("README.md", "www.other.example"),
    ],
)
def test_links_that_a_release_does_not_need_are_leaks(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(f"see {text} there")
    assert "link" in kinds(tmp_path)


def test_an_author_may_share_a_word_with_a_player_but_no_full_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("made by Ada, Quux and others")
    assert kinds(tmp_path) == {"part of a name"}
    (tmp_path / "CITATION.cff").write_text("title: x\nauthors:\n- name: Ada Quux\n")
    assert kinds(tmp_path) == set()
    (tmp_path / "CITATION.cff").write_text("title: x\nauthors:\n- name: Zoë van der Quux\n")
    assert kinds(tmp_path) == {"name"}


def test_a_damaged_picture_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = png((b"tEXt", b"Comment\0by Zo\xc3\xab van der Quux"))
    (tmp_path / "plot.png").write_bytes(whole[: whole.index(b"Quux") + 4])
    assert "name" in kinds(tmp_path)
    (tmp_path / "plot.png").write_bytes(png((b"zTXt", b"Comment\0\0no zlib")))
    assert kinds(tmp_path) == set()


@given(
    st.lists(st.text("abcé ", min_size=1, max_size=12), max_size=6),
    st.text("abcé ", max_size=60),
)
def test_needles_find_what_a_search_one_by_one_finds(strings: list[str], text: str) -> None:
    assert Needles(strings).found_in(text) == {one for one in strings if one in text}


def test_needles_find_strings_across_blocks() -> None:
    text = "x" * ((1 << 20) - 5) + "find the needle" + "y" * (1 << 20) + "end"
    assert Needles(["find the needle", "end", "absent"]).found_in(text) == {"find the needle", "end"}

"""The statistics page: its numbers are those of the tables, its pictures tell nothing else, its bytes never change."""

import json
import re
import shutil
import zlib
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from drawing.filmstrips import filmstrip
from flows._cli_groups import release_app
from releases.documents.croissant import croissant_text
from releases.documents.stats import share_text, time_text, write_stats
from releases.documents.stats_examples import find_examples
from releases.documents.stats_numbers import UNCLASSIFIED, ReleaseStats, measure_release
from releases.facts import ReleaseFacts
from releases.privacy.linter import ForbiddenStrings, find_leaks
from releases.reader import open_release
from releases.tables.columns import SCHEMA_VERSION
from schema.errors import InvalidReleaseError
from schema.records import PART_SLICES, Part
from tests.puppets import make_puppet
from tests.releases.handmade_release import CLASSES, CONFIG, FRAMES, PEOPLE, Person, handmade_release, taxonomy

ALLOWED_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"pHYs"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReleaseFacts]:
    folder, facts, config = handmade_release(tmp_path_factory.mktemp("stats") / "release")
    write_stats(folder, facts, config=config, taxonomy=taxonomy())
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": CONFIG.name,
        "version": CONFIG.version,
        "profile": CONFIG.profile,
        "recipe": {"config": asdict(CONFIG), "taxonomy": "imigue32"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder, facts


@pytest.fixture(scope="module")
def stats(made: tuple[Path, ReleaseFacts]) -> ReleaseStats:
    return measure_release(made[0])


class _Page(HTMLParser):
    """Collects what a page loads, links to and says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all_of(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags for name, value in attrs.items() if name == attribute and value]


def page_of(folder: Path) -> _Page:
    return _Page((folder / "stats" / "index.html").read_text(encoding="utf-8"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_numbers_are_those_of_the_tables(stats: ReleaseStats) -> None:
    train, val, test = stats.splits
    assert (train.split, val.split, test.split) == ("train", "val", "test")
    assert (train.subjects, train.videos, train.segments, train.windows) == (2, 4, 7, 4)
    assert (train.frames, train.skeleton_seconds, train.window_seconds) == (4 * FRAMES, 24.0, 6.4)
    assert train.parts_seen == {"body": 1.0, "feet": 0.0, "face": 1.0, "left_hand": 1.0, "right_hand": 1.0}
    assert [row.total for row in stats.classes] == [5, 2, 2, 1, 1]
    neck = stats.classes[0]
    assert neck.name == "Touching or scratching neck"
    assert (neck.counts, neck.share) == ({"train": 3, "val": 1, "test": 1}, 5 / 11)
    assert {row.class_id for row in stats.classes} == {*CLASSES, ""}
    assert stats.durations[-1].group == UNCLASSIFIED
    assert sum(row.segments for row in stats.durations) == 11
    assert stats.answers == {"2": 6, "3": 5}
    assert stats.outcomes == {"win": 3, "loss": 2}


def test_each_known_person_has_a_row_and_strangers_have_none(stats: ReleaseStats) -> None:
    found = {row.subject_id[-1]: (row.split, row.videos, row.segments, row.skeleton_seconds) for row in stats.subjects}
    assert found == {
        "0": ("train", 2, 4, 12.0),
        "1": ("train", 1, 2, 6.0),
        "3": ("val", 1, 2, 6.0),
        "4": ("test", 1, 2, 6.0),
    }


def test_histograms_count_every_segment(stats: ReleaseStats) -> None:
    assert sum(stats.posterior.counts) == sum(stats.agreement.counts) == 11
    assert stats.agreement.counts[-1] == 6, "an agreement of 1 belongs to the last bin"
    assert sum(stats.window_quality.counts) == sum(stats.window_movement.counts) == 6


def test_hidden_parts_lower_their_share(tmp_path: Path) -> None:
    folder, _, _ = handmade_release(tmp_path / "release", PEOPLE[:1])
    (path,) = (folder / "data").glob("keypoints-train-*")
    table = pq.read_table(path)
    seen = pa.array([row % 4 == 0 for row in range(table.num_rows)])
    place = table.column_names.index("left_hand_seen")
    pq.write_table(table.set_column(place, table.schema.field(place), seen), path)
    assert measure_release(folder).splits[0].parts_seen["left_hand"] == 0.25


def test_the_page_says_the_numbers_as_text(made: tuple[Path, ReleaseFacts], stats: ReleaseStats) -> None:
    page = page_of(made[0])
    text = " ".join(" ".join(page.words).split())
    assert not page.open, "every tag is closed"
    for row in stats.subjects:
        assert row.subject_id in text
    for cell in (
        "Touching or scratching neck",
        "touching_or_scratching_neck",
        "45%",
        "Handmade gestures, version 0.2.0",
    ):
        assert cell in text
    assert "4 of the 32 classes of iMiGUE-32 occur" in text
    assert "Nobody is in two splits" in text


def test_the_page_needs_nothing_but_the_pictures_beside_it(made: tuple[Path, ReleaseFacts]) -> None:
    page = page_of(made[0])
    pictures = set(page.all_of("src"))
    assert pictures == {name for name in files_of(made[0] / "stats") if name.endswith(".png")}
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert all(target.startswith("#") for target in page.all_of("href"))
    anchors = set(page.all_of("id"))
    assert {target[1:] for target in page.all_of("href")} == anchors
    text = (made[0] / "stats" / "index.html").read_text(encoding="utf-8")
    assert "://" not in text
    assert str(made[0]) not in text
    assert "url(" not in text


def test_each_picture_tells_what_it_shows_and_its_size(made: tuple[Path, ReleaseFacts]) -> None:
    for tag, attrs in page_of(made[0]).tags:
        if tag == "img":
            assert len(attrs["alt"] or "") > 20
            png = (made[0] / "stats" / (attrs["src"] or "")).read_bytes()
            size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
            assert (attrs["width"], attrs["height"]) == (str(size[0]), str(size[1]))


def test_pictures_carry_no_text_about_who_made_them(made: tuple[Path, ReleaseFacts]) -> None:
    for name, data in files_of(made[0] / "stats").items():
        if not name.endswith(".png"):
            continue
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        place, kinds = 8, set()
        while place < len(data):
            length = int.from_bytes(data[place : place + 4], "big")
            kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
            assert zlib.crc32(kind + content) == int.from_bytes(data[place + 8 + length : place + 12 + length], "big")
            kinds.add(kind)
            place += 12 + length
        assert kinds <= ALLOWED_CHUNKS, name


def test_the_same_release_gives_the_same_bytes(made: tuple[Path, ReleaseFacts], tmp_path: Path) -> None:
    folder, facts, config = handmade_release(tmp_path / "again")
    write_stats(folder, facts, config=config, taxonomy=taxonomy())
    assert files_of(folder / "stats") == files_of(made[0] / "stats")


def test_page_and_croissant_hold_nothing_that_must_stay_private(
    made: tuple[Path, ReleaseFacts], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "release"))
    text = croissant_text(folder, made[1], config=CONFIG, taxonomy=taxonomy())
    (folder / "croissant.json").write_text(text, encoding="utf-8")
    private = ForbiddenStrings(names=frozenset({"Ada Lovelace"}), native_ids=frozenset({"dQw4w9WgXcQ"}))
    assert find_leaks(folder, forbidden=private) == []
    page = folder / "stats" / "index.html"
    page.write_text(
        page.read_text(encoding="utf-8")
        .replace("handmade", "handmade by Ada Lovelace", 1)
        .replace("Handmade", "Lovelace, Ada", 1),
        encoding="utf-8",
    )
    assert find_leaks(folder, forbidden=private) != []


def test_a_release_of_one_person_in_one_split_has_a_page(tmp_path: Path) -> None:
    people = [Person(split="train", videos=((CLASSES[0],),))]
    folder, facts, config = handmade_release(tmp_path / "release", people)
    write_stats(folder, facts, config=config, taxonomy=taxonomy())
    names = set(files_of(folder / "stats"))
    assert {"index.html", "classes.png", "subjects.png", "example-01.png"} <= names


def test_what_was_imported_without_answers_or_edges_is_told_and_not_drawn(tmp_path: Path) -> None:
    people = [Person(split="train", videos=((CLASSES[0], CLASSES[1]),), subject=None)]
    folder, facts, config = handmade_release(tmp_path / "release", people)
    (path,) = (folder / "data").glob("segments-train-*")
    table = pq.read_table(path)
    for name in ("posterior", "agreement", "start_ns", "end_ns", "duration_seconds"):
        place = table.column_names.index(name)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.nulls(table.num_rows, field.type))
    pq.write_table(table, path)
    write_stats(folder, facts, config=config, taxonomy=taxonomy())
    assert {"sureness.png", "durations.png", "subjects.png"}.isdisjoint(files_of(folder / "stats"))
    text = " ".join(page_of(folder).words)
    for told in ("All segments were imported", "No segment has edges", "Nobody declared who the people are"):
        assert told in text


def test_a_card_with_other_numbers_stops_the_release(made: tuple[Path, ReleaseFacts], tmp_path: Path) -> None:
    folder, facts, config = handmade_release(tmp_path / "release")
    wrong = replace(facts, splits=facts.splits | {"val": replace(facts.splits["val"], segments=3)})
    with pytest.raises(InvalidReleaseError, match="val: the tables hold"):
        write_stats(folder, wrong, config=config, taxonomy=taxonomy())
    assert not (folder / "stats").exists()


def test_a_table_of_another_version_is_named(tmp_path: Path) -> None:
    folder, _, _ = handmade_release(tmp_path / "release", PEOPLE[:1])
    (path,) = (folder / "data").glob("segments-train-*")
    pq.write_table(pq.read_table(path).drop_columns(["proposer"]), path)
    with pytest.raises(InvalidReleaseError, match="segments-train has no column 'proposer'"):
        measure_release(folder)


def test_examples_are_sure_segments_of_the_commonest_classes(made: tuple[Path, ReleaseFacts]) -> None:
    found = find_examples(open_release(made[0]))
    assert found[0].class_name == "Touching or scratching neck"
    assert len({example.class_name for example in found}) == len(found) == len(CLASSES)
    posteriors = {
        row["segment_id"]: (row["class_name"], row["posterior"])
        for split in ("train", "val", "test")
        for row in open_release(made[0]).segments(split).to_pylist()
    }
    for example in found:
        assert posteriors[example.segment_id][0] == example.class_name


def test_a_filmstrip_shows_the_movement_and_no_face() -> None:
    keypoints = make_puppet()[1]
    points, scores = keypoints.keypoints_xy[25:75].copy(), keypoints.scores[25:75].copy()
    strip = filmstrip(points, scores, keypoints.times_ns[25:75])
    assert strip is not None
    assert strip.shape[1] > 8 * 200
    scores[:, PART_SLICES[Part.FACE]] = 0
    faceless = filmstrip(points, scores, keypoints.times_ns[25:75])
    assert faceless is not None
    assert not np.array_equal(strip, faceless)
    nobody = np.zeros_like(scores)
    assert filmstrip(points, nobody, keypoints.times_ns[25:75]) is None
    with pytest.raises(ValueError, match="a strip needs"):
        filmstrip(points[:, :17], scores[:, :17], keypoints.times_ns[25:75])


def test_lengths_and_shares_are_written_as_people_read_them() -> None:
    assert [time_text(seconds) for seconds in (36.2, 300.0, 7200.0, 8_280_000.0)] == [
        "36 s",
        "5 min",
        "2.0 h",
        "2,300.0 h",
    ]
    assert [share_text(share) for share in (0.0, 0.31, 0.046, 0.00015)] == ["0%", "31%", "4.6%", "0.01%"]


def test_the_command_prints_the_numbers_and_writes_the_same_page(
    made: tuple[Path, ReleaseFacts], stats: ReleaseStats, tmp_path: Path
) -> None:
    before = files_of(made[0] / "stats")
    called = CliRunner().invoke(release_app, ["stats", str(made[0]), "--json"])
    assert called.exit_code == 0, called.output
    assert json.loads(called.output) == json.loads(json.dumps(asdict(stats)))
    called = CliRunner().invoke(release_app, ["stats", str(made[0]), "--output", str(tmp_path / "page")])
    assert called.exit_code == 0, called.output
    assert re.search(r"segments +7 +2 +2", called.output)
    assert files_of(tmp_path / "page") == before == files_of(made[0] / "stats")


def test_the_command_refuses_what_it_cannot_do(made: tuple[Path, ReleaseFacts], tmp_path: Path) -> None:
    def refused(*arguments: str, status: int = 2) -> str:
        called = CliRunner().invoke(release_app, ["stats", *arguments])
        assert called.exit_code == status
        return called.output

    assert "is no release" in refused(str(tmp_path), status=3)
    assert "inside the release" in refused(str(made[0]), "--output", str(made[0] / "stats"))
    folder, _, _ = handmade_release(tmp_path / "bare", PEOPLE[:1])
    assert "carries no statistics page" in refused(str(folder), "--open")

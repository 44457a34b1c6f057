"""review.csv belongs to the person who answers: nothing they wrote is lost, and nothing in it can hurt them."""

import csv
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.catalogue.identify import Answer
from collectors.catalogue.review import Question, read_answers, write_questions
from schema.errors import ConfigError

ONE = Question(
    video_id="v1", title="Sinner vs Alcaraz", channel="Tennis", uploaded_on="2023-07-11", why="two people",
    suggested_person_id="p1", suggested_name="Jannik Sinner",
)  # fmt: skip
TWO = replace(ONE, video_id="v2", title="Bellandi press conference")


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def answer(path: Path, video_id: str, **answers: str) -> None:
    rows = rows_of(path)
    for row in rows:
        if row["video_id"] == video_id:
            row.update(answers)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def test_questions_are_written_once_and_privately(tmp_path: Path):
    path = tmp_path / "review.csv"
    assert write_questions(path, []) == 0
    assert not path.exists()
    assert write_questions(path, [TWO, ONE]) == 2
    assert [row["video_id"] for row in rows_of(path)] == ["v1", "v2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert write_questions(path, [ONE, TWO]) == 2
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_answers_are_read_back_and_stay_when_nobody_asks_any_more(tmp_path: Path):
    path = tmp_path / "review.csv"
    write_questions(path, [ONE, TWO])
    answer(path, "v1", person_id="p1", outcome="Win", note="sure")
    assert read_answers(path, person_ids={"p1"}) == {"v1": Answer(person_id="p1", outcome="win")}
    assert write_questions(path, [replace(ONE, why="other words")]) == 0
    (kept,) = rows_of(path)
    assert (kept["video_id"], kept["person_id"], kept["outcome"], kept["note"]) == ("v1", "p1", "Win", "sure")
    assert kept["why"] == "two people"


def test_a_row_that_waits_shows_todays_reason(tmp_path: Path):
    path = tmp_path / "review.csv"
    write_questions(path, [ONE])
    write_questions(path, [replace(ONE, why="other words")])
    assert [row["why"] for row in rows_of(path)] == ["other words"]


def test_a_row_added_by_hand_counts(tmp_path: Path):
    path = tmp_path / "review.csv"
    path.write_text("video_id,person_id,outcome\nv9,none,\n")
    assert read_answers(path, person_ids=()) == {"v9": Answer(person_id="none")}
    assert write_questions(path, [ONE]) == 1
    assert [row["video_id"] for row in rows_of(path)] == ["v9", "v1"]


def test_a_spreadsheet_may_write_semicolons_and_a_byte_order_mark(tmp_path: Path):
    path = tmp_path / "review.csv"
    path.write_bytes('\ufeffvideo_id;title;person_id;outcome\r\nv1;"a;b, c";p1;loss\r\n'.encode())
    assert read_answers(path, person_ids={"p1"}) == {"v1": Answer(person_id="p1", outcome="loss")}
    write_questions(path, [TWO])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    first, second = rows_of(path, delimiter=";")
    assert (first["title"], second["video_id"]) == ("a;b, c", "v2")


@pytest.mark.parametrize("title", ['=HYPERLINK("http://x","y")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r\n=1"])
def test_a_title_is_no_formula(tmp_path: Path, title: str):
    path = tmp_path / "review.csv"
    write_questions(path, [replace(ONE, title=title)])
    (row,) = rows_of(path)
    assert row["title"][0] == "'"
    assert row["title"].isprintable()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("video_id,person_id,outcome\nv1,p7,\n", "line 2: 'p7' is no person_id"),
        ("video_id,person_id,outcome\nv1,,draw\n", "outcome 'draw' must be win, loss, none or empty"),
        ("video_id,person_id,outcome\nv1,p1,\nv1,none,\n", "line 3: two answers for one video"),
        ("video_id,person\nv1,p1\n", "the column person_id is missing"),
    ],
)
def test_a_bad_answer_is_told_with_its_line(tmp_path: Path, text: str, told: str):
    path = tmp_path / "review.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_answers(path, person_ids={"p1"})


def test_an_answer_that_is_saved_in_the_same_moment_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "review.csv"
    write_questions(path, [ONE])
    saved = path.read_text().replace("Jannik Sinner,,", "Jannik Sinner,p1,win")
    real = Path.read_bytes
    seen = []

    def read_bytes(self: Path) -> bytes:
        content = real(self)
        seen.append(self)
        if self == path and len(seen) == 2:  # after the file was read, before it is replaced
            path.write_text(saved)
        return content

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert write_questions(path, [ONE, TWO]) == 1
    monkeypatch.undo()
    assert read_answers(path, person_ids={"p1"}) == {"v1": Answer(person_id="p1", outcome="win")}

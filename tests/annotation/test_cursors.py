"""How far answers were read is kept between pulls, and forgotten where it would lose answers."""

from pathlib import Path

from annotation.studio.cursors import read_cursor, write_cursor
from annotation.studio.reading import AnswerCursor


def test_cursors_are_private_and_start_anew_when_the_table_lost_rows(tmp_path: Path) -> None:
    cursor = AnswerCursor(since="2026-01-01T00:00:00+00:00", seen=frozenset({1, 2, 3, 7}))
    write_cursor(tmp_path, "s", 4, cursor, recorded=10)
    assert read_cursor(tmp_path, "s", 4, recorded=12) == cursor
    new = AnswerCursor()
    assert read_cursor(tmp_path, "s", 4, recorded=9) == new
    assert read_cursor(tmp_path, "other", 4, recorded=12) == new
    assert read_cursor(tmp_path, "s", 5, recorded=12) == new
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text("{")
    assert read_cursor(tmp_path, "s", 4, recorded=12) == new

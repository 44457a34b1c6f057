"""Erases what Label Studio's database keeps of deleted tasks; run by Label Studio's own Python, which has its drivers.

It reads one JSON document from standard input: ``database`` (``{"sqlite": path}`` or ``{"postgresql": options}``),
``task_numbers`` and ``words``; and writes one: how many ``rows`` were erased or mended, and in which tables rows are
``left`` that hold a word. It imports nothing of pressroom's.
"""

import importlib
import json
import re
import sqlite3
import sys
from contextlib import closing
from typing import Any

LEAVES = (
    "core_deletedrow",
    "django_admin_log",
    "projects_projectimport",
    "projects_projectreimport",
)
"""Tables that keep copies of tasks, or of requests with tasks in them; no row of another one depends on theirs."""
HISTORY = "projects_labelstreamhistory"
"""Which tasks each person went through: a list of ``{"taskId": number, ...}`` for each person and project."""
FILTERS = "data_manager_filter"
"""What saved views look for."""
BUSY_SECONDS = 120.0


class Database:
    """The few statements that both databases take."""

    def __init__(self, place: dict[str, Any]) -> None:
        """Connect to the file or the server that ``place`` names; every statement is a transaction of its own."""
        self.is_sqlite = "sqlite" in place
        self.connection: Any
        if self.is_sqlite:
            self.connection = sqlite3.connect(place["sqlite"], timeout=BUSY_SECONDS, isolation_level=None)
        else:
            self.connection = importlib.import_module("psycopg").connect(**place["postgresql"], autocommit=True)

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, written with ``?`` for values, and return its rows."""
        text = statement if self.is_sqlite else statement.replace("?", "%s")
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(text, values) if values else cursor.execute(text)
            return list(cursor.fetchall()) if cursor.description else []

    def columns(self) -> dict[str, list[str]]:
        """Return the names of every table's columns."""
        found: dict[str, list[str]] = {}
        if self.is_sqlite:
            names = [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: [row[1] for row in self.rows(f'PRAGMA table_info("{name}")')] for name in names}
        for table, column in self.rows(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            found.setdefault(table, []).append(column)
        return found

    def holding(self, table: str, columns: list[str], words: "re.Pattern[str]") -> list[Any]:
        """Return the first column of each row that holds a word in any column."""
        texts = ", ".join(f'CAST("{column}" AS TEXT)' for column in columns)
        rows = self.rows(f'SELECT "{columns[0]}", {texts} FROM "{table}"')
        return [row[0] for row in rows if any(text and words.search(text) for text in row[1:])]

    def compact(self) -> None:
        """Write the database anew, without the pages and rows that were deleted."""
        if self.is_sqlite:
            self.rows("VACUUM")
            return
        for table in self.columns():
            self.rows(f'VACUUM FULL "{table}"')


def mend_history(database: Database, task_numbers: set[int]) -> int:
    """Take tasks out of the lists of what people went through; returns how many lists changed."""
    changed = 0
    for row_id, data in database.rows(f"SELECT id, data FROM {HISTORY}"):
        entries = json.loads(data) if isinstance(data, str) else data
        kept = [one for one in entries if not (isinstance(one, dict) and one.get("taskId") in task_numbers)]
        if kept != entries:
            database.rows(f"UPDATE {HISTORY} SET data = ? WHERE id = ?", (json.dumps(kept), row_id))
            changed += 1
    return changed


def erase(database: Database, *, task_numbers: set[int], words: "re.Pattern[str]") -> dict[str, Any]:
    """Erase what is left of the tasks, compact the database, and tell what still holds a word."""
    tables = database.columns()
    rows = mend_history(database, task_numbers) if HISTORY in tables else 0
    for table in (name for name in LEAVES if name in tables):
        for row_id in database.holding(table, tables[table], words):
            database.rows(f'DELETE FROM "{table}" WHERE "{tables[table][0]}" = ?', (row_id,))
            rows += 1
    for row_id in database.holding(FILTERS, tables[FILTERS], words) if FILTERS in tables else []:
        database.rows(f"UPDATE {FILTERS} SET value = ? WHERE id = ?", ('""', row_id))
        rows += 1
    database.compact()
    left = {name: len(found) for name, columns in tables.items() if (found := database.holding(name, columns, words))}
    return {"rows": rows, "left": left}


def main() -> None:
    """Do what the document on standard input says."""
    asked = json.load(sys.stdin)
    database = Database(asked["database"])
    with closing(database.connection):
        words = re.compile("|".join(map(re.escape, sorted(asked["words"]))) or "(?!)")
        json.dump(erase(database, task_numbers=set(asked["task_numbers"]), words=words), sys.stdout)


if __name__ == "__main__":
    main()

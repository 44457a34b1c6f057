"""How far each project's answers were read, kept between pulls beside the review server's other private files."""

import json
from pathlib import Path

from annotation.studio.reading import AnswerCursor
from annotation.studio.service import write_private

CURSORS_FILE = "cursors.json"


def read_cursor(folder: Path, server_id: str, project_number: int, *, recorded: int) -> AnswerCursor:
    """Return how far a project was read; a new cursor, which reads all, where that is not known.

    Args:
        folder: The review server's data folder.
        server_id: The server; another one's cursors mean nothing.
        project_number: The project.
        recorded: Rows that the study has of that project's answers. Where it has fewer than when the cursor was
            kept, a table was lost or restored from a backup: then all is read again, so that nothing stays lost.
    """
    kept = _kept(folder).get(f"{server_id}/{project_number}")
    if not isinstance(kept, dict) or not isinstance(kept.get("recorded"), int) or kept["recorded"] > recorded:
        return AnswerCursor()
    return AnswerCursor.from_text(str(kept.get("cursor", "")))


def write_cursor(folder: Path, server_id: str, project_number: int, cursor: AnswerCursor, *, recorded: int) -> None:
    """Keep how far a project was read, once ``recorded`` rows of its answers are in the study's table."""
    kept = {key: value for key, value in _kept(folder).items() if key.startswith(f"{server_id}/")}
    kept[f"{server_id}/{project_number}"] = {"recorded": recorded, "cursor": cursor.to_text()}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / CURSORS_FILE, json.dumps(kept))


def _kept(folder: Path) -> dict[str, object]:
    try:
        document = json.loads((folder / CURSORS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}

"""What the review server keeps besides its tasks: traces in its database, exports in its data folder."""

import json
import os
import re
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.studio import erasure_script
from annotation.studio.database import PASSWORD_VARIABLE, database_of
from annotation.studio.installation import DATABASE_NAME, LabelStudioInstallation
from annotation.studio.service import ReviewServerConfig
from schema.errors import ServiceError

EXPORT_FOLDERS = ("export", "media/export", "media/upload")
"""Where Label Studio keeps what people exported or uploaded, below its data folder."""
_EXPORT = re.compile(r"project-(?P<number>\d+)-.*")
LIMIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What was erased beside the tasks, and what could not be."""

    row_count: int
    left: Mapping[str, int]
    """Rows that still name one of the questions, by table."""


def erase_traces(
    data_folder: Path,
    installation: LabelStudioInstallation,
    *,
    config: ReviewServerConfig,
    task_numbers: Collection[int],
    words: Collection[str],
) -> Traces:
    """Erase what the database keeps of tasks that were deleted through the API, and write it anew.

    The open-source server lists for each person which tasks they went through, and may keep imports and filters with
    ids of questions. Pages of deleted rows stay in the file until it is compacted (``VACUUM``). The server may run
    meanwhile.

    Args:
        data_folder: The server's data folder.
        installation: Label Studio, whose Python has the drivers of both databases.
        config: Which database, as the study says.
        task_numbers: The deleted tasks.
        words: Ids of their questions.

    Raises:
        ServiceError: The database can't be opened, or is busy for minutes.
    """
    asked = {
        "database": _place(data_folder, config),
        "task_numbers": sorted(task_numbers),
        "words": sorted(words),
    }
    program = installation.program.parent / "python"
    try:
        done = subprocess.run(
            [str(program), "-I", erasure_script.__file__],
            input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise ServiceError(
            f"Label Studio's database can't be cleared of deleted tasks ({said[-1] if said else 'no word'}); "
            "end what holds it, and run the command again"
        ) from error
    return Traces(row_count=int(answer["rows"]), left=answer["left"])


def _place(data_folder: Path, config: ReviewServerConfig) -> dict[str, Any]:
    if database_of(data_folder) == "sqlite":
        return {"sqlite": str(data_folder / DATABASE_NAME)}
    options = {
        "host": config.postgresql_host,
        "port": config.postgresql_port,
        "dbname": config.postgresql_name,
        "user": config.postgresql_user,
        "password": os.environ.get(PASSWORD_VARIABLE, ""),
    }
    return {"postgresql": options}


def export_files(data_folder: Path, *, projects: Collection[int], words: Collection[str]) -> list[Path]:
    """List exports of these projects, and uploads that hold one of the words; an export can be made again."""
    pattern = re.compile("|".join(map(re.escape, sorted(words))).encode() or b"(?!)")
    found: list[Path] = []
    for path in (path for folder in EXPORT_FOLDERS for path in sorted((data_folder / folder).rglob("*"))):
        match = _EXPORT.fullmatch(path.name)
        if path.is_file() and ((match and int(match["number"]) in projects) or pattern.search(path.read_bytes())):
            found.append(path)
    return found

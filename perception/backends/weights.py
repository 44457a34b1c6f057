"""Where a user keeps network weights of their own: found by name or path and named by digest, never downloaded."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from schema.errors import MissingPartError

WEIGHTS_VARIABLE = "PRESSROOM_WEIGHTS"
"""Environment variable that holds the path of the weights folder."""


def weights_folder() -> Path:
    """Return the folder of weights: ``$PRESSROOM_WEIGHTS``, else ``~/.cache/pressroom/weights``; it need not exist."""
    chosen = os.environ.get(WEIGHTS_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "pressroom" / "weights"


def find_weights(name: str, *, what: str, source: str, licence: str) -> Path:
    """Return the file or folder of weights that a study names.

    Args:
        name: A name in the weights folder, such as ``yolo11n.pt``; or a path, absolute or beginning with ``~`` or
            ``.``. An absolute path or one from the weights folder does not depend on where a command is started.
        what: What the weights are, for the message, such as ``the detector of the ultralytics back end``.
        source: Where they come from, for the message.
        licence: Their licence as its publisher states it, for the message.

    Raises:
        MissingPartError: There is nothing of that name.
    """
    path = place_of_weights(name)
    if not path.exists():
        raise MissingPartError(
            f"{what}: there is no {path}; put {name!r} there ({source}; licence: {licence}), "
            f"or name another folder in ${WEIGHTS_VARIABLE}"
        )
    return path


def place_of_weights(name: str) -> Path:
    """Return where weights of that name or path lie, whether they are there or not."""
    if name.startswith(("~", "./", "../")):
        return Path(name).expanduser()
    return weights_folder() / name


def sha256_of_weights(path: Path) -> str:
    """Return the sha256 of a file, or of a folder's files with their relative names, as hexadecimal digits."""
    if path.is_file():
        return _sha256_of_file(path)
    lines = [f"{file.relative_to(path).as_posix()} {_sha256_of_file(file)}\n" for file in _files_below(path)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256_of_file(path: Path) -> str:
    facts = path.stat()
    return _sha256_of_bytes(path, facts.st_size, facts.st_mtime_ns)


@lru_cache
def _sha256_of_bytes(path: Path, _size: int, _changed_ns: int) -> str:
    # A plan asks for the digest once a video, and some weights are 400 MB.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

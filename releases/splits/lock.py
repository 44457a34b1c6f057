"""``splits.lock``: which subject a release put in which split, for all later ones."""

import re
from collections.abc import Mapping
from pathlib import Path

from schema.errors import InvalidReleaseError

_LOCK_LINE = re.compile(r"(?P<subject_id>s[0-9a-f]+) (?P<split>train|val|test)")


def read_splits_lock(path: Path) -> dict[str, str]:
    """Read the ``splits.lock`` of an earlier release; a file that is not there locks nobody.

    Raises ``InvalidReleaseError`` for a line that is not ``<subject id> <split>``.
    """
    if not path.exists():
        return {}
    locked: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="ascii", errors="replace").splitlines(), start=1):
        match = _LOCK_LINE.fullmatch(line)
        if match is None or match["subject_id"] in locked:
            raise InvalidReleaseError(f"{path}: line {number} is not a new '<subject id> <split>': restore the file")
        locked[match["subject_id"]] = match["split"]
    return locked


def splits_lock_text(assignment: Mapping[str, str]) -> str:
    """Write an assignment as the text of ``splits.lock``."""
    return "".join(f"{subject} {split}\n" for subject, split in sorted(assignment.items()))

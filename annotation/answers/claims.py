"""Who answered, as the server claims it, against what else it knows: contradictions are flagged, never corrected.

What Label Studio 1.23.2 does, by trial with two members A and B:

- ``completed_by`` is whatever the sender names: A may answer as B, and may put B's answer under A's own name.
- ``updated_by`` is set by the server to the account whose token or session sent the last change; a value that the
  sender gives is ignored. It is null where an answer came with an import of tasks.
- ``created_username`` repeats ``completed_by``, as "name e-mail, number".
- ``last_created_by`` is null on answers of the page; it is stored as the sender gives it.

So A as B shows in ``updated_by``. A who takes over B's answer shows nowhere on the server, only against an earlier
pull.
"""

import re
from collections.abc import Mapping
from typing import Any

_CLAIMED_NUMBER = re.compile(r", (\d+)$")
IMPORTED = "it was imported, not given on the page"
ANOTHER_SENT = "another account sent or changed it than the one it names"
ANOTHER_NAMED = "its sender named an account that answered before, which the page never does"
CHANGED_HANDS = "it was recorded as another person's answer before"


def contradiction_of(row: Mapping[str, Any], *, annotator_id: str, first_annotator_id: str | None = None) -> str:
    """Tell what contradicts the claim of who gave an answer; empty where nothing does.

    Args:
        row: Label Studio's annotation as the API gives it, ``completed_by`` replaced by the account.
        annotator_id: Pseudonym of the account that it names.
        first_annotator_id: Pseudonym under which an earlier pull recorded the answer of this number, if one did.

    Returns:
        Contradictions in words, joined by "; ". They name nobody.
    """
    found = []
    if "updated_by" in row:
        sender, claimed = row["updated_by"], _claimed_number(row)
        if sender is None:
            found.append(IMPORTED)
        elif claimed is not None and sender != claimed:
            found.append(ANOTHER_SENT)
    if row.get("last_created_by") is not None:
        found.append(ANOTHER_NAMED)
    if first_annotator_id is not None and first_annotator_id != annotator_id:
        found.append(CHANGED_HANDS)
    return "; ".join(found)


def _claimed_number(row: Mapping[str, Any]) -> int | None:
    """Return the number of the account that an answer names."""
    told = row.get("created_username")
    match = _CLAIMED_NUMBER.search(told) if isinstance(told, str) else None
    return int(match[1]) if match else None

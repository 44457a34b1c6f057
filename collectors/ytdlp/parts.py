"""Parts of downloads that later runs take up: a part is joined to a file only where both are the same version.

Beside the part lies a record of what it is a part of: the format, the size of the whole, and the server's own marks of
the version, ETag and Last-Modified. A range is asked for on the condition that they still hold (If-Range, RFC 9110),
and an answer with other marks is not used. Without marks a part ends with its run.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path

from yt_dlp.networking import Request, Response

PARTIAL_CONTENT = 206


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a part is a part of."""

    format_id: str
    whole_bytes: int | None
    etag: str
    last_modified: str

    @property
    def condition(self) -> str:
        """Value of If-Range: the ETag unless it is weak, else the date; empty where the server gives neither."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Resume:
    """Keeps one download's part and its record in step, and joins nothing that does not belong together."""

    def __init__(self, part: Path, record: Path, *, format_id: str, may_resume: bool) -> None:
        """Look at what an earlier attempt left; what can't be vouched for is deleted."""
        self._part = part
        self._record = record
        self._format_id = format_id
        self._may_resume = may_resume
        self._version: Version | None = self._vouched_for() if may_resume else None
        if self._version is None:
            self.forget()
            part.unlink(missing_ok=True)
        self.first_bytes: int = self._part_bytes()

    def _vouched_for(self) -> Version | None:
        try:
            version = Version(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        whole = version.whole_bytes
        fits = isinstance(whole, int) and self._part_bytes() <= whole
        return version if fits and version.format_id == self._format_id and version.condition else None

    def _part_bytes(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    @property
    def is_whole(self) -> bool:
        """Tell whether the part lacks nothing: its run was killed between the last byte and the file's new name."""
        return self._version is not None and self.first_bytes == self._version.whole_bytes

    def prepare(self, request: Request) -> None:
        """Ask for a range only of the version that the part is of."""
        if "Range" in request.headers and self._version is not None and self._version.condition:
            request.headers["If-Range"] = self._version.condition

    def judge(self, response: Response) -> bool:
        """Tell whether an answer may be joined to the part, and record what a new one will be a part of."""
        found = _version_of(response.headers, self._format_id)
        if response.status == PARTIAL_CONTENT and self._version is not None:
            if _same(found, self._version):
                return True
            self._version = None
            self.forget()
            return False
        self._version = found
        if self._may_resume and found.condition and found.whole_bytes:
            self._write(found)
        else:
            self.forget()
        return True

    def _write(self, version: Version) -> None:
        self._part.unlink(missing_ok=True)  # before the record: a kill in between must not leave old bytes under it
        beside = self._record.with_name(f"{self._record.name}.tmp")
        beside.write_text(json.dumps(asdict(version)), encoding="utf-8")
        os.replace(beside, self._record)

    def forget(self) -> None:
        """Vouch for the part no longer."""
        self._record.unlink(missing_ok=True)


def _version_of(headers: Message, format_id: str) -> Version:
    return Version(
        format_id=format_id,
        whole_bytes=announced_bytes(headers),
        etag=str(headers.get("ETag", "")).strip(),
        last_modified=str(headers.get("Last-Modified", "")).strip(),
    )


def _same(found: Version, kept: Version) -> bool:
    """Compare two answers: another size, or a mark that is gone or changed, makes them different.

    A range that the server ties to an ETag need not repeat the date (RFC 9110, 15.3.7).
    """
    dates = {kept.last_modified, ""} if kept.etag else {kept.last_modified}
    return (found.whole_bytes, found.etag) == (kept.whole_bytes, kept.etag) and found.last_modified in dates


def announced_bytes(headers: Mapping[str, str] | Message) -> int | None:
    """Return the size of the whole file by an answer's headers; None where they don't tell it."""
    if headers.get("Content-Encoding"):
        return None
    whole = str(headers.get("Content-Range") or "").rpartition("/")[2] or str(headers.get("Content-Length") or "")
    return int(whole) if whole.isascii() and whole.isdigit() else None

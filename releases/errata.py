"""errata.jsonl: what was withdrawn of releases that are out already; they stay as they are, and their users read this.

The file lies beside the releases, one JSON object a line. Ids in it are those of the release's own tables, which lead
nowhere without the study's key: whoever holds the release needs them to know which rows to drop.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schema.errors import InvalidReleaseError
from schema.files import written_beside

ERRATA_FILE = "errata.jsonl"
"""Below the folder of the releases."""
READ_TABLES = ("segments", "videos", "votes", "unlabelled")
"""Tables that tell which videos a release holds; *keypoints* holds none that these lack."""
CATEGORIES = {
    "requested": "it was asked for",
    "opted_out": "the person or the channel asked not to be collected",
    "vanished": "the source is no longer public",
    "copy": "a copy of a recording that was withdrawn",
}
"""Why something was withdrawn, in words that name nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erratum:
    """What is to be dropped of one release."""

    release: str
    """Name of the release, without its version."""
    version: str
    noted_on: date
    category: str
    """One of ``CATEGORIES``."""
    segment_ids: tuple[str, ...]
    video_ids: tuple[str, ...]

    @property
    def text(self) -> str:
        """What a user of the release is told."""
        return (
            f"{len(self.segment_ids)} segments of {len(self.video_ids)} videos were withdrawn "
            f"({CATEGORIES[self.category]}): drop the rows with these video_id from every table, or use a newer "
            "release"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a release holds of some videos."""

    segments: dict[str, str]
    """Video id by segment id."""
    video_ids: frozenset[str]
    """Those that any of its tables names."""


def held_of(release: Path, video_ids: Iterable[str]) -> Held:
    """Look what a release holds of these videos, in the tables ``READ_TABLES``.

    Raises ``InvalidReleaseError`` where one of its files can't be read.
    """
    wanted = set(video_ids)
    segments: dict[str, str] = {}
    found: set[str] = set()
    for table, path in _table_files(release):
        columns = ["segment_id", "video_id"] if table == "segments" else ["video_id"]
        for row in _rows(path, columns):
            if row["video_id"] in wanted:
                found.add(row["video_id"])
                if table == "segments":
                    segments[row["segment_id"]] = row["video_id"]
    return Held(segments=segments, video_ids=frozenset(found))


def _table_files(release: Path) -> Iterator[tuple[str, Path]]:
    """Yield each Parquet file of ``READ_TABLES`` with its table: ``data/<table>-<split>-...``, or ``data/<table>/``."""
    data = release / "data"
    for path in sorted(data.rglob("*.parquet")):
        table = path.relative_to(data).parts[0].partition("-")[0].removesuffix(".parquet")
        if table in READ_TABLES:
            yield table, path


def _rows(path: Path, columns: list[str]) -> list[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            rows: list[dict[str, Any]] = file.read(columns=columns).to_pylist()
            return rows
    except (OSError, ValueError, KeyError) as error:
        raise InvalidReleaseError(
            f"{path} can't be read ({type(error).__name__}), so that nobody knows what it holds of the withdrawn; "
            "restore it from a backup"
        ) from error


def append_errata(releases_folder: Path, errata: Iterable[Erratum]) -> list[Erratum]:
    """Add lines for what no earlier line names; returns those that were added.

    The file is replaced at once, so that a kill leaves whole lines alone; the caller is the only writer.

    Raises ``InvalidReleaseError`` as ``read_errata`` does.
    """
    path = releases_folder / ERRATA_FILE
    known = read_errata(path)
    added = [new for one in errata if (new := _unsaid(one, known)) is not None]
    if added:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        with written_beside(path) as beside:
            beside.write_text(before + "".join(f"{_line(one)}\n" for one in added), encoding="utf-8")
    return added


def _unsaid(erratum: Erratum, known: Iterable[Erratum]) -> Erratum | None:
    """Leave out the videos that a line of the same release names already; None where none is left."""
    same = [one for one in known if (one.release, one.version) == (erratum.release, erratum.version)]
    told = {video_id for one in same for video_id in one.video_ids}
    if told.issuperset(erratum.video_ids):
        return None
    said = {segment_id for one in same for segment_id in one.segment_ids}
    return Erratum(
        release=erratum.release,
        version=erratum.version,
        noted_on=erratum.noted_on,
        category=erratum.category,
        segment_ids=tuple(sorted(set(erratum.segment_ids) - said)),
        video_ids=tuple(sorted(set(erratum.video_ids) - told)),
    )


def _line(erratum: Erratum) -> str:
    document = asdict(erratum) | {"noted_on": erratum.noted_on.isoformat(), "text": erratum.text}
    counts = {"segments": len(erratum.segment_ids), "videos": len(erratum.video_ids)}
    return json.dumps(document | counts, sort_keys=True)


def read_errata(path: Path) -> list[Erratum]:
    """Read every line; a file that does not exist says nothing.

    Raises ``InvalidReleaseError`` naming the file and the line that can't be understood.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [_erratum(text, where=f"{path.name}, line {number}") for number, text in enumerate(lines, start=1)]


def _erratum(text: str, *, where: str) -> Erratum:
    try:
        row = json.loads(text)
        erratum = Erratum(
            release=str(row["release"]),
            version=str(row["version"]),
            noted_on=date.fromisoformat(row["noted_on"]),
            category=str(row["category"]),
            segment_ids=_ids(row["segment_ids"]),
            video_ids=_ids(row["video_ids"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidReleaseError(f"{where}: no erratum ({type(error).__name__}); restore the file") from error
    if erratum.category not in CATEGORIES:
        raise InvalidReleaseError(f"{where}: category must be one of {', '.join(CATEGORIES)}; restore the file")
    return erratum


def _ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError
    return tuple(value)

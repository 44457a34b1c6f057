"""What differs between two releases: their columns, their people, their segments, and what they were built from."""

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from releases.splits.config import SPLITS
from releases.splits.lock import read_splits_lock
from schema.errors import InvalidReleaseError

Row = dict[str, Any]
_SHARD = re.compile(r"(?P<table>[a-z]+)-(?P<split>[a-z]+)-\d{5}-of-\d{5}\.parquet")
_POINT_COLUMN = re.compile(r"keypoints\.(k\d{3})_(?:x|y|score)")
_PLACE_COLUMNS = {"keypoints_first_row", "split"}
"""Columns that change with the neighbours of a segment or the side of its person, not with the segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDiff:
    """What changed from one release to another; empty throughout where nothing did."""

    settings: dict[str, tuple[object, object]] = field(default_factory=dict)
    """Value before and after, by the key's path in the manifest's recipe."""
    inputs: tuple[str, ...] = ()
    """Names of the inputs whose digests differ."""
    columns_added: tuple[str, ...] = ()
    """As ``table.column``."""
    columns_removed: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()
    """Columns of another type."""
    subjects_added: tuple[str, ...] = ()
    subjects_removed: tuple[str, ...] = ()
    subjects_moved: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Split before and after, by subject: a model that was trained on them may then be tested on them."""
    segments_added: tuple[str, ...] = ()
    segments_removed: tuple[str, ...] = ()
    segments_changed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns that differ, by segment."""
    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Rows before and after of the tables whose number of rows differs."""
    files_changed: tuple[str, ...] = ()
    """Files that both hold, with other bytes."""

    @property
    def is_empty(self) -> bool:
        """Tell whether the two releases are the same to the byte."""
        return self == ReleaseDiff()

    def document(self) -> dict[str, Any]:
        """Return it as plain lists and mappings."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


def diff_releases(before: Path, after: Path) -> ReleaseDiff:
    """Compare two releases by what lies in their folders; they may be of different schema versions.

    Raises ``InvalidReleaseError`` for a folder that holds no release, or a table that can't be read.
    """
    manifests = [_manifest(folder) for folder in (before, after)]
    recipes = [manifest.get("recipe", {}) for manifest in manifests]
    without = [{key: value for key, value in recipe.items() if key != "input_digests"} for recipe in recipes]
    settings = _differences(without[0], without[1])
    digests = [recipe.get("input_digests", {}) for recipe in recipes]
    columns = [_columns(folder) for folder in (before, after)]
    people = [read_splits_lock(folder / "splits.lock") for folder in (before, after)]
    segments = [_segments(folder) for folder in (before, after)]
    shared = set(columns[0].get("segments", {})) & set(columns[1].get("segments", {})) - _PLACE_COLUMNS
    rows = [_row_counts(folder) for folder in (before, after)]
    sums = [_checksums(folder) for folder in (before, after)]
    return ReleaseDiff(
        settings=settings,
        inputs=tuple(n for n in sorted(digests[0] | digests[1]) if digests[0].get(n) != digests[1].get(n)),
        columns_added=_names(columns[1], columns[0]),
        columns_removed=_names(columns[0], columns[1]),
        columns_changed=_retyped(*columns),
        subjects_added=tuple(sorted(people[1].keys() - people[0].keys())),
        subjects_removed=tuple(sorted(people[0].keys() - people[1].keys())),
        subjects_moved={
            subject: (people[0][subject], people[1][subject])
            for subject in sorted(people[0].keys() & people[1].keys())
            if people[0][subject] != people[1][subject]
        },
        segments_added=tuple(sorted(segments[1].keys() - segments[0].keys())),
        segments_removed=tuple(sorted(segments[0].keys() - segments[1].keys())),
        segments_changed=_changed(*segments, columns=sorted(shared)),
        rows={
            table: (rows[0][table], rows[1][table])
            for table in sorted(rows[0] | rows[1])
            if rows[0][table] != rows[1][table]
        },
        files_changed=tuple(n for n in sorted(sums[0].keys() & sums[1].keys()) if sums[0][n] != sums[1][n]),
    )


def diff_lines(diff: ReleaseDiff) -> list[str]:
    """Tell a difference in words, one line a thing; ids are counted, not listed."""
    if diff.is_empty:
        return ["the same to the byte"]
    lines = [f"setting {key}: {old!r} became {new!r}" for key, (old, new) in diff.settings.items()]
    lines += [f"input {name}: another digest" for name in diff.inputs]
    for names, what in (
        (diff.columns_added, "new"),
        (diff.columns_removed, "gone"),
        (diff.columns_changed, "another type"),
    ):
        points = {match[1] for name in names if (match := _POINT_COLUMN.fullmatch(name))}
        lines += [f"columns of {len(points)} points of keypoints: {what}"] if points else []
        lines += [f"column {name}: {what}" for name in names if not _POINT_COLUMN.fullmatch(name)]
    for what, new, gone in (
        ("subjects", diff.subjects_added, diff.subjects_removed),
        ("segments", diff.segments_added, diff.segments_removed),
    ):
        lines += [f"{what}: {len(new)} new, {len(gone)} gone"] if new or gone else []
    moves = Counter(diff.subjects_moved.values())
    lines += [f"subjects: {count} moved from {old} to {new}" for (old, new), count in sorted(moves.items())]
    changed = Counter(column for columns in diff.segments_changed.values() for column in columns)
    lines += [f"segments: {column} differs in {count}" for column, count in sorted(changed.items())]
    lines += [f"rows of {table}: {old} became {new}" for table, (old, new) in diff.rows.items()]
    lines += [f"file {name}: other bytes" for name in diff.files_changed]
    return lines


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidReleaseError(f"{folder} is not a release: its manifest.json can't be read") from error
    if not isinstance(manifest, dict):
        raise InvalidReleaseError(f"{folder} is not a release: its manifest.json holds no mapping")
    if "segments" not in _shards(folder):
        raise InvalidReleaseError(f"{folder} holds no data/segments-*.parquet: restore the release")
    return manifest


def _differences(before: Row, after: Row, prefix: str = "") -> dict[str, tuple[object, object]]:
    found: dict[str, tuple[object, object]] = {}
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found |= _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found[prefix + key] = (old, new)
    return found


def _shards(folder: Path) -> dict[str, list[Path]]:
    shards: dict[str, list[Path]] = {}
    for path in sorted((folder / "data").glob("*.parquet")):
        if match := _SHARD.fullmatch(path.name):
            shards.setdefault(match["table"], []).append(path)
    return shards


def _columns(folder: Path) -> dict[str, dict[str, pa.DataType]]:
    return {table: _schema(paths[0]) for table, paths in _shards(folder).items()}


def _schema(path: Path) -> dict[str, pa.DataType]:
    try:
        return {field.name: field.type for field in pq.read_schema(path)}
    except (OSError, pa.ArrowException) as error:
        raise InvalidReleaseError(f"{path} can't be read ({type(error).__name__}): restore the release") from error


def _names(here: dict[str, dict[str, pa.DataType]], there: dict[str, dict[str, pa.DataType]]) -> tuple[str, ...]:
    return tuple(
        f"{table}.{name}" for table in sorted(here) for name in here[table] if name not in there.get(table, {})
    )


def _retyped(before: dict[str, dict[str, pa.DataType]], after: dict[str, dict[str, pa.DataType]]) -> tuple[str, ...]:
    return tuple(
        f"{table}.{name}"
        for table in sorted(before.keys() & after.keys())
        for name, kind in before[table].items()
        if name in after[table] and after[table][name] != kind
    )


def _segments(folder: Path) -> dict[str, Row]:
    rows = (row for path in _shards(folder).get("segments", []) for row in _table(path).to_pylist())
    return {row["segment_id"]: row for row in rows}


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise InvalidReleaseError(f"{path} can't be read ({type(error).__name__}): restore the release") from error


def _changed(before: dict[str, Row], after: dict[str, Row], *, columns: list[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for segment in sorted(before.keys() & after.keys()):
        differs = tuple(name for name in columns if before[segment][name] != after[segment][name])
        if differs:
            found[segment] = differs
    return found


def _row_counts(folder: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for table, paths in _shards(folder).items():
        counts[table] = sum(pq.read_metadata(path).num_rows for path in paths)
    for split in SPLITS:
        counts[f"keypoints of {split}"] = sum(
            pq.read_metadata(path).num_rows for path in (folder / "data").glob(f"keypoints-{split}-*.parquet")
        )
    return counts


def _checksums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidReleaseError(f"{folder} is not a release: its SHA256SUMS can't be read") from error
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}

"""Checking croissant.json against the files that it describes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from releases.build import file_sha256
from releases.documents.licences import LICENCES
from releases.tables.columns import TABLES
from releases.validation.checks import Finding

Json = dict[str, Any]


def check_croissant(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that it names each file with its digest and each column of each table, and who the release is.

    Whether it is valid Croissant is for ``mlcroissant`` to say.
    """

    def wrong(detail: str) -> Finding:
        return Finding(check="croissant", file="croissant.json", detail=detail)

    try:
        document: Json = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
        files = {one["contentUrl"]: one["sha256"] for one in document["distribution"] if "contentUrl" in one}
        columns = {one["@id"]: set(_columns(one)) for one in document["recordSet"] if one["@id"] in TABLES}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        yield wrong("it can't be read")
        return
    licence = LICENCES.get(str(manifest.get("license")))
    told = (document.get("name"), document.get("version"), document.get("license"))
    if told != (manifest.get("name"), manifest.get("version"), licence.url if licence else None):
        yield wrong("its name, version or licence is not the manifest's")
    shards = sorted((folder / "data").glob("*.parquet"))
    if files != {f"data/{path.name}": file_sha256(path) for path in shards}:
        yield wrong("its files or their digests are not those of the release")
    first = {path.name.partition("-")[0]: path for path in reversed(shards)}
    if columns != {table: set(pq.read_schema(path).names) - {"split"} for table, path in first.items()}:
        yield wrong("its record sets do not name each column of each table")


def _columns(field: Json) -> Iterator[str]:
    """Yield the columns that a record set's fields, and the fields below them, are taken from."""
    column = field.get("source", {}).get("extract", {}).get("column")
    if column is not None:
        yield column
    for inner in (*field.get("field", ()), *field.get("subField", ())):
        yield from _columns(inner)

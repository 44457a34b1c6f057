"""croissant.json: the release as machines read it, in the Croissant 1.0 format with its RAI vocabulary.

Version 1.0 and not 1.1, because nothing here needs 1.1 and older readers refuse it. Names follow the specifications
(docs/croissant-spec-1.0.md and docs/croissant-rai-spec.md of mlcommons/croissant).
"""

import json
import re
from hashlib import file_digest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from releases.config import ReleaseConfig
from releases.documents.croissant_rai import responsible_ai
from releases.documents.licences import licence_of
from releases.facts import ReleaseFacts
from releases.splits.config import SPLITS
from releases.tables.columns import TABLE_DOCS, TABLES
from schema.records import PART_SLICES
from schema.taxonomy import Taxonomy

Json = dict[str, Any]

PARQUET = "application/x-parquet"
CONFORMS_TO = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")
KEYS: dict[str, tuple[str, ...]] = {
    "segments": ("segment_id",),
    "keypoints": ("video_id", "track_number", "frame_index"),
    "videos": ("video_id",),
    "subjects": ("subject_id",),
    "votes": ("vote_id",),
    "unlabelled": ("window_id",),
}
"""The columns that tell one row of a table from all others."""
REFERENCES: dict[str, dict[str, str]] = {
    "segments": {"video_id": "videos", "subject_id": "subjects"},
    "votes": {"video_id": "videos", "segment_id": "segments"},
    "unlabelled": {"video_id": "videos", "subject_id": "subjects"},
}
"""The columns that hold a key of another table, whose column is called the same.

They point to the table's files and not to its record set, which mlcroissant 1.1.1 accepts as well: a record set that
was read once can't be joined any more (its generator is spent), so that whoever reads all of them in turn would fail.
The record sets whose references nobody could follow that way declare none: *videos* and *subjects* refer to nothing
but the splits, and *keypoints* would be joined in memory as a whole, where it is now read file by file.
"""
_POINT = re.compile(r"k\d{3}_(x|y|score)")
_SPLIT_KINDS = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification recommends (its appendix 1): the names that the rest of the file uses."""


def croissant_text(folder: Path, facts: ReleaseFacts, *, config: ReleaseConfig, taxonomy: Taxonomy) -> str:
    """Write croissant.json from the finished tables.

    It holds no ``datePublished`` and no ``url``, which the specification wants: a release knows neither the day nor
    the place of its publication, and the same inputs give the same bytes. mlcroissant warns of the first and accepts
    the file.

    Args:
        folder: The release, with all its tables in ``data/``.
        facts: Its numbers.
        config: How it is named and licensed.
        taxonomy: The classes that its segments may have.
    """
    files = {table: sorted((folder / "data").glob(f"{table}-*.parquet")) for table in TABLES}
    present = {table: paths for table, paths in files.items() if paths}
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": config.name,
        "alternateName": config.title,
        "description": _description(facts, config, taxonomy),
        "version": config.version,
        "license": licence_of(config.license_id).url,
        "creator": _creators(config),
        "citeAs": _citation(config),
        "keywords": ["micro-gesture", "skeleton", "keypoints", "human pose", "press conference"],
        "inLanguage": "en",
        "isLiveDataset": False,
        **responsible_ai(folder, facts, config=config, taxonomy=taxonomy),
        "distribution": [
            *(_file_object(path) for paths in present.values() for path in paths),
            *(_file_set(table, paths) for table, paths in present.items()),
        ],
        "recordSet": [
            _splits(facts),
            _classes(taxonomy),
            *(_record_set(table, pq.read_schema(paths[0]), set(present)) for table, paths in present.items()),
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _authors(config: ReleaseConfig) -> tuple[str, ...]:
    """Return who is cited, as CITATION.cff has it: without authors the maintainers as a group."""
    return config.authors or (f"The maintainers of {config.name}",)


def _creators(config: ReleaseConfig) -> list[Json]:
    kind = "sc:Person" if config.authors else "sc:Organization"
    return [{"@type": kind, "name": author} for author in _authors(config)]


def _citation(config: ReleaseConfig) -> str:
    authors = " and ".join(f"{{{author}}}" for author in _authors(config))
    return (
        f"@misc{{{config.name}-{config.version}, title = {{{config.title}}}, author = {{{authors}}}, "
        f"version = {{{config.version}}}, note = {{Data set}}}}"
    )


def _description(facts: ReleaseFacts, config: ReleaseConfig, taxonomy: Taxonomy) -> str:
    return (
        f"{config.title}: micro-gestures as body keypoints with labels and descriptions. {facts.segments} segments of "
        f"{facts.subjects} known subject(s) in {len(facts.splits)} split(s); classes of {taxonomy.title}. No pixels, "
        "sound, names or links. Positions in *keypoints* are sixteenths of a pixel, scores 1/255, times nanoseconds "
        "since the first displayed frame; spans are half-open. The data card is README.md."
    )


def _file_object(path: Path) -> Json:
    with path.open("rb") as file:
        sha256 = file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": f"data/{path.name}",
        "name": path.name,
        "contentUrl": f"data/{path.name}",
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": PARQUET,
        "sha256": sha256,
    }


def _file_set(table: str, paths: list[Path]) -> Json:
    found = {path.name.split("-")[1] for path in paths}
    return {
        "@type": "cr:FileSet",
        "@id": f"{table}-files",
        "name": f"{table}-files",
        "description": f"The files of {table}, split by split.",
        "encodingFormat": PARQUET,
        "includes": [f"data/{table}-{split}-*.parquet" for split in SPLITS if split in found],
    }


def _splits(facts: ReleaseFacts) -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits: no person and no recording is in two of them.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            _field("splits/name", "Name of the split", "sc:Text"),
            _field("splits/url", "What it is for", "sc:URL"),
        ],
        "data": [
            {"splits/name": split, "splits/url": _SPLIT_KINDS[split]} for split in SPLITS if split in facts.splits
        ],
    }


def _classes(taxonomy: Taxonomy) -> Json:
    columns = {
        "class_id": ("Stable id of the class", "sc:Text"),
        "number": ("Number of the class in the published data set", "sc:Integer"),
        "name": ("Name of the class", "sc:Text"),
        "group": ("Body-part group", "sc:Text"),
        "definition": ("What counts, as reviewers read it", "sc:Text"),
        "micro_gesture": ("Whether it is a micro-gesture", "sc:Boolean"),
    }
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": f"The classes of {taxonomy.title}; a segment without a class is an unclassified movement.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/class_id"},
        "field": [_field(f"classes/{name}", doc, kind) for name, (doc, kind) in columns.items()],
        "data": [{f"classes/{name}": getattr(gesture, name) for name in columns} for gesture in taxonomy],
    }


def _record_set(table: str, schema: pa.Schema, present: set[str]) -> Json:
    """Describe one table: its columns as its files describe them, and its split by the files' names."""
    columns = {column.name: _column(table, column, present) for column in schema if column.name != "split"}
    parts: dict[str, list[Json]] = {}
    for name in [name for name in columns if _POINT.fullmatch(name)]:
        parts.setdefault(_part_of(name), []).append(columns.pop(name))
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": f"{TABLE_DOCS[table]}.",
        "key": [{"@id": f"{table}/{name}"} for name in KEYS[table]],
        "field": [*columns.values(), *(_part_field(table, *part) for part in parts.items()), _split_field(table)],
    }


def _column(table: str, column: pa.Field, present: set[str]) -> Json:
    reference: Json | None = None
    target = REFERENCES.get(table, {}).get(column.name)
    if target in present:
        reference = {"fileSet": {"@id": f"{target}-files"}, "extract": {"column": column.name}}
    elif table in REFERENCES and column.name == "class_id":
        reference = {"field": {"@id": "classes/class_id"}}
    return _field(
        f"{table}/{column.name}",
        (column.metadata or {}).get(b"doc", b"").decode(),
        _data_type(column.type),
        source={"fileSet": {"@id": f"{table}-files"}, "extract": {"column": column.name}},
        references=reference,
    )


def _part_of(column: str) -> str:
    number = int(column[1:4])
    return next(part.name.lower() for part, points in PART_SLICES.items() if points.start <= number < points.stop)


def _part_field(table: str, part: str, points: list[Json]) -> Json:
    """Put the points of a body part below one field.

    mlcroissant looks every field up among those of the first level for each row: with 219 columns there a row takes
    58 ms, below five fields 8 ms.
    """
    return {
        "@type": "cr:Field",
        "@id": f"{table}/{part}",
        "name": f"{table}/{part}",
        "description": f"Points of the {part.replace('_', ' ')}, numbered as in COCO-WholeBody",
        "subField": points,
    }


def _split_field(table: str) -> Json:
    """Take the split from the file's name, so that asking for one split of *keypoints* reads its files alone."""
    return _field(
        f"{table}/split",
        "Split of the row, as its file's name tells it",
        "sc:Text",
        source={
            "fileSet": {"@id": f"{table}-files"},
            "extract": {"fileProperty": "filename"},
            "transform": {"regex": rf"^{table}-({'|'.join(SPLITS)})-.+\.parquet$"},
        },
        references={"field": {"@id": "splits/name"}} if table in REFERENCES else None,
    )


def _field(name: str, doc: str, kind: str, *, source: Json | None = None, references: Json | None = None) -> Json:
    field: Json = {"@type": "cr:Field", "@id": name, "name": name, "description": doc, "dataType": kind}
    if source:
        field["source"] = source
    if references:
        field["references"] = references
    return field


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"

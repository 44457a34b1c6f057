"""What the tests of the imports share: options of a study, and a data set read whole."""

from pathlib import Path
from typing import Any

from releases.imports.base import ImportedRecording, ImportOptions, LeftOut
from releases.imports.formats import open_import
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND


def make_options(taxonomy: str = "imigue32", **changes: Any) -> ImportOptions:
    """Give the options of a study with that taxonomy."""
    return ImportOptions(taxonomy=load_taxonomy(taxonomy), **changes)


def read_all(format_name: str, path: Path, options: ImportOptions) -> tuple[list[ImportedRecording], list[LeftOut]]:
    """Read a data set whole: what was taken, and what was left out."""
    records = list(open_import(format_name, path, options).records())
    taken = [record for record in records if isinstance(record, ImportedRecording)]
    return taken, [record for record in records if isinstance(record, LeftOut)]


def frames_of(recording: ImportedRecording) -> list[tuple[str, int, int]]:
    """Give each segment's class with its first and last frame."""
    frame_ns = NS_PER_SECOND / recording.rate
    return [(s.class_id, round(s.start_ns / frame_ns), round(s.end_ns / frame_ns) - 1) for s in recording.segments]

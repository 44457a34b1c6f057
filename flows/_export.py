"""``pressroom export``: a release in another tool's format."""

import json
from dataclasses import asdict
from pathlib import Path

import typer


def export(
    release: Path, format_name: str, path: Path, *, split: str, layout: str, xsub: bool, every: int, as_json: bool
) -> None:
    """Write the export and tell what is in it, and what the format can't hold."""
    from releases.exports.base import ExportOptions
    from releases.exports.formats import export_release

    splits = tuple(name.strip() for name in split.split(",") if name.strip())
    options = ExportOptions(splits=splits, layout=layout, xsub=xsub, every=every)
    written = export_release(release, format_name, path, options)
    if as_json:
        typer.echo(json.dumps({"format": format_name, "path": str(path), **asdict(written)}, indent=1))
        return
    files = f" in {written.files} files" if written.files > 1 else ""
    typer.echo(f"{path}: {written.segments:,} segments as {format_name}{files}")
    for reason, count in written.left_out.items():
        typer.echo(f"left out: {count:,} ({reason})")
    for note in written.notes:
        typer.echo(note)

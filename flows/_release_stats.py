"""``pressroom release stats``: the numbers of a release, and its statistics page once more."""

import json
import webbrowser
from dataclasses import asdict
from pathlib import Path

import typer

from schema.errors import InvalidReleaseError, UsageError


def tell_stats(release: Path, *, output: Path | None, open_page: bool, as_json: bool) -> None:
    """Print what a release holds, counted from its tables; the release itself is never written to.

    Args:
        release: Its folder.
        output: Where to write the page, or None.
        open_page: Show the page that was written, else the one that the release carries, in a browser.
        as_json: Print all numbers for machines.

    Raises:
        UsageError: ``output`` lies in the release, or there is no page to open.
        InvalidReleaseError: The folder is no release, or its tables or its manifest can't be read.
    """
    from releases.documents.stats import STATS_FOLDER, read_head, write_page
    from releases.documents.stats_examples import find_examples
    from releases.documents.stats_numbers import measure_release
    from releases.reader import open_release

    if output is not None and output.resolve().is_relative_to(release.resolve()):
        raise UsageError(f"{output} is inside the release, whose checksums would break: name another folder")
    page = (release / STATS_FOLDER if output is None else output) / "index.html"
    if open_page and output is None and not page.is_file():
        raise UsageError(f"{release} carries no statistics page: say with --output where to write one")
    try:
        stats = measure_release(release)
    except FileNotFoundError as error:
        raise InvalidReleaseError(
            f"{release} is no release, or lacks files in data/: name a release's folder"
        ) from error
    if output is not None:
        write_page(stats, find_examples(open_release(release)), head=read_head(release), output=output)
    if as_json:
        typer.echo(json.dumps(asdict(stats), indent=1))
    else:
        _tell(asdict(stats))
        typer.echo(f"page: {page}" if page.is_file() else "page: none; --output writes one")
    if open_page:
        webbrowser.open(page.resolve().as_uri())


def _tell(stats: dict[str, list[dict[str, object]]]) -> None:
    columns = ("split", "subjects", "videos", "segments", "votes", "frames", "skeleton_seconds", "windows")
    for name in columns:
        typer.echo(f"{name.replace('_', ' '):<18}" + "".join(f"{_number(row[name]):>12}" for row in stats["splits"]))
    typer.echo("classes, the commonest first:")
    for row in stats["classes"]:
        typer.echo(f"  {_number(row['total']):>8}  {row['name']}")


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)

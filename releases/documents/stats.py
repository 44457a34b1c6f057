"""The statistics of a release: one HTML page with pictures, made from the release's own tables."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releases.config import ReleaseConfig
from releases.documents.stats_examples import Example, find_examples
from releases.documents.stats_numbers import ReleaseStats, measure_release
from releases.documents.stats_plots import plots_of
from releases.facts import ReleaseFacts
from releases.reader import open_release
from schema.errors import InvalidReleaseError
from schema.taxonomy import Taxonomy, load_taxonomy

TEMPLATE = Path(__file__).with_name("stats.html.j2")
STATS_FOLDER = "stats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the page says of the release beside the numbers."""

    title: str
    name: str
    version: str
    profile: str
    taxonomy: str
    """Title of the class list."""
    class_count: int
    """Classes in that list."""


def write_stats(folder: Path, facts: ReleaseFacts, *, config: ReleaseConfig, taxonomy: Taxonomy) -> None:
    """Write ``stats/index.html`` and its pictures into a release, from its finished tables.

    Args:
        folder: The release.
        facts: Its numbers as the card tells them.
        config: How it is named.
        taxonomy: Its classes.

    Raises:
        InvalidReleaseError: The tables hold other numbers than ``facts``, so that page and card would contradict
            each other.
    """
    stats = measure_release(folder)
    counted = {row.split: (row.segments, row.frames, row.votes, row.windows) for row in stats.splits}
    told = {
        name: (split.segments, split.keypoint_rows, split.votes, split.unlabelled)
        for name, split in facts.splits.items()
    }
    if counted != told:
        strange = next(split for split in counted | told if counted.get(split) != told.get(split))
        raise InvalidReleaseError(
            f"{strange}: the tables hold {counted.get(strange)} segments, keypoint rows, votes and windows, "
            f"the card would say {told.get(strange)}; report this, and publish nothing"
        )
    head = _head(config.title, config.name, config.version, config.profile, taxonomy)
    write_page(stats, find_examples(open_release(folder)), head=head, output=folder / STATS_FOLDER)


def read_head(folder: Path) -> Head:
    """Read what the page says of a release from its manifest.

    Raises:
        InvalidReleaseError: It has no manifest, or one that can't be read.
    """
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        recipe = manifest["recipe"]
        return _head(
            recipe["config"]["title"],
            manifest["name"],
            manifest["version"],
            manifest["profile"],
            load_taxonomy(recipe["taxonomy"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidReleaseError(f"{path} can't be read: restore the release, or name another folder") from error


def write_page(stats: ReleaseStats, examples: list[Example], *, head: Head, output: Path) -> None:
    """Write the page and its pictures into a folder; files of other names in it stay."""
    from jinja2 import Environment, StrictUndefined

    plots = plots_of(stats)
    pictures = {f"{name}.png": png for name, png in plots.items()}
    pictures |= {f"example-{number:02d}.png": example.png for number, example in enumerate(examples, start=1)}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": count_text, "time": time_text, "share": share_text, "seconds": seconds_text}
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        stats=stats, head=head, plots=set(plots), examples=examples, sizes=_sizes(pictures)
    )
    output.mkdir(parents=True, exist_ok=True)
    for name, png in pictures.items():
        (output / name).write_bytes(png)
    (output / "index.html").write_text(page + "\n", encoding="utf-8")


def _head(title: str, name: str, version: str, profile: str, taxonomy: Taxonomy) -> Head:
    return Head(
        title=title,
        name=name,
        version=version,
        profile=profile,
        taxonomy=taxonomy.title,
        class_count=len(taxonomy.classes),
    )


def _sizes(pictures: dict[str, bytes]) -> dict[str, tuple[int, int]]:
    """Read width and height from each PNG's header (its bytes 16-23), so that the page does not jump as it loads."""
    return {
        name: (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) for name, png in pictures.items()
    }


def count_text(number: int) -> str:
    """Write a count with commas."""
    return f"{number:,}"


def seconds_text(seconds: float | None) -> str:
    """Write seconds with two digits; a dash where there are none."""
    return "-" if seconds is None else f"{seconds:.2f}"


def time_text(seconds: float) -> str:
    """Write a length in the unit in which people think of it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def share_text(share: float) -> str:
    """Write a share as a percentage; small ones with a digit, so that a rare class is not 0 %."""
    return f"{share:.0%}" if share >= 0.1 or share == 0 else f"{share:.2%}" if share < 0.01 else f"{share:.1%}"

"""``pressroom models compare``: the figures of two seed models side by side, and what may be read from them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from flows._model_commands import seed_model_folder
from models.facts import ModelFacts, identity_of
from models.folder import digest_of_folder, read_facts
from models.metrics import Figure, Measured, ModelMetrics, NameScore, figures_by_key

MOST_CLASSES = 10
"""Classes that are told on the screen: those that differ most. JSON has all."""

LEAST_SHOWN = 0.0005
"""Differences of classes and groups below it are written as 0, and left out on the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of two models."""

    key: str
    name: str
    first: Measured | None
    second: Measured | None
    difference: float | None
    """Second minus first; None where one of them was not measured."""
    intervals_overlap: bool | None
    """None where a model has no interval. Overlap does not say that they are alike."""
    better: str | None
    """``first`` or ``second`` where the intervals lie apart; None: that can't be told."""


def compare_metrics(first: ModelMetrics, second: ModelMetrics) -> list[Difference]:
    """Put the headline figures of two models beside each other, in the order of the first."""
    figures = figures_by_key(first), figures_by_key(second)
    return [_difference(key, figures[0].get(key), figures[1].get(key)) for key in {**figures[0], **figures[1]}]


def compare_names(first: tuple[NameScore, ...], second: tuple[NameScore, ...]) -> list[Difference]:
    """Compare the F1 of detection by class or by group, of those that both models were measured on."""
    scores = {score.name: score.f1 for score in first}, {score.name: score.f1 for score in second}
    return [
        _difference(name, _figure(name, scores[0][name]), _figure(name, scores[1][name]))
        for name in scores[0]
        if scores[0][name] and scores[1].get(name)
    ]


def _figure(name: str, measured: Measured | None) -> Figure | None:
    return Figure(key=name, name=name, measured=measured) if measured else None


def _difference(key: str, first: Figure | None, second: Figure | None) -> Difference:
    known = first or second
    assert known is not None
    difference = second.measured.value - first.measured.value if first and second else None
    overlap = _overlap(first.measured, second.measured) if first and second else None
    better = None
    if difference and overlap is False:
        better = "second" if (difference > 0) is known.more_is_better else "first"
    return Difference(
        key=key,
        name=known.name,
        first=first.measured if first else None,
        second=second.measured if second else None,
        difference=difference,
        intervals_overlap=overlap,
        better=better,
    )


def _overlap(first: Measured, second: Measured) -> bool | None:
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return None
    return first.low <= second.high and second.low <= first.high


def differing_settings(first: ModelFacts, second: ModelFacts) -> dict[str, tuple[Any, Any]]:
    """Return the settings of training that differ, by their path in a study file."""
    settings = dict(_flat(asdict(first.config), "train")), dict(_flat(asdict(second.config), "train"))
    return {key: (value, settings[1][key]) for key, value in settings[0].items() if value != settings[1][key]}


def _flat(settings: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value


def not_comparable(first: ModelFacts, second: ModelFacts) -> str:
    """Say why the figures of two models don't stand beside each other; empty where they do."""
    metrics = first.metrics, second.metrics
    for name, one in zip((first.name, second.name), metrics, strict=True):
        if not one.is_measured:
            return f"nothing was measured of {name}: nobody was held out"
    people = [{subject for fold in one.folds for subject in fold} for one in metrics]
    if people[0] != people[1]:
        return (
            f"they were measured on other people ({len(people[0])} and {len(people[1])}, {len(people[0] & people[1])} "
            "of them the same): a difference may be one of the people"
        )
    if first.taxonomy != second.taxonomy or metrics[0].gestures != metrics[1].gestures:
        return "they were measured on other gestures of the same people: a difference may be one of the labels"
    return ""


def tell_comparison(names: tuple[str, str], location: Path | None, *, as_json: bool) -> None:
    """Print two models side by side: figures, differences, whether the intervals overlap, and other settings.

    Args:
        names: Two models of the study, or paths of models' folders.
        location: The study; None: the one of this folder, if it is one.
        as_json: Print all for machines.

    Raises:
        UsageError: There is no such model.
        BadModelError: One is damaged.
    """
    folders = [seed_model_folder(name, location) for name in names]
    first, second = (read_facts(folder) for folder in folders)
    identities = [identity_of(f.name, digest_of_folder(p)) for f, p in zip((first, second), folders, strict=True)]
    figures = compare_metrics(first.metrics, second.metrics)
    by_name = {
        "groups": compare_names(first.metrics.groups, second.metrics.groups),
        "classes": compare_names(first.metrics.classes, second.metrics.classes),
    }
    warning, settings = not_comparable(first, second), differing_settings(first, second)
    if as_json:
        document = {
            "first": identities[0],
            "second": identities[1],
            "not_comparable": warning or None,
            "figures": [asdict(row) for row in figures],
            **{what: [asdict(row) for row in rows] for what, rows in by_name.items()},
            "settings": {key: list(pair) for key, pair in settings.items()},
        }
        typer.echo(json.dumps(document, indent=1))
        return
    _tell(identities, (first, second), figures, by_name)
    for key, (one, other) in settings.items():
        typer.echo(f"setting {key}: {one} -> {other}")
    if warning:
        typer.echo(f"Beware: {warning}.")


def _tell(
    identities: list[str],
    facts: tuple[ModelFacts, ModelFacts],
    figures: list[Difference],
    by_name: Mapping[str, list[Difference]],
) -> None:
    first, second = facts
    names = [f.name if first.name != second.name else i for f, i in zip(facts, identities, strict=True)]
    typer.echo(f"{identities[0]} and {identities[1]}")
    counted = [
        (f"{len(f.classes)}", f"{sum(f.class_counts.values()):,}", f"{len(f.data.subject_gestures)}") for f in facts
    ]
    head = ("", *names, "difference", "")
    rows = [
        (what, *pair, "", "")
        for what, pair in zip(("classes", "segments", "people"), zip(*counted, strict=True), strict=True)
    ]
    rows += [_row(row, names) for row in figures]
    for what, every in by_name.items():
        differing = [row for row in every if abs(row.difference or 0.0) >= LEAST_SHOWN]
        most = sorted(differing, key=lambda row: (-abs(row.difference or 0.0), row.name))[:MOST_CLASSES]
        of = "group" if what == "groups" else "class"
        rows += [_row(row, names, prefix=f"F1 of {of} ") for row in most]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for line in (head, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    typer.echo("Intervals that overlap leave open which is better; they don't say that both are alike.")


def _row(row: Difference, names: list[str], *, prefix: str = "") -> tuple[str, str, str, str, str]:
    difference = "-" if row.difference is None else f"{row.difference:+.3f}"
    if row.better:
        verdict = f"{names[0] if row.better == 'first' else names[1]} is better"
    else:
        verdict = "intervals overlap" if row.intervals_overlap else ""
    return f"{prefix}{row.name}", _text(row.first), _text(row.second), difference, verdict


def _text(measured: Measured | None) -> str:
    if measured is None:
        return "-"
    if measured.low is None or measured.high is None:
        return f"{measured.value:.3f}"
    return f"{measured.value:.3f} ({measured.low:.2f}-{measured.high:.2f})"

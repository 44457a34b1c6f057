"""What the command tells: outcomes, the plan, the status, explanations; as tables, or as JSON for machines."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import typer

from flows._collection import list_sources
from flows._facts import local_time, plan_facts, status_facts
from flows._outcome import EXPECTED, Outcome
from flows._plan import explain
from flows._study import Study
from schema.errors import UsageError
from schema.records import SourceId

REMEDY = "the traceback is in the table runs, the same command tries again"
TOLD_STAGES = frozenset(
    {"collect", "recheck", "frames", "shots", "tracks", "quality", "players", "keypoints", "proxies", "pull"}
)
"""A drop of these is told in a line; candidates and segments that are left out are counted."""


def tell_outcome(outcome: Outcome, study: Study) -> None:
    """Print what a stage did, a line for each source or video that was dropped or failed.

    A source is told by where the study lists it: a link or a file's name may tell who is filmed.
    """
    parts = [f"{outcome.done} done"] if outcome.done or not outcome.notes else []
    parts += [
        f"{count} dropped ({reason})" for reason, count in sorted(Counter(d.reason for d in outcome.dropped).items())
    ]
    parts += [f"{len(outcome.failures)} failed"] if outcome.failures else []
    parts += [f"{len(outcome.busy)} in another runner's hands"] if outcome.busy else []
    parts += [f"{host} is paused until {local_time(until)}" for host, until in sorted(outcome.paused.items())]
    parts += [f"{outcome.byte_count / 1e6:.1f} MB"] if outcome.byte_count else []
    seconds = f" in {outcome.seconds:.1f} s" if outcome.seconds else ""
    typer.echo(f"{outcome.stage}: {', '.join([*parts, *outcome.notes])}{seconds}")
    worth_a_line = [
        lost
        for lost in outcome.dropped
        if "/" not in lost.item_id and lost.stage in TOLD_STAGES and lost.reason not in EXPECTED
    ]
    places = {e.source_id: e.listed_at for e in list_sources(study)} if worth_a_line or outcome.failures else {}
    for lost in worth_a_line:
        name = places.get(SourceId(lost.item_id), lost.item_id)
        typer.echo(f"  {name}: dropped by {lost.stage}: {lost.reason}: {lost.detail}", err=True)
    for failure in outcome.failures:
        name = places.get(SourceId(failure.key), failure.key)
        typer.echo(f"  {name}: {failure.stage} failed: {failure.cause}; {REMEDY}", err=True)


def tell_plan(study: Study, *, as_json: bool) -> None:
    """Print what would be done."""
    _tell_facts(plan_facts(study), as_json=as_json)


def tell_status(study: Study, *, as_json: bool) -> None:
    """Print what the study holds."""
    _tell_facts(status_facts(study), as_json=as_json)


def _tell_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_words(value)}")


def _words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict) and value.keys() == {"until", "why"}:
        return f"until {value['until']}: {value['why']}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(count)}" for key, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def tell_explanation(study: Study, key: str, *, as_json: bool) -> None:
    """Print why each part of a video, or of the study, will or will not be redone."""
    found = explain(study, key)
    if not found:
        raise UsageError(f"the study has no video {key!r}; `pressroom status` lists them, `study` is the whole study")
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in found], indent=1))
        return
    for row in found:
        typer.echo(f"{row.table:<11} {'current' if row.current else 'will be made':<13} {row.digest}  {row.why}")

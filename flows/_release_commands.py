"""What the commands of ``pressroom release`` tell."""

import json
from dataclasses import asdict
from pathlib import Path

import typer

from flows._progress import showing


def tell_validation(folder: Path, *, as_json: bool) -> bool:
    """Print what is wrong with a release, and for which tasks it suffices; tells whether nothing is wrong."""
    from releases.validation.validate import read_readiness, validate_release

    findings = validate_release(folder)
    readiness = [] if findings else read_readiness(folder)
    if as_json:
        document = {
            "valid": not findings,
            "findings": [asdict(finding) for finding in findings],
            "readiness": [asdict(one) for one in readiness],
        }
        typer.echo(json.dumps(document, indent=1))
        return not findings
    for finding in findings:
        typer.echo(str(finding))
    if not findings:
        typer.echo(f"{folder}: valid")
    for one in readiness:
        typer.echo(f"  {one.task}: {'suffices' if one.suffices else 'does not suffice'}: {one.why}")
    return not findings


def tell_diff(before: Path, after: Path, *, as_json: bool) -> bool:
    """Print what differs between two releases; tells whether nothing does."""
    from releases.diff import diff_lines, diff_releases

    found = diff_releases(before, after)
    if as_json:
        typer.echo(json.dumps(found.document(), indent=1))
    else:
        for line in diff_lines(found):
            typer.echo(line)
    return found.is_empty


def tell_push(folder: Path, repository: str, *, gating: str, public: bool, endpoint: str) -> None:
    """Send a release to the Hub and say what went."""
    from releases.hub import gating_named, push_release

    with showing():
        pushed = push_release(folder, repository, gating=gating_named(gating), public=public, endpoint=endpoint)
    seen = "everybody sees that it is there; access is gated" if pushed.public else "only you see it"
    typer.echo(f"{pushed.repository}: {pushed.files} files, {pushed.byte_count / 1e6:.1f} MB, {seen}")
    typer.echo(f"revision {pushed.commit}: what users pin")

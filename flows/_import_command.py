"""What ``pressroom import`` prints."""

import json
from dataclasses import asdict

import typer

from flows._import import ImportCall, ImportReport, import_data_set
from flows._outcome import ExitStatus
from flows._progress import showing
from flows._study import Study


def run_import(study: Study, call: ImportCall, *, as_json: bool) -> ExitStatus:
    """Import a data set and tell what came of it; returns the exit status."""
    with showing():
        report = import_data_set(study, call, tell=lambda line: typer.echo(f"  {line}", err=True))
    if as_json:
        typer.echo(json.dumps(asdict(report) | {"format": call.format_name}, indent=1, sort_keys=True))
    else:
        _tell(report)
    return report.exit_status


def _tell(report: ImportReport) -> None:
    held = f"{report.recordings} recordings, {report.segments} segments"
    lost = "".join(f", {count} dropped ({reason})" for reason, count in sorted(report.dropped.items()))
    if not report.changed:
        typer.echo(f"import: {report.name} holds just this already: {held}{lost}")
        return
    typer.echo(f"import: {report.name}: {held}, {report.frames} frames{lost}")
    if report.unknown_subjects:
        typer.echo(
            f"  {report.unknown_subjects} recordings tell no person: a release leaves them out, or has them in train "
            "(release.unknown_subjects); --subjects says who is in which"
        )
    if report.unlabelled:
        typer.echo(f"  {report.unlabelled} recordings have no label")
    for note in report.notes:
        typer.echo(f"  {note}")

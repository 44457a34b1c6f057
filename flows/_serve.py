"""``pressroom serve``: the study's flows, run by Prefect when their cron lines say so, until the process is ended."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import typer

from flows._leases import lease
from flows._prefect import connect, running_prefect, start_prefect, stop_prefect
from flows._schedules import FLOWS
from flows._study import Study
from schema.errors import LeaseHeldError
from schema.tables import STUDY_KEY


def serve(study: Study) -> None:
    """Register the study's flows with Prefect and run them as they fall due; returns when a signal ends it.

    Prefect's server is the one at ``PREFECT_API_URL``, the study's own where it runs, or one that is started here and
    stopped again at the end. Raises ``LeaseHeldError`` where the study is served already, and ``ServiceError`` where
    the server does not come up.
    """
    with lease(study.layout, "serve", STUDY_KEY) as held:
        if not held:
            raise LeaseHeldError("this study is served already; end that `pressroom serve` first")
        with _server(study):
            connect(study.layout)
            typer.echo(describe_schedules(study, now=datetime.now(UTC)))
            # imports Prefect, which reads where its server is when it is imported
            from flows._deployments import serve_deployments

            serve_deployments(study)
        typer.echo("served no more; nothing is started until `pressroom serve` runs again")


@contextmanager
def _server(study: Study) -> Iterator[None]:
    """Have a Prefect server, and stop it at the end if it was started for this."""
    if "PREFECT_API_URL" in os.environ or running_prefect(study.layout):
        yield
        return
    start_prefect(study.layout)
    try:
        yield
    finally:
        stop_prefect(study.layout)


def describe_schedules(study: Study, *, now: datetime) -> str:
    """Say where Prefect's page is and when each stage runs next."""
    schedules = study.config.schedules
    lines, next_runs = schedules.lines(), schedules.next_runs(now)
    page = os.environ.get("PREFECT_API_URL", "").removesuffix("/api")
    rows = [
        f"  {stage:<10}{lines[stage]:<20}next {next_runs[stage]:%Y-%m-%d %H:%M %Z}"
        if stage in lines
        else f"  {stage:<10}{'not scheduled':<20}start it in Prefect's page"
        for stage in FLOWS
    ]
    return "\n".join([f"Prefect        {page}/deployments", *rows, "Ctrl-C ends it."])

"""The study's flows as Prefect deployments; imports Prefect, so ``flows._prefect.connect`` comes first."""

import asyncio
import os
import signal
from importlib import import_module
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, FlowRun, State, StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.states import Crashed
from prefect.types.entrypoint import EntrypointType

from collectors.clock import SystemClock
from collectors.manners import site_of
from flows._collection import list_sources
from flows._flowkit import download_tag, limit_tasks, perceive_tag
from flows._hosts import open_manners
from flows._schedules import FLOWS
from flows._study import Study
from schema.errors import ServiceError

ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
"""A run that falls due while the last one still goes is cancelled: waiting, a night's worth of them would pile up."""

PAGE = 200
"""Runs that are asked of Prefect's server together; it gives at most 200."""


def stage_flow(stage: str) -> Flow[..., Any]:
    """Load the flow of a stage."""
    module, _, function = FLOWS[stage].partition(":")
    flow: Flow[..., Any] = getattr(import_module(module), function)
    return flow


def make_deployments(study: Study) -> list[RunnerDeployment]:
    """Describe every stage of the study to Prefect; one without a cron line runs when somebody starts it."""
    schedules = study.config.schedules
    lines = schedules.lines()
    found = []
    for stage in FLOWS:
        cron = Cron(lines[stage], timezone=schedules.timezone) if stage in lines else None
        flow = stage_flow(stage)
        deployment = RunnerDeployment.from_flow(
            flow,
            name=study.config.study.name,
            schedules=[cron] if cron else [],
            # serving pauses them when it ends
            paused=False,
            description=(flow.description or "").partition("\n")[0],
            tags=["pressroom", study.config.study.name],
            parameters={"study": str(study.layout.root)},
            concurrency_limit=ONE_AT_A_TIME,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        found.append(deployment)
    return found


def serve_deployments(study: Study) -> None:
    """Register the study's deployments and run them as they fall due, until a signal ends the process.

    Raises ``ServiceError`` once Prefect's server does not answer any more.
    """
    deployments = make_deployments(study)
    limit_tasks(task_limits(study))
    with get_client(sync_client=True) as client:
        for deployment in deployments:
            _end_stale_runs(client, f"{deployment.flow_name}/{deployment.name}")
    # the runs are processes of their own; each tells its outcome in a line, and its log is in Prefect's page
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    runner = _Runner(limit=len(deployments), pause_on_shutdown=True)
    for deployment in deployments:
        runner.add_deployment(deployment)
    try:
        asyncio.run(runner.start())
    except KeyboardInterrupt:
        return
    except (httpx.HTTPError, ExceptionGroup, RuntimeError) as error:
        # what Prefect 3.8.8 ends with once its server has not answered for half a minute
        raise ServiceError(
            f"Prefect's server does not answer any more ({type(error).__name__}); look into its log and start "
            "`pressroom serve` again"
        ) from error


class _Runner(Runner):
    def handle_sigterm(self, *args: object, **kwargs: object) -> None:
        # Prefect 3.8.8's own way calls a coroutine without awaiting it and leaves the schedules unpaused
        signal.raise_signal(signal.SIGINT)


def task_limits(study: Study) -> dict[str, int]:
    """Return how many tasks with each tag may run at once, on all machines that use the same Prefect server."""
    manners = open_manners(study, clock=SystemClock())
    sites = sorted({site_of(entry.location) for entry in list_sources(study) if entry.is_link})
    limits = {download_tag(site): manners.config_of(site).downloads_at_once for site in sites}
    return limits | {perceive_tag(study): study.config.run.workers}


def _end_stale_runs(client: SyncPrefectClient, name: str) -> None:
    """Clear what a process left that was killed: runs that nobody works on, and runs that are overdue since."""
    try:
        deployment_id = client.read_deployment_by_name(name).id
    except ObjectNotFound:
        return
    for run in _open_runs(client, deployment_id):
        if run.state_type is not StateType.SCHEDULED:
            state: State[Any] = Crashed(message="`pressroom serve` ended while this ran")
            client.set_flow_run_state(run.id, state, force=True)
        elif run.auto_scheduled:
            client.delete_flow_run(run.id)


def _open_runs(client: SyncPrefectClient, deployment_id: UUID) -> list[FlowRun]:
    states = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)))
    mine = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, deployment_filter=mine, limit=PAGE, offset=len(found)):
        found += page
    return found

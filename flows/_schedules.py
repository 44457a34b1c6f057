"""When ``pressroom serve`` runs each stage: cron lines, checked when the study file is read and without Prefect."""

from dataclasses import dataclass, fields
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from schema.errors import ConfigError

FLOWS = {
    "collect": "flows.collect:collect_flow",
    "perceive": "flows.perceive:perceive_flow",
    "propose": "flows.propose:propose_flow",
    "push": "flows.annotate:push_flow",
    "pull": "flows.annotate:pull_flow",
    "publish": "flows.publish:publish_flow",
    "train": "flows.train:train_flow",
    "recheck": "flows.collect:recheck_flow",
}
"""``module:function`` of each flow that can be scheduled; ``prefect.yaml`` lists the same."""
FIELD_COUNT = 5
"""Fields of a cron line; readers of cron disagree on where a sixth one, of seconds, stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulesConfig:
    """When ``pressroom serve`` runs each stage: minute, hour, day, month, weekday; an empty line is never."""

    collect: str = "17 3 * * *"
    """Ask the sources for news and get what is due. Not on the hour: sites are busiest then."""
    perceive: str = "7 * * * *"
    """Perceive new videos; a run that is still going is not started again."""
    propose: str = "37 * * * *"
    """Propose candidates from new keypoints."""
    push: str = ""
    """Put new candidates on the review page, such as "47 * * * *"; it starts the review server where none runs."""
    pull: str = "*/10 * * * *"
    """Fetch the answers that people gave; nothing is asked before something was put on the page."""
    publish: str = ""
    """Build a release of what people agreed on, such as "0 6 * * MON"."""
    train: str = ""
    """Train a seed model on what is known by then, such as "0 2 * * SAT"; nothing new, nothing is trained."""
    recheck: str = "41 4 * * SUN"
    """Ask whether each collected video is still public."""
    timezone: str = "UTC"
    """Time zone of the cron lines by its IANA name, such as Europe/Paris."""

    def __post_init__(self) -> None:
        """Refuse a line that is no cron line and a zone that does not exist (``ConfigError``)."""
        _check_zone(self.timezone)
        for stage, line in self.lines().items():
            _check_line(stage, line)

    def lines(self) -> dict[str, str]:
        """Return the cron line of each scheduled stage."""
        stages = [setting.name for setting in fields(self) if setting.name != "timezone"]
        return {stage: getattr(self, stage) for stage in stages if getattr(self, stage)}

    def next_runs(self, after: datetime) -> dict[str, datetime]:
        """Return when each scheduled stage runs next, in the schedules' time zone."""
        start = after.astimezone(ZoneInfo(self.timezone))
        return {stage: next(CronSim(line, start)) for stage, line in self.lines().items()}


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"schedules.timezone: {name!r} is no IANA time zone; use one such as UTC or Europe/Paris"
        ) from error


def _check_line(stage: str, line: str) -> None:
    shape = "a cron line is minute, hour, day, month, weekday, such as '17 3 * * *'"
    parts = line.split()
    if len(parts) != FIELD_COUNT:
        raise ConfigError(f"schedules.{stage}: {line!r} has {len(parts)} fields; {shape}")
    if _is_ambiguous(day=parts[2], weekday=parts[4]):
        raise ConfigError(
            f"schedules.{stage}: {line!r} uses L, # or */ with a day and a weekday, which readers of cron take "
            "differently; name the days"
        )
    try:
        next(CronSim(line, datetime(2024, 1, 1)))
    except CronSimError as error:
        raise ConfigError(f"schedules.{stage}: {line!r} has a {_plain(error)}; {shape}") from error
    except StopIteration as error:
        raise ConfigError(f"schedules.{stage}: {line!r} names a day that never comes; {shape}") from error


def _is_ambiguous(*, day: str, weekday: str) -> bool:
    """Tell what this reader of cron and Prefect's take differently: 5L or L5, */2 with a weekday as *and* or *or*."""
    is_both = day != "*" and weekday != "*"
    return "#" in weekday or "L" in (day + weekday).upper() or (is_both and (day + weekday).count("*") > 0)


def _plain(error: CronSimError) -> str:
    words = str(error)
    return words[:1].lower() + words[1:]

"""Cron lines: checked when the study file is read, and read as Prefect reads them."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from flows._schedules import FLOWS, SchedulesConfig
from schema.errors import ConfigError

GOOD = (
    "17 3 * * *",
    "*/10 * * * *",
    "0 6 * * MON",
    "0 6 * * 7",
    "41 4 * * SUN",
    "0 0 1,15 * *",
    "5/15 * * * *",
    "0 9-17/2 * * MON-FRI",
    "0 0 13 * FRI",
    "0 0 * jul *",
    "0 0 31 */2 *",
    "1-5/2,30 4 * * 0,6",
    "0 0 29 2 *",
)
BAD = {
    "61 * * * *": "bad minute",
    "* * * *": "4 fields",
    "0 17 3 * * *": "6 fields",
    "@daily": "1 fields",
    "H 3 * * *": "bad minute",
    "0 22 * * 5-1": "bad day-of-week",
    "0 0 30 2 *": "bad day-of-month",
    "0 0 L * *": "differently",
    "0 0 * * 5L": "differently",
    "0 0 * * sun#1": "differently",
    "0 0 */2 * MON": "differently",
}


@pytest.mark.parametrize("line", GOOD)
def test_a_line_means_to_prefect_what_it_means_here(line: str):
    from prefect.server.schemas.schedules import CronSchedule

    SchedulesConfig(collect=line)
    start = datetime(2026, 1, 3, tzinfo=ZoneInfo("Europe/Paris"))
    theirs = CronSchedule(cron=line, timezone="Europe/Paris").get_dates(5, start + timedelta(seconds=1))
    assert list(islice(CronSim(line, start), 5)) == list(asyncio.run(theirs))


@pytest.mark.parametrize(("line", "why"), BAD.items())
def test_a_bad_line_names_its_key(line: str, why: str):
    with pytest.raises(ConfigError, match=r"schedules\.perceive: ") as refused:
        SchedulesConfig(perceive=line)
    assert why in str(refused.value)
    assert repr(line) in str(refused.value)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe"])
def test_a_zone_that_does_not_exist_names_its_key(zone: str):
    with pytest.raises(ConfigError, match=r"schedules\.timezone: "):
        SchedulesConfig(timezone=zone)


def test_an_empty_line_is_never():
    schedules = SchedulesConfig(collect="", pull="")
    assert not {"collect", "pull"} & schedules.lines().keys()
    assert schedules.lines().keys() == schedules.next_runs(datetime.now(UTC)).keys()
    assert SchedulesConfig().lines().keys() <= FLOWS.keys()


def test_the_next_run_is_told_in_the_schedules_own_zone():
    schedules = SchedulesConfig(collect="17 3 * * *", timezone="Europe/Paris")
    found = schedules.next_runs(datetime(2026, 7, 1, 1, 0, tzinfo=UTC))["collect"]
    assert found.isoformat() == "2026-07-01T03:17:00+02:00"


def test_cron_lines_are_checked_without_prefect():
    code = "import sys, flows._schedules as s; s.SchedulesConfig(); print('prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

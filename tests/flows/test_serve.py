"""``pressroom serve`` with the real Prefect server: what is registered runs, ends well, and is seen in the page."""

import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows import _flowkit
from flows._flowkit import StageFailedError, StageRun, summary_rows
from flows._leases import lease
from flows._outcome import Failure, Outcome
from flows._schedules import FLOWS
from flows._serve import serve
from flows._study import open_study
from schema.arrow import RUNS
from schema.errors import DropReason, LeaseHeldError, StoreFullError
from schema.records import Dropped
from schema.tables import STUDY_KEY
from tests.served_study import ENDED, Served, engines_of, is_server_up, prefect_page, serving
from tests.studies import make_study, paint_video, set_keys

SECRET = "serena-quigley"
LINES = {"collect": "23 2 * * *", "publish": "0 6 * * MON", "propose": "", "pull": "* * * * *"}


def painted_study(root: Path) -> Path:
    """A study of one painted video and one file without content."""
    paint_video(root / "recordings" / "good.mp4", seconds=2)
    (root / "recordings" / "empty.mp4").write_bytes(b"")
    make_study(root)
    set_keys(root, schedules=LINES | {"timezone": "Europe/Paris"}, run={"workers": 2})
    return root


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(painted_study(tmp_path_factory.mktemp("served") / "study")) as running:
        yield running
        assert is_server_up(running.root)
        assert running.end(signal.SIGINT) == 0
        assert not is_server_up(running.root), "serve left the server running that it had started"


@pytest.mark.timeout(300)
def test_every_stage_is_registered_as_the_study_file_says(served: Served) -> None:
    found = served.deployments()
    assert found.keys() == FLOWS.keys()
    crons = {stage: [s["schedule"] for s in deployment["schedules"]] for stage, deployment in found.items()}
    assert [c["cron"] for c in crons["collect"]] == ["23 2 * * *"]
    assert [c["cron"] for c in crons["publish"]] == ["0 6 * * MON"]
    assert [c["timezone"] for c in crons["pull"]] == ["Europe/Paris"]
    assert crons["propose"] == crons["push"] == []
    for deployment in found.values():
        assert deployment["name"] == "painted"
        assert set(deployment["tags"]) == {"pressroom", "painted"}
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
        assert deployment["parameters"] == {"study": str(served.root)}
        for parameter in deployment["parameter_openapi_schema"]["properties"].values():
            assert len(parameter["description"]) > len("a few words")
    limits = {limit["name"]: limit["limit"] for limit in served.ask("/v2/concurrency_limits/filter")}
    assert limits["tag:perceive:painted"] == 2


@pytest.mark.timeout(300)
def test_prefect_plans_the_runs_that_were_told(served: Served) -> None:
    told = {line.split()[0]: line for line in served.said[1:]}
    assert "not scheduled" in told["push"]
    wanted = open_study(served.root).config.schedules.next_runs(datetime.now(UTC))
    assert f"{wanted['collect']:%Y-%m-%d %H:%M %Z}" in told["collect"]
    deployment_id = served.deployments()["collect"]["id"]

    def planned() -> list[dict]:
        states = {"type": {"any_": ["SCHEDULED"]}}
        return served.ask(
            "/flow_runs/filter",
            deployments={"id": {"any_": [deployment_id]}},
            flow_runs={"state": states},
            sort="EXPECTED_START_TIME_ASC",
        )

    served.wait_for(lambda: bool(planned()), "planned runs")
    assert datetime.fromisoformat(planned()[0]["expected_start_time"]) == wanted["collect"]


@pytest.mark.timeout(300)
def test_a_run_does_its_work_and_leaves_a_summary(served: Served) -> None:
    run_id = served.start_run("collect")
    assert served.wait_for_state(run_id, *ENDED)["type"] == "COMPLETED"
    summary = served.summary_of(run_id)
    assert summary["got"][0] == "1"
    assert summary["dropped: empty"][0] == "1"
    assert "downloaded" in summary
    served.wait_for(
        lambda: any(line.startswith("collect: 1 done, 1 dropped (empty)") for line in served.said), "a line"
    )
    assert not [line for line in served.said if "Traceback" in line or "ERROR" in line]


@pytest.mark.timeout(300)
def test_a_run_that_still_goes_is_not_started_again(served: Served) -> None:
    study = open_study(served.root)
    with lease(study.layout, "push", STUDY_KEY) as held:
        assert held
        first = served.start_run("push")
        served.wait_for_state(first, "RUNNING")
        state = served.wait_for_state(served.start_run("push"), *ENDED)
        assert (state["type"], state["message"]) == ("CANCELLED", "Deployment concurrency limit reached.")
        assert served.state_of(first)["type"] == "RUNNING"
    assert served.wait_for_state(first, *ENDED)["type"] == "COMPLETED"


@pytest.mark.timeout(300)
def test_a_run_that_can_not_go_on_says_why_in_one_line(served: Served) -> None:
    text = (served.root / "study.toml").read_text(encoding="utf-8")
    try:
        set_keys(served.root, study={"players": "private/none.csv"}, run={"workers": 0})
        run_id = served.start_run("perceive")
        state = served.wait_for_state(run_id, *ENDED)
    finally:
        (served.root / "study.toml").write_text(text, encoding="utf-8")
    assert state["type"] == "FAILED"
    assert "run.workers: at least 1 is needed, got 0" in state["message"]

    def told() -> list[str]:  # the pull of each minute may stumble over it too
        return [line for line in served.said if line.startswith("perceive: ") and "run.workers" in line]

    served.wait_for(lambda: bool(told()), "its line")
    assert len(told()) == 1
    assert not [line for line in served.said if "Traceback" in line]


@pytest.mark.timeout(300)
def test_a_parameter_out_of_range_is_refused(served: Served) -> None:
    import httpx

    with pytest.raises(httpx.HTTPStatusError, match=r"409|422"):
        served.start_run("perceive", most_videos=-1)


def test_a_study_is_served_once(served: Served) -> None:
    with pytest.raises(LeaseHeldError, match="served already"):
        serve(open_study(served.root))


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_page_shows_schedules_and_what_each_parameter_means(served: Served) -> None:
    deployment = served.deployments()["collect"]
    with prefect_page() as page:
        page.goto(f"{served.url}/deployments")
        page.get_by_text("At 02:23 AM").first.wait_for()
        for stage in FLOWS:
            page.get_by_text(stage, exact=True).first.wait_for()
        page.goto(f"{served.url}/deployments/deployment/{deployment['id']}/run")
        page.get_by_text("Read every page of every source").first.wait_for()
        page.get_by_text("The study's folder, as the machine sees it that does the work.").first.wait_for()


@pytest.mark.timeout(300)
def test_a_run_starts_by_itself_when_its_time_has_come(served: Served) -> None:
    deployment_id = served.deployments()["pull"]["id"]

    def done() -> list[dict]:
        runs = served.ask("/flow_runs/filter", deployments={"id": {"any_": [deployment_id]}})
        return [run for run in runs if run["auto_scheduled"] and run["state_type"] == "COMPLETED"]

    served.wait_for(lambda: bool(done()), "a run by the clock")
    planned = datetime.fromisoformat(done()[0]["expected_start_time"])
    assert planned.second == 0
    assert served.summary_of(done()[0]["id"])["note"][1].startswith("nothing was put on the page yet")


@pytest.mark.timeout(300)
def test_a_killed_serve_leaves_nothing_that_blocks_the_next(tmp_path: Path) -> None:
    root = painted_study(tmp_path / "study")
    study = open_study(root)
    with lease(study.layout, "push", STUDY_KEY), serving(root) as killed:
        lost = killed.start_run("push")
        killed.wait_for_state(lost, "RUNNING")
        assert killed.end(signal.SIGKILL) == -signal.SIGKILL
        for orphan in engines_of(root):
            orphan.kill()
        with serving(root) as again:
            state = again.wait_for_state(lost, *ENDED)
            assert (state["type"], state["message"]) == ("CRASHED", "`pressroom serve` ended while this ran")
            second = again.start_run("push")
            again.wait_for_state(second, "RUNNING")
            # the way in which systemd ends it
            assert again.end(signal.SIGTERM) == 0
            assert again.said[-1].startswith("served no more")
            assert not [line for line in again.said if "Traceback" in line]
            assert not engines_of(root)


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """Make this process look like a scheduled run; returns the summaries that it publishes."""
    published: list[Outcome] = []
    monkeypatch.setattr(_flowkit, "is_scheduled", lambda: True)

    def publish(outcome: Outcome, *, study_name: str) -> None:
        published.append(outcome)

    monkeypatch.setattr(_flowkit, "publish_summary", publish)
    return published


def test_an_error_nobody_foresaw_tells_prefect_its_type_alone(
    tmp_path: Path, scheduled: list[Outcome], capfd: pytest.CaptureFixture[str]
) -> None:
    study = make_study(tmp_path / "study")
    with pytest.raises(StageFailedError) as failed, StageRun("pull", str(study.layout.root)):
        raise OSError(36, "File name too long", SECRET)
    assert str(failed.value) == "pull failed for study: OSError; the traceback is in the table runs"
    assert failed.value.__suppress_context__
    assert SECRET not in "".join(capfd.readouterr()) + str(scheduled)
    (run,) = study.store.read(RUNS).to_pylist()
    assert SECRET in run["detail"]
    assert (run["stage"], run["key"], run["outcome"]) == ("pull", STUDY_KEY, "failed")


def test_a_full_disk_ends_a_scheduled_run_with_its_own_words(
    tmp_path: Path, scheduled: list[Outcome], capfd: pytest.CaptureFixture[str]
) -> None:
    study = make_study(tmp_path / "study")
    run = StageRun("collect", str(study.layout.root))
    run.outcome.done = 3
    with pytest.raises(StoreFullError), run:
        raise StoreFullError("the disk is full: make room")
    assert [outcome.done for outcome in scheduled] == [3]
    assert "collect: the disk is full: make room" in capfd.readouterr().err
    assert study.store.read(RUNS).num_rows == 0


def test_a_command_gets_the_error_as_it_is(tmp_path: Path, scheduled: list[Outcome], monkeypatch) -> None:
    monkeypatch.setattr(_flowkit, "is_scheduled", lambda: False)
    study = make_study(tmp_path / "study")
    with pytest.raises(OSError, match=SECRET), StageRun("pull", str(study.layout.root)):
        raise OSError(36, "File name too long", SECRET)
    assert study.store.read(RUNS).num_rows == 0


def test_the_summary_tells_what_a_night_came_to() -> None:
    def lost(number: int, reason: DropReason) -> Dropped:
        return Dropped(stage="collect", item_id=f"l{number}", reason=reason, detail="")

    reasons = [DropReason.REMOVED, DropReason.RATE_LIMITED, DropReason.BOT_CHECK, DropReason.REMOVED]
    hour_ns = 3600 * 10**9
    outcome = Outcome(
        stage="collect",
        done=12,
        rows=11,
        dropped=[lost(number, reason) for number, reason in enumerate(reasons)],
        failures=[Failure(stage="collect", key="l9", traceback="KeyError")],
        busy=["l8"],
        byte_count=1_234_567_890,
        paused={"youtube.com": 2 * hour_ns},
        next_retry_ns=3 * hour_ns,
    )
    rows = {row["what"]: (row["count"], row["more"]) for row in summary_rows(outcome)}
    assert (rows["got"][0], rows["held already"][0]) == ("11", "1")
    assert rows["dropped: removed"][0] == "2"
    assert rows["refusals"][0] == "2"
    assert rows["downloaded"][0] == "1234.6 MB"
    assert rows["host paused"] == ("youtube.com", "until 1970-01-01 02:00 UTC")
    assert rows["next retry"][0] == "1970-01-01 03:00 UTC"
    assert rows["failed"] == ("l9", "KeyError")
    assert not [what for what in rows if re.search(r"l[0-7]\b", what)]

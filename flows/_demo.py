"""The demo: the whole chain on a real video, from a link to a verified release and a running review page."""

import csv
import sys
import time
import webbrowser
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import tomlkit
import typer

from annotation.studio.service import ReviewServer
from collectors.sample_site import SampleSite
from drawing.people import Background
from flows._backends import back_end_document
from flows._collection import GOT, newest_attempts
from flows._config import STUDY_FILE, load_config
from flows._facts import status_facts
from flows._outcome import ExitStatus, Outcome
from flows._overrides import VARIABLES, named_back_ends, with_named_back_ends
from flows._plan import current_candidates, study_videos
from flows._prefect import start_prefect
from flows._preview import preview_video
from flows._publication import newest_release, study_releases
from flows._report import tell_outcome
from flows._reviewers import answer_by_script, answer_questions_by_script
from flows._runner import run_stage
from flows._services import start_review
from flows._standing import read_standing
from flows._study import Study, open_study
from media.sample import sample_clip_path
from schema.errors import InvalidReleaseError
from schema.privacy import make_source_id

CONFIG = Path(__file__).parents[1] / "configs" / "demo.toml"
SAMPLE_NAME = "press-conference.mp4"


def run_demo(videos: Sequence[str], *, root: Path, tracker: str | None, keypoints: str | None, open_page: bool) -> int:
    """Run the demo in a study at ``root``, which is made or gone on with; returns the exit status."""
    started = time.monotonic()
    _make_study(root, tracker=tracker, keypoints=keypoints)
    study = open_study(root)
    outcomes: dict[str, Outcome] = {}
    with ExitStack() as stack:
        _list_sources(stack, study, videos)
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=2))
        typer.echo("starting Prefect and Label Studio in the background (the first time takes about two minutes)")
        review = pool.submit(start_review, study)
        with _step("Prefect"):
            start_prefect(study.layout)
        for name in ("collect", "perceive", "propose"):
            outcomes[name] = _stage(study, name)
        server = _await(review)
        outcomes["push"] = _stage(study, "push")
        _name_players(study, outcomes)
        with _step("scripted reviewers"):
            answer_by_script(study)
        outcomes["pull"] = _stage(study, "pull")
        outcomes["publish"] = _publish(study)
        with _step("previews"):
            pictures = _previews(study)
    _tell_counts(study, outcomes, seconds=time.monotonic() - started)
    _tell_release(study)
    for path in pictures:
        typer.echo(f"picture      {_shown(path)}")
    _tell_page(study, server)
    if open_page:
        webbrowser.open(server.url)
    worst = max(o.exit_status(tolerated_drops=study.config.run.tolerated_drops) for o in outcomes.values())
    return worst if study_releases(study) else max(worst, ExitStatus.DROPPED)


def _make_study(root: Path, *, tracker: str | None, keypoints: str | None) -> None:
    """Write the demo's study file, with the named back ends once it is known that they can run."""
    path = root / STUDY_FILE
    template = path if path.exists() else CONFIG
    document = tomlkit.parse(template.read_text(encoding="utf-8"))
    with named_back_ends(tracker=tracker, keypoints=keypoints):
        chosen = with_named_back_ends(load_config(template).back_ends)
        for stage in VARIABLES:
            back_end_document(chosen, stage)
            document["back_ends"][stage] = getattr(chosen, stage)
            if f"{stage}_settings" in document["back_ends"]:
                document["back_ends"][f"{stage}_settings"] = getattr(chosen, f"{stage}_settings")
    (root / "private").mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(tomlkit.dumps(document), encoding="utf-8")


def _list_sources(stack: ExitStack, study: Study, videos: Sequence[str]) -> None:
    """Write the demo's source list and its players: each video declares one person of its own.

    The sample is offered by a web server on loopback, unless the study holds it already.
    """
    path = study.layout.private / "sources.csv"
    listed = _listed(path)
    if videos:
        wanted = [video if "://" in video else str(Path(video).resolve()) for video in videos]
        listed += [location for location in wanted if location not in listed]
    elif not any(_is_held(study, location) for location in listed):
        site = stack.enter_context(SampleSite({SAMPLE_NAME: sample_clip_path()}))
        listed = [site.link(SAMPLE_NAME)]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = [(location, f"person-{number}") for number, location in enumerate(listed, start=1)]
        csv.writer(file).writerows([("location", "person"), *rows])
    with (study.layout.private / "players.csv").open("w", encoding="utf-8", newline="") as file:
        people = [(f"person-{number}", f"Demo Person {number}") for number in range(1, len(listed) + 1)]
        csv.writer(file).writerows([("person_id", "name"), *people])


def _listed(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row["location"] for row in csv.DictReader(file)]


def _is_held(study: Study, location: str) -> bool:
    attempt = newest_attempts(study).get(make_source_id(study.key, location))
    return attempt is not None and attempt.outcome == GOT


@contextmanager
def _step(name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    typer.echo(f"{name}: ready in {time.monotonic() - started:.1f} s")


def _stage(study: Study, name: str) -> Outcome:
    outcome = run_stage(study, name)
    tell_outcome(outcome, study)
    return outcome


def _name_players(study: Study, outcomes: dict[str, Outcome]) -> None:
    """Let a script say who the player is where that was asked, and go on with what the answer changes."""
    if not answer_questions_by_script(study):
        return
    for name in ("pull", "perceive", "propose", "push"):
        again = _stage(study, name)
        if name in outcomes:
            again.add(outcomes[name])
        outcomes[name] = again


def _publish(study: Study) -> Outcome:
    """Publish what there is; a video without any agreed gesture still ends with the table of what was done."""
    try:
        return _stage(study, "publish")
    except InvalidReleaseError as error:
        typer.echo(f"publish: {error}", err=True)
        return Outcome(stage="publish")


def _await(review: Future[ReviewServer]) -> ReviewServer:
    with _step("Label Studio"):
        return review.result()


def _command() -> str:
    program = Path(sys.argv[0])
    return str(_shown(program.absolute())) if program.name == "pressroom" else "pressroom"


def _previews(study: Study) -> list[Path]:
    """Draw each video that has candidates as skeletons on black: films and contact sheets that are safe to show."""
    videos = [video for video in study_videos(study) if current_candidates(study, [video])]
    return [path for video in videos for path in preview_video(study, video.video_id, background=Background.BLACK)]


def _tell_counts(study: Study, outcomes: dict[str, Outcome], *, seconds: float) -> None:
    facts = status_facts(study)
    typer.echo("")
    for name in ("videos", "shots", "tracks", "frames", "candidates", "tasks", "answers", "segments"):
        typer.echo(f"{name:<12} {facts[name]:>8,}")
    for reason, count in facts["dropped"].items():
        typer.echo(f"{'dropped':<12} {count:>8,}  {reason}")
    for name, outcome in outcomes.items():
        typer.echo(f"{'seconds':<12} {outcome.seconds:>8.1f}  {name}")
    typer.echo(f"{'seconds':<12} {seconds:>8.1f}  in all, with the servers' start")


def _tell_page(study: Study, server: ReviewServer) -> None:
    open_tasks = sum(plan.is_open for plan in read_standing(study).overlaps.values())
    command, root = _command(), _shown(study.layout.root)
    typer.echo(
        f"\nreview page  {server.url}   user {server.user}   password {server.password}\n"
        f"             tasks that are open for you: {open_tasks}; then go on with\n"
        f"               {command} pull {root}\n               {command} publish {root}\n"
        f"               {command} down {root}      stops the servers"
    )


def _shown(path: Path) -> Path:
    """Return a path as short as it can be typed from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _tell_release(study: Study) -> None:
    if not study_releases(study):
        typer.echo("\nno release: nobody agreed on a micro-gesture")
        return
    from flows._release_commands import tell_validation

    folder = _shown(newest_release(study))
    typer.echo(f"\nrelease      {folder}")
    tell_validation(folder, as_json=False)
    typer.echo(
        "look into it:\n"
        "  import polars as pl\n"
        f'  segments = pl.read_parquet("{folder}/data/segments-*.parquet")\n'
        '  print(segments.select("class_name", "start_ns", "end_ns", "agreement", "description"))'
    )

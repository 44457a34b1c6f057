"""The ``pressroom`` command; every heavy import waits until a command needs it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows._cli_groups import GROUPS
from flows._cli_options import (
    HereArgument,
    JsonOption,
    KeypointsOption,
    ReleaseArgument,
    StudyArgument,
    TrackerOption,
    local_folder,
    opened,
    release_folder,
    told,
)
from flows._cli_simulate import simulate

app = typer.Typer(
    name="pressroom",
    help="Build micro-gesture data sets from press-conference videos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in GROUPS:
    app.add_typer(group)


def _run(location: Path, *stages: str, **options: bool | str) -> None:
    with told():
        from flows._report import tell_outcome
        from flows._runner import run_stages

        study = opened(location)
        worst = 0
        for outcome in run_stages(study, stages, **options):
            tell_outcome(outcome, study)
            worst = max(worst, outcome.exit_status(tolerated_drops=study.config.run.tolerated_drops))
        if worst:
            raise typer.Exit(worst)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", parser=local_folder, help="A new folder for the study.")],
) -> None:
    """Make a study folder with a commented study.toml to start from."""
    with told():
        from flows._init import init_study

        typer.echo(init_study(folder))


@app.command()
def doctor(
    study: Annotated[
        Path | None, typer.Argument(metavar="STUDY", parser=local_folder, help="Also look at this study.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what is installed, what is missing and how to get it."""
    with told():
        from flows._doctor import examine, tell_findings

        findings = examine(study)
        tell_findings(findings, as_json=as_json)
        if any(not finding.good for finding in findings):
            raise typer.Exit(3)


@app.command()
def demo(
    videos: Annotated[list[str] | None, typer.Argument(metavar="[URL|FILE]...", help="Videos of your own.")] = None,
    root: Annotated[Path, typer.Option(metavar="DIR", parser=local_folder, help="Folder of the demo study.")] = Path(
        "demo"
    ),
    tracker: TrackerOption = None,
    keypoints: KeypointsOption = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the review page at the end.")] = False,
) -> None:
    """Show the whole chain on a real video, from a link to a verified release and a running review page."""
    with told():
        from flows._demo import run_demo

        status = run_demo(videos or [], root=root, tracker=tracker, keypoints=keypoints, open_page=open_page)
        if status:
            raise typer.Exit(status)


@app.command()
def plan(
    study: StudyArgument, tracker: TrackerOption = None, keypoints: KeypointsOption = None, as_json: JsonOption = False
) -> None:
    """Tell what would be done, with hours, gigabytes and annotator minutes."""
    with told():
        from flows._overrides import named_back_ends
        from flows._report import tell_plan

        with named_back_ends(tracker=tracker, keypoints=keypoints):
            tell_plan(opened(study), as_json=as_json)


@app.command()
def collect(
    study: StudyArgument,
    full: Annotated[bool, typer.Option("--full", help="Read every page of every source, not only the news.")] = False,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Ask instead whether each collected video is still public.")
    ] = False,
) -> None:
    """Ask the study's sources for news, and get the videos that are due."""
    if recheck:
        _run(study, "recheck")
    else:
        _run(study, "collect", full=full)


@app.command()
def perceive(
    study: StudyArgument,
    score_only: Annotated[
        bool,
        typer.Option(
            "--score-only", help="Only measure who is there, how well they are shown and who is the player; tell it."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find shots, follow people, tell who is the player and estimate keypoints in every video."""
    if not score_only:
        _run(study, "perceive")
        return
    with told():
        from flows._scores import tell_scores

        status = 0
        try:
            _run(study, "perceive", score_only=True)
        except typer.Exit as ended:
            status = ended.exit_code
        tell_scores(opened(study), as_json=as_json)
        if status:
            raise typer.Exit(status)


@app.command()
def propose(
    study: StudyArgument,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH|none", help="Propose with this model from now on: a round begins; none: without one."
        ),
    ] = "",
) -> None:
    """Propose candidate micro-gestures from the keypoints."""
    if model:
        with told():
            from flows._rounds import choose_model, round_in_words

            typer.echo(round_in_words(choose_model(opened(study), model)))
    _run(study, "propose")


@app.command()
def push(
    study: StudyArgument,
    recreate: Annotated[
        bool, typer.Option("--recreate", help="Ask again what somebody deleted on the review server.")
    ] = False,
) -> None:
    """Put what is asked next on the review page."""
    _run(study, "push", recreate=recreate)


@app.command()
def pull(study: StudyArgument) -> None:
    """Fetch the answers that people gave."""
    _run(study, "pull")


@app.command()
def publish(study: StudyArgument) -> None:
    """Build a release of what people agreed on."""
    _run(study, "publish")


@app.command()
def train(
    study: StudyArgument,
    on: Annotated[
        Path | None,
        typer.Option(metavar="RELEASE", parser=release_folder, help="Learn from this published release, too."),
    ] = None,
    init: Annotated[str, typer.Option(metavar="MODEL", help="Go on from this model: a name, or a folder.")] = "",
    name: Annotated[str, typer.Option(help="What to call the model; seed-1, seed-2 and so on if not given.")] = "",
) -> None:
    """Train a seed model on everything that is verified, and measure it on people it has not seen."""
    _run(study, "train", on=str(on.resolve()) if on else "", init=init, name=name)


app.command()(simulate)


@app.command("import")
def import_(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="miga, smg, ma52, pyskl or label-studio.")],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", parser=local_folder, help="The data set's folder, or a file.")
    ],
    *,
    study: Annotated[
        Path, typer.Option("--into", metavar="STUDY", parser=local_folder, help="The study that takes it.")
    ],
    name: Annotated[str, typer.Option(help="What to call the data set; the format's name if not given.")] = "",
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Under which licence or agreement you have it.")] = "",
    subjects: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Who is in which recording: recording,subject[,outcome,split,rate,size]."),
    ] = None,
    rate: Annotated[str, typer.Option(metavar="FPS", help="Frames per second, where the files don't tell.")] = "",
    size: Annotated[str, typer.Option(metavar="WxH", help="Picture size, where the files don't tell.")] = "",
    layout: Annotated[str, typer.Option(metavar="NAME", help="pyskl, ma52: the keypoint layout.")] = "",
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="pyskl: lines number,class, or the classes in order.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take a data set of others into a study: recordings, labels and keypoints; nothing of it is run."""
    with told():
        from flows._import import ImportCall
        from flows._import_command import run_import

        call = ImportCall(
            format_name=format_name,
            path=path,
            name=name,
            licence=licence,
            subjects=subjects,
            labels=labels,
            rate=rate,
            size=size,
            layout=layout,
        )
        status = run_import(opened(study), call, as_json=as_json)
        if status:
            raise typer.Exit(status)


@app.command("export")
def export_command(
    release: ReleaseArgument,
    format_name: Annotated[
        str,
        typer.Argument(metavar="FORMAT", help="pyskl, activitynet, miga, elan, boris, coco or webdataset."),
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", parser=local_folder, help="A new file or folder.")],
    *,
    split: Annotated[str, typer.Option(metavar="NAMES", help="Only these splits, as in train,val.")] = "",
    layout: Annotated[str, typer.Option(metavar="NAME", help="pyskl: the keypoint layout, such as imigue22.")] = "",
    xsub: Annotated[bool, typer.Option("--xsub", help="pyskl: call the splits xsub_train and so on.")] = False,
    every: Annotated[
        int, typer.Option(metavar="N", help="coco: take every N-th frame of a segment, not 5 of each.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write a release's segments in another tool's format."""
    with told():
        from flows._export import export

        export(release, format_name, path, split=split, layout=layout, xsub=xsub, every=every, as_json=as_json)


@app.command()
def withdraw(
    study: StudyArgument,
    reason: Annotated[str, typer.Option(help="Why, in a few words without a name or a link: it stays for good.")],
    video: Annotated[str | None, typer.Option(metavar="ID", help="Erase this video and its copies.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="ID", help="Erase all videos of this person.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a video, or all videos of a person, for good; a tombstone keeps them from being collected again."""
    with told():
        from flows._withdraw import tell_withdrawal, withdraw_on_request

        done = withdraw_on_request(opened(study), video=video, subject=subject, reason=reason)
        tell_withdrawal(done, as_json=as_json)


@app.command()
def run(study: StudyArgument, tracker: TrackerOption = None, keypoints: KeypointsOption = None) -> None:
    """Collect, perceive, propose and push; picks up where it stopped."""
    with told():
        from flows._overrides import named_back_ends, tell_override

        with named_back_ends(tracker=tracker, keypoints=keypoints):
            tell_override(study)
            _run(study, "collect", "perceive", "propose", "push")


@app.command()
def up(study: HereArgument = Path()) -> None:
    """Start the study's Prefect server and review server in the background."""
    with told():
        from flows._services import start_services

        typer.echo(start_services(opened(study)))


@app.command()
def down(study: HereArgument = Path()) -> None:
    """Stop the study's servers."""
    with told():
        from flows._services import stop_services

        typer.echo(stop_services(opened(study)))


@app.command()
def serve(study: HereArgument = Path()) -> None:
    """Run the study's stages by its schedules, in Prefect's page, until this is ended."""
    with told():
        from flows._serve import serve as serve_study

        serve_study(opened(study))


@app.command()
def status(study: StudyArgument, as_json: JsonOption = False) -> None:
    """Tell what is done, dropped (by reason), waiting, asked and verified, and the disk it takes."""
    with told():
        from flows._report import tell_status

        tell_status(opened(study), as_json=as_json)


@app.command()
def explain(
    study: StudyArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A video id, or `study`.")],
    tracker: TrackerOption = None,
    keypoints: KeypointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell why each part of a video will or will not be redone."""
    with told():
        from flows._overrides import named_back_ends
        from flows._report import tell_explanation

        with named_back_ends(tracker=tracker, keypoints=keypoints):
            tell_explanation(opened(study), key, as_json=as_json)


@app.command()
def preview(
    study: StudyArgument,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="A video id.")],
    background: Annotated[str, typer.Option(help="`picture` (keep it private) or `black`.")] = "black",
) -> None:
    """Draw an overlay film and a contact sheet of one video: people and roles, hands, cuts and candidates in time."""
    with told():
        from flows._preview import preview_video
        from flows._progress import showing

        with showing():
            paths = preview_video(opened(study), video, background=background)
        for path in paths:
            typer.echo(path)


def main() -> None:
    """Run the command; the console script's entry point."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("pressroom: stopped; the same command goes on from here", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()

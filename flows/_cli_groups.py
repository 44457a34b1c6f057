"""The commands that come in groups, such as ``pressroom annotators add``."""

from pathlib import Path
from typing import Annotated

import typer

from flows._cli_options import (
    HereArgument,
    JsonOption,
    ReleaseArgument,
    StudyArgument,
    local_folder,
    opened,
    release_folder,
    told,
)

release_app = typer.Typer(name="release", help="Look at published releases.", no_args_is_help=True)
models_app = typer.Typer(
    name="models", help="Seed models of a study, and networks for keypoints.", no_args_is_help=True
)
annotators_app = typer.Typer(name="annotators", help="Those who answer on the review page.", no_args_is_help=True)
report_app = typer.Typer(name="report", help="Write reports on the study's work.", no_args_is_help=True)
ModelsStudyArgument = Annotated[
    Path | None,
    typer.Argument(metavar="STUDY", parser=local_folder, help="The study's folder; this one if none is named."),
]
GROUPS = (models_app, annotators_app, report_app, release_app)


@models_app.command("list")
def models_list(study: ModelsStudyArgument = None, as_json: JsonOption = False) -> None:
    """List the study's seed models with what was measured of them; without STUDY the networks for keypoints too."""
    with told():
        from flows._model_commands import tell_models

        tell_models(study, as_json=as_json)


@models_app.command("show")
def models_show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A seed model, the path of a model's folder, or a keypoint network.")
    ],
    study: ModelsStudyArgument = None,
    as_json: JsonOption = False,
    open_card: Annotated[bool, typer.Option("--open", help="Show a seed model's card in a browser.")] = False,
) -> None:
    """Check a seed model and tell what is known of it; of a keypoint network, where its weights come from."""
    with told():
        from flows._model_commands import tell_model

        tell_model(name, study, as_json=as_json, open_card=open_card)


@models_app.command("compare")
def models_compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A seed model, or the path of a model's folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    study: ModelsStudyArgument = None,
    as_json: JsonOption = False,
) -> None:
    """Put the figures of two seed models side by side: differences, and whether the intervals overlap."""
    with told():
        from flows._model_comparison import tell_comparison

        tell_comparison((first, second), study, as_json=as_json)


@models_app.command("export")
def models_export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A config's name, or the path of your own config.")],
    checkpoint: Annotated[str, typer.Option(help="Its weights: a name in the weights folder, or a path.")] = "",
    output: Annotated[Path | None, typer.Option(help="Where to; the weights folder if not given.")] = None,
) -> None:
    """Export a network to ONNX, for machines without torch and mmpose."""
    with told():
        from flows._models import export_model

        export_model(name, checkpoint=checkpoint, output=output)


@annotators_app.command("add")
def annotators_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person's name; it stays in private/.")],
    study: HereArgument = Path(),
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="`annotator`, or `expert`: decides what others could not settle.")
    ] = "annotator",
    email: Annotated[str, typer.Option(help="Address to log in with; one is made of the name if not given.")] = "",
) -> None:
    """Make an account on the review page, and show its password once."""
    with told():
        from flows._annotators import add_annotator, role_named

        add_annotator(opened(study), name, role=role_named(role), email=email)


@annotators_app.command("end")
def annotators_end(
    who: Annotated[str, typer.Argument(metavar="WHO", help="Name, address or id.")], study: HereArgument = Path()
) -> None:
    """Record that somebody no longer answers; the answers stay."""
    with told():
        from flows._annotators import end_annotator

        end_annotator(opened(study), who)


@annotators_app.command("list")
def annotators_list(study: HereArgument = Path(), as_json: JsonOption = False) -> None:
    """Tell who answers, how much, how fast, and how well by the hidden items."""
    with told():
        from flows._annotators import tell_annotators

        tell_annotators(opened(study), as_json=as_json)


@report_app.command("annotation")
def report_annotation(study: StudyArgument, as_json: JsonOption = False) -> None:
    """Write how verification goes, for the weekly meeting: agreement, people, time, what is missed."""
    with told():
        from flows._report_annotation import report_annotation as report

        report(opened(study), as_json=as_json)


@report_app.command("rounds")
def report_rounds(study: StudyArgument, as_json: JsonOption = False) -> None:
    """Write what each round bought: precision, people's time and recall against the round before."""
    with told():
        from flows._report_rounds import report_rounds as report

        report(opened(study), as_json=as_json)


@release_app.command("validate")
def release_validate(
    release: ReleaseArgument,
    as_json: JsonOption = False,
) -> None:
    """Check a release as an outsider would, and tell for which tasks it suffices."""
    with told():
        from flows._release_commands import tell_validation

        if not tell_validation(release, as_json=as_json):
            raise typer.Exit(3)


@release_app.command("diff")
def release_diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", parser=release_folder, help="A release's folder.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", parser=release_folder, help="Another one.")],
    as_json: JsonOption = False,
) -> None:
    """Tell what changed from one release to another: settings, inputs, columns, people, segments."""
    with told():
        from flows._release_commands import tell_diff

        tell_diff(before, after, as_json=as_json)


@release_app.command("push")
def release_push(
    release: ReleaseArgument,
    repository: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="A dataset repository of yours.")],
    gating: Annotated[
        str, typer.Option(help="Who gets access: `manual`, those you let in; `auto`, who asks.")
    ] = "manual",
    public: Annotated[bool, typer.Option("--public", help="Let everybody see that it is there.")] = False,
    endpoint: Annotated[str, typer.Option(help="Another Hub than huggingface.co.")] = "https://huggingface.co",
) -> None:
    """Send a release to the Hugging Face Hub: private and gated, unless told otherwise."""
    with told():
        from flows._release_commands import tell_push

        tell_push(release, repository, gating=gating, public=public, endpoint=endpoint)


@release_app.command("stats")
def release_stats(
    release: ReleaseArgument,
    output: Annotated[Path | None, typer.Option(help="Folder to write the statistics page into, once more.")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what a release holds: classes, durations, people, agreement, seconds of skeleton."""
    with told():
        from flows._release_stats import tell_stats

        tell_stats(release, output=output, open_page=open_page, as_json=as_json)

"""What the commands share: how they tell errors, and the arguments and options that several of them take."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schema.errors import PipelineError, UsageError

if TYPE_CHECKING:
    from flows._study import Study


@contextmanager
def told() -> Iterator[None]:
    """Turn an error that pressroom raises on purpose into one line, and leave with its exit status (2 or 3)."""
    try:
        yield
    except UsageError as error:
        typer.echo(f"pressroom: {error}", err=True)
        raise typer.Exit(2) from error
    except PipelineError as error:
        typer.echo(f"pressroom: {error}", err=True)
        raise typer.Exit(3) from error


def local_folder(location: str | Path) -> Path:
    """Take a local folder from the command line; a URI is refused before ``Path`` makes a local name of it."""
    with told():
        from schema.layout import StudyLayout

        StudyLayout.at(location)
    return Path(location)


def release_folder(location: str) -> Path:
    """Take the folder of a release from the command line; one that is not there is a wrong call."""
    folder = local_folder(location)
    with told():
        if not folder.is_dir():
            raise UsageError(f"{location}: no such folder; name the folder of a release")
    return folder


ReleaseArgument = Annotated[
    Path, typer.Argument(metavar="RELEASE", parser=release_folder, help="The release's folder.")
]
StudyArgument = Annotated[
    Path, typer.Argument(metavar="STUDY", parser=local_folder, help="The study's folder, or its study.toml.")
]
HereArgument = Annotated[
    Path, typer.Argument(metavar="STUDY", parser=local_folder, help="The study's folder; this one if none is named.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
TrackerOption = Annotated[
    str | None, typer.Option("--tracker", metavar="NAME", help="Follow people with this back end, not the study's.")
]
KeypointsOption = Annotated[
    str | None, typer.Option("--keypoints", metavar="NAME", help="Find keypoints with this back end, not the study's.")
]


def opened(location: Path) -> "Study":
    """Open the study that a command names."""
    from flows._study import open_study

    return open_study(location)

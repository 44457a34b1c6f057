"""Back ends that a command line or the environment names in place of the study file's.

They are passed on in the environment: the work on a video is done in a process of its own, which opens the study again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import typer

from flows._backends import BACK_ENDS
from flows._config import STUDY_FILE, BackEndsSection
from perception.backends.loading import load_back_end

VARIABLES = {"tracks": "PRESSROOM_TRACKER", "keypoints": "PRESSROOM_KEYPOINTS"}
"""The environment variable that names a stage's back end."""
OPTIONS = {"tracks": "--tracker", "keypoints": "--keypoints"}
"""The option of the command that does the same."""


@contextmanager
def named_back_ends(*, tracker: str | None, keypoints: str | None) -> Iterator[None]:
    """Use the named back ends instead of the study file's, until the end of the ``with`` block; None changes nothing.

    Raises ``ConfigError`` for a name that there is none of and ``MissingPartError`` where its package is not installed.
    """
    named = {stage: name for stage, name in (("tracks", tracker), ("keypoints", keypoints)) if name is not None}
    for stage, name in named.items():
        load_back_end(BACK_ENDS[stage], name, key=OPTIONS[stage])
    before = {variable: os.environ.get(variable) for variable in VARIABLES.values()}
    os.environ.update({VARIABLES[stage]: name for stage, name in named.items()})
    try:
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value


def with_named_back_ends(chosen: BackEndsSection) -> BackEndsSection:
    """Put the back ends that the environment names in place of the study file's.

    Of the file's settings, those that the other back end has too are kept, and the others do not count. Raises as
    ``named_back_ends`` does.
    """
    changes: dict[str, Any] = {}
    for stage, variable in VARIABLES.items():
        name = os.environ.get(variable)
        if name and name != getattr(chosen, stage):
            back_end = load_back_end(BACK_ENDS[stage], name, key=f"${variable}")
            known = {setting.name for setting in fields(back_end.config_type)}
            settings: dict[str, Any] = getattr(chosen, f"{stage}_settings")
            changes[stage] = name
            changes[f"{stage}_settings"] = {key: value for key, value in settings.items() if key in known}
    return replace(chosen, **changes)


def back_ends_in_words(in_file: BackEndsSection, in_use: BackEndsSection) -> dict[str, str]:
    """Say which back end each stage uses, and where it is another than the study file's."""
    told: dict[str, str] = {}
    for stage in BACK_ENDS:
        name, by_file = getattr(in_use, stage), getattr(in_file, stage)
        told[stage] = name if name == by_file else f"{name} ({STUDY_FILE}: {by_file})"
    return told


def tell_override(location: Path) -> None:
    """Print which back ends take the place of the study file's, and that other commands need the same."""
    from flows._study import open_study

    study = open_study(location)
    other = [f"{stage} {words}" for stage, words in study.told_back_ends.items() if STUDY_FILE in words]
    if other:
        variables = " and ".join(VARIABLES.values())
        typer.echo(f"back ends: {', '.join(other)}; other commands go by {STUDY_FILE} unless {variables} are set")

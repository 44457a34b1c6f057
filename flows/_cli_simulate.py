"""The command ``pressroom simulate``."""

from pathlib import Path
from typing import Annotated

import typer

from flows._cli_options import JsonOption, StudyArgument, opened, release_folder, told


def simulate(
    study: StudyArgument,
    *,
    on: Annotated[
        Path | None,
        typer.Option(metavar="RELEASE", parser=release_folder, help="Take the truth from this published release, too."),
    ] = None,
    annotators: Annotated[int, typer.Option(min=1, help="People besides the expert.")] = 4,
    skill: Annotated[str, typer.Option(metavar="SKILL", help="careful, ordinary or careless.")] = "ordinary",
    minutes: Annotated[float, typer.Option(help="Time of all of them together.")] = 120.0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the learned loop.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Draws people, answers and weights.")] = 0,
    learned: Annotated[bool, typer.Option(help="Simulate the learned loop too, which trains in each round.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Tell how many minutes of people's time find how much, with simulated people over labelled data."""
    with told():
        from flows._simulate import SimulateCall, run_simulation

        call = SimulateCall(
            on=on,
            annotators=annotators,
            skill=skill,
            minutes=minutes,
            rounds=rounds,
            seed=seed,
            learned=learned,
        )
        run_simulation(opened(study), call, as_json=as_json)

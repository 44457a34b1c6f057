"""Tell which whole-body networks can be used and where their weights go, and export them to ONNX."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from perception.backends.mmpose.configs import (
    WEIGHTS_LICENCE,
    KnownModel,
    find_config,
    known_models,
    published_model,
)
from perception.backends.mmpose.estimator import checkpoint_path
from perception.backends.weights import place_of_weights, sha256_of_weights, weights_folder
from schema.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One network of the list."""

    name: str
    """What a study names as `config`."""
    whole_ap: float | None
    """Published average precision on COCO-WholeBody, all 133 points."""
    hand_ap: float | None
    """The same of the hands."""
    checkpoint: str
    """File of the published weights; empty where mmpose names none."""
    is_here: bool
    """Whether that file lies in the weights folder."""


def networks_document() -> dict[str, Any]:
    """List for machines every whole-body network that the installed mmpose describes, and which weights are here."""
    rows = [asdict(_row(model)) for model in known_models()]
    return {"weights_folder": str(weights_folder()), "models": rows, "onnx": _exported()}


def tell_networks() -> None:
    """Print the same as a table."""
    rows = [_row(model) for model in known_models()]
    width = max(len(row.name) for row in rows)
    typer.echo(f"{'config':<{width}}  whole   hand  weights")
    for row in rows:
        weights = ("here" if row.is_here else "not here") if row.checkpoint else "none published by mmpose"
        typer.echo(f"{row.name:<{width}}  {_precision(row.whole_ap)}  {_precision(row.hand_ap)}  {weights}")
    typer.echo(f"\nAP on COCO-WholeBody as mmpose publishes it, with flip test. Weights folder: {weights_folder()}")
    typer.echo(f"Exported to ONNX there: {', '.join(_exported()) or 'none'}")
    typer.echo("`pressroom models show NAME` tells where a network's weights come from.")


def tell_model(name: str) -> None:
    """Print where the weights of a network come from and go, and what to write into study.toml.

    Raises:
        ConfigError: mmpose describes no such network.
        MissingPartError: mmpose is not installed.
    """
    config = find_config(name)
    model = published_model(name)
    typer.echo(f"config       {config}")
    if model is None or not model.checkpoint:
        typer.echo("weights      mmpose names none: name your own as `checkpoint`")
        checkpoint = "your_own.pth"
    else:
        place = place_of_weights(model.checkpoint)
        typer.echo(f"accuracy     {model.whole_ap} AP whole body, {model.hand_ap} AP hands (COCO-WholeBody, flip test)")
        typer.echo(f"from         {model.url}")
        typer.echo(f"goes to      {place}")
        typer.echo(f"is there     {'yes, sha256 ' + sha256_of_weights(place) if place.exists() else 'no'}")
        typer.echo(f"licence      {WEIGHTS_LICENCE}")
        checkpoint = model.checkpoint
    typer.echo(
        f'\n[back_ends]\nkeypoints = "mmpose"\n\n[back_ends.keypoints_settings]\nconfig = "{name}"\n'
        f'checkpoint = "{checkpoint}"'
    )


def export_model(name: str, *, checkpoint: str, output: Path | None) -> None:
    """Export a network to ONNX and print what to write into study.toml.

    Args:
        name: Name of a config of mmpose, or the path of one.
        checkpoint: As the back end's setting; empty for the weights that mmpose names.
        output: Where to; the weights folder by default.

    Raises:
        ConfigError: The network or the weights can't be used, or the output's name does not end in ``.onnx``.
        MissingPartError: Weights or packages are missing.
    """
    from perception.backends.mmpose.export import export_network

    target = output or weights_folder() / f"{Path(name).stem if name.endswith('.py') else name}.onnx"
    if target.suffix != ".onnx":
        raise ConfigError(f"the exported network must be named something.onnx, got {target.name}")
    config, weights = find_config(name), checkpoint_path(name, checkpoint)
    target.parent.mkdir(parents=True, exist_ok=True)
    exported = export_network(config, weights, target)
    model = target.name if target.parent == weights_folder() else str(target.resolve())
    typer.echo(f"{exported.path}  {exported.bytes_written / 1e6:.1f} MB")
    typer.echo(f'\n[back_ends]\nkeypoints = "onnx"\n\n[back_ends.keypoints_settings]\nmodel = "{model}"')


def _exported() -> list[str]:
    folder = weights_folder()
    return sorted(path.name for path in folder.glob("*.onnx")) if folder.is_dir() else []


def _row(model: KnownModel) -> ModelRow:
    return ModelRow(
        name=model.name,
        whole_ap=model.whole_ap,
        hand_ap=model.hand_ap,
        checkpoint=model.checkpoint,
        is_here=bool(model.checkpoint) and place_of_weights(model.checkpoint).exists(),
    )


def _precision(value: float | None) -> str:
    return "    -" if value is None else f"{value:.3f}"

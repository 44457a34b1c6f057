"""``pressroom models list`` and ``show`` for seed models: what a study has, and what is told of one."""

import json
import webbrowser
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from flows._config import STUDY_FILE
from flows._rounds import current_round
from flows._seed_models import find_model, seed_models
from flows._study import Study, open_study
from models.card import figure_text, moment_text
from models.facts import ModelFacts, identity_of
from models.folder import digest_of_folder, is_model, read_facts, read_model
from models.metrics import Measured, figures_by_key
from schema.errors import BadModelError, ConfigError, MissingPartError, UsageError

SHOWN = (("f1_strict", "F1"), ("map_0.3", "mAP"), ("recall", "recall"), ("accuracy", "accuracy"))
"""Keys of the figures in a list's columns, and their heads."""
ERROR_KEY = "calibration_error"
LIST_LEGEND = (
    "* proposes now. classes: told apart + proposed by their group alone. F1, mAP, recall: of held-out people, at a",
    "temporal overlap of 0.3. ECE: expected calibration error. `pressroom models show NAME` tells more.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """One model of the list."""

    name: str
    """Of its folder in the study's ``models/``."""
    identity: str | None
    """None: damaged."""
    proposes: bool
    facts: ModelFacts | None
    damage: str = ""
    """Why it can't be used."""


def study_at(location: Path | None) -> Study | None:
    """Open the study that a command names; where it names none, the one of this folder, if it is one."""
    if location is not None:
        return open_study(location)
    return open_study(Path()) if Path(STUDY_FILE).is_file() else None


def list_models(study: Study) -> list[ListedModel]:
    """Read what is told of each of the study's models; a damaged one says why."""
    chosen = current_round(study).model
    listed = []
    for folder in seed_models(study):
        try:
            facts, digest = read_facts(folder), digest_of_folder(folder)
        except BadModelError as error:
            damaged = ListedModel(name=folder.name, identity=None, proposes=False, facts=None, damage=str(error))
            listed.append(damaged)
            continue
        identity = identity_of(facts.name, digest)
        listed.append(ListedModel(name=folder.name, identity=identity, proposes=identity == chosen, facts=facts))
    return listed


def tell_models(location: Path | None, *, as_json: bool) -> None:
    """Print the seed models of a study; where none is named, the keypoint networks too.

    Args:
        location: The study; None: the one of this folder, if it is one.
        as_json: Print all for machines.

    Raises:
        ConfigError: The study file is missing or wrong.
        MissingPartError: There is nothing to tell: no study here, and no mmpose.
    """
    study = study_at(location)
    listed = list_models(study) if study else []
    if as_json:
        document: dict[str, Any] = {"seed_models": [_document(one) for one in listed]} if study else {}
        typer.echo(json.dumps(document | (_networks(required=study is None) if location is None else {}), indent=1))
        return
    if study:
        for line in [*list_lines(listed), *_lost(study, listed)]:
            typer.echo(line)
    if location is None:
        _tell_networks(required=study is None, below=study is not None)


def _networks(*, required: bool) -> dict[str, Any]:
    from flows._models import networks_document

    if not required and find_spec("mmpose") is None:
        return {}
    return networks_document()


def _tell_networks(*, required: bool, below: bool) -> None:
    from flows._models import tell_networks

    if below:
        typer.echo("\nNetworks for keypoints:")
    if not required and find_spec("mmpose") is None:
        typer.echo("mmpose, which describes them, is not installed")
        return
    tell_networks()


def list_lines(listed: list[ListedModel]) -> list[str]:
    """Write the table of a study's models."""
    if not listed:
        return ["no seed model yet: `pressroom train` makes one of what people verified"]
    head = ("model", "trained", "classes", "segments", "people", *(name for _, name in SHOWN), "ECE", "digest")
    sound = [one for one in listed if one.facts]
    rows = [head, *map(_cells, sound)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{one.damage}" for one in listed if one.damage]
    return [*(lines if sound else lines[1:]), "", *LIST_LEGEND]


def _lost(study: Study, listed: list[ListedModel]) -> list[str]:
    """Say where the model that proposes is none of the list."""
    chosen = current_round(study).model
    if not chosen or any(one.proposes for one in listed):
        return []
    return [f"the study proposes with {chosen}, which is not here (or damaged): put it back, or choose another one"]


def _cells(one: ListedModel) -> tuple[str, ...]:
    facts = one.facts
    assert facts is not None
    found = figures_by_key(facts.metrics)
    fallen = f"+{len(facts.fallen_back)}" if facts.fallen_back else ""
    digest = str(one.identity).rpartition("@")[2]
    return (
        f"{one.name}{' *' if one.proposes else ''}",
        moment_text(facts.run.trained_ns).removesuffix(" UTC"),
        f"{len(facts.classes)}{fallen}",
        f"{sum(facts.class_counts.values()):,}",
        f"{len(facts.data.subject_gestures):,}",
        *(f"{found[key].measured.value:.3f}" if key in found else "-" for key in (*(k for k, _ in SHOWN), ERROR_KEY)),
        digest,
    )


def _document(one: ListedModel) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name, "identity": one.identity, "proposes": one.proposes}
    if one.facts is None:
        return told | {"damage": one.damage}
    facts = one.facts
    figures = {key: asdict(figure.measured) for key, figure in figures_by_key(facts.metrics).items()}
    return told | {
        "trained_ns": facts.run.trained_ns,
        "taxonomy": facts.taxonomy.name,
        "classes": list(facts.classes),
        "fallen_back": list(facts.fallen_back),
        "segments": sum(facts.class_counts.values()),
        "subjects": len(facts.data.subject_gestures),
        "origins": [origin.name for origin in facts.data.origins],
        "release": asdict(facts.data.release) if facts.data.release else None,
        "init": facts.data.init or None,
        "figures": figures,
    }


def seed_model_folder(name: str, location: Path | None) -> Path:
    """Return the folder of a seed model: one of the study by name or identity, or any by its path.

    Raises ``UsageError`` with the nearest name for one that is not there.
    """
    path = Path(name)
    if ("/" in name or location is None) and path.is_dir() and is_model(path.resolve()):
        return path.resolve()
    study = study_at(location)
    if study is None:
        raise UsageError(f"no model {name!r}: this folder is no study; name the study, or the path of a model's folder")
    there = [folder.name for folder in seed_models(study)]
    plain = name.partition("@")[0]
    if plain in there:
        return find_model(study, name)
    if path.is_dir():
        raise UsageError(f"{name} is no model: name the folder that holds its config.json and weights")
    near = get_close_matches(plain, there, n=1, cutoff=0.0)
    hint = f"; nearest is {near[0]!r}" if near else "; `pressroom train` makes one"
    raise UsageError(f"the study has no model {name!r}: there are {', '.join(there) or 'none'}{hint}")


def tell_model(name: str, location: Path | None, *, as_json: bool, open_card: bool) -> None:
    """Print what is told of a seed model, once every byte of its folder was checked; or of a keypoint network.

    Args:
        name: A model of the study, the path of a model's folder, or a network's name where no study is named.
        location: The study; None: the one of this folder, if it is one.
        as_json: Print all that its files tell, for machines.
        open_card: Show its card in a browser.

    Raises:
        UsageError: There is no such model.
        BadModelError: It is damaged; the line says which file.
        MissingPartError: The name may be a keypoint network's, and mmpose is not installed.
    """
    if location is None and _is_network(name):
        from flows._models import tell_model as tell_network

        if as_json or open_card:
            raise UsageError(f"{name} is a network for keypoints: only seed models have a card, or facts as JSON")
        try:
            tell_network(name)
        except ConfigError as error:
            raise ConfigError(
                f"{error}; a seed model's study is named, too: `pressroom models show {name} STUDY`"
            ) from error
        return
    folder = seed_model_folder(name, location)
    facts, digest, checked = _checked(folder)
    if as_json:
        told = {"identity": identity_of(facts.name, digest), "folder": str(folder), "checked": checked, **asdict(facts)}
        typer.echo(json.dumps(told, indent=1))
    else:
        for line in fact_lines(facts, digest=digest, checked=checked):
            typer.echo(line)
        typer.echo(f"card            {folder / 'card.html'}")
    if open_card:
        webbrowser.open((folder / "card.html").resolve().as_uri())


def _is_network(name: str) -> bool:
    """Tell whether a name is a keypoint network's: no seed model has it, and mmpose knows it, or no study is here."""
    if Path(name).is_dir():
        return False
    study = study_at(None)
    if study and name.partition("@")[0] in {folder.name for folder in seed_models(study)}:
        return False
    if find_spec("mmpose") is None:
        return False
    from perception.backends.mmpose.configs import known_models

    return study is None or name.endswith(".py") or name in {model.name for model in known_models()}


def _checked(folder: Path) -> tuple[ModelFacts, str, bool]:
    """Read a model whole; without safetensors as much of it as can be read."""
    try:
        stored = read_model(folder)
    except MissingPartError:
        return read_facts(folder), digest_of_folder(folder), False
    return stored.facts, stored.digest, True


def fact_lines(facts: ModelFacts, *, digest: str, checked: bool) -> list[str]:
    """Write what is told of a model, a line each."""
    data, run = facts.data, facts.run
    origins = ", ".join(f"{origin.name} ({origin.gestures:,} gestures)" for origin in data.origins) or "not told"
    release = f"{data.release.name} {data.release.version} ({data.release.digest})" if data.release else "none"
    took = ", ".join(f"{seconds:,.0f} s {stage}" for stage, seconds in run.stage_seconds.items()) or "not told"
    rows = [
        ("model", identity_of(facts.name, digest)),
        ("folder", "whole: every byte as it was written" if checked else "weights not checked: no safetensors here"),
        (
            "trained",
            f"{moment_text(run.trained_ns)}{f' on {run.machine}' if run.machine else ''}, seed {facts.config.seed}",
        ),
        ("took", took),
        ("from", origins),
        ("release", release),
        ("begun with", data.init or "nothing"),
        ("people", f"{len(data.subject_gestures):,} known, in {data.sequences:,} sequences"),
        ("pre-training", f"{facts.config.pretrain.method}, {data.unlabelled_windows:,} windows"),
        ("takes", f"{facts.layout}, {len(facts.points)} points, {facts.dimensions}D, {facts.rate_hz:g} frames/s"),
        ("taxonomy", f"{facts.taxonomy.name}, {len(facts.taxonomy.classes)} classes"),
        ("tells apart", f"{len(facts.classes)} classes, {len(facts.groups)} groups"),
        ("group alone", ", ".join(f"{c} ({facts.class_counts.get(c, 0)})" for c in facts.fallen_back) or "no class"),
    ]
    return [*(f"{name:<16}{value}" for name, value in rows), *_figure_lines(facts)]


def _figure_lines(facts: ModelFacts) -> list[str]:
    figures = figures_by_key(facts.metrics)
    if not figures:
        return ["measured        nothing: nobody was held out"]
    people = len({subject for fold in facts.metrics.folds for subject in fold})
    head = f"measured        on {people} held-out people, {100 * facts.metrics.confidence:g} % intervals:"
    width = max(len(figure.name) for figure in figures.values())
    lines = [f"  {figure.name:<{width}}  {figure_text(figure.measured)}" for figure in figures.values()]
    before = facts.metrics.calibration.before if facts.metrics.calibration else None
    return [head, *lines, *_before(before, width)]


def _before(before: Measured | None, width: int) -> list[str]:
    return [f"  {'the same before calibration':<{width}}  {figure_text(before)}"] if before else []

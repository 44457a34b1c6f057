"""Rounds of a study: which model proposes, since when, and in which round each question was put.

Round 0 needs no model. A round begins when another model is chosen, for good: `propose`, `push`, `plan`, `status` and
`run` follow the newest one until the next.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from flows._leases import waited_lease
from flows._seed_models import NO_MODEL, find_model
from flows._study import Study
from models.detections import Detection, Judgement
from models.folder import ModelFacts, digest_of_folder, identity_of, read_facts
from models.inputs.poses import PoseSequence
from schema.arrow import ROUNDS, TASKS
from schema.errors import BadModelError, MissingPartError, UsageError
from schema.rows import table_of
from schema.tables import STUDY_KEY
from schema.timespan import TimeSpan

LAYOUT, DIMENSIONS = "wholebody133", 2
"""The keypoints of a study."""
_INSTEAD = "or choose another one with `pressroom propose STUDY --model NAME` (`--model none` proposes without any)"
_loaded: "dict[str, LoadedModel]" = {}
_loading = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round of proposing and asking."""

    round_number: int
    model: str
    """Name and digest of the model that proposes in it; empty: none."""
    begun_ns: int
    """Unix time in ns; 0: with the study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model in memory, with its name and digest, which take as long to work out as a track to look at."""

    identity: str
    taxonomy_name: str
    detect: Callable[[PoseSequence], list[Detection]]
    judge: Callable[[PoseSequence, Sequence[TimeSpan]], list[Judgement]]


def read_rounds(study: Study) -> list[Round]:
    """Return all rounds, round 0 first."""
    begun = [Round(**row) for row in study.store.read(ROUNDS).to_pylist()]
    return [Round(round_number=0, model="", begun_ns=0), *begun]


def current_round(study: Study) -> Round:
    """Return the newest round."""
    return read_rounds(study)[-1]


def round_in_words(current: Round) -> str:
    """Say in a line which round it is and what proposes in it."""
    proposers = f"{current.model}, contacts and movements" if current.model else "contacts and movements alone"
    return f"round {current.round_number}: {proposers}"


def rounds_of_questions(study: Study) -> dict[str, int]:
    """Return the round in which each question got the wording that people see or have answered, by its id."""
    rows = study.store.read(TASKS).select(["candidate_id", "round_number"]).to_pylist()
    return {row["candidate_id"]: row["round_number"] or 0 for row in rows}


def choose_model(study: Study, wanted: str) -> Round:
    """Begin a round with another model, for good; the model that is chosen already changes nothing.

    Args:
        study: The study.
        wanted: Name of a model of the study, path of a model's folder, which is copied into the study, or ``none``.

    Raises:
        UsageError: There is no such model, another one of its name is in the study, or it does not fit the study.
        BadModelError: Its folder is damaged.
        MissingPartError: What a model needs to run is not installed.
    """
    with waited_lease(study.layout, "rounds", STUDY_KEY):
        identity = "" if wanted == NO_MODEL else _taken_in(study, wanted)
        current = current_round(study)
        if identity == current.model:
            return current
        begun = Round(round_number=current.round_number + 1, model=identity, begun_ns=time.time_ns())
        study.store.append(ROUNDS, table_of(ROUNDS, [asdict(begun)]))
    return begun


def _taken_in(study: Study, wanted: str) -> str:
    """Find a model, copy it into the study where it lies elsewhere, try it, and return its name and digest."""
    folder = find_model(study, wanted)
    facts = read_facts(folder)
    _check_fit(study, facts)
    identity = identity_of(facts.name, digest_of_folder(folder))
    place = study.layout.models / facts.name
    if folder.resolve() != place.resolve():
        _copy(folder, place, identity)
    load_model(place, identity)
    return identity


def _check_fit(study: Study, facts: ModelFacts) -> None:
    if (facts.layout, facts.dimensions) != (LAYOUT, DIMENSIONS):
        space = "in the plane" if facts.dimensions == DIMENSIONS else "in space"
        raise UsageError(
            f"the model {facts.name} reads poses of the layout {facts.layout} {space}, and the study's keypoints are "
            f"{LAYOUT} in the plane: train one on the study, or on a release of such keypoints"
        )


def _copy(source: Path, place: Path, identity: str) -> None:
    """Copy a model that can be used, unless it is there; raises as ``choose_model`` does."""
    if place.exists():
        held = identity_of(place.name, digest_of_folder(place))
        if held != identity:
            raise UsageError(
                f"models/{place.name} of the study is {held}, and the folder given holds {identity}: a name stands for "
                "one model; train it under another name"
            )
        return
    _read(source, identity)  # a damaged copy would be in the way of its source when that is mended
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".copying-{place.name}.{secrets.token_hex(4)}")
    try:
        shutil.copytree(source, beside)
        beside.replace(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def chosen_model(study: Study) -> LoadedModel | None:
    """Load the model of the newest round, once in a process; None where none is chosen.

    Raises:
        BadModelError: Its folder is gone, damaged, or holds another model.
        MissingPartError: What a model needs to run is not installed.
    """
    identity = current_round(study).model
    return load_model(study.layout.models / identity.partition("@")[0], identity) if identity else None


def load_model(folder: Path, identity: str) -> LoadedModel:
    """Load a model that must be the one named, once in a process; raises as ``chosen_model`` does."""
    if not folder.is_dir():
        raise BadModelError(
            f"the study proposes with the model {identity}, and models/{folder.name} is gone (a withdrawal deletes "
            f"what learned from the withdrawn): put it back from a copy, {_INSTEAD}"
        )
    with _loading:
        try:
            held = identity_of(folder.name, digest_of_folder(folder))
            if held == identity and identity not in _loaded:
                _loaded.clear()  # one model at a time: they take room
                _loaded[identity] = _read(folder, identity)
        except BadModelError as error:
            raise BadModelError(f"the study's model {identity} can't be used: {error}; {_INSTEAD}") from error
        if held == identity:
            return _loaded[identity]
    raise BadModelError(
        f"the study proposes with the model {identity}, and models/{folder.name} holds {held}: put the right one back, "
        f"{_INSTEAD}"
    )


def _read(folder: Path, identity: str) -> LoadedModel:
    try:
        from models.seed_model import SeedModel
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("torch", "safetensors"):
            raise
        raise MissingPartError(
            f"the model {folder.name} needs the package {error.name}, which is not installed; `uv sync --extra train` "
            "brings it; `pressroom propose STUDY --model none` proposes without a model"
        ) from error
    model = SeedModel.load(folder)
    return LoadedModel(identity=identity, taxonomy_name=model.taxonomy_name, detect=model.detect, judge=model.judge)

"""``pressroom train``: what is to train, refused early where it can't be, and done once."""

import time
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from flows._identity import identify
from flows._leases import waited_lease
from flows._outcome import Outcome, record_run
from flows._publication import adjudicate
from flows._seed_models import find_model, identity, new_name, readable_facts
from flows._study import Study
from flows._training_data import TrainingData, collect_training_data
from flows._training_release import ReleaseSequences
from models.config import TrainConfig
from models.facts import ModelFacts
from models.folder import read_facts
from schema.errors import MissingPartError, UsageError
from schema.tables import STUDY_KEY, digest_of

STAGE = "train"
NEEDED_PACKAGES = ("torch", "safetensors")
INSTALL = "`uv sync --extra train` installs it"
FEWEST_PEOPLE = 2
"""One is held out to measure and to calibrate what the others taught."""
OF_THE_MACHINE = ("device", "threads", "checkpoint_seconds")
"""Settings that say how a model is trained, not which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainPlan:
    """What a call would train."""

    data: TrainingData
    config: TrainConfig
    name: str
    """What the model will be called; of one that is there already, its name."""
    init: Path | None
    """The model to go on from."""
    init_identity: str
    made: Path | None
    """The model that was trained on just this; None: it is to train."""

    @property
    def key(self) -> str:
        """Digest everything that the weights depend on: checkpoints of another key are another model's."""
        return digest_of({"data": self.data.digest, "config": _settings(self.config), "init": self.init_identity})


def _settings(config: TrainConfig) -> dict[str, object]:
    return {name: value for name, value in asdict(config).items() if name not in OF_THE_MACHINE}


def plan_training(study: Study, *, on: str = "", init: str = "", name: str = "") -> TrainPlan:
    """Work out what a call would train; reads tables and no points.

    Args:
        study: The study.
        on: Folder of a release to learn from, too; empty: none.
        init: Model to go on from, by name or folder; empty: none.
        name: What to call the model; empty: the next of ``seed-1``, ``seed-2``...

    Raises:
        MissingPartError: A package for training is not installed.
        UsageError: There is too little to learn from, a model or release is unknown or of another taxonomy, the model
            to go on from has learned from the release's test people, or the name is taken by a model that was trained
            on something else.
    """
    require_training()
    starts_from = find_model(study, init) if init else None
    if starts_from:
        _check_taxonomy(study, starts_from)
    with waited_lease(study.layout, "publish", STUDY_KEY):
        identify(study)
        adjudicate(study)
        data = collect_training_data(study, on=Path(on) if on else None)
    if starts_from and data.release:
        _check_held_out(starts_from, data.release)
    config, begun = study.config.train, ""
    if starts_from:
        begun, before = identity(starts_from), read_facts(starts_from).config
        config = replace(config, network=before.network, input=before.input)  # its weights fit no other
    made = _made(study, data, config, begun, name)
    if made is None:
        check_enough(data, config)
    wanted = made.name if made else new_name(study, name)
    return TrainPlan(data=data, config=config, name=wanted, init=starts_from, init_identity=begun, made=made)


def require_training() -> None:
    """Raise ``MissingPartError`` where a package for training is not installed."""
    for package in NEEDED_PACKAGES:
        if find_spec(package) is None:
            raise MissingPartError(f"training needs the package {package}, which is not installed; {INSTALL}")


def _check_taxonomy(study: Study, folder: Path) -> None:
    taxonomy = read_facts(folder).taxonomy
    if taxonomy != study.taxonomy:
        differs = (
            f"the classes of {taxonomy.name}" if taxonomy.name != study.taxonomy.name else "another version of them"
        )
        raise UsageError(
            f"--init {folder.name}: it has {differs}, and the study's are those of {study.taxonomy.name}: train one "
            "from nothing"
        )


def _check_held_out(folder: Path, release: ReleaseSequences) -> None:
    """Refuse to begin with a model that has learned from a release's test people: they would be in the weights."""
    known = read_facts(folder).data
    held_out_videos = release.video_ids - {one.video_id for one in release.sequences}
    if release.held_out.intersection(known.subject_gestures) or held_out_videos.intersection(
        (*known.video_ids, *known.unlabelled_video_ids)
    ):
        raise UsageError(
            f"--init {folder.name}: it has learned from test people of {release.name}, who are to stay unknown: begin "
            "with a model that was trained on this release, or train one from nothing"
        )


def _made(study: Study, data: TrainingData, config: TrainConfig, init: str, name: str) -> Path | None:
    """Return the study's model that was trained on just this; of several the newest."""
    alike = [folder for folder, facts in readable_facts(study).items() if _is_of(facts, data, config, init, study)]
    named = [folder for folder in alike if not name or folder.name == name]
    return named[-1] if named else None


def _is_of(facts: ModelFacts, data: TrainingData, config: TrainConfig, init: str, study: Study) -> bool:
    same_settings = _settings(facts.config) == _settings(config) and facts.taxonomy == study.taxonomy
    return same_settings and facts.data.inputs_digest == data.digest and facts.data.init == init


def check_enough(data: TrainingData, config: TrainConfig) -> None:
    """Refuse to train on too little, for nothing could be measured or calibrated (``UsageError``)."""
    segments, people = data.known_count, len(data.subjects)
    if segments >= config.fewest_examples and people >= FEWEST_PEOPLE:
        return
    unknown = data.class_counts.total() - segments
    beside = f" (and {unknown} of people whom nobody declared)" if unknown else ""
    raise UsageError(
        f"{_counted(segments, 'verified segment')} of {_counted(people, 'known person', 'known people')}{beside}; at "
        f"least {config.fewest_examples} of {FEWEST_PEOPLE} people are needed to train: verify more, declare who is "
        "filmed, or import a licensed data set (`pressroom import`)"
    )


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def to_train(study: Study, outcome: Outcome, *, on: str = "", init: str = "", name: str = "") -> int:
    """Tell whether there is anything to train: a model is made once of the same data and settings."""
    plan = plan_training(study, on=on, init=init, name=name)
    if plan.made:
        outcome.notes.append(told_as_made(plan.made))
    return int(plan.made is None)


def told_as_made(folder: Path) -> str:
    """Say that there is a model of just these data and settings."""
    return f"models/{folder.name} was trained on just this"


def train(study: Study, *, on: str = "", init: str = "", name: str = "") -> Outcome:
    """Train a model on everything that is known, unless one was trained on just this.

    Who comes second while another one trains waits, and finds the model. Raises as ``plan_training`` does.
    """
    outcome = Outcome(stage=STAGE)
    started_ns = time.time_ns()
    with waited_lease(study.layout, STAGE, STUDY_KEY):
        plan = plan_training(study, on=on, init=init, name=name)
        if plan.made:
            outcome.notes.append(told_as_made(plan.made))
            return outcome
        from flows._training_run import make_model  # loads torch

        outcome.notes += make_model(study, plan)
        outcome.done, outcome.rows = 1, 1
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome

"""Training itself: cross-validation, then a model of everything, its figures and facts, and its folder. Loads torch."""

import platform
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from flows._study import Study
from flows._train import STAGE, TrainPlan
from flows._training_data import TrainingData
from flows._training_diary import Diary
from flows._training_scores import make_metrics
from flows._withdrawals import withdrawn_videos
from models.facts import Origin, TrainedOn, TrainedRelease, TrainingRun
from models.folder import identity_of, read_facts
from models.metrics import figures_by_key
from models.seed_model import SeedModel
from models.training.cross_validation import cross_validate
from models.training.lessons import Lessons, prepare
from models.training.train import Checkpoints, device_of, train_seed_model
from schema.errors import RunError
from schema.timespan import NS_PER_SECOND

HEADLINES = ("f1_strict", "map_0.3", "accuracy")
"""Figures that the command tells, of held-out people."""
VERSIONS = ("pressroom", "torch", "numpy", "scipy", "safetensors")


def make_model(study: Study, plan: TrainPlan) -> list[str]:
    """Train the planned model and write its folder; returns what to tell. The caller holds the stage's lease.

    A training that was killed goes on from its checkpoints below ``work/``, which are deleted at the end.

    Raises:
        RunError: A video that it learned from was withdrawn meanwhile; nothing is written.
        ConfigError: The settings ask for a GPU that is not there.
        UsageError: The model to go on from looks at other points.
        BadModelError: That model is damaged, or training diverged.
        StoreFullError: The disk is full.
    """
    work = study.layout.work / STAGE / plan.key
    work.mkdir(parents=True, exist_ok=True)
    diary = Diary(work)
    checkpoints = Checkpoints(folder=work, key=plan.key)
    data = plan.data
    with diary.timing("reading"):
        lessons = prepare(
            data.labelled,
            data.unlabelled,
            taxonomy=study.taxonomy,
            config=plan.config,
            init=SeedModel.load(plan.init) if plan.init else None,
            report=diary.report,
        )
    with diary.timing("cross-validation"):
        held_out = cross_validate(lessons, name=plan.name, checkpoints=checkpoints, report=diary.report)
    with diary.timing("training"):
        model = train_seed_model(
            lessons,
            name=plan.name,
            calibrations=held_out.calibrations,
            checkpoints=checkpoints,
            report=diary.report,
        )
    metrics = make_metrics(held_out, data, config=plan.config)
    metrics = replace(metrics, losses=diary.curves(), notes=(*metrics.notes, *_notes(plan, lessons)))
    run = TrainingRun(
        trained_ns=time.time_ns(),
        stage_seconds=diary.seconds,
        machine=_machine(plan),
        versions={"python": platform.python_version(), **{name: version(name) for name in VERSIONS}},
    )
    _check_nobody_left(study, data)
    learned_from = replace(trained_on(plan), unlabelled_windows=model.unlabelled_windows)
    digest = model.save(study.layout.models / plan.name, model.facts(data=learned_from, run=run, metrics=metrics))
    shutil.rmtree(work.parent, ignore_errors=True)
    return [f"models/{plan.name} is {identity_of(plan.name, digest)}", *_told(study.layout.models / plan.name)]


def _notes(plan: TrainPlan, lessons: Lessons) -> Iterator[str]:
    """Say what the figures do not tell of the model."""
    if plan.init:
        yield (
            f"The model began with {plan.init_identity}, the folds from nothing, for that one may have learned from "
            "the people whom they hold out: figures and calibration are those of a training without it."
        )
    if lessons.unseen:
        yield (
            f"{len(lessons.unseen)} labelled sequences are left out: both shoulders, which tell place and size, are "
            "never seen at once there."
        )


def _told(folder: Path) -> list[str]:
    facts = read_facts(folder)
    figures = figures_by_key(facts.metrics)
    shown = [f"{figures[key].name} {figures[key].measured.value:.3f}" for key in HEADLINES if key in figures]
    examples = sum(facts.class_counts.values())
    fallen = f", {len(facts.fallen_back)} by their group alone" if facts.fallen_back else ""
    return [f"{len(facts.classes)} classes{fallen} from {examples} segments", *shown]


def _machine(plan: TrainPlan) -> str:
    device = device_of(plan.config).type
    return "GPU" if device == "cuda" else f"{device}, {plan.config.threads} thread{'s' * (plan.config.threads != 1)}"


def _check_nobody_left(study: Study, data: TrainingData) -> None:
    """Refuse to write what learned from a video that was withdrawn since training began."""
    gone = withdrawn_videos(study).intersection(data.video_ids)
    if gone:
        raise RunError(
            f"{len(gone)} of the videos that the model learned from were withdrawn meanwhile, so that it is not kept; "
            "run `pressroom train` again"
        )


def trained_on(plan: TrainPlan) -> TrainedOn:
    """Put down what a model learned from, under keyed ids; also the recordings of the model that it began with."""
    data = plan.data
    labelled = data.labelled.known
    before = read_facts(plan.init).data if plan.init else TrainedOn()
    videos = {one.video_id for one in labelled}.union(before.video_ids)
    others = {*data.video_ids, *before.unlabelled_video_ids} - videos
    people: Counter[str] = Counter()
    for one in labelled:
        people[one.subject_id or ""] += len(one.gestures)
    unknown = people.pop("", 0)
    release = data.release
    return TrainedOn(
        origins=_origins(data),
        video_ids=tuple(sorted(videos)),
        unlabelled_video_ids=tuple(sorted(others)),
        subject_gestures=dict(sorted(people.items())),
        unknown_subject_gestures=unknown,
        sequences=len(labelled),
        labelled_minutes=_minutes(one.span.duration_ns for one in labelled),
        judged_minutes=_minutes(span.duration_ns for one in labelled for span in one.judged),
        unlabelled_sequences=len(data.unlabelled),
        release=_release_of(release.name, release.digest) if release else None,
        inputs_digest=data.digest,
        init=plan.init_identity,
        scripted_gestures=sum(one.scripted_count for one in labelled),
    )


def _release_of(name: str, digest: str) -> TrainedRelease:
    plain, _, number = name.rpartition("-")
    return TrainedRelease(name=plain, version=number, digest=digest)


def _minutes(durations_ns: Iterable[int]) -> float:
    return sum(durations_ns) / NS_PER_SECOND / 60


def _origins(data: TrainingData) -> tuple[Origin, ...]:
    grouped = defaultdict(list)
    for one in data.labelled.known:
        grouped[one.origin].append(one)
    return tuple(
        Origin(
            name=name,
            licence=data.licences.get(name, ""),
            sequences=len(known),
            gestures=sum(len(one.gestures) for one in known),
            subjects=len({one.subject_id for one in known if one.subject_id}),
        )
        for name, known in sorted(grouped.items())
    )

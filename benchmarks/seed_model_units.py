"""The pieces of work of ``seed_model.py``: each trains or fits once and says what it told of held-out people.

A unit's result is a file: a benchmark that is stopped goes on with the units that are missing.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annotation.config import AnnotateConfig
from benchmarks.skeleton_sets import SkeletonSet
from evaluation.sliding_window import fit_linear
from flows._simulate import MOSTLY_JUDGED, WHOLE_CLIP
from flows._simulated_proposals import measured_drafts
from flows._simulation import SimulationSettings, Strategy, simulate_loop
from flows._simulation_training import RoundTrainer
from models.config import METHODS, TrainConfig
from models.inputs.poses import LabelledSequence, PoseSequence
from models.seed_model import SeedModel
from models.training.checkpoint import Checkpoint
from models.training.cross_validation import is_judged
from models.training.lessons import prepare
from models.training.train import STAGE, Checkpoints, train_seed_model
from proposals.config import ProposalsConfig
from schema.errors import UsageError
from schema.timespan import TimeSpan

SEED_MODEL, SCRATCH = "seed model", "not pre-trained"
"""Names of two configurations: the one that is measured, and the same without pre-training."""
FEW = 0.1
"""Share of the labels in the runs with few: those of so many people, at least one."""
FEW_STEPS = 100
"""Updates on few labels: a tenth of them is seen more often in a third of the time."""
LOOP_STEPS = 150
"""Updates of each training in the loop: a round's labels are few."""
LOOP_EXAMPLES = 3
"""Examples from which on a class is told apart in the loop: its first rounds have few of each."""
LOOP_MINUTES, LOOP_ROUNDS = 120.0, 5
LOOP_ASKS = AnnotateConfig(finding=1.0)
"""The loop asks what is likeliest a gesture first: what it has found is what counts here."""
WINDOW_MINUTES = 240.0
"""Time of random windows, and of contacts and movements: they are to reach what the loop reaches."""
ROOT = Path(__file__).parents[1]
CODE = (
    "models/**/*.py",
    "flows/_simulat*.py",
    "proposals/**/*.py",
    "kinematics/**/*.py",
    "annotation/**/*.py",
    "evaluation/sliding_window.py",
    "evaluation/spotting.py",
    "evaluation/loop.py",
    "schema/layouts.py",
    "schema/skeleton.py",
    "benchmarks/seed_model_units.py",
)
"""Files of which a change makes the results another's."""
FEW_STAGE = "training with few labels"
NAME_DIGITS = 12
"""Hex digits that stand for the held-out people in the name of a file: ids may be long, many, or no file's name."""
PEOPLE_TOLD = 3
"""Held-out people whom a message names."""
RANDOM = (Strategy.WINDOWS, Strategy.RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A piece of work."""

    kind: str
    """linear, measured, model, loop."""
    variant: str
    """Name of a configuration."""
    part: str = "main"
    """The tables that it is for: main, or ablation."""
    seed: int = 0
    held_out: tuple[str, ...] = ()
    """People who are not trained on."""
    full: bool = True
    """Train with all labels."""
    few: bool = False
    """Train, once more, with few labels."""

    @property
    def name(self) -> str:
        """Names its file; the people are told in it."""
        told = hashlib.sha256(json.dumps(self.held_out).encode()).hexdigest()[:NAME_DIGITS]
        people = told if self.held_out else "all"
        labels = "full" * self.full + "few" * self.few
        return f"{self.part}.{self.kind}.{self.variant.replace(' ', '_')}.{self.seed}.{people}.{labels}"

    @property
    def label(self) -> str:
        """Names it to a reader."""
        people = ", ".join(self.held_out[:PEOPLE_TOLD])
        more = len(self.held_out) - PEOPLE_TOLD
        without = f" without {people}" + f" and {more} more" * (more > 0) if self.held_out else ""
        seed = f", seed {self.seed}" if self.kind in ("model", "loop") else ""
        return (self.variant if self.variant == self.kind else f"{self.kind}, {self.variant}") + seed + without


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was said of held-out people."""

    sequence_ids: list[str] = field(default_factory=list)
    true_classes: list[str] = field(default_factory=list)
    """Of each true segment."""
    told_classes: list[str] = field(default_factory=list)
    claims: list[tuple[str, int, int, str | None, float]] = field(default_factory=list)
    """Sequence, start and end in ns, class, score."""


def variants(base: TrainConfig) -> dict[str, TrainConfig]:
    """Return every configuration that is compared, by its name."""
    augment, pretrain = base.augment, base.pretrain
    methods = {method: replace(base, pretrain=replace(pretrain, method=method)) for method in METHODS[:2]}
    methods.pop(pretrain.method, None)
    without = {
        "no jitter": replace(augment, jitter=0.0),
        "no shear, scale or turn": replace(augment, shear=0.0, scale=0.0, turn_degrees=0.0),
        "no resampling": replace(augment, resample=0.0),
        "no crop": replace(augment, crop=0.0),
        "no repetition": replace(augment, repeat=0.0),
        "no part masking": replace(augment, part_mask=0.0),
        "no flip": replace(augment, flip=0.0),
    }
    return {
        SEED_MODEL: base,
        SCRATCH: replace(base, pretrain=replace(pretrain, method="none")),
        **methods,
        "unbalanced streams": replace(base, pretrain=replace(pretrain, method="decorrelation", balanced=False)),
        **{name: replace(base, augment=changed) for name, changed in without.items()},
        "classes as they come": replace(base, balance=0.0),
        "classes all alike": replace(base, balance=1.0),
        "no snapping": replace(base, detect=replace(base.detect, snap_s=0.0)),
    }


def run_unit(unit: Unit, skeletons: SkeletonSet, *, base: TrainConfig, work: Path) -> dict[str, Any]:
    """Do a unit, unless its file is there; returns what is in it."""
    file = work / f"{unit.name}.json"
    if file.is_file():
        return dict(json.loads(file.read_text()))
    runners: dict[str, Callable[[], dict[str, Any]]] = {
        "linear": lambda: _linear(unit, skeletons),
        "measured": lambda: _measured(skeletons),
        "model": lambda: _model(unit, skeletons, base=base, work=work / f"{unit.name}.training"),
        "loop": lambda: _loop(unit, skeletons, base=base),
    }
    begun_s = time.perf_counter()
    found = runners[unit.kind]()
    found["held_out"] = list(unit.held_out)
    found["seconds"] = time.perf_counter() - begun_s
    beside = file.with_suffix(".tmp")
    beside.write_text(json.dumps(found))
    beside.replace(file)
    return found


def key_of(skeletons: SkeletonSet, base: TrainConfig) -> str:
    """Digest what results depend on beside the units: the data, the configuration, and the code that makes them."""
    digest = hashlib.sha256(json.dumps(asdict(base), sort_keys=True).encode())
    digest.update(json.dumps(asdict(skeletons.taxonomy), sort_keys=True).encode())
    for file in sorted(file for pattern in CODE for file in ROOT.glob(pattern)):
        digest.update(file.read_bytes())
    for one in skeletons.sequences:
        poses = one.poses
        told = (poses.sequence_id, poses.subject_id, poses.layout, poses.positions.shape, one.gestures, one.judged)
        digest.update(repr(told).encode())
        digest.update(poses.positions.tobytes() + poses.scores.tobytes() + poses.times_ns.tobytes())
    return digest.hexdigest()[:12]


def people_of(skeletons: SkeletonSet) -> tuple[str, ...]:
    """Return the people who can be held out: those with a recording that somebody judged; with gestures come first."""
    judged = [one for one in skeletons.sequences if _is_judged(one)]
    gesturing = _gesturing(judged)
    others = {one.poses.subject_id for one in judged} - gesturing
    return (*sorted(gesturing), *sorted(person for person in others if person is not None))


def gesturing_count(skeletons: SkeletonSet) -> int:
    """Count the known people of whom there are labelled gestures."""
    return len(_gesturing([one for one in skeletons.sequences if _is_judged(one)]))


def _gesturing(sequences: Sequence[LabelledSequence]) -> set[str]:
    return {one.poses.subject_id for one in sequences if one.gestures and one.poses.subject_id is not None}


def _is_judged(one: LabelledSequence) -> bool:
    return bool(one.judged) and one.poses.times_ns.shape[0] > 0


def parted(skeletons: SkeletonSet, held_out: Sequence[str]) -> tuple[list[LabelledSequence], list[LabelledSequence]]:
    """Return the sequences to train on, and those of the held-out people that somebody judged.

    Of a recording that nobody judged, nobody knows whether a claim is right.
    """
    train = [one for one in skeletons.sequences if one.poses.subject_id not in held_out]
    return train, [one for one in skeletons.sequences if one.poses.subject_id in held_out and _is_judged(one)]


def _linear(unit: Unit, skeletons: SkeletonSet) -> dict[str, Any]:
    train, held_out = parted(skeletons, unit.held_out)
    model = fit_linear(train)
    told = Told()
    for one in held_out:
        if one.gestures:
            told.told_classes.extend(model.classify(one.poses, [g.span for g in one.gestures])[0])
        _note(told, one, ((c.span, c.class_id, c.score) for c in model.detect(one.poses)))
    return {"full": asdict(told)}


def _measured(skeletons: SkeletonSet) -> dict[str, Any]:
    """Propose contacts and movements of everybody whom the other rows hold out."""
    told = Told()
    for one in parted(skeletons, people_of(skeletons))[1]:
        drafts = measured_drafts(one.poses, taxonomy=skeletons.taxonomy, config=ProposalsConfig())
        _note(told, one, ((draft.span, None, draft.score) for draft in drafts))
    return {"full": asdict(told)}


class _FewCheckpoints(Checkpoints):
    """Shares the pre-training, and has a labelled part of its own: a killed unit must not take one for the other."""

    def of(self, stage: str) -> Checkpoint:
        return super().of(FEW_STAGE if stage == STAGE else stage)


def _model(unit: Unit, skeletons: SkeletonSet, *, base: TrainConfig, work: Path) -> dict[str, Any]:
    train, held_out = parted(skeletons, unit.held_out)
    config = replace(variants(base)[unit.variant], seed=1000 * unit.seed + _number(unit.held_out))
    work.mkdir(parents=True, exist_ok=True)
    poses = [one.poses for one in train]
    found: dict[str, Any] = {}
    if unit.full:
        model = _trained(train, poses, skeletons, config, partial(Checkpoints, folder=work))
        found["full"] = asdict(_told(model, held_out))
    if unit.few:
        shorter = replace(config, steps=min(config.steps, FEW_STEPS))
        few = _trained(_few(train, seed=config.seed), poses, skeletons, shorter, partial(_FewCheckpoints, folder=work))
        found["few"] = asdict(_told(few, held_out))
    shutil.rmtree(work)
    return found


def _trained(
    train: Sequence[LabelledSequence],
    poses: Sequence[PoseSequence],
    skeletons: SkeletonSet,
    config: TrainConfig,
    checkpoints: Callable[..., Checkpoints],
) -> SeedModel:
    lessons = prepare(train, poses, taxonomy=skeletons.taxonomy, config=config)
    # few people may show fewer points than all do: then the pre-training is another
    key = f"{lessons.shape.skeleton.points} of {lessons.shape.skeleton.layout}"
    return train_seed_model(lessons, name="benchmark", checkpoints=checkpoints(key=key))


def _few(train: Sequence[LabelledSequence], *, seed: int) -> list[LabelledSequence]:
    """Keep the labels of few of the people who have gestures, by chance; of the others nothing is known."""
    people = sorted(_gesturing(train))
    count = max(1, round(FEW * len(people)))
    kept = set(np.random.default_rng(seed).permutation(people)[:count].tolist())
    return [one for one in train if one.poses.subject_id in kept]


def _told(model: SeedModel, held_out: Sequence[LabelledSequence]) -> Told:
    told = Told()
    for one in held_out:
        for judged in model.judge(one.poses, [g.span for g in one.gestures]):
            chances = judged.class_probabilities
            told.told_classes.append(max(chances, key=lambda name: chances[name]) if chances else "")
        detections = model.detect(one.poses, floor=0.0)
        _note(told, one, ((d.span, d.class_id, d.score) for d in detections if d.class_id is not None))
    return told


def _note(told: Told, one: LabelledSequence, claims: Iterable[tuple[TimeSpan, str | None, float]]) -> None:
    """Take down what is there and what was claimed in judged time: elsewhere nobody knows whether it is right."""
    name = one.poses.sequence_id
    told.sequence_ids.append(name)
    told.true_classes.extend(gesture.class_id for gesture in one.gestures)
    told.claims.extend(
        (name, span.start_ns, span.end_ns, class_id, score)
        for span, class_id, score in claims
        if is_judged(span, one.judged)
    )


def loop_sequences(skeletons: SkeletonSet) -> list[LabelledSequence]:
    """Return what a campaign can be simulated over, as ``pressroom simulate`` chooses it; empty where nothing can.

    That is what was judged from end to end, or else all that was judged. A label of a whole clip has no place to be
    found at.
    """
    judged = [one for one in skeletons.sequences if one.judged and one.poses.times_ns.shape[0] > 1]
    timed = [one for one in judged if not _is_clip(one)]
    throughout = [one for one in timed if _share(one, one.judged) >= MOSTLY_JUDGED]
    chosen = throughout if any(one.gestures for one in throughout) else timed
    return chosen if any(one.gestures for one in chosen) else []


def _is_clip(one: LabelledSequence) -> bool:
    return any(_share(one, [gesture.span]) >= WHOLE_CLIP for gesture in one.gestures)


def _share(one: LabelledSequence, spans: Sequence[TimeSpan]) -> float:
    length_ns = int(one.poses.times_ns[-1] - one.poses.times_ns[0])
    return sum(span.duration_ns for span in spans) / max(1, length_ns)


def _loop(unit: Unit, skeletons: SkeletonSet, *, base: TrainConfig) -> dict[str, Any]:
    """Simulate the three strategies; random windows are as long as the clips that the loop's questions showed.

    The loop's own windows, in its first round and in its audit, are as long as a study's. One answer to a long window
    holds several gestures, so answers can be compared at clips of one length alone.
    """
    settings = SimulationSettings(
        taxonomy=skeletons.taxonomy,
        annotate=LOOP_ASKS,
        seed=unit.seed,
        minutes=LOOP_MINUTES,
        rounds=LOOP_ROUNDS,
        first_windows=1.0,
        loop_window_seconds=LOOP_ASKS.audit_window_seconds,
    )
    config = replace(base, steps=LOOP_STEPS, fewest_examples=LOOP_EXAMPLES)
    config = replace(config, pretrain=replace(config.pretrain, steps=LOOP_STEPS))
    sequences = loop_sequences(skeletons)
    if not sequences:
        raise UsageError(
            f"{skeletons.name}: no labelled gesture inside a longer recording: leave out the loop (--only)"
        )
    trainer = RoundTrainer(taxonomy=skeletons.taxonomy, config=config, seed=unit.seed)
    learned = simulate_loop(sequences, strategy=Strategy.LEARNED, settings=settings, train=trainer)
    # where no candidate was asked about no clip has a length: that of an average gesture's clip is taken
    others = replace(settings, window_seconds=learned.clip_seconds or None, minutes=WINDOW_MINUTES, rounds=1)
    curves = {strategy: simulate_loop(sequences, strategy=strategy, settings=others) for strategy in RANDOM}
    return {"curves": {str(name): asdict(one) for name, one in {Strategy.LEARNED: learned, **curves}.items()}}


def _number(held_out: Sequence[str]) -> int:
    return int(hashlib.sha256(" ".join(held_out).encode()).hexdigest()[:4], 16) % 997


def set_one_thread() -> None:
    """Use one CPU thread: two units run side by side, and the weights are the same each time."""
    torch.set_num_threads(1)

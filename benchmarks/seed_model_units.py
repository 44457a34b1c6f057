"""The pieces of work of ``seed_model.py``: each trains or fits once and says what it told of held-out people.

A unit's result is a file: a benchmark that is stopped goes on with the units that are missing.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from annotation.config import AnnotateConfig
from benchmarks.skeleton_sets import SkeletonSet
from evaluation.sliding_window import fit_linear
from flows._simulated_proposals import measured_drafts
from flows._simulation import SimulationSettings, Strategy, simulate_loop
from flows._simulation_training import RoundTrainer
from models.config import METHODS, TrainConfig
from models.inputs.poses import LabelledSequence, PoseSequence
from models.seed_model import SeedModel
from models.training.lessons import prepare
from models.training.train import Checkpoints, train_seed_model
from proposals.config import ProposalsConfig

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
CODE = ("models/**/*.py", "flows/_simulat*.py", "benchmarks/seed_model_units.py")
"""Files of which a change makes the results another's."""
RANDOM = (Strategy.WINDOWS, Strategy.RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A piece of work."""

    kind: str
    """linear, measured, model, loop."""
    variant: str
    """Name of a configuration."""
    seed: int = 0
    held_out: tuple[str, ...] = ()
    """People who are not trained on."""
    full: bool = True
    """Train with all labels."""
    few: bool = False
    """Train, once more, with few labels."""

    @property
    def name(self) -> str:
        """Names its file."""
        people = "-".join(self.held_out) or "all"
        labels = "full" * self.full + "few" * self.few
        return f"{self.kind}.{self.variant.replace(' ', '_')}.{self.seed}.{people}.{labels}"


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
    found["seconds"] = time.perf_counter() - begun_s
    beside = file.with_suffix(".tmp")
    beside.write_text(json.dumps(found))
    beside.replace(file)
    return found


def key_of(skeletons: SkeletonSet, base: TrainConfig) -> str:
    """Digest what results depend on beside the units: the data, the configuration and the code of models and loop."""
    digest = hashlib.sha256(json.dumps(asdict(base), sort_keys=True).encode())
    for file in sorted(file for pattern in CODE for file in ROOT.glob(pattern)):
        digest.update(file.read_bytes())
    for one in skeletons.sequences:
        digest.update(one.poses.positions.tobytes() + one.poses.times_ns.tobytes())
        digest.update(repr([(g.span.start_ns, g.span.end_ns, g.class_id) for g in one.gestures]).encode())
    return digest.hexdigest()[:12]


def parted(skeletons: SkeletonSet, held_out: Sequence[str]) -> tuple[list[LabelledSequence], list[LabelledSequence]]:
    """Return the sequences to train on, and those of the held-out people."""
    train = [one for one in skeletons.sequences if one.poses.subject_id not in held_out]
    return train, [one for one in skeletons.sequences if one.poses.subject_id in held_out]


def _linear(unit: Unit, skeletons: SkeletonSet) -> dict[str, Any]:
    train, held_out = parted(skeletons, unit.held_out)
    model = fit_linear(train)
    told = Told()
    for one in held_out:
        if one.gestures:
            told.told_classes.extend(model.classify(one.poses, [g.span for g in one.gestures])[0])
        _note(told, one)
        told.claims.extend(
            (c.sequence_id, c.span.start_ns, c.span.end_ns, c.class_id, c.score) for c in model.detect(one.poses)
        )
    return {"full": asdict(told)}


def _measured(skeletons: SkeletonSet) -> dict[str, Any]:
    told = Told()
    for one in skeletons.sequences:
        _note(told, one)
        for draft in measured_drafts(one.poses, taxonomy=skeletons.taxonomy, config=ProposalsConfig()):
            told.claims.append((one.poses.sequence_id, draft.span.start_ns, draft.span.end_ns, None, draft.score))
    return {"full": asdict(told)}


def _model(unit: Unit, skeletons: SkeletonSet, *, base: TrainConfig, work: Path) -> dict[str, Any]:
    train, held_out = parted(skeletons, unit.held_out)
    config = replace(variants(base)[unit.variant], seed=1000 * unit.seed + _number(unit.held_out))
    checkpoints = Checkpoints(folder=work, key=unit.name)
    work.mkdir(parents=True, exist_ok=True)
    poses = [one.poses for one in train]
    found: dict[str, Any] = {}
    if unit.full:
        model = _trained(train, poses, skeletons, config, checkpoints)
        found["full"] = asdict(_told(model, held_out))
    if unit.few:
        # the pre-training is finished and kept; only the labelled part begins anew
        (work / "training.safetensors").unlink(missing_ok=True)
        shorter = replace(config, steps=min(config.steps, FEW_STEPS))
        few = _trained(_few(train, seed=config.seed), poses, skeletons, shorter, checkpoints)
        found["few"] = asdict(_told(few, held_out))
    shutil.rmtree(work)
    return found


def _trained(
    train: Sequence[LabelledSequence],
    poses: Sequence[PoseSequence],
    skeletons: SkeletonSet,
    config: TrainConfig,
    checkpoints: Checkpoints | None,
) -> SeedModel:
    lessons = prepare(train, poses, taxonomy=skeletons.taxonomy, config=config)
    return train_seed_model(lessons, name="benchmark", checkpoints=checkpoints)


def _few(train: Sequence[LabelledSequence], *, seed: int) -> list[LabelledSequence]:
    """Keep the labels of few people, by chance; of the others nothing is known."""
    people = sorted({one.poses.subject_id for one in train if one.poses.subject_id is not None})
    count = max(1, round(FEW * len(people)))
    kept = set(np.random.default_rng(seed).permutation(people)[:count].tolist())
    return [one for one in train if one.poses.subject_id in kept]


def _told(model: SeedModel, held_out: Sequence[LabelledSequence]) -> Told:
    told = Told()
    for one in held_out:
        for judged in model.judge(one.poses, [g.span for g in one.gestures]):
            chances = judged.class_probabilities
            told.told_classes.append(max(chances, key=lambda name: chances[name]) if chances else "")
        _note(told, one)
        told.claims.extend(
            (one.poses.sequence_id, d.span.start_ns, d.span.end_ns, d.class_id, d.score)
            for d in model.detect(one.poses, floor=0.0)
            if d.class_id is not None
        )
    return told


def _note(told: Told, one: LabelledSequence) -> None:
    told.sequence_ids.append(one.poses.sequence_id)
    told.true_classes.extend(gesture.class_id for gesture in one.gestures)


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
    trainer = RoundTrainer(taxonomy=skeletons.taxonomy, config=config, seed=unit.seed)
    learned = simulate_loop(skeletons.sequences, strategy=Strategy.LEARNED, settings=settings, train=trainer)
    others = replace(settings, window_seconds=learned.clip_seconds, minutes=WINDOW_MINUTES, rounds=1)
    curves = {strategy: simulate_loop(skeletons.sequences, strategy=strategy, settings=others) for strategy in RANDOM}
    return {"curves": {str(name): asdict(one) for name, one in {Strategy.LEARNED: learned, **curves}.items()}}


def _number(held_out: Sequence[str]) -> int:
    return int(hashlib.sha256(" ".join(held_out).encode()).hexdigest()[:4], 16) % 997


def set_one_thread() -> None:
    """Use one CPU thread: two units run side by side, and the weights are the same each time."""
    torch.set_num_threads(1)

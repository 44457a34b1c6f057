"""How good the seed model is, on labelled skeletons that anyone can get: UTKinect, or any other set.

    python benchmarks/seed_model.py [FOLDER --format text --layout kinect25 ...] [--work DIR] [--json]

Prints, for people who are held out one at a time: classification of cut segments, also with a tenth of the labels and
then from scratch, too; detection beside a sliding-window linear classifier and the rules for contacts and movements;
the loop of asking and learning beside random windows; and what each augmentation and choice is worth (one seed,
half of the people at a time). Stopped, it goes on where it was.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.seed_model_tables import all_tables, as_text
from benchmarks.seed_model_units import (
    SCRATCH,
    SEED_MODEL,
    Unit,
    gesturing_count,
    key_of,
    loop_sequences,
    people_of,
    run_unit,
    set_one_thread,
    variants,
)
from benchmarks.skeleton_sets import SkeletonSet, add_arguments, describe, load_set
from models.config import METHODS, PretrainConfig, TrainConfig
from schema.errors import PipelineError, UsageError

SEEDS = (0, 1, 2)
SMALLER_STEPS = 0.5
"""Ablations are trained with this share of the updates: they are compared with each other alone."""
FEWEST_PEOPLE = 3
"""With gestures: one is held out, and the linear classifier parts the others into halves."""
PARTS = ("classification", "loop", "ablations")


def base_config(method: str = PretrainConfig().method) -> TrainConfig:
    """Return the configuration that all others differ from: the default, which tells every class apart."""
    return TrainConfig(fewest_examples=1, pretrain=PretrainConfig(method=method))


def units_of(
    skeletons: SkeletonSet, *, base: TrainConfig, seeds: int, parts: tuple[str, ...]
) -> Iterator[tuple[Unit, bool]]:
    """Yield the work, the most telling first, and whether it is done with fewer updates."""
    people = people_of(skeletons)
    if "classification" in parts:
        for person in people:
            yield Unit(kind="linear", variant="linear", held_out=(person,)), False
        yield Unit(kind="measured", variant="contact and motion"), False
        for seed in range(seeds):
            for person in people:
                yield Unit(kind="model", variant=SEED_MODEL, seed=seed, held_out=(person,), few=True), False
            for person in people:
                yield Unit(kind="model", variant=SCRATCH, seed=seed, held_out=(person,), full=False, few=True), False
    if "loop" in parts and loop_sequences(skeletons):
        for seed in range(seeds):
            yield Unit(kind="loop", variant="loop", seed=seed), False
    if "ablations" in parts:
        for variant in variants(base):
            for half in (people[0::2], people[1::2]):
                yield Unit(kind="model", variant=variant, part="ablation", held_out=half), True


def _run(skeletons: SkeletonSet, base: TrainConfig, work: Path, task: tuple[Unit, bool]) -> tuple[Unit, dict[str, Any]]:
    """Do a piece of work; raises ``UsageError``, which a pool can hand on, with the piece and what is wrong."""
    unit, is_small = task
    set_one_thread()
    if is_small:
        pretrain = replace(base.pretrain, steps=round(base.pretrain.steps * SMALLER_STEPS))
        base = replace(base, steps=round(base.steps * SMALLER_STEPS), pretrain=pretrain)
    try:
        return unit, run_unit(unit, skeletons, base=base, work=work)
    except PipelineError as error:
        raise UsageError(f"{unit.label}: {error}") from None


def measure(skeletons: SkeletonSet, arguments: argparse.Namespace) -> dict[str, list[dict[str, str]]]:
    """Do what is missing of the work, and return the tables; raises ``PipelineError`` where a piece can't be done."""
    base = base_config(arguments.pretrain)
    work = arguments.work / f"{skeletons.name}-{key_of(skeletons, base)}"
    work.mkdir(parents=True, exist_ok=True)
    parts = tuple(arguments.only or PARTS)
    if "loop" in parts and not loop_sequences(skeletons):
        print("no labelled gesture inside a longer recording: the loop is left out", file=sys.stderr)
    tasks = list(units_of(skeletons, base=base, seeds=arguments.seeds, parts=parts))
    results: dict[str, dict[str, Any]] = {}
    begun_s = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for unit, result in pool.imap_unordered(partial(_run, skeletons, base, work), tasks):
            results[unit.name] = result
            told = f"{len(results)} of {len(tasks)}: {unit.label}, {result['seconds']:.0f} s"
            print(f"{told}; {(time.perf_counter() - begun_s) / 60:.1f} min", file=sys.stderr, flush=True)
    return all_tables(skeletons, [unit for unit, _ in tasks], results)


def main() -> None:
    """Do what is missing of the work, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--work", type=Path, default=Path("seed-model-benchmark"), help="where results are kept")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    method = PretrainConfig().method
    parser.add_argument("--pretrain", choices=METHODS[:2], default=method, help="how models are pre-trained")
    parser.add_argument("--only", choices=PARTS, action="append", help="only these tables")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        skeletons = load_set(arguments)
    except PipelineError as error:
        sys.exit(str(error))
    count = gesturing_count(skeletons)
    if count < FEWEST_PEOPLE:
        sys.exit(f"{skeletons.name}: gestures of at least {FEWEST_PEOPLE} known people are needed, there are {count}")
    print("\n".join(describe(skeletons)), file=sys.stderr)
    try:
        tables = measure(skeletons, arguments)
    except PipelineError as error:
        sys.exit(str(error))
    print(json.dumps(tables, indent=1) if arguments.json else as_text(tables))


if __name__ == "__main__":
    main()

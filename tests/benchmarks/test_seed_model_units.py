"""The benchmark's pieces of work: who is held out, what counts, and what tells results from each other."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import seed_model_units as units
from benchmarks.seed_model import PARTS, base_config, units_of
from benchmarks.seed_model_tables import all_tables
from benchmarks.seed_model_units import Unit, key_of, loop_sequences, parted, people_of, run_unit
from benchmarks.skeleton_sets import SkeletonSet, make_taxonomy
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from schema.layouts import LAYOUTS
from schema.timespan import TimeSpan

SECOND = 1_000_000_000
RATE = 12.5


def sequence(person, number=0, *, seconds=24, judged=True, gestures=True):
    """Somebody who stands, and raises a wrist every eight seconds."""
    random = np.random.default_rng(sum(map(ord, f"{person}{number}")))
    count, points = int(seconds * RATE), len(LAYOUTS["coco17"].sources)
    positions = np.tile(np.random.default_rng(0).normal(0, 1, (points, 2)), (count, 1, 1))
    positions[:, 5], positions[:, 6] = (-0.5, 0), (0.5, 0)
    positions += random.normal(0, 0.02, positions.shape)
    found = []
    for start in range(2, seconds - 4, 8) if gestures else ():
        frames = slice(int(start * RATE), int((start + 3) * RATE))
        wrist = (9, 10)[(start // 8) % 2]
        positions[frames, wrist, 1] -= 2 * np.sin(np.linspace(0, np.pi, frames.stop - frames.start))
        span = TimeSpan(start_ns=start * SECOND, end_ns=(start + 3) * SECOND)
        found.append(Gesture(span=span, class_id=("raise", "wave")[wrist - 9]))
    poses = PoseSequence(
        sequence_id=f"{person}_{number}/0",
        subject_id=person,
        layout="coco17",
        times_ns=(np.arange(count) * SECOND / RATE).astype(np.int64),
        positions=positions.astype(np.float32),
        scores=np.ones((count, points), np.float32),
    )
    whole = TimeSpan(start_ns=0, end_ns=seconds * SECOND)
    return LabelledSequence(poses=poses, gestures=tuple(found), judged=(whole,) if judged else ())


def set_of(*sequences):
    taxonomy = make_taxonomy("made up", ["raise", "wave"], group_of={})
    return SkeletonSet(name="made-up", taxonomy=taxonomy, sequences=list(sequences))


@pytest.fixture
def skeletons():
    """Three people; one has a recording that nobody looked at, another a short one; a fourth was never looked at."""
    return set_of(
        sequence("a"),
        sequence("a", 1, judged=False, gestures=False),
        sequence("b"),
        sequence("b", 1, seconds=1, gestures=False),
        sequence("c"),
        sequence("d", judged=False, gestures=False),
    )


def told_by_linear(skeletons, tmp_path, person):
    unit = Unit(kind="linear", variant="linear", held_out=(person,))
    return run_unit(unit, skeletons, base=base_config(), work=tmp_path)["full"]


def test_only_people_whom_somebody_looked_at_are_held_out(skeletons):
    assert people_of(skeletons) == ("a", "b", "c")
    assert [one.poses.sequence_id for one in parted(skeletons, ("a",))[1]] == ["a_0/0"]
    assert "d_0/0" in [one.poses.sequence_id for one in parted(skeletons, ("a",))[0]]
    assert people_of(set_of(sequence("a", gestures=False), sequence("b"))) == ("b", "a"), "with gestures come first"


def test_claims_count_where_somebody_looked(skeletons, tmp_path):
    everywhere = told_by_linear(skeletons, tmp_path, "a")
    half = TimeSpan(start_ns=0, end_ns=12 * SECOND)
    first = skeletons.sequences[0]
    first = replace(first, judged=(half,), gestures=tuple(g for g in first.gestures if g.span.end_ns <= half.end_ns))
    (tmp_path / "half").mkdir()
    told = told_by_linear(set_of(first, *skeletons.sequences[1:]), tmp_path / "half", "a")
    middles = [(start + end) // 2 for _, start, end, _, _ in told["claims"]]
    assert told["sequence_ids"] == ["a_0/0"]
    assert middles
    assert max(middles) < half.end_ns
    kept = [list(c) for c in everywhere["claims"] if (c[1] + c[2]) // 2 < half.end_ns]
    assert [list(c) for c in told["claims"]] == kept


def test_contacts_and_movements_are_measured_on_the_same_sequences(skeletons, tmp_path):
    told = run_unit(Unit(kind="measured", variant="contact and motion"), skeletons, base=base_config(), work=tmp_path)
    assert told["full"]["sequence_ids"] == ["a_0/0", "b_0/0", "b_1/0", "c_0/0"]


def test_the_loop_gets_what_was_judged_and_no_whole_clips(skeletons):
    assert [one.poses.subject_id for one in loop_sequences(skeletons)] == ["a", "b", "b", "c"]
    clip = sequence("a")
    clip = replace(clip, gestures=(Gesture(span=clip.judged[0], class_id="wave"),))
    assert loop_sequences(set_of(clip)) == []
    kinds = {unit.kind for unit, _ in units_of(set_of(clip), base=base_config(), seeds=1, parts=PARTS)}
    assert kinds == {"linear", "measured", "model"}


def test_few_labels_are_of_people_who_have_some(skeletons):
    train = [one for one in skeletons.sequences if one.poses.subject_id != "a"]
    train += [sequence(f"e{number}", gestures=False) for number in range(20)]
    assert all(any(one.gestures for one in units._few(train, seed=seed)) for seed in range(10))


def test_files_have_short_names_whoever_is_held_out(skeletons, tmp_path):
    strange = Unit(kind="model", variant="no shear, scale or turn", held_out=("../../etc", *map(str, range(500))))
    assert len(strange.name) < 100
    assert "/" not in strange.name
    assert len(strange.label) < 120
    names = {replace(strange, held_out=held_out).name for held_out in ((), ("a",), ("a", "b"), ("a b",))}
    assert len(names) == 4
    unit = Unit(kind="linear", variant="linear", held_out=("a",))
    run_unit(unit, skeletons, base=base_config(), work=tmp_path)
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["held_out"] == ["a"]


def test_ablations_of_three_people_are_no_main_results(skeletons, tmp_path):
    nothing = {part: [] for part in ("true_classes", "told_classes", "sequence_ids", "claims")}
    all_units = [unit for unit, _ in units_of(skeletons, base=base_config(), seeds=1, parts=PARTS)]
    assert len({unit.name for unit in all_units}) == len(all_units)
    results = {unit.name: {"full": nothing, "seconds": 1.0} for unit in all_units if unit.part == "ablation"}
    titles = [title.partition(" ")[0] for title in all_tables(skeletons, all_units, results)]
    assert titles == ["What", "Seconds"]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, judged=()),
        lambda one: replace(one, gestures=one.gestures[1:]),
        lambda one: replace(one, poses=replace(one.poses, subject_id="z")),
        lambda one: replace(one, poses=replace(one.poses, sequence_id="z/0")),
        lambda one: replace(one, poses=replace(one.poses, scores=one.poses.scores / 2)),
    ],
)
def test_whatever_changes_results_changes_their_key(skeletons, change):
    changed = set_of(change(skeletons.sequences[0]), *skeletons.sequences[1:])
    assert key_of(changed, base_config()) != key_of(skeletons, base_config())
    other = replace(skeletons, taxonomy=make_taxonomy("made up", ["raise", "wave"], group_of={"wave": "Arms"}))
    assert key_of(other, base_config()) != key_of(skeletons, base_config())


def test_few_labels_have_a_checkpoint_of_their_own_and_share_the_pre_training(skeletons, tmp_path, monkeypatch):
    asked = []

    def train(lessons, *, name, checkpoints):
        stages = ("training", "pre-training before training")
        asked.append([(checkpoint.path, checkpoint.key) for checkpoint in map(checkpoints.of, stages)])
        return SimpleNamespace(judge=lambda *_: [], detect=lambda *_, **__: [])

    monkeypatch.setattr(units, "train_seed_model", train)
    run_unit(
        Unit(kind="model", variant=units.SEED_MODEL, held_out=("a",), few=True),
        skeletons,
        base=base_config(),
        work=tmp_path,
    )
    full, few = asked
    assert full[0][0] != few[0][0]
    assert full[0][1] != few[0][1]
    assert full[1] == few[1]

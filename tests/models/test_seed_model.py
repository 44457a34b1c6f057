"""A seed model from training to its folder and back."""

import weakref
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.inputs.poses import LabelledSequence
from models.inputs.views import outlines_of
from models.seed_model import SeedModel
from models.training import supervised
from models.training.cross_validation import cross_validate, subject_folds
from models.training.lessons import Lessons, prepare
from models.training.preparing import flipped_outputs
from models.training.train import Checkpoints, train_seed_model
from schema.errors import BadModelError, ConfigError, UsageError
from tests.made_motions import CLASSES, TINY, made_people, made_sequence, made_taxonomy

TAXONOMY = made_taxonomy()


def lessons_of(labelled: Sequence[LabelledSequence], *, init: SeedModel | None = None, **changes: object) -> Lessons:
    return prepare(labelled, [], taxonomy=TAXONOMY, config=replace(TINY, **changes), init=init)


def trained(people: int = 3, **changes: object) -> SeedModel:
    return train_seed_model(lessons_of(made_people(people), **changes), name="seed-1")


@pytest.fixture(scope="module")
def model() -> SeedModel:
    return trained()


def test_it_finds_the_gestures_of_somebody_it_does_not_know(model: SeedModel) -> None:
    stranger = made_sequence("stranger", seconds=60)
    found = [d for d in model.detect(stranger.poses) if d.class_id is not None]
    hits = sum(
        any(d.class_id == g.class_id and d.span.temporal_iou(g.span) >= 0.5 and d.score >= 0.3 for d in found)
        for g in stranger.gestures
    )
    assert hits >= 0.7 * len(stranger.gestures)


def test_it_names_what_a_given_span_shows(model: SeedModel) -> None:
    stranger = made_sequence("stranger", seconds=60)
    told = model.judge(stranger.poses, [g.span for g in stranger.gestures])
    names = [max(one.class_probabilities, key=lambda name: one.class_probabilities[name]) for one in told]
    right = sum(name == g.class_id for name, g in zip(names, stranger.gestures, strict=True))
    assert right >= 0.8 * len(names)
    assert all(one.embedding.shape == (TINY.network.width,) for one in told)


def test_a_sequence_is_encoded_once_for_its_detections_and_its_judgements(model: SeedModel) -> None:
    one, other = (made_sequence(name, seconds=20).poses for name in ("one", "other"))
    runs: list[object] = []
    hook = model.network.encoder.register_forward_hook(lambda *_: runs.append(None))
    spans = [d.span for d in model.detect(one)]
    told = model.judge(one, spans)
    assert len(runs) == 1
    model.detect(other)
    again = model.judge(one, spans)
    hook.remove()
    assert len(runs) == 3
    assert [t.probability for t in told] == [t.probability for t in again]


def test_a_model_keeps_nothing_of_a_sequence_that_nobody_has_any_more(model: SeedModel) -> None:
    poses = made_sequence("one", seconds=20).poses
    model.detect(poses)
    gone = weakref.ref(poses)
    del poses
    assert gone() is None
    assert not model._encoded


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, again, other = (trained(2, steps=5, seed=seed).weights() for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_a_model_comes_back_from_its_folder_as_it_was(model: SeedModel, tmp_path) -> None:
    digest = model.save(tmp_path / "seed-1", model.facts())
    back = SeedModel.load(tmp_path / "seed-1")
    assert (back.identity, back.classes, back.groups) == (f"seed-1@{digest}", model.classes, model.groups)
    poses = made_sequence("stranger", seconds=20).poses
    before, after = model.detect(poses), back.detect(poses)
    assert [(d.span, d.class_id, d.score) for d in before] == [(d.span, d.class_id, d.score) for d in after]
    assert before


def test_a_training_that_stops_goes_on_to_the_same_weights(tmp_path) -> None:
    lessons = lessons_of(made_people(2), steps=12, checkpoint_seconds=0.0)
    whole = train_seed_model(lessons, name="a").weights()

    class StoppedError(Exception):
        pass

    def stop(progress) -> None:
        if progress.step == 7:
            raise StoppedError

    kept = Checkpoints(folder=tmp_path, key="data")
    with pytest.raises(StoppedError):
        train_seed_model(lessons, name="a", checkpoints=kept, report=stop)
    steps = []
    resumed = train_seed_model(
        lessons, name="a", checkpoints=kept, report=lambda progress: steps.append(progress.step)
    ).weights()
    assert steps[0] > 1
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_a_class_with_few_examples_is_told_by_its_group() -> None:
    labelled = made_people(2)
    rare = [replace(one, gestures=tuple(g for g in one.gestures if g.class_id != "leaning")) for one in labelled]
    few = replace(rare[0], gestures=tuple(sorted([*rare[0].gestures, labelled[0].gestures[0]])))
    one_leans = replace(
        few, gestures=(*rare[0].gestures, *[g for g in labelled[0].gestures if g.class_id == "leaning"][:1])
    )
    model = train_seed_model(lessons_of([one_leans, rare[1]], steps=2, fewest_examples=2), name="a")
    assert model.vocabulary.fallen_back == ("leaning",)
    assert "leaning" not in model.classes
    assert set(model.groups) == {"head", "arms"}


def test_beginning_with_a_model_keeps_what_it_knows(model: SeedModel) -> None:
    begun = train_seed_model(lessons_of(made_people(2), init=model, steps=1, learning_rate=1e-9), name="b")
    assert np.allclose(
        begun.weights()["detector.span_head.weight"], model.weights()["detector.span_head.weight"], atol=1e-6
    )


def test_another_layout_is_refused_in_a_line(model: SeedModel) -> None:
    poses = made_sequence("stranger", seconds=5).poses
    other = replace(
        poses, layout="kinect25", positions=np.zeros((125, 25, 3), np.float32), scores=np.ones((125, 25), np.float32)
    )
    with pytest.raises(ConfigError, match="takes keypoints of the layout coco17 in 2 dimensions"):
        model.detect(other)


def test_nothing_labelled_is_an_error_that_says_what_to_do() -> None:
    unlabelled = [replace(one, gestures=()) for one in made_people(2)]
    with pytest.raises(UsageError, match="verify some, or import"):
        lessons_of(unlabelled)


def test_nobody_is_in_the_fold_that_the_model_knew() -> None:
    labelled = made_people(5, seconds=20)
    parts = subject_folds(lessons_of(labelled).labelled, count=3, seed=0)
    assert len(parts) == 3
    assert sorted(one for part in parts for one in part) == sorted({s.poses.subject_id for s in labelled})
    checked = cross_validate(lessons_of(labelled, steps=30, folds=2), name="a")
    for fold in checked.folds:
        assert {one.subject_id for one in fold.sequences} == set(fold.subjects)
    assert set(checked.classed()) == {one.poses.sequence_id for one in labelled}


def test_calibrated_probabilities_hold_better_than_raw_ones() -> None:
    checked = cross_validate(lessons_of(made_people(4), steps=60), name="a")

    def error(calibrated: bool) -> float:
        told, right = [], []
        for one in checked.held_out:
            taken = set()
            detections = checked.classed(calibrated=calibrated)[one.sequence_id]
            for d in sorted((d for d in detections if d.class_id in CLASSES), key=lambda d: -d.score):
                meant = [
                    g
                    for g in one.gestures
                    if g not in taken and g.class_id == d.class_id and g.span.temporal_iou(d.span) > 0.3
                ]
                told.append(d.score)
                right.append(bool(meant))
                taken.update(meant[:1])
        bins = np.digitize(told, np.linspace(0, 1, 11)[1:-1])
        told_, right_ = np.array(told), np.array(right)
        return float(
            sum(abs(told_[bins == b].mean() - right_[bins == b].mean()) * (bins == b).mean() for b in set(bins))
        )

    assert error(calibrated=True) < error(calibrated=False)


class Counted(Sequence):
    """A list that counts how often its sequences are read, and tells the rest without reading."""

    def __init__(self, items: Sequence) -> None:
        self.items, self.reads = items, 0
        self.outlines = outlines_of(items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place):
        found = self.items[place]
        self.reads += 1
        return found


def test_folds_and_model_share_what_was_read_and_the_weights_are_those_of_each_alone() -> None:
    config = replace(TINY, steps=3, folds=3, pretrain=replace(TINY.pretrain, method="masked", steps=2))
    people = made_people(4, seconds=20)
    labelled, unlabelled = Counted(people), Counted([one.poses for one in people])
    lessons = prepare(labelled, unlabelled, taxonomy=TAXONOMY, config=config)
    checked = cross_validate(lessons, name="a")
    train_seed_model(lessons, name="a")
    assert labelled.reads <= 2 * len(people)
    assert unlabelled.reads == 0

    fold = checked.folds[0]
    rest = [one for one in people if one.poses.subject_id not in fold.subjects]
    alone = prepare(rest, [one.poses for one in rest], taxonomy=TAXONOMY, config=config)
    told = train_seed_model(alone, name="a").weights()
    assert all(np.array_equal(told[name], value) for name, value in fold.model.weights().items())


def test_many_labels_get_more_updates_than_the_least() -> None:
    reports = []
    lessons = lessons_of(made_people(2), steps=3, windows_per_gesture=4.0)
    train_seed_model(lessons, name="a", report=reports.append)
    gestures = sum(len(one.gestures) for one in lessons.labelled)
    assert len(reports) == -(-4 * gestures // TINY.batch) > 3


def test_the_mirror_image_of_a_side_is_the_other_side() -> None:
    classes = ["nodding", "left_arm_up", "right_arm_up", "touching-right-ear", "upright"]
    assert flipped_outputs(classes) == {1: 2, 2: 1, 3: -1}


def test_folds_do_not_begin_with_a_model_that_may_know_whom_they_hold_out(model: SeedModel) -> None:
    lessons = lessons_of(made_people(4, seconds=20), init=model, steps=1, learning_rate=1e-6, folds=2)

    def way(other: SeedModel) -> float:
        pairs = zip(model.network.encoder.parameters(), other.network.encoder.parameters(), strict=True)
        return max(float((theirs - ours).detach().abs().max()) for ours, theirs in pairs)

    whole = train_seed_model(lessons, name="a")
    checked = cross_validate(lessons, name="a")
    assert [way(fold.model) > 20 * way(whole) for fold in checked.folds] == [True, True]


def without_a_shoulder(one: LabelledSequence) -> LabelledSequence:
    positions, scores = one.poses.positions.copy(), one.poses.scores.copy()
    positions[:, 5], scores[:, 5] = np.nan, 0
    return replace(one, poses=replace(one.poses, positions=positions, scores=scores))


def test_who_never_shows_both_shoulders_is_left_out_and_told() -> None:
    people = made_people(3, seconds=20)
    lessons = lessons_of([*people[:2], without_a_shoulder(people[2])])
    assert lessons.unseen == (people[2].poses.sequence_id,)
    assert len(lessons.labelled) == 2
    with pytest.raises(ConfigError, match="2 of 2 labelled sequences never show both shoulders"):
        lessons_of([without_a_shoulder(one) for one in people[:2]], **{"input": replace(TINY.input, fewest_seen=0.0)})


def test_of_whom_nothing_is_seen_nothing_is_said(model: SeedModel) -> None:
    hidden = without_a_shoulder(made_sequence("hidden", seconds=20)).poses
    assert model.detect(hidden) == []
    (told,) = model.judge(hidden, [made_sequence("hidden", seconds=20).gestures[0].span])
    assert told.probability == 0
    assert set(told.class_probabilities.values()) == {0.0}
    assert told.embedding.shape == (TINY.network.width,)


def test_a_card_counts_what_the_model_hands_out() -> None:
    labelled = made_people(4, seconds=20)
    lessons = lessons_of(labelled, folds=2, detect=replace(TINY.detect, most_per_minute=3.0))
    checked = cross_validate(lessons, name="a")
    told = checked.detections(floor=0.0)
    assert all(len(one) <= 1 for one in told.values())
    assert sum(map(len, checked.classed().values())) > len(told)


def test_a_training_that_diverges_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "_loss", lambda *_, **__: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(BadModelError, match=r"diverged at update 1, .* smaller learning_rate"):
        trained()

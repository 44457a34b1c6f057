"""The linear baseline: it finds what differs, learns nothing where nobody looked, and says the same twice."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.skeleton_sets import load_utkinect
from evaluation.average_precision import average_precision
from evaluation.classification import classification_score
from evaluation.sliding_window import SlidingConfig, fit_linear, fit_ridge, pooled, true_spans
from evaluation.spotting import f1_at
from models.config import InputConfig
from models.inputs.normalise import normalise
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from models.inputs.skeletons import make_skeleton
from schema.errors import UsageError
from schema.layouts import LAYOUTS
from schema.timespan import TimeSpan

RATE = 12.5
SECOND = 1_000_000_000


def swaying(seed, *, layout="coco17", dimensions=2, seconds=40, shift=0.0):
    """A person who stands, and raises the left (raise) or the right wrist (wave) now and then."""
    random = np.random.default_rng(seed)
    count, points = int(seconds * RATE), len(LAYOUTS[layout].sources)
    positions = np.tile(np.random.default_rng(0).normal(0, 1, (points, dimensions)), (count, 1, 1))
    positions[:, 5], positions[:, 6] = [-0.5] + [0] * (dimensions - 1), [0.5] + [0] * (dimensions - 1)
    positions += random.normal(0, 0.02, positions.shape) + shift
    gestures = []
    for number, start in enumerate(range(5, seconds - 6, 8)):
        frames = slice(int(start * RATE), int((start + 3) * RATE))
        wrist = (9, 10)[(number + seed) % 2]
        arc = np.sin(np.linspace(0, np.pi, frames.stop - frames.start))
        positions[frames, wrist, 1] -= 2 * arc
        span = TimeSpan(start_ns=start * SECOND, end_ns=(start + 3) * SECOND)
        gestures.append(Gesture(span=span, class_id=("raise", "wave")[wrist - 9]))
    poses = PoseSequence(
        sequence_id=f"v{seed}/0",
        subject_id=f"p{seed}",
        layout=layout,
        times_ns=(np.arange(count) * SECOND / RATE).astype(np.int64),
        positions=positions.astype(np.float32),
        scores=np.ones((count, points), np.float32),
    )
    whole = TimeSpan(start_ns=0, end_ns=seconds * SECOND)
    return LabelledSequence(poses=poses, gestures=tuple(gestures), judged=(whole,))


@pytest.mark.parametrize(("layout", "dimensions"), [("coco17", 2), ("wholebody133", 2), ("coco17", 3)])
def test_gestures_of_an_unknown_person_are_found_and_named(layout, dimensions):
    kind = {"layout": layout, "dimensions": dimensions}
    model = fit_linear([swaying(seed, **kind) for seed in range(8)])
    unknown = swaying(9, **kind)
    told, scores = model.classify(unknown.poses, [gesture.span for gesture in unknown.gestures])
    assert told == [gesture.class_id for gesture in unknown.gestures]
    assert scores.sum(axis=1) == pytest.approx(np.ones(len(told)))
    claims = model.detect(unknown.poses)
    assert average_precision(true_spans(unknown), claims, at_iou=0.5).mean > 0.9
    confident = [claim for claim in claims if claim.score >= model.claims_from]
    assert f1_at(true_spans(unknown), confident).f1 > 0.8
    assert claims == sorted(claims, key=lambda claim: claim.span.start_ns)


def test_the_same_sequences_give_the_same_model_and_claims():
    first, second = (fit_linear([swaying(0), swaying(1)]) for _ in range(2))
    assert first.detector.weights.tobytes() == second.detector.weights.tobytes()
    assert first.detect(swaying(2).poses) == second.detect(swaying(2).poses)


def test_where_nobody_looked_is_no_background():
    labelled = [swaying(seed) for seed in range(4)]
    first_half = TimeSpan(start_ns=0, end_ns=20 * SECOND)
    known = [
        replace(one, judged=(first_half,), gestures=tuple(g for g in one.gestures if g.span.end_ns <= 20 * SECOND))
        for one in labelled
    ]
    everywhere = [replace(one, judged=(TimeSpan(start_ns=0, end_ns=40 * SECOND),)) for one in known]
    truths = true_spans(swaying(9))

    def mean_score(training):
        claims = fit_linear(training).detect(swaying(9).poses)
        hits = [c.score for c in claims if any(c.span.temporal_iou(t.span) > 0.5 for t in truths)]
        return np.mean(hits)

    assert mean_score(known) > mean_score(everywhere) + 0.05, "unmarked gestures of the second half are not against it"


def test_where_a_person_stands_says_nothing():
    model = fit_linear([swaying(0), swaying(1)])
    here, there = swaying(5), swaying(5, shift=3.0)
    spans = [gesture.span for gesture in here.gestures]
    assert model.classify(here.poses, spans)[1] == pytest.approx(model.classify(there.poses, spans)[1], abs=1e-3)


def test_pooled_rows_are_what_the_frames_say():
    sequence = normalise(swaying(3).poses, make_skeleton("coco17", range(17)), InputConfig())
    row = pooled(sequence, np.array([[10, 30]]))[0].reshape(17, 12)
    cut = sequence.positions[10:30].astype(np.float64)
    middle = cut.mean(axis=(0, 1))
    assert row[:, 0:2] == pytest.approx(cut.mean(axis=0) - middle, abs=1e-6)
    assert row[:, 2:4] == pytest.approx(cut.std(axis=0), abs=1e-4)
    assert row[:, 4:6] == pytest.approx(cut[0] - middle, abs=1e-6)
    assert row[:, 6:8] == pytest.approx(cut[-1] - middle, abs=1e-6)
    assert row[:, 8:10] == pytest.approx(cut[-1] - cut[0], abs=1e-6)
    assert row[:, 10] == pytest.approx(np.linalg.norm(np.diff(cut, axis=0), axis=-1).mean(axis=0) * RATE, abs=1e-6)
    assert (row[:, 11] == 1).all()


def test_a_point_that_is_not_seen_gives_zeros_and_not_stillness():
    labelled = swaying(3)
    positions, scores = labelled.poses.positions.copy(), labelled.poses.scores.copy()
    positions[:, 9], scores[:, 9] = np.nan, 0
    poses = replace(labelled.poses, positions=positions, scores=scores)
    rows = pooled(normalise(poses, make_skeleton("coco17", range(17)), InputConfig()), np.array([[10, 30], [20, 60]]))
    assert not rows.reshape(2, 17, 12)[:, 9].any()
    assert np.isfinite(rows).all()
    fit_linear([replace(labelled, poses=poses), swaying(1)])


def test_both_closed_forms_of_the_regression_agree():
    random = np.random.default_rng(0)
    rows, targets = random.normal(size=(30, 20)), random.normal(size=(30, 2))
    tall = fit_ridge(rows, targets, ridge=3.0)
    x, y = (rows - tall.centre) / tall.scale, targets - tall.bias
    assert tall.weights == pytest.approx(x.T @ np.linalg.solve(x @ x.T + 3.0 * np.eye(30), y))


def unplaceable(labelled):
    """The same, with one shoulder never seen."""
    positions, scores = labelled.poses.positions.copy(), labelled.poses.scores.copy()
    positions[:, 5], scores[:, 5] = np.nan, 0
    return replace(labelled, poses=replace(labelled.poses, positions=positions, scores=scores))


def test_sequences_that_teach_nothing_are_no_hindrance():
    taught = [swaying(seed) for seed in range(8)]
    nobody_looked = replace(swaying(10), gestures=(), judged=())
    shorter_than_every_window = replace(swaying(11, seconds=1), gestures=())
    model = fit_linear([nobody_looked, *taught, shorter_than_every_window, unplaceable(swaying(12))])
    unknown = swaying(9)
    told, _ = model.classify(unknown.poses, [gesture.span for gesture in unknown.gestures])
    assert told == [gesture.class_id for gesture in unknown.gestures]


def test_no_window_gives_no_row_as_long_as_all_others():
    sequence = normalise(swaying(3).poses, make_skeleton("coco17", range(17)), InputConfig())
    assert pooled(sequence, np.zeros((0, 2), np.int64)).shape == (0, 17 * 12)


def test_what_cannot_be_learned_from_is_refused():
    nothing = replace(swaying(0), gestures=())
    with pytest.raises(UsageError, match="no labelled gesture"):
        fit_linear([nothing])
    with pytest.raises(UsageError, match="coco17, openpose25"):
        fit_linear([swaying(0), swaying(1, layout="openpose25")])
    with pytest.raises(UsageError, match="in the plane and some in space"):
        fit_linear([swaying(0), swaying(1, dimensions=3)])
    with pytest.raises(UsageError, match="1 of 2 sequences never show both shoulders"):
        fit_linear([unplaceable(swaying(0)), replace(swaying(1), gestures=())])
    with pytest.raises(UsageError, match="knows coco17"):
        fit_linear([swaying(0)]).detect(swaying(1, layout="openpose25").poses)


def test_a_sequence_shorter_than_every_window_has_no_claims():
    assert fit_linear([swaying(0), swaying(1)]).detect(swaying(2, seconds=1).poses) == []


def test_actions_of_people_who_were_held_out_are_told_apart(shared_media):
    skeletons = load_utkinect(shared_media / "skeletons" / "UTKinect")
    held_out = {"s01", "s05"}
    config = SlidingConfig(stride=0.5)
    model = fit_linear([s for s in skeletons.sequences if s.poses.subject_id not in held_out], config=config)
    truth, told = [], []
    for one in (s for s in skeletons.sequences if s.poses.subject_id in held_out):
        truth += [gesture.class_id for gesture in one.gestures]
        told += model.classify(one.poses, [gesture.span for gesture in one.gestures])[0]
    assert len(truth) == 40
    assert classification_score(truth, told).accuracy > 0.8

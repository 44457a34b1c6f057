"""Labelled windows, what is learned from them, and how labels follow the changes of time."""

from collections import Counter

import numpy as np
import pytest
import torch

from models.config import AugmentConfig
from models.inputs.outputs import Outputs
from models.inputs.skeletons import make_skeleton, watched_points
from models.inputs.windows import LabelledFrames, PlacedGesture, Window, WindowSampler, class_chances, cut_window
from models.networks.detector import Dense, likely_spans
from models.training.changes import change
from models.training.losses import edge_loss
from models.training.targets import dense_targets, span_targets

OUTPUTS = Outputs(class_count=3, group_count=2)
SKELETON = make_skeleton("coco17", watched_points("coco17"))


def window(*gestures: PlacedGesture, length: int = 64, judged: bool = True) -> Window:
    points = len(SKELETON.points)
    return Window(
        positions=np.zeros((length, points, 2), np.float32),
        seen=np.ones((length, points), np.bool_),
        scores=np.ones((length, points), np.float32),
        judged=np.full(length, judged),
        gestures=gestures,
    )


def gesture(first: float, end: float, output: int = 1, group: int = 0) -> PlacedGesture:
    return PlacedGesture(output=output, group=group, first=first, end=end)


@pytest.mark.parametrize("length", [3, 6, 12, 25, 50])
def test_a_gesture_of_any_length_has_a_place_that_stands_for_it(length: int) -> None:
    made = dense_targets([window(gesture(7, 7 + length))], outputs=OUTPUTS, levels=5, unjudged_weight=0.1)
    held = [(level, place) for level, t in enumerate(made) for place in torch.where(t.holds[0])[0].tolist()]
    assert held
    for level, place in held:
        back, on = made[level].reaches[0, place].tolist()
        frame = place * 2 ** (level + 1)
        assert (frame - back, frame + on) == (7, 7 + length)
        assert made[level].classes[0, place].tolist() == [0, 1, 0, 1, 0, 1]


def test_time_that_nobody_judged_says_little_of_what_is_not_there() -> None:
    made = dense_targets([window(gesture(10, 20), judged=False)], outputs=OUTPUTS, levels=1, unjudged_weight=0.1)[0]
    assert made.weights[0][made.holds[0]].min() == 1
    assert made.weights[0][~made.holds[0]].max() == pytest.approx(0.1)


def test_a_span_shows_what_it_shares_half_with_and_a_third_says_nothing() -> None:
    random = np.random.default_rng(0)
    windows = [window(gesture(20, 40)) for _ in range(40)]
    made = span_targets(windows, outputs=OUTPUTS, unjudged_weight=0.1, random=random)
    for (_, first, end), row, weights in zip(made.spans.tolist(), made.classes, made.weights, strict=True):
        shared = max(0, min(end, 40) - max(first, 20))
        iou = shared / (max(end, 40) - min(first, 20)) if shared else 0
        assert bool(row[1]) == (iou >= 0.5)
        assert bool(weights[1] == 0) == (0.3 < iou < 0.5)
    assert made.classes[:, 1].sum() > 20


def test_what_the_detector_takes_for_a_gesture_is_looked_at_and_refused() -> None:
    """The likeliest place of a window tells a span where nothing is: the look at whole spans learns that."""
    logits, reaches = torch.full((1, 32, OUTPUTS.count), -4.0), torch.full((1, 32, 2), 3.0)
    logits[0, 25, 0], reaches[0, 25] = 2.0, torch.tensor([5.0, 40.0])
    coarse = torch.full((1, 16, OUTPUTS.count), -4.0)
    coarse[0, 1, OUTPUTS.count - 1] = 9.0  # "any gesture" tells no span
    dense = Dense(classes=[logits, coarse], reaches=[reaches, torch.full((1, 16, 2), 6.0)])
    likely = likely_spans(dense, length=64, count=1)
    assert likely.tolist() == [[[45.0, 64.0]]]
    random = np.random.default_rng(0)
    windows = [window(gesture(5, 20))]
    made = span_targets(windows, outputs=OUTPUTS, unjudged_weight=0.1, random=random, likely=likely.tolist())
    places = [place for place, span in enumerate(made.spans.tolist()) if span == [0, 45, 64]]
    assert places
    assert all(made.classes[place].sum() == 0 and made.weights[place].min() == 1 for place in places)


def test_the_edge_loss_is_nothing_for_the_same_span_and_grows_with_the_distance() -> None:
    truth = torch.tensor([[5.0, 5.0]])
    losses = [float(edge_loss(torch.tensor([[5.0 + k, 5.0 - k]]), truth)[0]) for k in (0.0, 1.0, 3.0)]
    assert losses[0] == pytest.approx(0)
    assert losses[0] < losses[1] < losses[2]


def test_rare_classes_come_as_often_as_the_balance_says() -> None:
    counts = Counter({0: 90, 1: 10})
    assert class_chances(counts, balance=0.0)[1] == pytest.approx(0.1)
    assert class_chances(counts, balance=1.0)[1] == pytest.approx(0.5)
    assert class_chances(counts, balance=0.5)[1] == pytest.approx(0.25)


def test_windows_hold_the_gesture_they_were_drawn_around(made_people_frames: list[LabelledFrames]) -> None:
    sampler = WindowSampler(made_people_frames, length=64, balance=0.5)
    drawn = sampler.draw(60, random=np.random.default_rng(0))
    whole = sum(any(g.first >= -1 and g.end <= 65 for g in one.gestures) for one in drawn)
    assert whole >= 40
    for one in drawn:
        assert one.positions.shape[0] == 64


def test_beyond_the_ends_nothing_is_seen_and_nothing_judged(made_people_frames: list[LabelledFrames]) -> None:
    cut = cut_window(made_people_frames[0], -20, 64)
    assert not cut.seen[:20].any()
    assert not cut.judged[:20].any()
    assert cut.judged[20:].all()


def test_labels_follow_a_change_of_speed() -> None:
    one = window(gesture(20, 40))
    one.positions[20:40, 0, 0] = 1.0
    config = AugmentConfig(
        jitter=0, shear=0, scale=0, turn_degrees=0, resample=0.3, crop=0, repeat=0, part_mask=0, flip=0
    )
    lengths = set()
    for seed in range(8):
        made = change(
            [one], skeleton=SKELETON, config=config, flipped_output={}, generator=torch.Generator().manual_seed(seed)
        )[0]
        (placed,) = made.gestures
        moved = np.flatnonzero(made.positions[:, 0, 0] > 0.5)
        assert abs(placed.first - moved[0]) <= 1.5
        assert abs(placed.end - 1 - moved[-1]) <= 1.5
        lengths.add(round(placed.end - placed.first))
    assert len(lengths) > 1


def test_a_mirrored_gesture_gets_the_class_of_the_other_side() -> None:
    config = AugmentConfig(
        jitter=0, shear=0, scale=0, turn_degrees=0, resample=0, crop=0, repeat=0, part_mask=0, flip=1.0
    )
    made = change(
        [window(gesture(10, 20, output=1))],
        skeleton=SKELETON,
        config=config,
        flipped_output={1: 2, 2: 1},
        generator=torch.Generator().manual_seed(0),
    )[0]
    assert [g.output for g in made.gestures] == [2]


def test_what_is_mostly_cut_off_is_no_gesture_any_more_and_nobody_judged_it() -> None:
    config = AugmentConfig(
        jitter=0, shear=0, scale=0, turn_degrees=0, resample=0, crop=0.5, repeat=0, part_mask=0, flip=0
    )
    seen = []
    for seed in range(30):
        made = change(
            [window(gesture(0, 30))],
            skeleton=SKELETON,
            config=config,
            flipped_output={},
            generator=torch.Generator().manual_seed(seed),
        )[0]
        left = int(made.seen[:30].any(axis=1).sum())
        seen.append(left)
        assert bool(made.gestures) == (left >= 0.6 * 30)
        if not made.gestures:
            assert not made.judged[:30].any()
    assert min(seen) < 18 < max(seen)

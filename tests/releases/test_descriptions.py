"""Fields are what a made person does, whatever the frame rate, the picture's size and what of the person is seen."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinematics.scale import normalise_positions, origin_and_unit_px
from releases.descriptions.contact import PLACES
from releases.descriptions.fields import DescriptionFields, TrackMeasures
from releases.descriptions.movement import measure_movement
from releases.descriptions.parts import wanted_of
from releases.tables.columns import DESCRIPTION_FIELDS
from schema.layouts import COCO17, MIGA35, from_layout, parts_seen_of, to_layout
from schema.records import KEYPOINT_COUNT, PART_SLICES, KeypointSequence, Part
from schema.taxonomy import load_taxonomy, taxonomy_names
from schema.timespan import NS_PER_SECOND
from tests.puppets import LAP, MOUTH, NECK_SIDE, Place, Puppet, Way, make_puppet, mirrored, moved, visiting

IMIGUE = load_taxonomy("imigue32")
SHOULDERS_PX = 200.0
"""The puppet's shoulder width."""


def rubbing(
    place: Place, *, cycles: int, per_second: float, half_px: float, start_s: float = 2.0, side: str = "right"
) -> Way:
    """Send a hand to a place, where it goes up and down ``cycles`` times, and back."""
    end_s = start_s + cycles / per_second
    visit = visiting(place, start_s, end_s, side=side)

    def way(second: float) -> Place:
        x, y = visit(second)
        there = start_s <= second <= end_s
        return x, y + (half_px * float(np.sin(2 * np.pi * per_second * (second - start_s))) if there else 0.0)

    return way


def shaking(per_second: float, half_px: float, start_s: float, end_s: float) -> Callable[[float], Place]:
    def shift(second: float) -> Place:
        there = start_s <= second < end_s
        return 0.0, (half_px * float(np.sin(2 * np.pi * per_second * (second - start_s))) if there else 0.0)

    return shift


def person(**changes: Any) -> KeypointSequence:
    return make_puppet(Puppet(**{"seconds": 8.0} | changes))[1]


def measured(
    sequence: KeypointSequence,
    start_s: float,
    end_s: float,
    *,
    class_id: str | None = "touching_or_scratching_neck",
    evidence: str = "",
    whole_clip: bool = False,
) -> DescriptionFields:
    start_ns, end_ns = (round(second * NS_PER_SECOND) for second in (start_s, end_s))
    first, end = np.searchsorted(sequence.times_ns, (start_ns, end_ns))
    return TrackMeasures.of(sequence).fields(
        slice(int(first), int(end)),
        gesture=None if class_id is None else IMIGUE.by_id(class_id),
        evidence=evidence,
        start_ns=None if whole_clip else start_ns,
        end_ns=None if whole_clip else end_ns,
        co_occurring=[],
    )


def without(sequence: KeypointSequence, points: slice, rows: slice = slice(None)) -> KeypointSequence:
    xy, scores = sequence.keypoints_xy.copy(), sequence.scores.copy()
    xy[rows, points], scores[rows, points] = np.nan, 0.0
    return replace(sequence, keypoints_xy=xy, scores=scores, parts_seen=parts_seen_of(scores))


@pytest.mark.parametrize("frame_rate", [10, 25, 60])
@pytest.mark.parametrize(("per_second", "half_px"), [(1.0, 6.0), (1.5, 20.0), (2.0, 10.0)])
def test_three_cycles_of_a_hand_at_the_neck_come_back(frame_rate: int, per_second: float, half_px: float):
    end_s = 2.0 + 3 / per_second
    way = rubbing(NECK_SIDE, cycles=3, per_second=per_second, half_px=half_px)
    # the span begins and ends while the hand still comes and goes
    fields = measured(person(frame_rate=frame_rate, right_tips=way), 1.9, end_s + 0.1)
    assert (fields.body_part, fields.side, fields.contact_target) == ("hand", "right", "neck")
    assert (fields.movement, fields.repetitions) == ("repeated", 3)
    assert fields.extent == pytest.approx(2 * half_px / SHOULDERS_PX, rel=0.1)
    slack = 0.26 if frame_rate == 10 else 0.15  # speed is the mean over 0.08 s, over 0.2 s at 10 frames/s
    assert fields.speed == pytest.approx(2 * np.pi * per_second * half_px / SHOULDERS_PX, rel=slack)
    assert fields.duration_seconds == pytest.approx(end_s + 0.1 - 1.9, abs=0.001)


def assert_alike(first: DescriptionFields, second: DescriptionFields) -> None:
    """Compare single words as they are, and lengths and speeds up to 2 %."""
    alike = replace(second, extent=pytest.approx(second.extent, rel=0.02), speed=pytest.approx(second.speed, rel=0.02))
    assert asdict(first) == asdict(alike)


def test_sides_are_the_persons_own():
    way = rubbing(NECK_SIDE, cycles=3, per_second=1.5, half_px=10)
    track = make_puppet(Puppet(seconds=8.0, right_tips=way))
    right, left = measured(track[1], 2.0, 4.0), measured(mirrored(track)[1], 2.0, 4.0)
    assert right.side == "right"
    assert_alike(left, replace(right, side="left"))


def test_size_and_place_in_the_picture_change_nothing():
    track = make_puppet(Puppet(seconds=8.0, right_tips=rubbing(NECK_SIDE, cycles=3, per_second=1.5, half_px=10)))
    near = measured(track[1], 2.0, 4.0)
    for scale, shift in ((0.4, (0.0, 0.0)), (6.0, (5000.0, 100.0))):
        far = measured(moved(track, scale=scale, shift=shift)[1], 2.0, 4.0)
        assert_alike(far, near)


@pytest.mark.parametrize(
    ("place", "class_id", "target"),
    [
        (MOUTH, "touching_or_scratching_facial_parts", "mouth"),
        ((320.0, 112.0), "touching_or_scratching_forehead", "forehead"),
        ((303.0, 150.0), "rubbing_eyes", "eye"),
        ((320.0, 215.0), "touching_jaw", "jaw"),
        ((320.0, 288.0), "touching_or_covering_suprasternal_notch", "throat"),
        ((430.0, 350.0), "scratching_or_touching_arms", "arm"),
    ],
)
def test_the_place_is_where_the_fingers_are(place: Place, class_id: str, target: str):
    fields = measured(person(right_tips=visiting(place, 2.0, 4.0)), 2.0, 4.0, class_id=class_id)
    assert (fields.contact_target, fields.side) == (target, "right")
    assert (fields.movement, fields.repetitions) == ("still", 0)
    assert fields.extent == pytest.approx(0.0, abs=0.012)


def test_both_hands_at_the_mouth_are_both():
    hands = {f"{side}_tips": visiting(MOUTH, 2.0, 4.0, side=side) for side in ("left", "right")}
    fields = measured(person(**hands), 2.0, 4.0, class_id="covering_face")
    assert (fields.body_part, fields.side) == ("hands", "both")


def test_hands_that_hold_each_other_are_both():
    hands = {f"{side}_tips": visiting((320.0, 380.0), 1.0, 5.0, side=side) for side in ("left", "right")}
    fields = measured(person(**hands), 2.0, 4.0, class_id="rubbing_or_holding_hands")
    assert (fields.body_part, fields.side, fields.contact_target) == ("hands", "both", "other_hand")


def test_hands_in_the_lap_touch_nothing():
    fields = measured(person(), 2.0, 4.0, class_id="playing_or_manipulating_objects")
    assert (fields.side, fields.contact_target, fields.movement) == (None, None, "still")


def test_a_hand_that_only_passes_the_face_touches_nothing():
    def way(second: float) -> Place:
        return 320.0 + 300 * float(np.sin(2 * np.pi * 1.5 * second)), 190.0

    assert measured(person(right_tips=way), 2.0, 4.0, class_id="illustrative_body_language").contact_target is None


@pytest.mark.parametrize(("cycles", "movement"), [(1, "back_and_forth"), (4, "repeated")])
def test_a_head_that_nods_is_counted(cycles: int, movement: str):
    head = shaking(1.5, 8, 2.0, 2.0 + cycles / 1.5)
    fields = measured(person(head_shift=head), 1.8, 2.2 + cycles / 1.5, class_id="head_up")
    assert (fields.body_part, fields.side, fields.movement, fields.repetitions) == ("head", None, movement, cycles)
    assert fields.extent == pytest.approx(2 * 8 / SHOULDERS_PX, rel=0.12)


def test_a_head_that_rises_and_stays_moves_once():
    fields = measured(
        person(head_shift=lambda s: (0.0, -20.0 * min(max(s - 2.5, 0.0), 1.0))), 2.0, 4.0, class_id="head_up"
    )
    assert (fields.movement, fields.repetitions) == ("once", 0)
    assert fields.extent == pytest.approx(0.1, rel=0.1)


def test_a_turn_of_the_head_is_no_speech():
    fields = measured(person(head_shift=shaking(1.0, 20, 0.0, 8.0)), 2.0, 5.0, class_id="pressing_lips")
    assert (fields.body_part, fields.movement) == ("mouth", "still")


def test_an_unclassified_movement_is_of_the_part_that_moves():
    head = measured(person(head_shift=shaking(1.5, 8, 2.0, 4.0)), 2.0, 4.0, class_id=None, evidence="drawn")
    assert (head.body_part, head.repetitions) == ("head", 3)
    hand = measured(person(left_tips=rubbing(LAP["left"], cycles=3, per_second=1.5, half_px=15, side="left")), 2.0, 4.0,
                    class_id=None)  # fmt: skip
    assert (hand.body_part, hand.side, hand.repetitions) == ("hand", "left", 3)
    nothing = measured(person(), 2.0, 4.0, class_id=None)
    assert (nothing.body_part, nothing.movement, nothing.extent) == ("body", "unknown", None)


def test_fingers_that_move_are_told_though_the_other_hand_rests_at_the_jaw():
    left = rubbing(LAP["left"], cycles=3, per_second=1.5, half_px=15, side="left")
    sequence = person(left_tips=left, right_tips=visiting((320.0, 215.0), 1.0, 5.0))
    fields = measured(sequence, 2.0, 4.0, class_id=None, evidence="moving_hand")
    assert (fields.side, fields.contact_target, fields.repetitions) == ("left", None, 3)


def test_trembling_is_no_movement():
    fields = measured(person(jitter_px=3.0), 2.0, 4.0, class_id="head_up")
    assert (fields.movement, fields.repetitions) == ("still", 0)
    assert fields.extent == pytest.approx(0.0, abs=0.02)
    assert fields.speed == pytest.approx(0.0, abs=0.25)


def test_cycles_are_counted_through_trembling():
    way = rubbing(NECK_SIDE, cycles=3, per_second=1.0, half_px=20)
    fields = measured(person(right_tips=way, jitter_px=3.0), 2.0, 5.0)
    assert (fields.side, fields.contact_target, fields.repetitions) == ("right", "neck", 3)
    assert fields.extent == pytest.approx(0.2, rel=0.2)


def test_a_hand_that_rubs_through_a_whole_slow_clip_is_not_taken_for_trembling():
    way = rubbing(NECK_SIDE, cycles=6, per_second=2.0, half_px=15, start_s=0.0)
    sequence = make_puppet(Puppet(seconds=3.0, frame_rate=10, right_tips=way))[1]
    fields = measured(sequence, 0.0, 3.0, whole_clip=True)
    assert (fields.movement, fields.repetitions, fields.duration_seconds) == ("repeated", 6, None)


def test_what_is_not_seen_is_null_and_never_zero():
    sequence = person(right_tips=rubbing(NECK_SIDE, cycles=3, per_second=1.5, half_px=10))
    nobody = without(sequence, slice(0, KEYPOINT_COUNT))
    for fields in (
        measured(nobody, 2.0, 4.0),
        measured(without(sequence, slice(5, 17), slice(50, 100)), 2.0, 4.0, class_id="moving_torso"),
        TrackMeasures.of(sequence).fields(
            slice(9, 10), gesture=IMIGUE.by_id("head_up"), evidence="", start_ns=0, end_ns=1, co_occurring=[]
        ),
        measured(sequence, 2.0, 2.0),
    ):
        assert (fields.movement, fields.repetitions, fields.speed, fields.extent) == ("unknown", None, None, None)
        assert fields.side is None
    assert measured(nobody, 2.0, 4.0).contact_target is None


def test_a_hand_lost_for_a_second_is_measured_but_not_counted():
    sequence = person(right_tips=rubbing(NECK_SIDE, cycles=6, per_second=1.5, half_px=10))
    lost = slice(88, 113)
    for points in (PART_SLICES[Part.RIGHT_HAND], slice(10, 11)):
        sequence = without(sequence, points, lost)
    fields = measured(sequence, 2.0, 6.0)
    assert (fields.side, fields.contact_target) == ("right", "neck")
    assert (fields.movement, fields.repetitions) == ("unknown", None)
    assert fields.extent == pytest.approx(0.1, rel=0.15)


def imported(sequence: KeypointSequence, layout: Any) -> KeypointSequence:
    """Keep the points that a skeleton of that layout has."""
    xy, scores = from_layout(*to_layout(sequence.keypoints_xy, sequence.scores, layout), layout)
    return replace(sequence, keypoints_xy=xy, scores=scores, parts_seen=parts_seen_of(scores))


@pytest.mark.parametrize(("layout", "target"), [(MIGA35, "neck"), (COCO17, "neck")])
def test_skeletons_without_hands_tell_what_they_can(layout: Any, target: str):
    way = rubbing((275.0, 225.0), cycles=3, per_second=1.5, half_px=10)
    elbow_below = {"right_wrist": lambda s: (way(s)[0] - 12.0, way(s)[1] + 40.0)}
    fields = measured(imported(person(right_tips=way, **elbow_below), layout), 2.0, 4.0)
    assert (fields.body_part, fields.side, fields.contact_target) == ("hand", "right", target)
    assert fields.repetitions == 3
    assert fields.extent == pytest.approx(0.1, rel=0.15)


def test_extent_is_not_measured_frame_by_frame_against_a_moving_shoulder():
    shrugs = measured(person(body_shift=shaking(1.0, 10, 2.0, 4.0)), 2.0, 4.0, class_id="shaking_shoulders")
    assert (shrugs.body_part, shrugs.side, shrugs.repetitions) == ("shoulders", "both", 2)
    assert shrugs.extent == pytest.approx(0.1, rel=0.1)


def test_unseen_shoulders_and_no_hands_still_tell_a_nod():
    sequence = without(person(head_shift=shaking(1.5, 8, 2.0, 4.0)), slice(5, 17))
    fields = measured(sequence, 2.0, 4.0, class_id="head_up")
    assert fields.repetitions == 3
    assert fields.extent == pytest.approx(0.08, rel=0.2)


def test_other_classes_are_told_in_order_and_once():
    sequence = person()
    fields = TrackMeasures.of(sequence).fields(
        slice(0, 50), gesture=None, evidence="", start_ns=0, end_ns=1, co_occurring=["b", "a", "a"]
    )
    assert fields.co_occurring == "a b"


def test_fields_are_the_columns_of_the_release():
    names = [field.name for field in DESCRIPTION_FIELDS]
    assert list(asdict(measured(person(), 1.0, 2.0))) == names


def test_parts_of_every_class_are_words_of_the_release():
    words = {"head", "mouth", "shoulders", "torso", "arm", "hand", "leg"}
    for name in taxonomy_names():
        for gesture in load_taxonomy(name):
            wanted = wanted_of(gesture, "")
            assert wanted.part in words, gesture.class_id
            assert wanted.targets <= set(PLACES), gesture.class_id
    parts = {g.class_id: wanted_of(g, "").part for name in taxonomy_names() for g in load_taxonomy(name)}
    assert parts["pressing_lips"] == "mouth"
    assert parts["hold_back_arms"] == parts["folding_arms"] == parts["stretching_arms"] == "arm"
    assert parts["biting_nails"] == parts["patting_legs"] == parts["waving"] == "hand"
    assert parts["nodding"] == parts["turtle_neck"] == "head"
    assert parts["tiptoe"] == parts["crossing_legs"] == "leg"
    assert parts["sitting_straightly"] == "torso"


def test_swings_without_rhythm_are_irregular():
    times_s, at = np.arange(0, 6, 0.04), np.array([0.0, 0.2, 1.4, 1.6, 1.8, 3.4, 3.6, 5.0, 5.2])
    way = np.stack([np.interp(times_s, at, 0.2 * (np.arange(9) % 2)), np.zeros_like(times_s)], axis=1)
    found = measure_movement(way, times_s, noise=0.0)
    assert (found.word, found.repetitions) == ("irregular", 4)


def test_the_unit_of_a_track_is_that_of_normalised_positions():
    for sequence in (person(), without(person(), slice(5, 7))):
        frame = origin_and_unit_px(sequence)
        assert frame is not None
        origin, unit = frame
        assert np.array_equal((sequence.keypoints_xy - origin) / unit, normalise_positions(sequence), equal_nan=True)
    assert origin_and_unit_px(without(person(), slice(0, KEYPOINT_COUNT))) is None


@cache
def trembling_person(jitter_px: float) -> KeypointSequence:
    return person(seconds=3.0, jitter_px=jitter_px)


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_missing_every_field_stays_in_its_range(data: st.DataObject):
    """Points come and go at will, frames too, and spans and classes are any."""
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    sequence = trembling_person(data.draw(st.sampled_from([0.0, 0.4, 30.0])))
    gone = rng.random((75, KEYPOINT_COUNT)) < data.draw(st.sampled_from([0.0, 0.1, 0.9, 1.0]))
    for begin, end in data.draw(st.sets(st.sampled_from([(0, 17), (5, 7), (23, 91), (91, 112), (91, 133)]))):
        gone[slice(*sorted(rng.integers(0, 76, 2))), begin:end] = True
    xy, scores = sequence.keypoints_xy.copy(), sequence.scores * rng.choice([0.4, 1.0], (75, 1)).astype(np.float32)
    xy[gone], scores[gone] = np.nan, 0.0
    kept = np.sort(rng.choice(75, data.draw(st.integers(1, 75)), replace=False))
    track = replace(
        sequence,
        frame_indices=sequence.frame_indices[kept],
        times_ns=sequence.times_ns[kept],
        keypoints_xy=xy[kept],
        scores=scores[kept],
        parts_seen=parts_seen_of(scores[kept]),
        interpolated=sequence.interpolated[kept],
    )
    gesture = data.draw(st.sampled_from([None, *IMIGUE, *load_taxonomy("ma52")]))
    first = data.draw(st.integers(0, kept.shape[0] - 1))
    rows = slice(first, data.draw(st.integers(first, kept.shape[0])))
    evidence = data.draw(st.sampled_from(["", "drawn", "moving_torso", "moving_hand"]))
    fields = TrackMeasures.of(track).fields(
        rows, gesture=gesture, evidence=evidence, start_ns=0, end_ns=1, co_occurring=[]
    )
    assert fields.body_part in [
        "head",
        "mouth",
        "shoulders",
        "torso",
        "arm",
        "arms",
        "hand",
        "hands",
        "leg",
        "legs",
        "body",
    ]
    assert fields.side in {None, "left", "right", "both"}
    assert fields.contact_target is None or fields.contact_target in PLACES
    assert fields.movement in {"still", "once", "back_and_forth", "repeated", "irregular", "unknown"}
    assert (fields.movement == "unknown") == (fields.repetitions is None)
    for value in (fields.speed, fields.extent, fields.repetitions):
        assert value is None or (np.isfinite(value) and value >= 0)

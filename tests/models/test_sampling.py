"""Which windows are drawn for training without labels, for any layout, in the plane and in space."""

from dataclasses import replace

import numpy as np
import pytest

from models.config import InputConfig, PretrainConfig
from models.inputs.normalise import NormalisedSequence, normalise
from models.inputs.poses import PoseSequence
from models.inputs.skeletons import make_skeleton, watched_points
from models.training.sampling import UnlabelledWindows, collect_windows
from schema.layouts import LAYOUTS
from schema.timespan import NS_PER_SECOND
from tests.models.windows_data import SKELETON, sequence

CONFIG = PretrainConfig(window_seconds=2.0, slowest=0.02, fastest=2.0, most_per_subject=1000)
RIGHT_HAND = range(12, 17)


def person(
    *, frames: int = 500, wave: float = 0.2, jitter: float = 0.0, subject: str | None = "a"
) -> NormalisedSequence:
    """Somebody whose right hand swings at 1 Hz."""
    random = np.random.default_rng(0)
    positions = np.zeros((frames, len(SKELETON.points), 2)) + random.normal(size=(1, len(SKELETON.points), 2))
    positions += random.normal(0, jitter, positions.shape)
    positions[:, list(RIGHT_HAND), 0] += (wave * np.sin(2 * np.pi * np.arange(frames) / 12.5))[:, None]
    return sequence(positions, subject=subject)


def collected(*people: NormalisedSequence, config: PretrainConfig = CONFIG, seed: int = 0) -> UnlabelledWindows:
    subjects = [one.subject_id for one in people]
    return collect_windows(people, subject_ids=subjects, skeleton=SKELETON, config=config, seed=seed)


def drawn(*people: NormalisedSequence, config: PretrainConfig = CONFIG, seed: int = 0) -> list[tuple[int, int]]:
    return [(w.sequence, w.frames.start) for w in collected(*people, config=config, seed=seed).windows]


def test_windows_overlap_by_half() -> None:
    windows = collected(person()).windows
    starts = [w.frames.start for w in windows]
    assert starts[:4] == [0, 13, 25, 38]
    assert {w.frames.stop - w.frames.start for w in windows} == {25}
    # 0.2 shoulder widths at 1 Hz: 0.89 a second in the middle (median), less what means over 0.24 s smooth away
    assert all(w.movement == pytest.approx(0.8, abs=0.12) for w in windows)


def test_who_sits_still_trembles_in_the_estimator_waves_about_or_is_not_seen_is_passed_over() -> None:
    assert drawn(person())
    assert drawn(person(wave=0.0)) == []
    assert drawn(person(wave=0.0, jitter=0.01)) == []
    assert drawn(person(wave=2.0)) == []
    whole = person()
    unsure = sequence(whole.positions, subject="a")
    assert drawn(replace(unsure, scores=unsure.scores * np.float32(0.2))) == []


def test_nobody_gives_more_windows_than_allowed_and_recordings_share_alike() -> None:
    few = replace(CONFIG, most_per_subject=10)
    two = drawn(person(), person(), person(subject="b"), config=few)
    assert [sum(number == n for number, _ in two) for n in range(3)] == [5, 5, 10]
    strangers = drawn(person(subject=None), person(subject=None), config=few)
    assert len(strangers) == 20


def test_memory_holds_no_more_windows_than_allowed_and_of_everybody() -> None:
    few = replace(CONFIG, most_windows=12)
    people = [person(subject=f"person {n}") for n in range(6)]
    found = drawn(*people, config=few)
    assert len(found) == 12
    assert len({number for number, _ in found}) >= 3
    assert set(found) < set(drawn(*people))


def test_a_sequence_that_can_t_be_used_is_passed_over() -> None:
    made = collect_windows([None, person()], subject_ids=[None, "a"], skeleton=SKELETON, config=CONFIG, seed=0)
    assert {window.sequence for window in made.windows} == {1}


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    few = replace(CONFIG, most_per_subject=10)
    assert drawn(person(), config=few) == drawn(person(), config=few)
    assert drawn(person(), config=few) != drawn(person(), config=few, seed=1)


def test_a_short_sequence_is_one_window_and_a_scrap_is_none() -> None:
    assert drawn(person(frames=20)) == [(0, 0)]
    assert drawn(person(frames=10)) == []
    cut = collected(person(frames=20), person())
    windows = cut.windows
    positions, seen, scores = cut.cut([0, 1], [1.0, 1.0], length=25)
    lasts = windows[0].frames.stop
    assert seen[0, :lasts].all()
    assert not seen[0, lasts:].any()
    assert not positions[0, lasts:].any()
    assert not scores[0, lasts:].any()
    assert seen[1].all()


def test_a_piece_lies_where_the_offset_says() -> None:
    ramp = np.zeros((100, len(SKELETON.points), 2)) + np.arange(100)[:, None, None]
    one = sequence(ramp)
    calm = replace(CONFIG, slowest=0.0, fastest=1000.0)
    cut = collected(one, config=calm)
    positions, _, _ = cut.cut([0, 0, 1], [0.0, 1.0, 0.5], length=10)
    assert positions[:, 0, 0, 0].tolist() == [0.0, 15.0, 21.0]


@pytest.mark.parametrize(("layout", "dimensions"), [("kinect25", 3), ("coco17", 2), ("wholebody133", 2), ("miga35", 2)])
def test_the_rule_works_for_any_layout(layout: str, dimensions: int) -> None:
    sources = LAYOUTS[layout].sources
    skeleton = make_skeleton(layout, watched_points(layout))
    random = np.random.default_rng(0)
    rest = random.normal(size=(1, len(sources), dimensions)) * 100
    places = np.repeat(rest, 300, axis=0)
    wrist = sources.index((10,))
    hand = [n for n, source in enumerate(sources) if n == wrist or min(source) >= 112]
    swings = 20 * np.sin(2 * np.pi * np.arange(300) / 25)
    places[:, hand, dimensions - 1] += swings[:, None]
    shoulders = [sources.index((point,)) for point in (5, 6)]
    places[:, shoulders] = np.array([[50.0, 0.0, 0.0], [-50.0, 0.0, 0.0]])[:, :dimensions]
    poses = PoseSequence(
        sequence_id="one",
        subject_id="a",
        layout=layout,
        times_ns=np.arange(300, dtype=np.int64) * (NS_PER_SECOND // 25),
        positions=places.astype(np.float32),
        scores=np.ones((300, len(sources)), np.float32),
    )
    made = normalise(poses, skeleton, InputConfig())
    found = collect_windows([made], subject_ids=["a"], skeleton=skeleton, config=CONFIG, seed=0).windows
    assert len(found) == 10
    # 0.2 shoulder widths at 1 Hz
    assert all(w.movement == pytest.approx(0.8, abs=0.12) for w in found)

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proposals.select import LEAST_FACTOR, select_next
from schema.records import CandidateId, VideoId
from tests.factories import ARMS, NECK, make_candidate, make_span


def candidate(number, *, class_id=NECK, evidence="hand_on_neck", video=0, start_s=0.0, score=0.5):
    return make_candidate(
        candidate_id=CandidateId(f"c{number:020d}"),
        class_id=class_id,
        evidence=evidence,
        video_id=VideoId(f"v{video:020d}"),
        span=make_span(start_s, start_s + 1),
        score=score,
    )


def numbers(chosen):
    return [int(s.candidate.candidate_id[1:]) for s in chosen]


def test_what_the_score_leaves_open_comes_first():
    given = [candidate(n, video=n, score=score) for n, score in enumerate((0.99, 0.5, 0.8, 0.02))]
    chosen = select_next(given, budget=4)
    assert numbers(chosen)[0] == 1
    doubts = {n: s.uncertainty for n, s in zip(numbers(chosen), chosen, strict=True)}
    assert doubts[1] == pytest.approx(1.0)
    assert doubts[2] == pytest.approx(0.7219, abs=1e-3)  # binary entropy of 0.8
    assert doubts[0] < doubts[2]


def test_doubt_that_the_caller_knows_better_counts():
    given = [candidate(n, video=n) for n in range(3)]
    chosen = select_next(given, uncertainty={given[2].candidate_id: 1.0, given[0].candidate_id: 0.1}, budget=1)
    assert numbers(chosen) == [1]
    chosen = select_next(given, uncertainty={g.candidate_id: 0.2 + 0.3 * n for n, g in enumerate(given)}, budget=1)
    assert numbers(chosen) == [2]


def test_rare_classes_come_before_what_was_often_answered():
    given = [candidate(0, video=0), candidate(1, class_id=ARMS, evidence="arms_folded", video=1)]
    chosen = select_next(given, answered={NECK: 99, ARMS: 3}, budget=2)
    assert numbers(chosen) == [1, 0]
    assert [s.rarity for s in chosen] == pytest.approx([0.5, 0.1])


def test_classes_take_turns():
    given = [candidate(n, video=n) for n in range(30)]
    given += [candidate(30 + n, class_id=ARMS, evidence="arms_folded", video=30 + n) for n in range(5)]
    first = Counter(s.candidate.class_id for s in select_next(given, budget=10))
    assert first[ARMS] == 5


def test_what_the_open_queue_holds_is_not_asked_again_and_makes_its_like_wait():
    held = [candidate(n, video=0, start_s=3.0 * n) for n in range(5)]
    near = candidate(10, video=0, start_s=4.0)
    far = candidate(11, video=1)
    chosen = select_next([near, far, *held], open_candidates=held, budget=10)
    assert numbers(chosen) == [11, 10]
    assert chosen[0].diversity > chosen[1].diversity
    assert chosen[0].rarity == pytest.approx(1 / np.sqrt(6))


def test_people_and_videos_take_turns():
    given = [candidate(100 * video + n, video=video, start_s=20.0 * n) for video in range(6) for n in range(5)]
    first = select_next(given, budget=6)
    assert len({s.candidate.video_id for s in first}) == 6
    # three videos each of two people
    people = {c.video_id: "ab"[int(c.video_id[1:]) // 3] for c in given}
    second = select_next(given, subject_of=people, budget=2)
    assert {people[s.candidate.video_id] for s in second} == {"a", "b"}


def test_features_spread_over_the_encoders_space():
    # 40 of one look, 3 of others, all else alike: the others come among the first four
    random_numbers = np.random.default_rng(0)
    given = [candidate(n) for n in range(43)]
    looks = np.eye(4, dtype=np.float32)[[0] * 40 + [1, 2, 3]]
    looks = (looks + random_numbers.normal(0, 0.01, looks.shape)).astype(np.float32)
    features = {c.candidate_id: look for c, look in zip(given, looks, strict=True)}
    assert {40, 41, 42} < set(numbers(select_next(given, features=features, budget=4)))
    # a candidate without a vector is compared by the rest, and is not lost
    del features[given[7].candidate_id]
    assert 7 in numbers(select_next(given, features=features, budget=43))


def test_every_place_and_factor_is_told():
    chosen = select_next([candidate(n, video=n % 3, score=n / 20) for n in range(20)], budget=20)
    assert [s.place for s in chosen] == list(range(20))
    for s in chosen:
        assert all(LEAST_FACTOR <= f <= 1 for f in (s.uncertainty, s.rarity, s.diversity))
        assert f"rarity {s.rarity:.2f}" in s.reason
        assert s.priority == s.uncertainty * s.rarity * s.diversity


def test_nothing_to_ask_and_no_room_give_nothing():
    assert select_next([], budget=5) == []
    assert select_next([candidate(1)], budget=0) == []
    assert select_next([candidate(1)], open_candidates=[candidate(1)], budget=5) == []


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_order_of_what_comes_in_does_not_matter(data):
    classes = st.sampled_from([(NECK, "hand_on_neck"), (ARMS, "arms_folded"), (None, "moving_arm")])
    given = []
    for number in range(data.draw(st.integers(1, 12))):
        class_id, evidence = data.draw(classes)
        given.append(
            candidate(
                number, class_id=class_id, evidence=evidence, video=data.draw(st.integers(0, 2)),
                start_s=data.draw(st.integers(0, 40)), score=data.draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])),
            )
        )  # fmt: skip
    held, pool = given[:3], given[3:]
    chosen = select_next(pool, open_candidates=held, answered={NECK: 4, None: 2}, budget=8)
    mixed = random.Random(data.draw(st.integers(0, 99)))
    again = select_next(
        mixed.sample(pool, len(pool)), open_candidates=mixed.sample(held, len(held)), answered={None: 2, NECK: 4},
        budget=8,
    )  # fmt: skip
    assert again == chosen
    assert len(set(numbers(chosen))) == len(chosen) == min(8, len(pool))

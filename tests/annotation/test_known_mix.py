"""People walk down the queue as the server serves it: who meets how many hidden items?"""

import itertools
import random
from collections import Counter

import pytest

from annotation.asking.known_mix import equal_annotators, known_needed, known_overlaps, mix, to_close
from annotation.asking.overlap import EVERYBODY

KNOWN = [f"k{number}" for number in range(2000)]


def questions(count):
    return [f"q{number}" for number in range(count)]


def mixed(count, *, annotators, answers=2.0, share=0.08, before_trust=10, seed="a"):
    return mix(
        questions(count), KNOWN, annotators=annotators, answers=answers, share=share, before_trust=before_trust,
        seed=seed,
    )  # fmt: skip


def walk(queue, *, annotators, overlap=2, extra=0.0, speeds=None, overlaps=None, seed=0):
    """Serve the first open task that a person has not answered, to one person after the other; returns the streams."""
    chance = random.Random(seed)
    wanted = {
        item: (overlaps or {}).get(item, EVERYBODY)
        if item[0] == "k"
        else overlap + sum(chance.random() < extra for _ in range(3))
        for item in queue
    }
    answered: Counter[str] = Counter()
    place = [0] * annotators
    streams = [[] for _ in range(annotators)]
    while any(p < len(queue) for p in place):
        waiting = [a for a in range(annotators) if place[a] < len(queue)]
        who = chance.choices(waiting, [1.0 if speeds is None else speeds[a] for a in waiting])[0]
        while place[who] < len(queue) and answered[queue[place[who]]] >= wanted[queue[place[who]]]:
            place[who] += 1
        if place[who] < len(queue):
            item = queue[place[who]]
            answered[item] += 1
            streams[who].append(item)
            place[who] += 1
    return streams


def share_of(stream):
    return sum(item[0] == "k" for item in stream) / len(stream)


@pytest.mark.parametrize("annotators", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("extra", [0.0, 0.15], ids=["fixed", "adaptive"])
def test_each_persons_share_comes_out(annotators, extra):
    queue = mixed(400 * annotators, annotators=annotators, answers=min(annotators, 2 + 3 * extra), before_trust=0)
    for stream in walk(queue, annotators=annotators, extra=extra):
        assert 0.05 <= share_of(stream) <= 0.10, len(stream)


@pytest.mark.parametrize("speeds", [(2, 1.5, 1, 1, 0.7), (5, 1, 1, 1), (3, 1)], ids=str)
def test_fast_and_slow_people_get_the_same_share(speeds):
    counts = [round(100 * speed) for speed in speeds]
    queue = mixed(3000, annotators=equal_annotators(counts, answers=2), before_trust=0)
    hidden = [item for item in queue if item[0] == "k"]
    overlaps = dict(zip(hidden, known_overlaps(len(hidden), counts, answers=2, before_trust=0), strict=True))
    fair = walk(queue, annotators=len(speeds), speeds=speeds, overlaps=overlaps)
    assert all(0.05 <= share_of(stream) <= 0.12 for stream in fair)


def test_without_a_history_every_hidden_item_is_open_to_everybody():
    assert equal_annotators([0, 0, 0, 0], answers=2) == 4
    assert known_overlaps(3, [0, 0], answers=2, before_trust=0) == [EVERYBODY] * 3
    assert known_overlaps(12, [50, 5, 5], answers=2, before_trust=10)[:10] == [EVERYBODY] * 10
    assert equal_annotators([100, 100, 100], answers=2) == pytest.approx(3)
    # two answers a question: the busiest can't give more than one of them
    assert equal_annotators([900, 50, 50], answers=2) == pytest.approx(2)


@pytest.mark.parametrize("annotators", [1, 2, 6])
def test_newcomers_meet_ten_among_their_first_answers(annotators):
    queue = mixed(400 * annotators, annotators=annotators, answers=min(2, annotators))
    for stream in walk(queue, annotators=annotators):
        tenth = [number for number, item in enumerate(stream, start=1) if item[0] == "k"][9]
        assert tenth <= 45
        assert 0.05 <= share_of(stream[tenth:]) <= 0.10


def test_nobody_can_count_to_the_next_hidden_item():
    stream = walk(mixed(800, annotators=1, answers=1, before_trust=0), annotators=1)[0]
    places = [number for number, item in enumerate(stream) if item[0] == "k"]
    gaps = {b - a for a, b in itertools.pairwise(places)}
    assert len(gaps) > 8
    assert mixed(800, annotators=1, seed="a") != mixed(800, annotators=1, seed="b")


def test_questions_keep_their_order_and_none_is_lost():
    queue = mixed(500, annotators=4)
    assert [item for item in queue if item[0] == "q"] == questions(500)
    hidden = [item for item in queue if item[0] == "k"]
    assert hidden == KNOWN[: len(hidden)]
    assert abs(len(hidden) - known_needed(500, annotators=4, answers=2, share=0.08, before_trust=10)) <= 1
    assert queue == mixed(500, annotators=4)


def test_too_few_hidden_items_are_all_used_and_none_are_wanted_at_share_0():
    assert sum(item[0] == "k" for item in mix(
        questions(500), KNOWN[:3], annotators=2, answers=2, share=0.08, before_trust=10
    )) == 3  # fmt: skip
    assert mixed(50, annotators=2, share=0.0) == questions(50)
    assert known_needed(50, annotators=2, answers=2, share=0.0, before_trust=10) == 0


def test_small_pushes_together_hold_the_share_of_one_large():
    small = [mixed(7, annotators=3, before_trust=0, seed=str(push)) for push in range(400)]
    hidden = sum(item[0] == "k" for queue in small for item in queue)
    # one hidden item in 17.25 questions: 2800 questions hold 162
    assert hidden == pytest.approx(162, rel=0.25)


def test_a_latecomer_does_not_meet_every_old_hidden_item_in_a_row():
    queue = mixed(600, annotators=3)
    early = walk(queue, annotators=3)
    passed = [item for item in queue if item[0] == "k"]
    assert all(set(passed) <= set(stream) for stream in early)
    closed = to_close(passed, before_trust=10)
    assert [item for item in passed if item not in closed] == passed[-10:]
    assert to_close(passed[:4], before_trust=10) == []


@pytest.mark.parametrize("wrong", [{"annotators": 0}, {"answers": 0}, {"share": 0.7}, {"share": -0.1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"people|share"):
        mixed(10, **{"annotators": 2} | wrong)

"""Where hidden items stand in the queue, so that each annotator meets them in the wanted share."""

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from itertools import count, islice
from typing import TypeVar

from annotation.asking.overlap import EVERYBODY

BEFORE_TRUST_SHARE = 1 / 3
"""Share of hidden items at the head of the queue, where newcomers begin: the first 10 lie among some 30 answers."""

Item = TypeVar("Item")


def mix(
    queue: Sequence[Item],
    known: Sequence[Item],
    *,
    annotators: float,
    answers: float,
    share: float,
    before_trust: int,
    seed: str = "",
) -> list[Item]:
    """Put hidden items among the questions of a queue, which keeps its order.

    People go down the queue. A question leaves it after ``answers`` answers, so that each of the annotators meets
    ``answers / annotators`` of them; a hidden item is open to everybody. To be the share p of what one person meets,
    a hidden item stands in each run of ``(1 - p) / p * annotators / answers`` questions: at a place that chance
    chooses, so that nobody can count. At the head p is 1/3 until ``before_trust`` hidden items have come.

    Args:
        queue: Questions in the order in which they should be asked.
        known: Hidden items in the order in which they should come; those beyond need are left out.
        annotators: People who answer, alike in pace (``equal_annotators`` where they are not).
        answers: Answers that a question gets on average.
        share: Share of hidden items in each person's stream, 0..0.5; 0 takes none, not even before trust.
        before_trust: Hidden items that still have to stand at the head: 0 when a queue is continued.
        seed: What the places are drawn from, such as the study's key and the number of the push.

    Returns:
        The queue with hidden items in it; some of ``known`` may not be in it, all of ``queue`` is.

    Raises:
        ValueError: No annotators, no answers, or a share that is not in 0..0.5.
    """
    runs = _runs(annotators=annotators, answers=answers, share=share, before_trust=before_trust)
    places = _places(runs, question_count=len(queue), most=len(known), seed=seed)
    mixed: list[Item] = []
    taken = 0
    for number, item in enumerate(queue):
        while taken < len(places) and places[taken] <= number:
            mixed.append(known[taken])
            taken += 1
        mixed.append(item)
    return mixed + list(known[taken : len(places)])


def known_needed(question_count: int, *, annotators: float, answers: float, share: float, before_trust: int) -> int:
    """Return how many hidden items ``mix`` can put among so many questions, where there are enough of them."""
    needed, run_start = 0, 0.0
    for run in _runs(annotators=annotators, answers=answers, share=share, before_trust=before_trust):
        if run_start >= question_count:
            break
        needed, run_start = needed + 1, run_start + run
    return needed


def equal_annotators(answer_counts: Collection[int], *, answers: float) -> float:
    """Return how many people as fast as the busiest one would do what these do together.

    Given to ``mix`` as ``annotators``, hidden items stand as densely as the busiest person needs: somebody who gives
    half of all answers meets questions twice as often as hidden items are laid out for where four people are counted.

    Args:
        answer_counts: Answers of each active annotator, of late.
        answers: Answers that a question gets on average.
    """
    return answers / max(_met_shares(answer_counts, answers), default=1.0)


def known_overlaps(
    item_count: int, answer_counts: Collection[int], *, answers: float, before_trust: int, seed: str = ""
) -> list[int]:
    """Return the overlap of each hidden item in turn, so that slow people don't meet every one.

    People who answer few questions pass as many hidden items as the busiest one. Those who are fast come first, so an
    item that closes after some answers is met by them alone. Chance chooses for each item how fast one has to be, and
    it closes after as many answers as there are such people: each person's share comes out alike.

    Args:
        item_count: Hidden items, in the order of the queue.
        answer_counts: Answers of each active annotator, of late; where nobody has answered yet, every item is open to
            everybody.
        answers: Answers that a question gets on average.
        before_trust: Items at the head that are open to everybody, newcomers too.
        seed: What chance is drawn from, as in ``mix``.
    """
    met = _met_shares(answer_counts, answers)
    overlaps = [EVERYBODY] * item_count
    if any(answer_counts):
        for number in range(before_trust, item_count):
            needed = max(met) * _fraction(f"{seed}|overlap", number)
            overlaps[number] = sum(share > needed for share in met)
    return overlaps


def _met_shares(answer_counts: Collection[int], answers: float) -> list[float]:
    """Return which share of the questions each person meets, if they go on so; nobody meets more than all."""
    counts = [float(count) for count in answer_counts]
    if not any(counts):
        counts = [1.0] * len(counts)
    met = [0.0] * len(counts)
    while counts and sum(met) < min(answers, len(counts)) - 1e-9:
        rest = sum(count for count, share in zip(counts, met, strict=True) if share < 1)
        if not rest:
            break
        scale = (answers - sum(share == 1 for share in met)) / rest
        met = [1.0 if s == 1 or count * scale >= 1 else count * scale for count, s in zip(counts, met, strict=True)]
    return met


def to_close(passed: Sequence[Item], *, before_trust: int) -> list[Item]:
    """Choose the hidden items that leave the queue because those who are there have answered them.

    Somebody who comes later begins at the head, where the questions are gone and only hidden items are left: without
    this, all of them in a row. The newest ``before_trust`` stay for newcomers.

    Args:
        passed: Open hidden items that every active annotator has answered, oldest first.
        before_trust: Hidden items that a newcomer shall meet first.
    """
    return list(passed[: max(0, len(passed) - before_trust)])


def _runs(*, annotators: float, answers: float, share: float, before_trust: int) -> Iterator[float]:
    """Yield how many questions each hidden item in turn stands among."""
    if annotators < 1 or answers <= 0:
        raise ValueError(f"a queue needs people and answers, got {annotators} and {answers}")
    if not 0 <= share <= 0.5:
        raise ValueError(f"a share of hidden items lies in 0..0.5, got {share}")
    if share == 0:
        return
    # fewer people than answers: each question goes to all of them
    questions_each = max(1.0, annotators / answers)
    for number in count():
        now = max(share, BEFORE_TRUST_SHARE) if number < before_trust else share
        yield (1 - now) / now * questions_each


def _places(runs: Iterator[float], *, question_count: int, most: int, seed: str) -> list[float]:
    """Return before which question each hidden item stands, increasing, ``most`` at most."""
    places: list[float] = []
    run_start = 0.0
    for run in islice(runs, most):
        place = run_start + run * _fraction(seed, len(places))
        if place >= question_count:  # a last run that the queue cuts short has its item by chance: pushes may be small
            break
        places.append(place)
        run_start += run
    return places


def _fraction(seed: str, number: int) -> float:
    return int(sha256(f"{seed}|{number}".encode()).hexdigest()[:13], 16) / 16**13

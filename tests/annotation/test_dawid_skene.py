import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from annotation.answers.dawid_skene import (
    FINDS,
    REFUSES,
    SEES,
    Answers,
    Floats,
    Model,
    Priors,
    first_model,
    fit,
    posteriors_of,
)

ROUNDS = 15
NO_PRIORS = Priors(group_weight=0, annotator_weight=0, class_weight=0)


def answers_of(
    rows: Sequence[tuple[int, int, int]],
    *,
    classes: int,
    shown: Sequence[int] | None = None,
    proposals: Sequence[int] | None = None,
    truths: dict[int, int] | None = None,
    planted: Sequence[int] = (),
    counts: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Answers:
    """``rows`` are item, annotator, outcome; nothing is shown or proposed unless the call says so."""
    items, annotators, outcomes = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    item_count = int(items.max()) + 1
    known = np.full(item_count, -1, dtype=np.int64)
    for item, truth in (truths or {}).items():
        known[item] = truth
    return Answers(
        items=items,
        annotators=annotators,
        outcomes=outcomes,
        shown=np.full(items.shape, -1, dtype=np.int64) if shown is None else np.array(shown, dtype=np.int64),
        item_proposals=np.full(item_count, -1, dtype=np.int64) if proposals is None else np.array(proposals),
        item_sources=np.zeros(item_count, dtype=np.int64),
        item_truths=known,
        item_sampled=np.array([item not in planted for item in range(item_count)], dtype=np.bool_),
        source_counts=np.array([counts]),
        annotator_count=int(annotators.max()) + 1,
        class_count=classes,
    )


def crowd_answers(*, items: int, annotators: int, outcomes: int, accuracy: tuple[float, float], seed: int) -> Any:
    """Draw everybody's answer to every item: truth, and rows of item, annotator, outcome."""
    random = np.random.default_rng(seed)
    truth = random.integers(outcomes, size=items)
    skill = random.uniform(*accuracy, size=annotators)
    wrong = (truth[:, None] + random.integers(1, outcomes, size=(items, annotators))) % outcomes
    said = np.where(random.random((items, annotators)) < skill, truth[:, None], wrong)
    kept = random.random((items, annotators)) < 0.6
    kept[:, 0] = True
    return truth, [(int(i), int(a), int(said[i, a])) for i, a in zip(*np.nonzero(kept), strict=True)]


def crowd_kit(name: str, rows: Sequence[tuple[int, int, int]]) -> Floats:
    """Return crowd-kit's posteriors after as many rounds, outcomes in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        from crowdkit.aggregation.classification import dawid_skene

        model = getattr(dawid_skene, name)(n_iter=ROUNDS, tol=float("-inf"))
        found = model.fit_predict_proba(pd.DataFrame(rows, columns=["task", "worker", "label"]))
    return found.sort_index(axis=0).sort_index(axis=1).to_numpy()


def test_where_everybody_sees_something_it_is_crowd_kits_one_coin_model() -> None:
    _, rows = crowd_answers(items=25, annotators=5, outcomes=4, accuracy=(0.5, 0.9), seed=1)
    something = (0.0, 1e12, 0.0)
    fitted = fit(answers_of(rows, classes=4, counts=something), priors=NO_PRIORS, tolerance=-1.0, most_rounds=ROUNDS)
    np.testing.assert_allclose(fitted.posteriors[:, :4], crowd_kit("OneCoinDawidSkene", rows), atol=1e-6)
    assert fitted.posteriors[:, 4].max() < 1e-6


def test_with_one_class_it_is_dawid_and_skenes_model_as_crowd_kit_has_it() -> None:
    _, rows = crowd_answers(items=50, annotators=6, outcomes=2, accuracy=(0.6, 0.95), seed=2)
    fitted = fit(answers_of(rows, classes=1), priors=NO_PRIORS, tolerance=-1.0, most_rounds=ROUNDS)
    np.testing.assert_allclose(fitted.posteriors, crowd_kit("DawidSkene", rows), atol=1e-6)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [([0], {0: 0.80}), ([0, 0], {0: 0.998}), ([0, 1], {0: 0.446, 1: 0.446}), ([0, 1, 0], {0: 0.990})],
    ids=["one vote", "two agree", "one against one", "a third breaks it"],
)
def test_the_worked_example_of_32_classes_and_annotators_who_are_right_in_four_of_five(
    votes: list[int], expected: dict[int, float]
) -> None:
    answers = answers_of([(0, person, vote) for person, vote in enumerate(votes)], classes=32)
    coins = np.ones((len(votes), 4))
    coins[:, FINDS] = 0.8
    model = Model(
        coins=coins,
        follows_none=0.5,
        follows_wrong=0.5,
        class_shares=np.full(32, 1 / 32),
        source_shares=np.array([[0.0, 1.0, 0.0]]),
    )
    (posteriors,) = posteriors_of(answers, model)
    assert {outcome: posteriors[outcome] for outcome in expected} == pytest.approx(expected, abs=0.0006)


def test_the_likelihood_of_every_answer_sums_to_one_over_what_can_be_answered() -> None:
    classes = 5
    coins = np.array([[0.9, 0.8, 0.95, 0.6]])
    for shown in (-1, 2):
        likelihoods = []
        for outcome in range(classes + 1):
            answers = answers_of([(0, 0, outcome)], classes=classes, shown=[shown], counts=(0, 5, 1))
            model = replace(first_model(answers, priors=Priors()), coins=coins, follows_none=0.7, follows_wrong=0.6)
            (posterior,) = posteriors_of(answers, model)
            prior = np.array([5 / 6 / classes] * classes + [1 / 6])
            likelihoods.append(posterior / prior)
        # Each posterior is known up to P(answer); with it, the likelihoods of all answers sum to 1 for each truth.
        matrix = np.array(likelihoods).T
        scales = np.linalg.solve(matrix, np.ones(classes + 1))
        assert np.all(scales > 0)
        np.testing.assert_allclose(matrix @ scales, 1)
        assert matrix[classes, classes] * scales[classes] == pytest.approx(0.8)
        assert matrix[2, 2] * scales[2] == pytest.approx(0.9 * (0.6 if shown == -1 else 0.95))


def test_known_items_unmask_somebody_who_accepts_everything() -> None:
    shown_class, none = 0, 3
    rows, truths = [], {}
    for item in range(40):
        truth = shown_class if item % 2 else none
        rows += [(item, 0, shown_class), (item, 1, truth)]
        truths[item] = truth
    rows += [(40, 0, shown_class), (40, 1, none)]
    answers = answers_of(
        rows,
        classes=3,
        shown=[shown_class] * len(rows),
        proposals=[shown_class] * 41,
        truths=truths,
        planted=range(40),
        counts=(4.5, 1.5, 4.0),
    )
    fitted = fit(answers)
    careless, good = fitted.model.coins
    assert careless[REFUSES] < 0.4
    assert good[REFUSES] > 0.85
    assert careless[SEES] > 0.9
    assert fitted.posteriors[40, none] > 0.75
    np.testing.assert_array_equal(fitted.posteriors[1], [1, 0, 0, 0])


def test_planted_items_do_not_say_how_often_gestures_happen() -> None:
    rows = [(item, person, 0) for item in range(10) for person in range(2)]
    counts = (4.5, 1.5, 4.0)
    told = answers_of(rows, classes=3, shown=[0] * 20, proposals=[0] * 10, counts=counts)
    planted = replace(told, item_truths=np.zeros(10, dtype=np.int64), item_sampled=np.zeros(10, dtype=np.bool_))
    np.testing.assert_allclose(fit(planted).model.source_shares, [[0.45, 0.15, 0.40]])
    assert fit(told).model.source_shares[0, 0] > 0.6


def test_a_source_that_is_mostly_wrong_makes_an_accept_worth_less() -> None:
    shown, rows = [], []
    for item in range(200):
        rows += [(item, person, 3 if item % 10 else 0) for person in range(3)]
        shown += [0, 0, 0]
    rows.append((200, 0, 0))
    answers = answers_of(rows, classes=3, shown=[*shown, 0], proposals=[0] * 201, counts=(4.5, 1.5, 4.0))
    alone = answers_of([(0, 0, 0)], classes=3, shown=[0], proposals=[0], counts=(4.5, 1.5, 4.0))
    assert fit(answers).model.source_shares[0, 0] < 0.15
    trusting = first_model(alone, priors=Priors())
    doubting = replace(trusting, source_shares=fit(answers).model.source_shares)
    assert posteriors_of(alone, doubting)[0, 0] < posteriors_of(alone, trusting)[0, 0] - 0.2


def test_no_answers_at_all_are_no_error() -> None:
    empty = np.empty(0, dtype=np.int64)
    answers = replace(
        answers_of([(0, 0, 0)], classes=3),
        items=empty,
        annotators=empty,
        outcomes=empty,
        shown=empty,
        annotator_count=0,
    )
    assert fit(answers).posteriors.shape == (1, 4)


def test_sixty_thousand_answers_take_seconds() -> None:
    random = np.random.default_rng(3)
    items = np.repeat(np.arange(20_000), 3)
    truth = random.integers(33, size=20_000)[items]
    said = np.where(random.random(60_000) < 0.8, truth, random.integers(33, size=60_000))
    rows = np.stack([items, random.integers(50, size=60_000), said], axis=1)
    answers = answers_of([(0, 0, 0)], classes=32, counts=(0, 5, 5))
    answers = replace(
        answers,
        items=rows[:, 0],
        annotators=rows[:, 1],
        outcomes=rows[:, 2],
        shown=np.full(60_000, -1),
        item_proposals=np.full(20_000, -1),
        item_sources=np.zeros(20_000, dtype=np.int64),
        item_truths=np.full(20_000, -1),
        item_sampled=np.ones(20_000, dtype=np.bool_),
        annotator_count=50,
    )
    found = fit(answers).posteriors.argmax(axis=1)
    assert (found == truth[::3]).mean() > 0.93

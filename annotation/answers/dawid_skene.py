"""What is true, and how well each annotator sees it, from answers alone: Dawid and Skene's model with few coins.

A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm", Applied
Statistics 28 (1979). Their model has a full table of confusions an annotator: 33 outcomes make 1,056 numbers of a few
hundred answers. Here an annotator has four coins, each with a Beta prior around what all annotators do together:

- *sees*: says that there is a gesture where there is one (sensitivity),
- *refuses*: says that there is none where there is none (specificity),
- *keeps*: names the class where the one that was shown is right,
- *finds*: names the class where another one, or none, was shown.

A wrong answer names the class that was shown with a probability that all share; else every class alike. With one class
the model is Dawid and Skene's own for two outcomes; where nothing is shown and everybody says that something is there
it is the one-coin model (Y. Zhang, X. Chen, D. Zhou and M. I. Jordan, JMLR 17, 2016). Items whose truth is known teach
the coins. What was proposed for an item is a part of what is believed before the answers, at the rate at which that
source's proposals turn out right.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SEES, REFUSES, KEEPS, FINDS = range(4)
"""Columns of an annotator's coins."""
SMALLEST = 1e-10
"""No probability is nearer to 0 or 1 than this (crowd-kit clips at the same), so that logarithms stay finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """What is believed before any answer, and with the weight of how many answers.

    The means are those of a decent annotator, set so that the accept of one unknown person leaves a doubt of about a
    fifth. They fade as answers and known items come in. ``benchmarks/adjudication.py`` shows what they do.
    """

    coins: tuple[float, float, float, float] = (0.9, 0.85, 0.97, 0.7)
    """Means of *sees*, *refuses*, *keeps*, *finds*."""
    group_weight: float = 20.0
    """Answers that those means weigh against what all annotators do together."""
    annotator_weight: float = 10.0
    """Answers that the group's means weigh against what one annotator does."""
    follows_none: float = 0.95
    """Share of the false sightings that name the class that was shown."""
    follows_wrong: float = 0.8
    """Share of the wrong classes that are the class that was shown."""
    class_weight: float = 100.0
    """Items, spread over all classes alike, that are added to what is counted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Answers as numbers. Outcomes are 0..K-1 for the K classes and K for "no gesture"; -1 is none."""

    items: Ints
    """Item of each answer, shape ``(n,)``."""
    annotators: Ints
    """Annotator of each answer, shape ``(n,)``."""
    outcomes: Ints
    """What each answer says, shape ``(n,)``, 0..K."""
    shown: Ints
    """The class that the annotator was shown, shape ``(n,)``, -1..K-1."""
    item_proposals: Ints
    """The class that was proposed for each item, shape ``(m,)``, -1..K-1."""
    item_sources: Ints
    """Who proposed it, shape ``(m,)``: a row of ``source_counts``."""
    item_truths: Ints
    """The known outcome of each item, shape ``(m,)``, -1 where it is unknown."""
    item_sampled: npt.NDArray[np.bool_]
    """Whether the item tells how often things happen, shape ``(m,)``: planted ones don't."""
    source_counts: Floats
    """Items that are added to each source's, shape ``(s, 3)``: proposal right, another class, no gesture."""
    annotator_count: int
    class_count: int
    """K, at least 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """What is believed of annotators and of how often things happen."""

    coins: Floats
    """Shape ``(annotators, 4)``: *sees*, *refuses*, *keeps*, *finds*."""
    follows_none: float
    follows_wrong: float
    class_shares: Floats
    """How common each class is among gestures, shape ``(K,)``."""
    source_shares: Floats
    """Shape ``(s, 3)``: how often a source's proposal is right, of another class, no gesture."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """The model that explains the answers best, and what it says of each item."""

    posteriors: Floats
    """Probability of each outcome, shape ``(m, K + 1)``; the last column is "no gesture"."""
    model: Model


@dataclass(slots=True)
class _Logs:
    """Logarithm of P(answer | truth): one number for most truths, another where the truth is something special."""

    most: Floats
    said: Floats
    """Where the truth is the class that the answer names."""
    shown: Floats
    """Where the truth is the class that was shown."""
    none: Floats
    """Where there is no gesture."""


def fit(answers: Answers, *, priors: Priors | None = None, tolerance: float = 1e-5, most_rounds: int = 300) -> Fit:
    """Estimate truth and coins in turn (EM), from the share of the votes on.

    Items with a single answer count too: where more is asked of those that are in doubt alone, leaving the others out
    would make everybody look worse than they are.

    Args:
        answers: All answers; their order changes nothing but the last bits of the sums.
        priors: What is believed before; None takes ``Priors()``.
        tolerance: Largest change of a posterior at which the estimate stands.
        most_rounds: Rounds after which it stands in any case.
    """
    priors = priors or Priors()
    posteriors = _with_truths(_vote_shares(answers), answers)
    model = first_model(answers, priors=priors)
    for _ in range(most_rounds):
        model = _estimate(answers, posteriors, priors=priors, before=model)
        renewed = posteriors_of(answers, model)
        change = float(np.max(np.abs(renewed - posteriors), initial=0.0))
        posteriors = renewed
        if change <= tolerance:
            break
    return Fit(posteriors=posteriors, model=model)


def first_model(answers: Answers, *, priors: Priors) -> Model:
    """Return what is believed before any answer."""
    count = answers.class_count
    sources = answers.source_counts
    totals = np.maximum(sources.sum(axis=1, keepdims=True), SMALLEST)
    return Model(
        coins=np.tile(np.array(priors.coins, dtype=np.float64), (answers.annotator_count, 1)),
        follows_none=priors.follows_none,
        follows_wrong=priors.follows_wrong,
        class_shares=np.full(count, 1 / count),
        source_shares=sources / totals,
    )


def posteriors_of(answers: Answers, model: Model) -> Floats:
    """Return the probability of each outcome of each item under a model, shape ``(m, K + 1)``; known truths are 1."""
    count, width = answers.class_count, answers.class_count + 1
    item_count = answers.item_proposals.shape[0]
    logs = _log_likelihoods(answers, model)
    sums = _log_priors(answers, model)
    sums[:, :count] += np.bincount(answers.items, logs.most, item_count)[:, None]
    sums[:, count] += np.bincount(answers.items, logs.none, item_count)
    flat = sums.reshape(-1)
    named = answers.outcomes < count
    another = (answers.shown >= 0) & (answers.shown != answers.outcomes)
    for chosen, column, special in ((named, answers.outcomes, logs.said), (another, answers.shown, logs.shown)):
        cells = answers.items[chosen] * width + column[chosen]
        flat += np.bincount(cells, (special - logs.most)[chosen], flat.shape[0])
    sums -= sums.max(axis=1, keepdims=True)
    shares = np.exp(sums)
    return _with_truths(shares / shares.sum(axis=1, keepdims=True), answers)


def _with_truths(posteriors: Floats, answers: Answers) -> Floats:
    known = np.flatnonzero(answers.item_truths >= 0)
    posteriors[known] = 0.0
    posteriors[known, answers.item_truths[known]] = 1.0
    return posteriors


def _vote_shares(answers: Answers) -> Floats:
    item_count, width = answers.item_proposals.shape[0], answers.class_count + 1
    cells = answers.items * width + answers.outcomes
    votes = np.bincount(cells, minlength=item_count * width).astype(np.float64).reshape(item_count, width)
    shares: Floats = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1.0)
    return shares


def _log(probabilities: Floats) -> Floats:
    return np.log(np.clip(probabilities, SMALLEST, 1.0))


def _log_likelihoods(answers: Answers, model: Model) -> _Logs:
    """Write down P(answer | truth) for every answer, as few numbers as tell it."""
    count = answers.class_count
    sees, refuses, keeps, finds = (model.coins[answers.annotators, coin] for coin in range(4))
    if count == 1:
        keeps = finds = np.ones_like(keeps)
    others, rest = max(count - 1, 1), max(count - 2, 1)
    says_none = answers.outcomes == count
    showing = answers.shown >= 0
    follows = showing & (answers.outcomes == answers.shown)
    in_error = np.where(
        showing,
        np.where(follows, model.follows_wrong, (1 - model.follows_wrong) / rest),
        np.full_like(sees, 1 / others),
    )
    made_up = np.where(
        showing, np.where(follows, model.follows_none, (1 - model.follows_none) / others), np.full_like(sees, 1 / count)
    )
    misses = 1 - sees
    return _Logs(
        most=_log(np.where(says_none, misses, sees * (1 - finds) * in_error)),
        said=_log(sees * np.where(follows, keeps, finds)),
        shown=_log(np.where(says_none, misses, sees * (1 - keeps) / others)),
        none=_log(np.where(says_none, refuses, (1 - refuses) * made_up)),
    )


def _log_priors(answers: Answers, model: Model) -> Floats:
    """Write down what is believed of each item before its answers, shape ``(m, K + 1)``."""
    count = answers.class_count
    item_count = answers.item_proposals.shape[0]
    right, other, none = (model.source_shares[answers.item_sources, column] for column in range(3))
    proposals = answers.item_proposals
    proposed = np.flatnonzero(proposals >= 0)
    left_over = np.ones(item_count)
    left_over[proposed] = 1 - model.class_shares[proposals[proposed]]
    another = np.where(proposals >= 0, other, right + other) / np.maximum(left_over, SMALLEST)
    priors = np.empty((item_count, count + 1))
    priors[:, :count] = another[:, None] * model.class_shares[None, :]
    priors[proposed, proposals[proposed]] = right[proposed]
    priors[:, count] = none
    return _log(priors)


def _estimate(answers: Answers, posteriors: Floats, *, priors: Priors, before: Model) -> Model:
    """Estimate the model from what is believed of the items now."""
    count = answers.class_count
    says_none = answers.outcomes == count
    showing = answers.shown >= 0
    follows = showing & (answers.outcomes == answers.shown)
    none = posteriors[answers.items, count]
    shown = np.where(showing, posteriors[answers.items, np.maximum(answers.shown, 0)], 0.0)
    said = np.where(says_none, 0.0, posteriors[answers.items, answers.outcomes])
    speaks = ~says_none
    unshown = np.maximum(1 - none - shown, 0.0)
    found = np.where(follows, 0.0, said)
    right = ((1 - none) * speaks, none * says_none, speaks * shown * follows, speaks * found)
    asked = (1 - none, none, speaks * shown, speaks * unshown)
    model = replace(before, coins=_coins(answers, right, asked, priors))
    erring = speaks * showing * np.maximum(unshown - found, 0.0)
    fabricating = speaks * showing * none
    weight = priors.group_weight
    return replace(
        _shares(answers, posteriors, priors=priors, before=model),
        follows_none=_share(fabricating * follows, fabricating, priors.follows_none, weight),
        follows_wrong=_share(erring * follows, erring, priors.follows_wrong, weight),
    )


def _coins(answers: Answers, right: tuple[Floats, ...], asked: tuple[Floats, ...], priors: Priors) -> Floats:
    coins = np.empty((answers.annotator_count, 4))
    for coin, (good, of, mean) in enumerate(zip(right, asked, priors.coins, strict=True)):
        group = _share(good, of, mean, priors.group_weight)
        goods = np.bincount(answers.annotators, good, answers.annotator_count)
        ofs = np.bincount(answers.annotators, of, answers.annotator_count)
        weights = ofs + priors.annotator_weight
        counted = (goods + priors.annotator_weight * group) / np.maximum(weights, SMALLEST)
        coins[:, coin] = np.where(weights > 0, counted, group)
    return coins


def _share(good: Floats, of: Floats, mean: float, weight: float) -> float:
    total = float(of.sum()) + weight
    return (float(good.sum()) + weight * mean) / total if total > 0 else mean


def _shares(answers: Answers, posteriors: Floats, *, priors: Priors, before: Model) -> Model:
    """Count how common classes are, and how often each source is right, among the items that were not planted."""
    count = answers.class_count
    sampled = answers.item_sampled
    believed, proposals = posteriors[sampled], answers.item_proposals[sampled]
    classes = believed[:, :count].sum(axis=0) + priors.class_weight / count
    none = believed[:, count]
    rows = np.arange(believed.shape[0])
    right = np.where(proposals >= 0, believed[rows, np.maximum(proposals, 0)], 0.0)
    other = np.maximum(1 - none - right, 0.0)
    sources = answers.item_sources[sampled]
    kinds = answers.source_counts.shape[0]
    found = np.stack([np.bincount(sources, part, kinds) for part in (right, other, none)], axis=1)
    counted: Floats = found + answers.source_counts
    totals = counted.sum(axis=1, keepdims=True)
    return replace(
        before,
        class_shares=classes / classes.sum() if classes.sum() > 0 else before.class_shares,
        source_shares=np.where(totals > 0, counted / np.maximum(totals, SMALLEST), before.source_shares),
    )

"""Sharing groups of people out over the splits, so that each split has its share of everything that is counted.

What is minimised, over the splits ``k`` that are wanted and the strata ``s`` (all segments, each class, each match
outcome, each sex, the people)::

    sum over s of weight(s) * sum over k of ((held(s, k) - share(k)) ** 2 / share(k) + missing(s, k))

``held(s, k)`` is the part of the stratum that lies in split ``k``, 0..1. Deviations are taken within a stratum and
squared relative to the split's share, so that a class with a third of all segments counts no more than one with ten,
and a tenth too few in test counts more than in train. ``weight(s)`` is the weight of the stratum's kind
(``KIND_WEIGHTS``) divided by the number of strata of that kind. ``missing(s, k)`` is a price for a split that has
nobody of a class (``MISSING_CLASS``), or nobody at all (``MISSING_SPLIT``).

All sums are of integers: the result does not depend on the order of additions, hence on no library, thread or machine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations

import numpy as np
import numpy.typing as npt

Stratum = tuple[str, str]
"""Kind and name: ("segments", ""), ("class", "c01"), ("match_outcome", "win"), ("sex", "f"), ("people", "")."""
Integers = npt.NDArray[np.int64]
Moves = list[tuple[int, int]]
"""Groups, and the split that each goes to."""

SEGMENTS, CLASS, PEOPLE = "segments", "class", "people"
FILL_ORDER = ("train", "test", "val")
"""Which split is served first: with two subjects there is something to train and to test."""
KIND_WEIGHTS = {SEGMENTS: 4000, CLASS: 1000, "match_outcome": 1000, "sex": 1000, PEOPLE: 250}
"""Thousandths. The whole counts most: no class is worth a test split of twice its size."""
MISSING_CLASS = {"train": 4, "test": 2, "val": 1}
"""Price of a split without a class. More than the deviation that one of two subjects in test costs (0.6), so that a
class of two subjects is in train and test, one of three in all; less than what it takes to distort all segments."""
MISSING_SPLIT = {"train": 400, "test": 200, "val": 100}
"""Price of a split without anybody, above all else: a split is empty only where there are too few people."""
WHOLE = 65_536
"""A whole stratum. One step is 0.0015 % of it; squares, weights and prices together stay below 2**63."""
_SHARE_STEPS = 20
_NOWHERE = -1
_STARTS, _STARTS_OF_MANY, _MANY = 12, 4, 100
"""Few groups get stuck more easily: 12 starts find the optimum of 8 groups in 25 of 25 made-up worlds, 6 in 24; at 332
groups 12 come no closer than 3."""
_MOST_FOR_SWAPS = 1_000
"""With more groups, moves alone come as close (within 0.05 points at 1,000), and pairs take long."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Balance:
    """The terms of the objective as integers; shapes by split ``k``, stratum ``s`` and group ``g``."""

    loads: Integers
    """``(g, s)``: part of the stratum that a group brings, of ``WHOLE``."""
    present: Integers
    """``(g, s)``: 1 where it brings any."""
    targets: Integers
    """``(k, s)``."""
    weights: Integers
    """``(k, s)``: weight of a squared deviation."""
    prices: Integers
    """``(k, s)``: what it costs if a split has nobody of a stratum."""
    usable: int
    """The first so many splits have a share; in the others are only those who were there before."""


def share_out(
    groups: Sequence[Sequence[str]],
    counts: Sequence[Mapping[Stratum, int]],
    *,
    pinned: Mapping[int, str],
    shares: Mapping[str, float],
) -> list[str]:
    """Give every group a split: several greedy starts, each improved by moves and swaps until none helps.

    Args:
        groups: People who must share a split, each group and the list of them sorted: ties go by place.
        counts: What each group brings to each stratum, whose kinds are those of ``KIND_WEIGHTS``.
        pinned: Splits of groups that stay where they are, by index; a split without a share is allowed.
        shares: Wanted shares by split; one of 0 gets nobody.

    Returns:
        The split of each group, in the order of ``groups``.
    """
    splits = [split for split in FILL_ORDER if shares[split] > 0]
    splits += sorted({*pinned.values()} - {*splits})
    balance = _balance(counts, splits, shares)
    pins = np.array([splits.index(pinned[g]) if g in pinned else _NOWHERE for g in range(len(groups))], dtype=np.int64)
    free = [g for g in range(len(groups)) if g not in pinned]
    sizes = [sum(number for (kind, _), number in count.items() if kind == SEGMENTS) for count in counts]
    best: _Placing | None = None
    starts = _STARTS if len(free) <= _MANY else _STARTS_OF_MANY
    for start in range(starts if free else 1):
        placing = _Placing.of(pins, balance)
        for g in sorted(free, key=lambda g: (0 if start else -sizes[g], _hash_of(f"{start} {min(groups[g])}"))):
            placing.put(g)
        placing.improve(np.array(free, dtype=np.int64))
        if best is None or placing.cost() < best.cost():
            best = placing
    return [splits[side] for side in best.sides] if best else []


def _hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _balance(counts: Sequence[Mapping[Stratum, int]], splits: Sequence[str], shares: Mapping[str, float]) -> _Balance:
    strata = sorted({stratum for count in counts for stratum, number in count.items() if number})
    kinds = [kind for kind, _ in strata]
    numbers = np.array([[count.get(s, 0) for s in strata] for count in counts], dtype=np.int64)
    numbers = numbers.reshape(len(counts), len(strata))
    totals = np.maximum(numbers.sum(axis=0), 1)
    loads = (numbers * WHOLE + totals // 2) // totals
    wanted = np.array([shares[split] for split in splits])
    strictness = [round(_SHARE_STEPS / max(share, 0.001)) if share else 0 for share in wanted]
    kind_weights = np.array([KIND_WEIGHTS[kind] // kinds.count(kind) or 1 for kind in kinds], dtype=np.int64)
    prices = [[_price(kind, split, shares) for kind in kinds] for split in splits]
    return _Balance(
        loads=loads,
        present=(numbers > 0).astype(np.int64),
        targets=np.rint(wanted[:, None] * loads.sum(axis=0)).astype(np.int64),
        weights=np.array(strictness, dtype=np.int64)[:, None] * kind_weights,
        prices=np.array(prices, dtype=np.int64).reshape(len(splits), len(strata))
        * (kind_weights * _SHARE_STEPS * WHOLE * WHOLE),
        usable=int(np.count_nonzero(wanted)),
    )


def _price(kind: str, split: str, shares: Mapping[str, float]) -> int:
    prices = {SEGMENTS: MISSING_SPLIT, CLASS: MISSING_CLASS}.get(kind)
    return prices[split] if prices and shares[split] > 0 else 0


@dataclass(slots=True, kw_only=True, eq=False)
class _Placing:
    """Which group is in which split, and what each split holds so far."""

    balance: _Balance
    sides: Integers
    """``(g,)``: index of the split, or ``_NOWHERE``."""
    deviations: Integers
    """``(k, s)``: what a split holds, less its target."""
    holders: Integers
    """``(k, s)``: groups that bring any of the stratum."""

    @classmethod
    def of(cls, sides: Integers, balance: _Balance) -> "_Placing":
        held = [balance.loads[sides == k].sum(axis=0) for k in range(len(balance.targets))]
        holders = [balance.present[sides == k].sum(axis=0) for k in range(len(balance.targets))]
        return cls(
            balance=balance, sides=sides.copy(), deviations=np.stack(held) - balance.targets, holders=np.stack(holders)
        )

    def cost(self) -> int:
        squares = self.balance.weights * self.deviations**2
        return int(squares.sum() + (self.balance.prices * (self.holders == 0)).sum())

    def put(self, group: int) -> None:
        """Place a group that is nowhere where it lowers the cost most."""
        load, present = self.balance.loads[group], self.balance.present[group]
        change = (self.balance.weights * (2 * self.deviations * load + load**2)).sum(axis=1)
        change -= (self.balance.prices * (self.holders == 0) * present).sum(axis=1)
        self._move(group, int(np.argmin(change[: self.balance.usable])))

    def _move(self, group: int, side: int) -> None:
        load, present, before = self.balance.loads[group], self.balance.present[group], self.sides[group]
        if before != _NOWHERE:
            self.deviations[before] -= load
            self.holders[before] -= present
        self.deviations[side] += load
        self.holders[side] += present
        self.sides[group] = side

    def improve(self, free: Integers) -> None:
        """Do the move or, where no move helps, the swap that lowers the cost most, until none does.

        The cost is a whole number that falls each time, so this ends.

        Args:
            free: The groups that may move, ``(f,)``.
        """
        while free.size:
            change, moves = self._best_move(free)
            if change >= 0 and free.size <= _MOST_FOR_SWAPS:
                change, moves = self._best_swap(free)
            if change >= 0:
                return
            for group, side in moves:
                self._move(group, side)

    def _best_move(self, free: Integers) -> tuple[int, Moves]:
        weights, prices, usable = self.balance.weights, self.balance.prices, self.balance.usable
        loads, present, own = self.balance.loads[free], self.balance.present[free], self.sides[free]
        squares = loads**2
        joined = [
            loads @ (2 * weights[k] * self.deviations[k])
            + squares @ weights[k]
            - present @ (prices[k] * (self.holders[k] == 0))
            for k in range(usable)
        ]
        left = (weights[own] * (squares - 2 * self.deviations[own] * loads)).sum(axis=1)
        left += (prices[own] * (self.holders[own] == 1) * present).sum(axis=1)
        changes = np.stack(joined, axis=1) + left[:, None]
        changes[np.arange(len(free)), own] = 0
        at = int(np.argmin(changes))
        return int(changes.flat[at]), [(int(free[at // usable]), at % usable)]

    def _best_swap(self, free: Integers) -> tuple[int, Moves]:
        lowest, moves = 0, Moves()
        for a, b in combinations(range(self.balance.usable), 2):
            ours, theirs = free[self.sides[free] == a], free[self.sides[free] == b]
            if ours.size and theirs.size:
                changes = self._swap_changes(ours, theirs, a, b)
                at = int(np.argmin(changes))
                if changes.flat[at] < lowest:
                    one, other = divmod(at, len(theirs))
                    lowest, moves = int(changes.flat[at]), [(int(ours[one]), b), (int(theirs[other]), a)]
        return lowest, moves

    def _swap_changes(self, ours: Integers, theirs: Integers, a: int, b: int) -> Integers:
        """Return what the cost changes if one of ours, in split a, and one of theirs, in b, change places.

        Returns:
            Shape ``(ours, theirs)``.
        """
        weights, prices = self.balance.weights, self.balance.prices
        x, y = self.balance.loads[ours], self.balance.loads[theirs]
        has_x, has_y = self.balance.present[ours], self.balance.present[theirs]
        both = weights[a] + weights[b]
        slope = 2 * (weights[b] * self.deviations[b] - weights[a] * self.deviations[a])
        last_in_a, last_in_b = (prices[k] * (self.holders[k] == 1) for k in (a, b))
        new_in_a, new_in_b = (prices[k] * (self.holders[k] == 0) for k in (a, b))
        of_ours = x @ slope + x**2 @ both + has_x @ (last_in_a - new_in_b)
        of_theirs = y**2 @ both - y @ slope + has_y @ (last_in_b - new_in_a)
        # who takes the place of the last one of a class brings it back
        crossed = np.hstack([2 * x * both, has_x * (last_in_a + last_in_b)]) @ np.hstack([y, has_y]).T
        changes: Integers = of_ours[:, None] + of_theirs[None, :] - crossed
        return changes

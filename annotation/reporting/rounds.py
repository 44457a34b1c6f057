"""What each round of asking bought: precision, price and recall, beside those of the round before, with intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from annotation.reporting.recall import ALL_GROUPS, AuditedGesture, RecallEstimate, estimate_recall
from annotation.reporting.resampling import Estimate, Floats, Resampling, share_interval, share_of
from schema.questions import AuditWindow
from schema.records import VideoId


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedItem:
    """A candidate that was asked, and what came of it."""

    item_id: str
    round_number: int
    """Round in which it was asked."""
    proposer: str
    """``contact``, ``motion``, or a model's name and digest."""
    group: str
    """Body-part group of the class that was proposed, or ``unclassified``."""
    outcome: bool | None
    """Whether people saw a gesture; None: not settled yet."""
    answers: int
    seconds: float
    """People's time for it, of all answers together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSource:
    """One round as it was recorded."""

    round_number: int
    model: str
    """Name and digest of the model that proposed; empty: none."""
    begun_on: str
    """Date; empty: with the study."""
    gestures: Sequence[AuditedGesture] | None
    """The audited gestures, each with whether a candidate of this round or an earlier one shows it; the same gestures
    in the same order in every round. None where no windows were audited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A round's questions, or some of them."""

    name: str
    asked: int
    settled: int
    accepted: int
    answers: int
    hours: float
    precision: Estimate | None
    """Accepted share of the settled ones."""
    seconds_per_segment: Estimate | None
    """Time on all questions of the part, refused and open ones too, over its accepted ones."""
    precision_change: Estimate | None = None
    """Against the round before; None in the first, and where either has none."""
    seconds_change: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """One round."""

    round_number: int
    model: str
    begun_on: str
    overall: Part
    by_proposer: tuple[Part, ...]
    """Without changes: a model has another name in every round."""
    by_group: tuple[Part, ...]
    recall: tuple[RecallEstimate, ...]
    """All first, then each group in which anything was seen; empty without audited windows."""
    recall_change: Mapping[str, Estimate]
    """Against the round before, by group, over the same audited gestures."""


def measure_rounds(
    rounds: Sequence[RoundSource],
    items: Iterable[AskedItem],
    *,
    windows: Sequence[AuditWindow],
    groups: Sequence[str],
    person_of: Callable[[VideoId], str] = str,
) -> list[RoundRow]:
    """Say what each round bought.

    Shares have Wilson's interval, sums of time and all differences the bootstrap's by question; a difference of recall
    is resampled by person, over the same gestures in both rounds, so that it is more certain than either recall.

    Args:
        rounds: Every round, in order.
        items: Every candidate that was asked.
        windows: Audit windows that were searched.
        groups: Body-part groups, in the order in which they are told.
        person_of: Who is in a video.
    """
    asked = sorted(items, key=lambda item: (item.round_number, item.item_id))
    rows: list[RoundRow] = []
    before: RoundSource | None = None
    for source in rounds:
        mine = [item for item in asked if item.round_number == source.round_number]
        earlier = [] if before is None else [item for item in asked if item.round_number == before.round_number]
        recall = _recall(source, windows, groups, person_of)
        rows.append(
            RoundRow(
                round_number=source.round_number,
                model=source.model,
                begun_on=source.begun_on,
                overall=_part(ALL_GROUPS, mine, earlier),
                by_proposer=tuple(
                    _part(name, [item for item in mine if item.proposer == name])
                    for name in sorted({item.proposer for item in mine})
                ),
                by_group=tuple(
                    _part(name, [i for i in mine if i.group == name], [i for i in earlier if i.group == name])
                    for name in groups
                    if any(item.group == name for item in mine)
                ),
                recall=recall,
                recall_change=_recall_changes(before, source, [one.group for one in recall], person_of),
            )
        )
        before = source
    return rows


def rounds_document(rows: Sequence[RoundRow]) -> list[dict[str, Any]]:
    """Return the rounds as JSON holds them."""
    return [asdict(row) for row in rows]


def _part(name: str, mine: Sequence[AskedItem], before: Sequence[AskedItem] = ()) -> Part:
    settled = [item for item in mine if item.outcome is not None]
    accepted = sum(item.outcome is True for item in mine)
    return Part(
        name=name,
        asked=len(mine),
        settled=len(settled),
        accepted=accepted,
        answers=sum(item.answers for item in mine),
        hours=sum(item.seconds for item in mine) / 3600,
        precision=share_interval(accepted, len(settled)),
        seconds_per_segment=_figure(mine, (), _price_tally, share_of),
        precision_change=_figure(mine, before, _precision_tally, _difference) if before else None,
        seconds_change=_figure(mine, before, _price_tally, _difference) if before else None,
    )


def _precision_tally(item: AskedItem) -> tuple[float, float]:
    return float(item.outcome is True), float(item.outcome is not None)


def _price_tally(item: AskedItem) -> tuple[float, float]:
    return item.seconds, float(item.outcome is True)


def _figure(
    mine: Sequence[AskedItem],
    before: Sequence[AskedItem],
    tally: Callable[[AskedItem], tuple[float, float]],
    statistic: Callable[[Floats], Floats],
) -> Estimate | None:
    """Estimate a ratio, or how two rounds' ratios differ; resampled by question."""
    tallies = [(*tally(item), 0.0, 0.0) for item in mine] + [(0.0, 0.0, *tally(item)) for item in before]
    if not tallies:
        return None
    draw = Resampling(question_count=len(tallies))
    return draw.of_sums(range(len(tallies)), np.array(tallies, dtype=np.float64), statistic)


def _difference(sums: Floats) -> Floats:
    found: Floats = share_of(sums[:, :2]) - share_of(sums[:, 2:])
    return found


def _recall(
    source: RoundSource, windows: Sequence[AuditWindow], groups: Sequence[str], person_of: Callable[[VideoId], str]
) -> tuple[RecallEstimate, ...]:
    if source.gestures is None:
        return ()
    estimates = estimate_recall(windows, source.gestures, groups=groups, person_of=person_of)
    return tuple(one for one in estimates if one.group == ALL_GROUPS or one.recall is not None)


def _recall_changes(
    before: RoundSource | None, source: RoundSource, groups: Sequence[str], person_of: Callable[[VideoId], str]
) -> dict[str, Estimate]:
    """Say by how much recall grew, by group."""
    if before is None or not before.gestures or not source.gestures:
        return {}
    pairs = list(zip(before.gestures, source.gestures, strict=True))
    people = sorted({person_of(gesture.window.video_id) for gesture in source.gestures})
    number_of = {person: number for number, person in enumerate(people)}
    changes: dict[str, Estimate] = {}
    for group in groups:
        mine = [(old, new) for old, new in pairs if group in (ALL_GROUPS, new.group)]
        tallies = [
            ((new.found - old.found) / new.window.sampled_share, 1 / new.window.sampled_share) for old, new in mine
        ]
        where = [number_of[person_of(new.window.video_id)] for _, new in mine]
        values = np.array(tallies, dtype=np.float64).reshape(-1, 2)
        change = Resampling(question_count=len(people)).of_sums(where, values, share_of)
        if change is not None:
            changes[group] = change
    return changes

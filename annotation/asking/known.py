"""Hidden items with a known answer: made of what is settled, so that they look like any other question."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from schema.privacy import keyed_fraction, make_question_id
from schema.questions import KnownAnswer, QuestionKind
from schema.records import Candidate, CandidateId
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

LEAST_POSTERIOR = 0.99
"""What people agreed on with less is no truth to measure others by."""
FEWEST_ANSWERS = 3
"""Of so many people one annotator's own answer is never the truth alone."""
SHORTEST_SHIFT_NS = 200_000_000
"""Five frames at 25 a second: a smaller shift can't be told from a fair choice of edges."""
SHIFT = 0.4
"""Edges are moved by this share of the gesture's length: temporal IoU (1 - 0.4) / (1 + 0.4) = 0.43 with the truth."""
LARGEST_SHIFT = 0.75
"""No further than this, so that a part of the gesture lies in what is asked about."""


class Variant(StrEnum):
    """What a hidden item tries people on."""

    EXACT = "exact"
    """The true class and edges: accept it."""
    NEGATIVE = "negative"
    """Nothing happens: reject it."""
    SHIFTED = "shifted"
    """The true class, with edges that are off: move them."""
    RELABELLED = "relabelled"
    """The true edges, with a class of another body part: correct it."""


WANTED_SHARES: dict[Variant, float] = {
    Variant.EXACT: 0.3,
    Variant.NEGATIVE: 0.3,
    Variant.SHIFTED: 0.2,
    Variant.RELABELLED: 0.2,
}
"""Somebody who accepts everything is right in 3 of 10; somebody who rejects everything, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A candidate whose truth is known."""

    candidate: Candidate
    """As it was asked."""
    exists: bool
    class_id: str | None
    """The true class; None where there is no gesture, or none that a class names."""
    span: TimeSpan
    """The true edges; of what is no gesture the candidate's."""
    posterior: float
    answer_count: int
    source: str
    """``expert``, ``people`` or ``study``."""
    followed: TimeSpan
    """The time during which the person is followed: moved edges stay in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownItem:
    """A hidden item: what people see, and what is true."""

    shown: Candidate
    """Its id is the question's, its span and class are what the page claims."""
    answer: KnownAnswer
    about: CandidateId
    """The settled candidate that it was made of."""


def is_certain(settled: Settled) -> bool:
    """Tell whether the truth is good enough: an expert's, the study's, or of several people who agree.

    It never rests on one annotator's own answers: people's word counts from three answers and a posterior of 0.99 on.

    Raises ``ValueError`` for an unknown source.
    """
    if settled.source in ("expert", "study"):
        return True
    if settled.source != "people":
        raise ValueError(f"a known answer comes from expert, people or study, not {settled.source!r}")
    return settled.posterior >= LEAST_POSTERIOR and settled.answer_count >= FEWEST_ANSWERS


def make_known_items(
    settled: Iterable[Settled], *, count: int, key: bytes, taxonomy: Taxonomy, used: Collection[str] = ()
) -> list[KnownItem]:
    """Make hidden items, balanced over what they try and over body-part groups.

    Each candidate serves once. Which of them, and as what, depends on the study's key, not on the order of
    ``settled``. The items come in an order in which every few of them hold every variant, so that a newcomer's first
    ones do. There are fewer than ``count`` where too little is settled.

    Args:
        settled: What is known; what is not certain (``is_certain``) is left out.
        count: Items that are wanted.
        key: The study's pseudonym key.
        taxonomy: The study's classes.
        used: Ids of candidates that serve already (``KnownItem.about``).

    Raises:
        ConfigError: A class is not one of the taxonomy.
    """
    certain = sorted((s for s in settled if is_certain(s)), key=lambda s: _draw(key, "order", s))
    maker = _Maker(certain=certain, key=key, taxonomy=taxonomy)
    free = {s.candidate.candidate_id: s for s in certain if s.candidate.candidate_id not in used}
    made: Counter[Variant] = Counter()
    groups: Counter[tuple[Variant, str]] = Counter()
    items: list[KnownItem] = []
    while len(items) < count:
        found = maker.next_item(list(free.values()), made, groups)
        if found is None:
            break
        variant, group, item = found
        made[variant] += 1
        groups[variant, group] += 1
        del free[item.about]
        items.append(item)
    return items


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """Chooses the next item and makes it."""

    certain: Sequence[Settled]
    key: bytes
    taxonomy: Taxonomy

    def next_item(
        self, free: Sequence[Settled], made: Counter[Variant], groups: Counter[tuple[Variant, str]]
    ) -> tuple[Variant, str, KnownItem] | None:
        """Make an item of the variant that lacks most, of the group that has least of it; None: nothing is left."""
        total = made.total() + 1
        for variant in sorted(Variant, key=lambda v: made[v] - WANTED_SHARES[v] * total):
            for settled in sorted(free, key=lambda s: groups[variant, self._group(s)]):
                shown = self._show(settled, variant)
                if shown is not None:
                    return variant, self._group(settled), self._item(settled, variant, shown)
        return None

    def _group(self, settled: Settled) -> str:
        class_id = settled.class_id if settled.exists else settled.candidate.class_id
        return "" if class_id is None else self.taxonomy.by_id(class_id).group

    def _show(self, settled: Settled, variant: Variant) -> Candidate | None:
        """Return what the page claims, or None where the candidate can't serve so."""
        asked = settled.candidate
        match variant:
            case Variant.NEGATIVE:
                return None if settled.exists or self._neighbours(settled, asked.span) else asked
            case Variant.EXACT if settled.exists:
                return self._dressed(settled, settled.class_id)
            case Variant.SHIFTED if settled.exists:
                span = self._shifted(settled)
                right = self._dressed(settled, settled.class_id)
                return None if span is None or right is None else replace(right, span=span)
            case Variant.RELABELLED if settled.exists and settled.class_id is not None:
                wrong = self._wrong_class(settled)
                return None if wrong is None else self._dressed(settled, wrong)
        return None

    def _dressed(self, settled: Settled, class_id: str | None) -> Candidate | None:
        """Show the true edges with a class, and with the reason of a candidate that was proposed as that class.

        The page tells the reason: "a hand at the nose for 1.2 s" beside the class "folding arms" would give it away.
        """
        asked = replace(settled.candidate, span=settled.span)
        if class_id == asked.class_id:
            return asked
        others = [s.candidate for s in self.certain if s.candidate.class_id == class_id]
        if not others:
            return None
        like = min(others, key=lambda c: abs(c.span.duration_ns - settled.span.duration_ns))
        return replace(
            asked,
            class_id=class_id,
            evidence=like.evidence,
            proposer=like.proposer,
            reason=like.reason,
            score=like.score,
        )

    def _wrong_class(self, settled: Settled) -> str | None:
        """Choose a class of another group, among those that are proposed; None where each of them is true just then."""
        true_group = self._group(settled)
        meanwhile = {s.class_id for s in self._neighbours(settled, settled.span)}
        proposed = {s.candidate.class_id for s in self.certain} - meanwhile - {None}
        wrong = sorted(c for c in proposed if c is not None and self.taxonomy.by_id(c).group != true_group)
        return wrong[int(_draw(self.key, "class", settled) * len(wrong))] if wrong else None

    def _shifted(self, settled: Settled) -> TimeSpan | None:
        """Move both edges earlier or later by a known amount; None where neither way is free."""
        span = settled.span
        shift_ns = max(round(SHIFT * span.duration_ns), SHORTEST_SHIFT_NS)
        if shift_ns > min(LARGEST_SHIFT * span.duration_ns, NS_PER_SECOND):
            return None  # too short for a fair item, or so long that its true edge lies outside the clip's context
        ways = (shift_ns, -shift_ns) if _draw(self.key, "way", settled) < 0.5 else (-shift_ns, shift_ns)
        for way_ns in ways:
            if span.start_ns + way_ns < settled.followed.start_ns or span.end_ns + way_ns > settled.followed.end_ns:
                continue
            moved = TimeSpan(start_ns=span.start_ns + way_ns, end_ns=span.end_ns + way_ns)
            if not self._neighbours(settled, moved):
                return moved
        return None

    def _neighbours(self, settled: Settled, span: TimeSpan) -> list[Settled]:
        """Return the other gestures of the video in a span: they would make the answer a matter of taste."""
        asked = settled.candidate
        return [
            s
            for s in self.certain
            if s.exists
            and s.candidate.video_id == asked.video_id
            and s.candidate.candidate_id != asked.candidate_id
            and s.span.overlap_ns(span)
        ]

    def _item(self, settled: Settled, variant: Variant, shown: Candidate) -> KnownItem:
        about = settled.candidate.candidate_id
        question_id = make_question_id(self.key, QuestionKind.KNOWN, about, variant)
        answer = KnownAnswer(
            question_id=question_id,
            variant=variant,
            exists=settled.exists,
            class_id=settled.class_id if settled.exists else None,
            span=settled.span,
            source=settled.source,
        )
        return KnownItem(shown=replace(shown, candidate_id=CandidateId(question_id)), answer=answer, about=about)


def _draw(key: bytes, purpose: str, settled: Settled) -> float:
    return keyed_fraction(key, "known", purpose, settled.candidate.candidate_id)

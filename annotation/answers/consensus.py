"""Several answers become one: what is true of each item, how sure that is, and how well each annotator sees it."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.answers.dawid_skene import FINDS, KEEPS, REFUSES, SEES, Answers, Fit, Ints, Priors, fit
from annotation.answers.opinions import NO_GESTURE, UNCLASSIFIED, Item, Opinion, items_of, outcome_of
from annotation.answers.revisions import age_key
from schema.questions import KnownAnswer
from schema.records import Annotation, ReviewTask
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

LEAST_WEIGHT = 0.05
"""Weight of the edges of somebody whose answers say nothing, such as who accepts everything."""
UNMOVED_WEIGHT = 0.5
"""Weight of edges that were left as they were shown: the answer says "near enough", not "just here"."""
WHOLE_WEIGHT = 1_000_000_000
"""What the weight 1 is as a whole number: sums of whole numbers are exact, so that both edges are decided alike."""

_SOURCE_COUNTS = {"class": (4.5, 1.5, 4.0), UNCLASSIFIED: (3.5, 3.0, 3.5), "": (0.0, 5.0, 5.0)}
"""Items that each source is believed to have had: proposal right, another class, no gesture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """How well an annotator sees, as far as the answers and the hidden known items tell; all but counts 0..1."""

    annotator_id: str
    sees: float
    """Says that there is a gesture where there is one (sensitivity)."""
    refuses: float
    """Says that there is none where there is none (specificity)."""
    keeps: float
    """Names the class where the one that was shown is right."""
    finds: float
    """Names the class where another one, or none, was shown."""
    answer_count: int
    """Opinions that count, those to hidden known items among them."""
    known_count: int
    """Opinions to hidden known items."""

    @property
    def weight(self) -> float:
        """Weight of the annotator's edges: Youden's J (Cancer 3, 1950), 0 for who accepts everything; at least 0.05."""
        return max(LEAST_WEIGHT, self.sees + self.refuses - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What the answers about one item add up to."""

    item_id: str
    """The candidate's id, or ``m`` + hash for what people drew themselves."""
    outcome: str
    """The likeliest: a class's id, ``UNCLASSIFIED`` or ``NO_GESTURE``; empty where nobody has an opinion."""
    posterior: float
    """Probability of that outcome, 0..1; 1 where an expert has decided, 0 where nobody has an opinion."""
    existence: float
    """Probability that there is a micro-gesture, of whichever class, 0..1."""
    answer_count: int
    """Opinions that count; "unsure" is none."""
    unsure_count: int
    """Annotators whose answer counts and who could not tell."""
    agreement: float
    """Share of them that say ``outcome``, 0..1."""
    verdict_answers: int
    """Answers to the question of kind ``VERDICT`` itself, "unsure" among them: what the server's overlap counts."""
    verdict_unsure: int
    expert_answered: bool
    scripted: bool
    """True where only scripts have answered."""
    span: TimeSpan | None
    """Edges of the gesture; None where nobody has an opinion."""
    opinions: tuple[Opinion, ...]
    unread: tuple[str, ...]
    """Other taxonomies than the study's that answers were given in."""

    @property
    def class_id(self) -> str | None:
        """The class that the outcome stands for; None for a movement that no class names, and for no gesture."""
        return None if self.outcome in (UNCLASSIFIED, NO_GESTURE, "") else self.outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What all answers of a study add up to."""

    items: Mapping[str, Settled]
    """By ``item_id``: every candidate with an answer, and what people drew themselves; without hidden known items."""
    skills: Mapping[str, Skill]
    """By ``annotator_id``: everybody who has an opinion that counts."""

    def of(self, task: ReviewTask) -> Settled | None:
        """Return what is settled of the candidate that a question is about; None where nobody has answered."""
        return self.items.get(task.about or task.candidate_id)


def settle(
    *,
    tasks: Iterable[ReviewTask],
    annotations: Iterable[Annotation],
    known: Iterable[KnownAnswer],
    experts: Set[str],
    taxonomy: Taxonomy,
    priors: Priors | None = None,
) -> Settlement:
    """Add up all answers of a study; the result does not depend on the order of the rows.

    Existence and class are estimated with the annotators' skills (``dawid_skene.py``), hidden known items
    being known truth. The newest answer of an expert decides an item. "Unsure" is no opinion.

    Args:
        tasks: The recorded questions.
        annotations: All answers of the study; the same row may come several times.
        known: The truth of the hidden items.
        experts: ``annotator_id`` of those whose word decides.
        taxonomy: The study's taxonomy.
        priors: What is believed before any answer; None takes ``Priors()``.

    Raises:
        ConfigError: An answer gives a class that the taxonomy does not have.
    """
    truths = {one.question_id: outcome_of(one.class_id) if one.exists else NO_GESTURE for one in known}
    items = items_of(annotations, tasks=tasks, experts=experts, taxonomy=taxonomy)
    names = [*(gesture.class_id for gesture in taxonomy), UNCLASSIFIED, NO_GESTURE]
    # A hidden item whose truth is lost says nothing, and is no candidate either.
    items = [item for item in items if item.item_id in truths or not item.planted]
    annotators = sorted({opinion.annotator_id for item in items for opinion in item.opinions})
    answers = _as_numbers(items, names=names, annotators=annotators, truths=truths)
    fitted = fit(answers, priors=priors)
    skills = _skills(answers, fitted, annotators, planted=~answers.item_sampled)
    settled = (
        _settled(item, row, names=names, skills=skills)
        for item, row in zip(items, fitted.posteriors.tolist(), strict=True)
        if item.item_id not in truths
    )
    return Settlement(items={one.item_id: one for one in settled}, skills=skills)


def _as_numbers(
    items: Sequence[Item], *, names: Sequence[str], annotators: Sequence[str], truths: Mapping[str, str]
) -> Answers:
    number_of = {name: number for number, name in enumerate(names)}
    person_of = {annotator_id: number for number, annotator_id in enumerate(annotators)}
    sources = sorted({_source(item) for item in items})
    source_of = {source: number for number, source in enumerate(sources)}
    opinions = [opinion for item in items for opinion in item.opinions]
    known = [truths.get(item.item_id) or _expert_outcome(item) for item in items]
    counts = [_SOURCE_COUNTS[kind] for kind, _ in sources]
    return Answers(
        items=_ints(number for number, item in enumerate(items) for _ in item.opinions),
        annotators=_ints(person_of[opinion.annotator_id] for opinion in opinions),
        outcomes=_ints(number_of[opinion.outcome] for opinion in opinions),
        shown=_ints(number_of.get(opinion.proposed, -1) for opinion in opinions),
        item_proposals=_ints(number_of.get(item.proposed, -1) for item in items),
        item_sources=_ints(source_of[_source(item)] for item in items),
        item_truths=_ints(number_of.get(outcome, -1) for outcome in known),
        item_sampled=np.array([item.item_id not in truths for item in items], dtype=np.bool_),
        source_counts=np.array(counts, dtype=np.float64).reshape(len(sources), 3),
        annotator_count=len(annotators),
        class_count=len(names) - 1,
    )


def _ints(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, dtype=np.int64)


def _source(item: Item) -> tuple[str, str]:
    """Return what kind of proposal an item has, and whose: those without a class are right at a rate of their own."""
    kind = item.proposed if item.proposed in ("", UNCLASSIFIED) else "class"
    return kind, item.source


def _expert_outcome(item: Item) -> str:
    """Return what an expert's newest opinion says of an item; empty where no expert has one."""
    experts = [opinion for opinion in item.opinions if opinion.expert]
    return max(experts, key=lambda opinion: age_key(opinion.answer)).outcome if experts else ""


def _skills(
    answers: Answers, fitted: Fit, annotators: Sequence[str], *, planted: npt.NDArray[np.bool_]
) -> dict[str, Skill]:
    given = np.bincount(answers.annotators, minlength=len(annotators))
    known = np.bincount(answers.annotators, planted[answers.items].astype(np.float64), len(annotators))
    return {
        annotator_id: Skill(
            annotator_id=annotator_id,
            sees=float(coins[SEES]),
            refuses=float(coins[REFUSES]),
            keeps=float(coins[KEEPS]),
            finds=float(coins[FINDS]),
            answer_count=int(given[number]),
            known_count=int(known[number]),
        )
        for number, (annotator_id, coins) in enumerate(zip(annotators, fitted.model.coins, strict=True))
    }


def _settled(item: Item, row: Sequence[float], *, names: Sequence[str], skills: Mapping[str, Skill]) -> Settled:
    best = max(range(len(row)), key=row.__getitem__) if item.opinions else None
    outcome = "" if best is None else names[best]
    winners = [opinion for opinion in item.opinions if opinion.outcome == outcome]
    return Settled(
        item_id=item.item_id,
        outcome=outcome,
        posterior=0.0 if best is None else row[best],
        existence=1 - row[-1],
        answer_count=len(item.opinions),
        unsure_count=item.unsure_count,
        agreement=len(winners) / len(item.opinions) if item.opinions else 0.0,
        verdict_answers=item.verdict_answers,
        verdict_unsure=item.verdict_unsure,
        expert_answered=any(opinion.expert for opinion in item.opinions),
        scripted=item.scripted,
        span=_span_of(item, winners, skills=skills),
        opinions=item.opinions,
        unread=item.unread,
    )


def _span_of(item: Item, winners: Sequence[Opinion], *, skills: Mapping[str, Skill]) -> TimeSpan | None:
    if not item.opinions:
        return None
    experts = [opinion for opinion in winners if opinion.expert]
    if experts:
        return max(experts, key=lambda opinion: age_key(opinion.answer)).span
    # The likeliest outcome may be one that nobody gave, such as the proposal after two relabels to other classes.
    return consensus_span(winners or item.opinions, skills=skills)


def consensus_span(opinions: Sequence[Opinion], *, skills: Mapping[str, Skill]) -> TimeSpan:
    """Return the weighted median of the starts and of the ends: edges that somebody gave, so frames stay exact.

    An answer weighs as much as its annotator's skill, and half where the edges were left as they were shown. One
    answer far off moves nothing. As both edges have the same weights, the span is never reversed. Of two answers that
    weigh the same the newer one decides.

    Args:
        opinions: What is said of one item, of one outcome; at least one.
        skills: Skill by annotator; who has none weighs 1.
    """
    oldest_first = sorted(opinions, key=lambda opinion: age_key(opinion.answer))
    weights = [
        round(_weight(one, skills) * (1.0 if one.moved else UNMOVED_WEIGHT) * WHOLE_WEIGHT) + age
        for age, one in enumerate(oldest_first)
    ]
    return TimeSpan(
        start_ns=_weighted_median([one.span.start_ns for one in oldest_first], weights),
        end_ns=_weighted_median([one.span.end_ns for one in oldest_first], weights),
    )


def _weight(opinion: Opinion, skills: Mapping[str, Skill]) -> float:
    return skills[opinion.annotator_id].weight if opinion.annotator_id in skills else 1.0


def _weighted_median(values: Sequence[int], weights: Sequence[int]) -> int:
    """Return the least value up to which half of the weight lies."""
    total, reached = sum(weights), 0
    for value, weight in sorted(zip(values, weights, strict=True)):
        reached += weight
        if 2 * reached >= total:
            return value
    raise ValueError("the median of nothing")

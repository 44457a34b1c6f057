"""What answers are worth under each way of adding them up: truth is known, annotators are simulated.

    python benchmarks/adjudication.py [CANDIDATES [SEEDS]]     2000 candidates, 3 seeds

20 annotators of differing skill, two of them careless, one who accepts everything. Half of the candidates are right, 15
in 100 are a gesture of another class, the rest is none; 15 in 100 are hard. Classes are as common as in the training
labels of iMiGUE where ``../shared/media/labels`` has them, else they follow Zipf's law. F1 is that of the gestures that
were found: right only if the class is. Hidden known items (10 for each annotator and 8 in 100 of the answers) are asked
in every way alike, and are not in the cost; the voting ways can't use them.

The ways: the most votes (a tie is no gesture); crowd-kit's one-coin model and its Dawid-Skene (30 rounds); and
``consensus.settle``. Fixed overlap asks the same number of each candidate; adaptive overlap begins with two answers
(or one) and asks again as long as ``annotation.asking.overlap.next_step`` says so, in rounds.
"""

import csv
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from annotation.answers.consensus import settle
from annotation.answers.opinions import NO_GESTURE
from annotation.answers.simulate import Campaign, SimulatedAnnotator, answer, make_campaign, make_crew
from annotation.asking.overlap import Step, next_step
from annotation.config import AnnotateConfig
from schema.questions import QuestionKind
from schema.records import Annotation, Verdict
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan

LABELS = Path(__file__).parents[2] / "shared" / "media" / "labels" / "imigue_miga_train_labels.csv"
TAXONOMY = load_taxonomy("imigue32")
CREW, CARELESS, ACCEPTING = 20, 2, 1
KNOWN_ITEMS, KNOWN_BEFORE_TRUST, KNOWN_SHARE = 60, 10, 0.08
MOST_ANSWERS = 5
Decided = dict[str, tuple[str, TimeSpan | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A simulated campaign, and what everybody would answer to each candidate, in the order in which they are asked."""

    campaign: Campaign
    pool: Mapping[str, Sequence[Annotation]]
    known: Mapping[str, Sequence[Annotation]]
    """Each annotator's answers to the hidden known items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    way: str
    cost: float
    """Answers a candidate."""
    f1: float
    precision: float
    recall: float
    edge_ms: float
    """Mean distance of the edges of the gestures that were found from the true ones; NaN where the way gives none."""
    seconds: float


def class_shares() -> dict[str, float]:
    """Return how common each class is."""
    ids = {gesture.number: gesture.class_id for gesture in TAXONOMY}
    if not LABELS.exists():
        return {class_id: 1 / rank for rank, class_id in enumerate(ids.values(), start=1)}
    with LABELS.open(encoding="utf-8") as lines:
        counts = Counter(int(row["class_id_zero_based"]) + min(ids) for row in csv.DictReader(lines))
    return {ids[number]: count for number, count in counts.items() if number in ids}


def make_study(count: int, seed: int) -> Study:
    """Simulate candidates, annotators and all their answers."""
    random = np.random.default_rng(seed)
    crew = make_crew(CREW, careless=CARELESS, accepting=ACCEPTING, random=random)
    shares = class_shares()
    campaign = make_campaign(count, taxonomy=TAXONOMY, class_shares=shares, random=random, known_count=KNOWN_ITEMS)
    classes = sorted(shares)
    number = 0
    pool: dict[str, list[Annotation]] = {}
    known: dict[str, list[Annotation]] = defaultdict(list)
    for task in campaign.tasks:
        hidden = task.kind is QuestionKind.KNOWN
        asked: list[SimulatedAnnotator] = [crew[who] for who in random.permutation(CREW)]
        for annotator in asked if hidden else asked[:MOST_ANSWERS]:
            number += 1
            truth = campaign.truths[task.candidate_id]
            given = answer(annotator, task, truth, number=number, classes=classes, random=random)
            (known[annotator.annotator_id] if hidden else pool.setdefault(task.candidate_id, [])).append(given)
    return Study(campaign=campaign, pool=pool, known=known)


def known_answers(study: Study, answers: Sequence[Annotation]) -> list[Annotation]:
    """Return the answers to hidden known items that go with so many answers."""
    counts = Counter(given.annotator_id for given in answers)
    return [
        given
        for annotator_id, of in study.known.items()
        for given in of[: KNOWN_BEFORE_TRUST + round(KNOWN_SHARE * counts[annotator_id])]
    ]


def outcome_of(given: Annotation) -> str:
    """Return what an answer says."""
    return NO_GESTURE if given.verdict is Verdict.REJECT else str(given.class_id)


def by_votes(answers: Sequence[Annotation]) -> Decided:
    """Take the outcome with the most votes; a tie is no gesture."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for given in answers:
        votes[given.candidate_id][outcome_of(given)] += 1
    found: Decided = {}
    for candidate_id, counts in votes.items():
        best, *others = counts.most_common(2)
        found[candidate_id] = (NO_GESTURE if others and others[0][1] == best[1] else best[0], None)
    return found


def by_crowd_kit(name: str, answers: Sequence[Annotation]) -> Decided:
    """Take what one of crowd-kit's models finds likeliest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        from crowdkit.aggregation.classification import dawid_skene

        rows = [(given.candidate_id, given.annotator_id, outcome_of(given)) for given in answers]
        model = getattr(dawid_skene, name)(n_iter=30)
        found = model.fit_predict(pd.DataFrame(rows, columns=["task", "worker", "label"]))
    return {candidate_id: (outcome, None) for candidate_id, outcome in found.items()}


def by_consensus(study: Study, answers: Sequence[Annotation]) -> tuple[Decided, dict[str, float]]:
    """Take what ``annotation.answers.consensus`` finds likeliest; also how sure it is."""
    settlement = settle(
        tasks=study.campaign.tasks,
        annotations=[*answers, *known_answers(study, answers)],
        known=study.campaign.known,
        experts=frozenset(),
        taxonomy=TAXONOMY,
    )
    items = settlement.items.items()
    return {i: (item.outcome, item.span) for i, item in items}, {i: item.posterior for i, item in items}


def measure(way: str, study: Study, answers: Sequence[Annotation], decided: Decided, began_s: float) -> Row:
    """Compare with the truth."""
    seconds = time.perf_counter() - began_s
    truths = {candidate_id: study.campaign.truths[candidate_id] for candidate_id in study.pool}
    claimed = {i: found for i, found in decided.items() if found[0] != NO_GESTURE}
    right = [i for i, found in claimed.items() if truths[i].exists and found[0] == truths[i].class_id]
    precision = len(right) / max(1, len(claimed))
    recall = len(right) / sum(truth.exists for truth in truths.values())
    off_ns = [
        abs(a - b)
        for i in right
        if (span := claimed[i][1]) is not None
        for a, b in ((span.start_ns, truths[i].span.start_ns), (span.end_ns, truths[i].span.end_ns))
    ]
    return Row(
        way=way,
        cost=len(answers) / len(truths),
        f1=2 * precision * recall / max(1e-9, precision + recall),
        precision=precision,
        recall=recall,
        edge_ms=float(np.mean(off_ns)) / 1e6 if off_ns else float("nan"),
        seconds=seconds,
    )


def fixed(study: Study, overlap: int) -> list[Row]:
    """Ask the same number of everybody and add up in each way."""
    answers = [given for asked in study.pool.values() for given in asked[:overlap]]
    rows = []
    for way in ("most votes", "OneCoinDawidSkene", "DawidSkene", "consensus"):
        began_s = time.perf_counter()
        if way == "most votes":
            decided = by_votes(answers)
        elif way == "consensus":
            decided = by_consensus(study, answers)[0]
        else:
            decided = by_crowd_kit(way, answers)
        name = way if way in ("most votes", "consensus") else f"crowd-kit {way}"
        rows.append(measure(f"{overlap} answers, {name}", study, answers, decided, began_s))
    return rows


def adaptive(study: Study, config: AnnotateConfig) -> Row:
    """Ask again where it is not settled, in rounds."""
    began_s = time.perf_counter()
    given = dict.fromkeys(study.pool, config.first_answers)
    while True:
        answers = [one for candidate_id, count in given.items() for one in study.pool[candidate_id][:count]]
        decided, posteriors = by_consensus(study, answers)
        again = [
            candidate_id
            for candidate_id, posterior in posteriors.items()
            if next_step(posterior, given[candidate_id], expert_answered=False, config=config) is Step.ASK_AGAIN
        ]
        if not again:
            way = f"{config.first_answers} and more until {config.min_posterior:.2f}, consensus"
            return measure(way, study, answers, decided, began_s)
        for candidate_id in again:
            given[candidate_id] += 1


def mean_row(rows: Sequence[Row]) -> Row:
    """Average the lines of one way over the seeds."""
    numbers = ("cost", "f1", "precision", "recall", "edge_ms", "seconds")
    return replace(rows[0], **{name: float(np.mean([getattr(row, name) for row in rows])) for name in numbers})


def main(count: int = 2000, seeds: int = 3) -> None:
    """Print the table."""
    ways: dict[str, list[Row]] = defaultdict(list)
    for seed in range(seeds):
        study = make_study(count, seed)
        rows = [row for overlap in (1, 2, 3, MOST_ANSWERS) for row in fixed(study, overlap)]
        for first in (1, 2):
            for threshold in (0.55, 0.6, 0.7, 0.8, 0.9, 0.95):
                config = AnnotateConfig(first_answers=first, most_answers=MOST_ANSWERS, min_posterior=threshold)
                rows.append(adaptive(study, config))
        for row in rows:
            ways[row.way].append(row)
    print(f"{count} candidates, {seeds} seeds, {CREW} annotators ({CARELESS} careless, {ACCEPTING} accepts everything)")
    print(f"{'way':46} {'answers':>8} {'F1':>6} {'prec.':>6} {'recall':>6} {'edges ms':>9} {'s':>6}")
    for row in map(mean_row, ways.values()):
        print(
            f"{row.way:46} {row.cost:8.2f} {row.f1:6.3f} {row.precision:6.3f} {row.recall:6.3f} "
            f"{row.edge_ms:9.0f} {row.seconds:6.1f}"
        )
    _savings([mean_row(rows) for rows in ways.values()])


def _savings(rows: Sequence[Row]) -> None:
    """Say what reaching the F1 of three answers costs."""
    for target in (row for row in rows if row.way in ("3 answers, most votes", "3 answers, consensus")):
        reaching = [row for row in rows if "until" in row.way and row.f1 >= target.f1]
        for first in (1, 2):
            best = min(
                (row for row in reaching if row.way.startswith(f"{first} ")), key=lambda row: row.cost, default=None
            )
            if best:
                print(
                    f"{target.way}: F1 {target.f1:.3f}; {best.way}: {best.f1:.3f} with {best.cost:.2f} answers, "
                    f"{100 * (1 - best.cost / target.cost):.0f} % fewer"
                )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))

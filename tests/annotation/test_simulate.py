from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from annotation.answers.simulate import (
    FRAME_NS,
    ProposalRates,
    SimulatedAnnotator,
    Truth,
    answer,
    judge,
    make_campaign,
    make_crew,
)
from annotation.config import AnnotateConfig
from benchmarks.adjudication import adaptive, by_consensus, by_votes, make_study, measure
from schema.questions import QuestionKind
from schema.records import Verdict
from schema.taxonomy import load_taxonomy
from tests.factories import ARMS, NECK, make_anchor, make_span, make_task

IMIGUE = load_taxonomy("imigue32")
SHARES = {NECK: 3.0, ARMS: 1.0}
THIRD = "touching_ears"
SKILLED = SimulatedAnnotator(annotator_id="r1", sees=0.8, refuses=0.7, keeps=0.9, finds=0.6)
DRAWS = 4000


def verdicts(annotator: SimulatedAnnotator, truth: Truth) -> Counter[str]:
    """Count what an annotator says of a candidate that is shown as ``NECK``, in shares."""
    random = np.random.default_rng(1)
    task = make_task(anchor=make_anchor(span=make_span(2.0, 3.0)))
    said = [judge(annotator, task, truth, classes=[NECK, ARMS, THIRD], random=random) for _ in range(DRAWS)]
    return Counter({name: count / DRAWS for name, count in Counter(f"{v} {c}" for v, c, _ in said).items()})


def test_annotators_are_as_skilled_as_stated() -> None:
    right = verdicts(SKILLED, Truth(exists=True, class_id=NECK, span=make_span(2.0, 3.0)))
    assert right["reject None"] == pytest.approx(0.2, abs=0.03)
    assert right[f"accept {NECK}"] + right[f"adjust {NECK}"] == pytest.approx(0.8 * (0.9 + 0.1 / 3), abs=0.03)
    wrong = verdicts(SKILLED, Truth(exists=True, class_id=ARMS, span=make_span(2.0, 3.0)))
    assert wrong[f"relabel {ARMS}"] == pytest.approx(0.8 * (0.6 + 0.4 * 0.1 / 3), abs=0.03)
    nothing = verdicts(SKILLED, Truth(exists=False, class_id=None, span=make_span(2.0, 3.0)))
    assert nothing["reject None"] == pytest.approx(0.7, abs=0.03)
    assert nothing[f"accept {NECK}"] == pytest.approx(0.3 * (0.9 + 0.1 / 3), abs=0.03)
    hard = verdicts(SKILLED, Truth(exists=False, class_id=None, span=make_span(2.0, 3.0), ease=0.5))
    assert hard["reject None"] == pytest.approx(0.35, abs=0.03)
    never = verdicts(replace(SKILLED, unsure=1.0), Truth(exists=False, class_id=None, span=make_span()))
    assert never == {"unsure None": 1.0}


def test_edges_that_are_off_are_moved_near_the_truth_and_good_ones_are_left() -> None:
    random = np.random.default_rng(2)
    truth = Truth(exists=True, class_id=NECK, span=make_span(2.6, 3.6))
    careful = replace(SKILLED, sees=1.0, keeps=1.0, edge_error_ns=20_000_000)
    off = answer(careful, make_task(), truth, number=1, classes=[NECK], random=random)
    assert off.verdict is Verdict.ADJUST
    assert abs(off.judged_span.start_ns - truth.span.start_ns) <= 3 * FRAME_NS
    assert off.judged_span.start_ns % FRAME_NS == 0
    near = replace(truth, span=make_span(2.0, 3.52))
    assert answer(careful, make_task(), near, number=2, classes=[NECK], random=random).verdict is Verdict.ACCEPT
    never = replace(careful, leaves_ns=None)
    assert answer(never, make_task(), truth, number=3, classes=[NECK], random=random).answered_span is None


def test_campaigns_have_the_stated_rates_and_are_the_same_for_the_same_chance() -> None:
    rates = ProposalRates(right=0.6, other=0.2)
    made = [
        make_campaign(
            1500, taxonomy=IMIGUE, class_shares=SHARES, random=np.random.default_rng(3), rates=rates, known_count=30
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]
    asked = [task for task in made[0].tasks if task.kind is QuestionKind.VERDICT]
    truths = [made[0].truths[task.candidate_id] for task in asked]
    right = [truth.exists and truth.class_id == task.class_id for task, truth in zip(asked, truths, strict=True)]
    assert np.mean(right) == pytest.approx(0.6, abs=0.04)
    assert np.mean([truth.exists for truth in truths]) == pytest.approx(0.8, abs=0.04)
    assert Counter(truth.class_id for truth in truths)[NECK] > 2 * Counter(truth.class_id for truth in truths)[ARMS]
    assert len({task.candidate_id for task in made[0].tasks}) == 1530
    assert [one.question_id for one in made[0].known] == [task.candidate_id for task in made[0].tasks[1500:]]
    assert {one.variant for one in made[0].known} == {"exact", "negative", "relabelled"}


def test_a_crew_ends_with_the_careless_and_those_who_accept_everything() -> None:
    crew = make_crew(6, careless=2, accepting=1, random=np.random.default_rng(4))
    assert [one.refuses < 0.5 for one in crew] == [False, False, False, True, True, True]
    truth = Truth(exists=False, class_id=None, span=make_span())
    assert set(verdicts(crew[-1], truth)) == {f"accept {NECK}"}


def test_it_beats_the_majority_at_equal_cost_and_costs_a_quarter_less_than_three_answers() -> None:
    study = make_study(800, seed=1)
    for overlap in (2, 3, 5):
        answers = [given for asked in study.pool.values() for given in asked[:overlap]]
        votes = measure("votes", study, answers, by_votes(answers), 0.0)
        ours = measure("consensus", study, answers, by_consensus(study, answers)[0], 0.0)
        assert ours.cost == votes.cost == overlap
        assert ours.f1 > votes.f1 + 0.02
        if overlap == 3:
            target = votes.f1
    saving = adaptive(study, AnnotateConfig(first_answers=2, most_answers=5, min_posterior=0.55))
    assert saving.f1 >= target
    assert saving.cost <= 0.75 * 3

import random

import pytest

from annotation.reporting.anchoring import anchoring_effect
from schema.questions import Mark, QuestionKind
from schema.records import CandidateId, Verdict
from tests.factories import ARMS, NECK, make_anchor, make_annotation, make_span

SPAN = make_span(10, 11.5)


def verdict(candidate, annotator, said=Verdict.ACCEPT, *, class_id=NECK, moved=None, **changes):
    values = {
        "annotation_id": f"a{candidate}{annotator}{said}",
        "annotator_id": f"r{annotator}",
        "candidate_id": CandidateId(f"c{candidate}"),
        "anchor": make_anchor(span=SPAN),
        "verdict": said,
        "class_id": None if said in (Verdict.REJECT, Verdict.UNSURE) else class_id,
        "answered_span": moved,
    }
    return make_annotation(**values | changes)


def blind(candidate, annotator, *spans, class_id=NECK, **changes):
    marks = tuple(Mark(span=make_span(*s), class_id=class_id, first_frame=0, end_frame=1) for s in spans)
    return verdict(
        candidate, annotator, Verdict.MARKED if marks else Verdict.NOTHING, class_id=None, kind=QuestionKind.BLIND,
        about=f"c{candidate}", marks=marks, suggestion_shown=False,
        **{"annotation_id": f"b{candidate}{annotator}", "candidate_id": CandidateId(f"b{candidate}")} | changes,
    )  # fmt: skip


def test_people_who_follow_what_is_shown_stand_out():
    shown = [verdict(c, a) for c in range(20) for a in range(2)]
    # blind, every second candidate is none, a quarter has another class, and edges are found 0.2 s from the proposal
    hidden = [blind(c, 7) for c in range(10)] + [blind(c, 7, (10.2, 11.7), class_id=ARMS) for c in range(10, 15)]
    hidden += [blind(c, 7, (10.2, 11.7)) for c in range(15, 20)]
    effect = anchoring_effect(shown + hidden)
    assert (effect.existence.shown, effect.existence.blind) == (1.0, 0.5)
    assert effect.proposed_class.effect == pytest.approx(0.75)
    assert 0.5 < effect.proposed_class.low < 0.75 < effect.proposed_class.high < 0.95
    assert effect.proposed_class.candidate_count == 20
    assert effect.edge_distance_ms.candidate_count == 10
    assert effect.edge_distance_ms.shown == 0
    assert effect.edge_distance_ms.effect == pytest.approx(-200)


def test_people_who_look_for_themselves_show_no_effect():
    random_numbers = random.Random(3)
    answers = []
    for candidate in range(200):
        there = random_numbers.random() < 0.6
        for annotator in range(2):
            sees = there != (random_numbers.random() < 0.1)
            start = 10 + random_numbers.gauss(0, 0.05)
            if annotator:
                answers.append(blind(candidate, annotator, *([(start, start + 1.5)] if sees else [])))
            else:
                said = Verdict.ADJUST if sees else Verdict.REJECT
                answers.append(verdict(candidate, annotator, said, moved=make_span(start, start + 1.5)))
    effect = anchoring_effect(answers)
    for part in (effect.existence, effect.proposed_class, effect.edge_distance_ms):
        assert part.low <= 0 <= part.high
    assert effect.existence.high - effect.existence.low < 0.25


def test_only_the_mark_that_overlaps_the_proposal_best_counts():
    shown = [verdict(c, 1) for c in range(2)]
    hidden = [blind(c, 2, (5, 6), (10.1, 11.6), (10.9, 13)) for c in range(2)]
    assert anchoring_effect(shown + hidden).edge_distance_ms.blind == pytest.approx(100)
    far = anchoring_effect(shown + [blind(c, 2, (5, 6)) for c in range(2)])
    assert far.existence.blind == 0
    assert far.edge_distance_ms is None


def test_somebody_who_knows_the_class_is_not_blind():
    answers = [verdict(c, 1, answered_ns=5) for c in range(4)] + [blind(c, 2, answered_ns=9) for c in range(4)]
    knowing = [blind(c, 1, (10, 11.5), answered_ns=9) for c in range(4)]
    assert anchoring_effect(answers + knowing) == anchoring_effect(answers)
    before = [blind(c, 1, (10, 11.5), answered_ns=3) for c in range(4)]
    assert anchoring_effect(answers + before).existence.blind == 0.5


def test_too_little_gives_no_figure():
    effect = anchoring_effect([verdict(1, 1), blind(1, 2, (10, 11)), verdict(2, 1), blind(3, 2)])
    assert (effect.existence, effect.proposed_class, effect.edge_distance_ms) == (None, None, None)


def test_unsure_deleted_and_superseded_answers_do_not_count():
    answers = [verdict(c, 1, answered_ns=5) for c in range(2)] + [blind(c, 2, (10, 11.5)) for c in range(2)]
    noise = [
        verdict(0, 1, Verdict.REJECT, answered_ns=2),
        verdict(0, 3, Verdict.UNSURE),
        verdict(1, 3, Verdict.REJECT, deleted=True),
        blind(1, 4, deleted=True),
        verdict(1, 5, Verdict.REJECT, kind=QuestionKind.EXPERT, candidate_id=CandidateId("x1"), about="c1"),
    ]
    assert anchoring_effect(answers + noise) == anchoring_effect(answers)
    assert anchoring_effect(answers).existence.shown == 1.0


def test_the_order_of_answers_does_not_matter():
    answers = [verdict(c, a, Verdict.REJECT if (c + a) % 3 else Verdict.ACCEPT) for c in range(9) for a in range(3)]
    answers += [blind(c, 9, *([(10, 11.4)] if c % 2 else [])) for c in range(9)]
    mixed = random.Random(0).sample(answers, len(answers))
    assert anchoring_effect(mixed) == anchoring_effect(answers)

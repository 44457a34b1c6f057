import dataclasses
import random
from collections import Counter

import pytest

from annotation.asking.known import WANTED_SHARES, Settled, Variant, is_certain, make_known_items
from annotation.asking.known_scores import score_all, score_known, skill_records
from schema.questions import KnownAnswer
from schema.records import CandidateId, Verdict, VideoId
from schema.taxonomy import load_taxonomy
from tests.factories import ARMS, KEY, NECK, VIDEO_ID, make_anchor, make_annotation, make_candidate, make_span

TAXONOMY = load_taxonomy("imigue32")
FOREHEAD = "touching_or_scratching_forehead"
CLASSES = {c.class_id: c.evidence[0] for c in TAXONOMY if c.evidence}


def settled(number, *, class_id=NECK, exists=True, start_s=10.0, length_s=1.5, asked=None, **changes):
    """A gesture in a video of its own; ``asked`` is the class that was proposed, where it was another one."""
    proposed = asked or class_id
    candidate = make_candidate(
        candidate_id=CandidateId(f"c{number:020d}"),
        video_id=VideoId(f"v{number:020d}"),
        span=make_span(start_s, start_s + length_s),
        class_id=proposed,
        evidence=CLASSES.get(proposed, "moving_arm"),
        reason=f"reason of {proposed}",
    )
    values = {
        "candidate": candidate,
        "exists": exists,
        "class_id": class_id if exists else None,
        "span": candidate.span,
        "posterior": 0.995,
        "answer_count": 3,
        "source": "people",
        "followed": make_span(0, 60),
    }
    return Settled(**values | changes)


def many(count=120):
    classes = sorted(CLASSES)
    return [settled(n, class_id=classes[n % len(classes)], exists=n % 3 > 0) for n in range(count)]


def items(given, count=20, **changes):
    return make_known_items(given, count=count, key=KEY, taxonomy=TAXONOMY, **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"answer_count": 2}, False),
        ({"posterior": 0.98}, False),
        ({"source": "expert", "answer_count": 1, "posterior": 0.5}, True),
        ({"source": "study", "answer_count": 0, "posterior": 0.0}, True),
    ],
)
def test_only_what_is_certain_becomes_a_truth(changes, expected):
    one = settled(1, **changes)
    assert is_certain(one) is expected
    assert bool(items([one], count=1)) is expected


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="expert, people or study"):
        is_certain(settled(1, source="model"))


def test_variants_and_groups_are_balanced_from_the_first_ones_on():
    made = items(many(), count=40)
    assert len(made) == 40
    variants = Counter(item.answer.variant for item in made)
    assert variants == {variant: round(40 * share) for variant, share in WANTED_SHARES.items()}
    assert {item.answer.variant for item in made[:8]} == set(Variant)
    groups = Counter(TAXONOMY.by_id(i.answer.class_id).group for i in made if i.answer.variant == Variant.EXACT)
    assert len(groups) >= 4
    assert max(groups.values()) - min(groups.values()) <= 2


def test_the_choice_depends_on_the_key_and_not_on_the_order():
    given = many()
    shuffled = random.Random(1).sample(given, len(given))
    assert items(given) == items(shuffled)
    other = make_known_items(given, count=20, key=bytes(32), taxonomy=TAXONOMY)
    assert [i.about for i in other] != [i.about for i in items(given)]


def test_a_candidate_serves_once():
    given = many(30)
    first = items(given, count=10)
    used = {item.about for item in first}
    assert len(used) == 10
    second = items(given, count=30, used=used)
    assert used.isdisjoint(item.about for item in second)
    assert len({i.answer.question_id for i in first + second}) == len(first + second)


def test_a_hidden_item_can_not_be_told_from_a_candidate():
    for item in items(many(), count=40):
        shown = item.shown
        assert shown.candidate_id == item.answer.question_id != item.about
        assert shown.candidate_id[0] == "c"
        assert len(shown.candidate_id) == len(item.about)
        if shown.class_id is not None:
            # the reason and the evidence are those of a candidate of the class that is claimed
            assert shown.reason == f"reason of {shown.class_id}"
            assert shown.evidence in TAXONOMY.by_id(shown.class_id).evidence


def test_each_variant_claims_what_it_says():
    by_variant = {}
    for item in items(many(), count=40):
        by_variant.setdefault(item.answer.variant, []).append(item)
    truth = {s.candidate.candidate_id: s for s in many()}
    for item in by_variant[Variant.EXACT]:
        assert (item.shown.class_id, item.shown.span) == (item.answer.class_id, item.answer.span)
    for item in by_variant[Variant.NEGATIVE]:
        assert not item.answer.exists
        assert item.answer.class_id is None
        assert not truth[item.about].exists
    for item in by_variant[Variant.SHIFTED]:
        assert item.shown.class_id == item.answer.class_id
        assert 0 < item.shown.span.temporal_iou(item.answer.span) < 0.5
        assert item.shown.span.duration_ns == item.answer.span.duration_ns
        # the true edges lie within a second of context
        assert abs(item.shown.span.start_ns - item.answer.span.start_ns) <= 1e9
    for item in by_variant[Variant.RELABELLED]:
        right, wrong = (TAXONOMY.by_id(c) for c in (item.answer.class_id, item.shown.class_id))
        assert right.group != wrong.group
        assert item.shown.span == item.answer.span


def variants_of(*given):
    """What each candidate alone could be: every variant is tried by making the others impossible to want more."""
    return {item.answer.variant for item in items(given, count=len(given))}


def test_edges_are_not_moved_out_of_the_track_or_onto_another_gesture():
    crowd = [settled(n, exists=True) for n in range(40)]
    narrow = [dataclasses.replace(s, followed=s.span) for s in crowd]
    assert Variant.SHIFTED in variants_of(*crowd)
    assert Variant.SHIFTED not in variants_of(*narrow)
    both_sides = [
        dataclasses.replace(
            settled(100 * n + side, start_s=start),
            candidate=dataclasses.replace(settled(100 * n + side, start_s=start).candidate, video_id=VIDEO_ID),
        )
        for n in range(8)
        for side, start in enumerate((10.0 + 4.6 * n, 11.5 + 4.6 * n, 13.0 + 4.6 * n))
    ]
    shifted = [i for i in items(both_sides, count=24) if i.answer.variant == Variant.SHIFTED]
    assert all(
        not i.shown.span.overlap_ns(s.span) for i in shifted for s in both_sides if s.candidate.candidate_id != i.about
    )


def test_edges_of_too_short_and_too_long_gestures_stay():
    short = [settled(n, length_s=0.2) for n in range(20)]
    long = [settled(n, length_s=4.0) for n in range(20)]
    assert Variant.SHIFTED not in variants_of(*short) | variants_of(*long)


def test_no_class_is_given_wrongly_that_somebody_shows_just_then():
    # whoever touches the neck touches the forehead too: the only wrong class at hand is true
    pairs = [settled(2 * n + m, class_id=(NECK, FOREHEAD)[m]) for n in range(10) for m in range(2)]
    same = [dataclasses.replace(s, candidate=dataclasses.replace(s.candidate, video_id=VIDEO_ID)) for s in pairs]
    assert Variant.RELABELLED in variants_of(*pairs)
    assert Variant.RELABELLED not in variants_of(*same)


def test_what_was_rejected_beside_another_gesture_is_no_negative():
    # "no, that is no neck" is as right as "no, that is the arms"
    gesture, rejected = settled(1, class_id=ARMS), settled(2, exists=False)
    meanwhile = dataclasses.replace(
        gesture, candidate=dataclasses.replace(gesture.candidate, video_id=rejected.candidate.video_id)
    )
    assert Variant.NEGATIVE in variants_of(gesture, rejected)
    assert Variant.NEGATIVE not in variants_of(meanwhile, rejected)


def test_a_relabelled_truth_is_shown_with_the_reason_of_its_class():
    # people said arms of what was proposed as a neck; another candidate was proposed as arms
    given = [settled(1, class_id=ARMS, asked=NECK), settled(2, class_id=ARMS, exists=False)]
    exact = next(i for i in items(given, count=2) if i.answer.variant == Variant.EXACT)
    assert exact.shown.reason == f"reason of {ARMS}"
    # nothing was ever proposed as arms: no reason would fit, so that it can't be an exact item
    assert not [i for i in items(given[:1], count=1) if i.answer.variant == Variant.EXACT]


# how answers are scored

SPAN = make_span(10, 11.5)
LATE = make_span(10.6, 12.1)


def known(**changes):
    values = {"question_id": "c9", "variant": "exact", "exists": True, "class_id": NECK, "span": SPAN}
    return KnownAnswer(**values | {"source": "expert"} | changes)


def answer(verdict=Verdict.ACCEPT, *, class_id=NECK, shown=SPAN, moved=None, number=1, **changes):
    return make_annotation(
        number,
        candidate_id=CandidateId("c9"),
        anchor=make_anchor(span=shown),
        verdict=verdict,
        class_id=None if verdict is Verdict.REJECT else class_id,
        answered_span=moved,
        **changes,
    )


def test_accepting_an_exact_item_is_right_in_every_way():
    score = score_known(answer(), known())
    assert (score.class_right, score.existence_right, score.edges_iou, score.edges_right) == (True, True, 1.0, True)
    assert (score.onset_error_ns, score.offset_error_ns) == (0, 0)


def test_class_and_edges_are_scored_apart():
    # accepted with the edges as they were shown: the class is right, the edges are not
    lazy = score_known(answer(shown=LATE), known(variant="shifted"))
    assert (lazy.class_right, lazy.edges_right) == (True, False)
    assert (lazy.onset_error_ns, lazy.offset_error_ns) == (600_000_000, 600_000_000)
    careful = score_known(answer(Verdict.ADJUST, shown=LATE, moved=make_span(10.1, 11.5)), known(variant="shifted"))
    assert (careful.class_right, careful.edges_right) == (True, True)
    assert careful.onset_error_ns == 100_000_000
    # the wrong class with the right edges
    wrong = score_known(answer(class_id=ARMS), known(variant="relabelled"))
    assert (wrong.class_right, wrong.existence_right, wrong.edges_right) == (False, True, True)
    assert score_known(answer(Verdict.RELABEL), known(variant="relabelled")).class_right


def test_a_negative_is_rejected_rightly_and_has_no_edges():
    nothing = known(variant="negative", exists=False, class_id=None)
    right, wrong = score_known(answer(Verdict.REJECT), nothing), score_known(answer(), nothing)
    assert (right.class_right, right.edges_iou, right.onset_error_ns) == (True, None, None)
    assert (wrong.class_right, wrong.existence_right, wrong.edges_right) == (False, False, None)


def test_rejecting_a_gesture_is_wrong_and_has_no_edges():
    score = score_known(answer(Verdict.REJECT), known())
    assert (score.class_right, score.existence_right, score.edges_iou) == (False, False, None)


def test_three_frames_off_are_right_of_a_short_gesture_too():
    truth = known(span=make_span(10, 10.3))
    near = score_known(answer(Verdict.ADJUST, moved=make_span(10.1, 10.4)), truth)
    assert near.edges_iou == pytest.approx(0.5)
    assert near.edges_right
    assert not score_known(answer(Verdict.ADJUST, moved=make_span(10.15, 10.45)), truth).edges_right


def test_unsure_and_taken_back_answers_say_nothing():
    assert score_known(answer(Verdict.UNSURE, class_id=None), known()) is None
    assert score_known(answer(deleted=True), known()) is None


def test_an_answer_to_another_question_is_refused():
    with pytest.raises(ValueError, match="not the hidden item"):
        score_known(answer(), known(question_id="c8"))


def test_the_newest_revision_counts_and_other_questions_are_passed_over():
    first = answer(Verdict.REJECT, annotator_id="ra", answered_ns=1, annotation_id="a1")
    second = answer(annotator_id="ra", answered_ns=2, annotation_id="a2")
    gone = answer(annotator_id="rb", answered_ns=3, annotation_id="a3", deleted=True)
    before = answer(annotator_id="rb", answered_ns=1, annotation_id="a4")
    scores = score_all([second, gone, first, before, make_annotation(5)], [known()])
    assert [(s.annotator_id, s.class_right) for s in scores] == [("ra", True)]


# the record of an annotator

NOTHING = known(question_id="c8", variant="negative", exists=False, class_id=None)


def scores_of(annotator, answers):
    """``answers``: pairs of whether there was a gesture, and whether the person said so."""
    return [
        score_known(
            dataclasses.replace(
                answer(Verdict.ACCEPT if said else Verdict.REJECT, annotator_id=annotator, answered_ns=number),
                candidate_id=CandidateId("c9" if there else "c8"),
            ),
            known() if there else NOTHING,
        )
        for number, (there, said) in enumerate(answers)
    ]


def test_somebody_who_accepts_everything_stands_out():
    there = [number % 10 < 7 for number in range(30)]
    careful = scores_of("ra", [(t, t) for t in there])
    accepts_all = scores_of("rb", [(t, True) for t in there])
    records = skill_records(careful + accepts_all, trust_after=10)
    assert records["ra"].is_trusted
    assert records["ra"].class_skill > 0.95
    assert records["ra"].specificity > 0.9
    assert records["rb"].sensitivity > 0.9
    assert records["rb"].specificity < 0.4
    assert (records["rb"].known_count, records["rb"].class_right_count) == (30, 21)


def test_nobody_is_trusted_after_few_or_wrong_answers():
    good = [(True, True), (False, False)]
    assert not skill_records(scores_of("ra", good * 4), trust_after=10)["ra"].is_trusted
    assert skill_records(scores_of("ra", good * 5), trust_after=10)["ra"].is_trusted
    assert not skill_records(scores_of("ra", [(True, False)] * 20), trust_after=10)["ra"].is_trusted


def test_few_answers_say_little_and_the_newest_say_most():
    assert skill_records(scores_of("ra", [(True, True)]), trust_after=1)["ra"].class_skill == pytest.approx(5 / 6)
    wrong_then_right = scores_of("ra", [(True, False)] * 40 + [(True, True)] * 40)
    right_then_wrong = scores_of("rb", [(True, True)] * 40 + [(True, False)] * 40)
    records = skill_records(wrong_then_right + right_then_wrong, trust_after=1)
    assert records["ra"].class_skill > 0.65
    assert records["rb"].class_skill < 0.4
    assert records == skill_records(right_then_wrong + wrong_then_right[::-1], trust_after=1)

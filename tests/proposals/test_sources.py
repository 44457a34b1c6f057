"""One question for each thing, with everybody who sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proposals.drafts import Claim, Draft
from proposals.sources import keep_absorbed, merge_learned
from schema.proposed import Source
from tests.factories import ARMS, NECK, make_span
from tests.seed_stand_in import IMIGUE

MODEL = "seed-1@0123456789ab"
EAR, JAW, NODDING = "touching_ears", "touching_jaw", "head_up"


def measured(start, end, evidence="hand_on_neck", *, proposer="contact", score=0.5):
    return Draft(
        span=make_span(start, end), evidence=evidence, proposer=proposer, sides=("right",), score=score, reason="near"
    )


def moving(start, end, evidence="moving_arm", **changes):
    return measured(start, end, evidence, proposer="motion", **changes)


def learned(start, end, class_id=NECK, *, score=0.4, group=None):
    group = IMIGUE.by_id(class_id).group if class_id else group
    return Draft(
        span=make_span(start, end),
        evidence="",
        proposer=MODEL,
        sides=(),
        score=score,
        reason="seen",
        claim=Claim(class_id=class_id, group=group),
    )


def merged(others, detections):
    return merge_learned(others, detections, taxonomy=IMIGUE, same_iou=0.3)


def told(drafts):
    return [(d.proposer, d.class_in(IMIGUE), [s.proposer for s in d.others]) for d in drafts]


def test_a_contact_of_the_same_class_is_asked_with_the_detection_as_source():
    contact = measured(2, 4)
    (one,) = merged([contact], [learned(2.2, 4.2)])
    assert (one.span, one.reason) == (contact.span, contact.reason)
    assert one.others == (Source(proposer=MODEL, class_id=NECK, score=0.4),)


def test_of_two_classes_of_one_body_part_the_measured_stays_unless_the_model_is_likelier_right_than_not():
    ear = measured(2, 4, "hand_on_ear")
    assert told(merged([ear], [learned(2, 4, JAW, score=0.49)])) == [("contact", EAR, [MODEL])]
    assert told(merged([ear], [learned(2, 4, JAW, score=0.5)])) == [(MODEL, JAW, ["contact"])]


def test_a_class_names_a_movement_and_the_movement_stays_its_source():
    assert told(merged([moving(2, 4)], [learned(2, 4, NECK)])) == [(MODEL, NECK, ["motion"])]
    unclassified = learned(2, 4, None, group="Body-Hand")
    assert told(merged([moving(2, 4)], [unclassified])) == [("motion", None, [MODEL])]


def test_gestures_of_different_body_parts_at_once_are_two_questions():
    found = merged([measured(2, 4)], [learned(2, 4, NODDING, score=0.9)])
    assert told(found) == [("contact", NECK, []), (MODEL, NODDING, [])]


def test_at_another_time_it_is_another_question():
    assert len(merged([measured(2, 4)], [learned(5, 7)])) == 2


def test_two_detections_of_one_body_part_are_one_question_about_the_likelier():
    found = merged([], [learned(2, 4, EAR, score=0.35), learned(2, 4, JAW, score=0.6), learned(2, 4, ARMS)])
    assert told(found) == [(MODEL, JAW, [MODEL]), (MODEL, ARMS, [])]
    assert found[0].others == (Source(proposer=MODEL, class_id=EAR, score=0.35),)


def test_a_detection_across_several_contacts_is_a_source_of_each():
    mouth, ear = measured(2, 4, "hand_on_mouth"), measured(4, 6, "hand_on_ear")
    found = merged([mouth, ear], [learned(2, 6, EAR)])
    assert told(found) == [("contact", mouth.class_in(IMIGUE), [MODEL]), ("contact", EAR, [MODEL])]


def test_a_movement_that_was_merged_into_a_contact_is_named_once_among_its_sources():
    contact, arm, hand, way = measured(2, 4), moving(2, 4, score=0.7), moving(2.1, 4, "moving_hand"), moving(1, 2)
    (one,) = keep_absorbed([contact], [hand, arm, way], taxonomy=IMIGUE, same_iou=0.3)
    assert [(source.proposer, source.score) for source in one.others] == [("motion", 0.7)]


drafts = st.builds(
    lambda start, length, class_id, score: learned(start, start + length, class_id, score=score),
    st.floats(0, 20),
    st.floats(0.2, 5),
    st.sampled_from([NECK, EAR, JAW, NODDING, ARMS]),
    st.floats(0.05, 1),
)
contacts = st.builds(
    lambda start, length, evidence, score: measured(start, start + length, evidence, score=score),
    st.floats(0, 20),
    st.floats(0.2, 5),
    st.sampled_from(["hand_on_neck", "hand_on_ear", "hand_on_jaw", "hand_on_shoulder", "arms_folded"]),
    st.floats(0, 1),
)


@given(others=st.lists(contacts, max_size=6), detections=st.lists(drafts, max_size=6))
def test_nothing_that_somebody_sees_is_lost_and_the_order_does_not_matter(others, detections):
    found = merged(others, detections)
    named = [source for draft in found for source in (draft.source_in(IMIGUE), *draft.others)]
    for draft in [*others, *detections]:
        assert draft.source_in(IMIGUE) in named
    assert len(found) <= len(others) + len(detections)
    assert told(merged(others, detections[::-1])) == told(found)


@pytest.mark.parametrize("nothing", [[], [measured(1, 2)]])
def test_without_detections_nothing_changes(nothing):
    assert merged(nothing, []) == nothing

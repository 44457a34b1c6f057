"""What a seed model adds to the candidates: its claims in words, its judgement of all, its half of the places."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.pages.tasks import question_for
from proposals.config import ProposalsConfig
from proposals.learned import evidence_of_group, find_learned, poses_of, uncertainty
from proposals.propose import propose_candidates
from schema.errors import DropReason
from schema.proposed import Source
from schema.records import Candidate, Dropped
from schema.taxonomy import EVIDENCE, load_taxonomy, taxonomy_names
from tests.factories import ARMS, NECK, make_keypoints, make_span
from tests.puppets import NECK_SIDE, Puppet, in_stretches, make_puppet, visiting
from tests.seed_stand_in import IMIGUE, StandIn, seen

SHA256 = "ab" * 32
AT_NECK = Puppet(right_tips=visiting(NECK_SIDE, 2.0, 3.5))
STILL = Puppet()
RESTLESS = Puppet(seconds=60, frame_rate=10, head_shift=lambda s: (12 * np.sin(3 * s) * np.sin(0.4 * s), 0.0))


def propose(person, model, **changes):
    config = dataclasses.replace(ProposalsConfig(), **changes)
    return list(propose_candidates([in_stretches(person)], sha256=SHA256, taxonomy=IMIGUE, config=config, model=model))


def kept(items):
    return [item for item in items if isinstance(item, Candidate)]


def drafts_of(*detections, taxonomy=IMIGUE, **model):
    return find_learned(poses_of(make_keypoints()), model=StandIn(detections=detections, **model), taxonomy=taxonomy)


def test_what_a_model_alone_sees_becomes_a_question_with_its_own_class_score_and_name():
    (candidate,) = kept(propose(make_puppet(STILL), StandIn(detections=[seen(1, 2, "biting_nails", score=0.641)])))
    assert (candidate.class_id, candidate.score) == ("biting_nails", 0.641)
    assert candidate.proposer == "seed-1@0123456789ab"
    assert candidate.span == make_span(1, 2)
    assert candidate.reason == "seed-1 sees \u201cBiting nails\u201d with probability 0.64"
    assert candidate.sources == (Source(proposer="seed-1@0123456789ab", class_id="biting_nails", score=0.641),)


def test_without_a_class_it_is_an_unclassified_movement_of_its_group():
    (draft,) = drafts_of(seen(1, 2, None, score=0.2, group="Body"))
    assert draft.class_in(IMIGUE) is None, "though its evidence has a class in this taxonomy"
    assert "unclassified movement of the group \u201cBody\u201d with probability 0.20" in draft.reason
    (candidate,) = kept(propose(make_puppet(STILL), StandIn(detections=[seen(1, 2, None, group="Body")])))
    assert question_for(candidate, IMIGUE) == "Is this a micro-gesture: the upper body moves?"


def test_a_class_of_another_taxonomy_is_asked_as_a_movement_and_named_in_the_reason():
    (draft,) = drafts_of(dataclasses.replace(seen(1, 2), class_id="waving", group="arms"), taxonomy_name="actions10")
    assert (draft.class_in(IMIGUE), draft.group_in(IMIGUE)) == (None, None)
    assert "trained on the classes of actions10" in draft.reason
    assert "\u201cwaving\u201d" in draft.reason


@pytest.mark.parametrize("name", taxonomy_names())
def test_every_class_and_group_has_evidence_that_pages_and_curves_can_word(name):
    taxonomy = load_taxonomy(name)
    assert {evidence_of_group(group) for group in taxonomy.groups} <= EVIDENCE.keys()
    for gesture in taxonomy:
        detection = dataclasses.replace(seen(1, 2), class_id=gesture.class_id, group=gesture.group)
        (draft,) = drafts_of(detection, taxonomy=taxonomy, taxonomy_name=name)
        assert draft.class_in(taxonomy) == gesture.class_id
        assert draft.evidence in EVIDENCE


def test_the_model_judges_every_candidate_whoever_proposed_it():
    model = StandIn(detections=[seen(4, 5, ARMS)], likely_s=(1.0, 4.0))
    candidates = kept(propose(make_puppet(AT_NECK), model))
    assert {c.proposer for c in candidates} == {"contact", model.identity}
    probabilities = {c.proposer: c.judged.probability for c in candidates}
    assert probabilities == {"contact": 0.9, model.identity: 0.2}
    assert all(len(c.judged.embedding) == 2 for c in candidates)
    assert all(c.judged is None for c in kept(propose(make_puppet(AT_NECK), None)))


def test_a_contact_that_the_model_sees_too_is_one_question_with_both_scores():
    model = StandIn(detections=[seen(2.1, 3.4, NECK, score=0.3)])
    (candidate,) = kept(propose(make_puppet(AT_NECK), model))
    assert candidate.proposer == "contact"
    assert Source(proposer=model.identity, class_id=NECK, score=0.3) in candidate.sources
    assert candidate.sources[0] == Source(proposer="contact", class_id=NECK, score=candidate.score)
    (alone,) = kept(propose(make_puppet(AT_NECK), None))
    assert (candidate.candidate_id, candidate.span) == (alone.candidate_id, alone.span), "no other question"


def test_nothing_to_see_and_nothing_seen_is_told_with_the_models_name():
    (lost,) = propose(make_puppet(STILL), StandIn())
    assert isinstance(lost, Dropped)
    assert lost.reason is DropReason.NO_MOVEMENT
    assert "seed-1@0123456789ab" in lost.detail


def test_a_short_budget_is_shared_between_what_was_measured_and_what_the_model_thinks_likely():
    detections = [seen(5 * n, 5 * n + 1, "biting_nails", score=0.9) for n in range(1, 11)]
    model = StandIn(detections=detections, likely_s=(0.0, 60.0))
    candidates = kept(propose(make_puppet(RESTLESS), model, max_per_track_minute=6.0))
    assert len(candidates) == 6
    proposers = [candidate.proposer for candidate in candidates]
    assert proposers.count("motion") >= 3, "a model that sees gestures everywhere takes no more than half"
    assert proposers.count(model.identity) >= 1


def test_the_same_model_gives_the_same_candidates_and_another_one_other_ids_for_its_own():
    first, again, other = (
        kept(propose(make_puppet(STILL), StandIn(identity=name, detections=[seen(1, 2)])))
        for name in ("seed-1@aaaaaaaaaaaa", "seed-1@aaaaaaaaaaaa", "seed-2@bbbbbbbbbbbb")
    )
    assert first == again
    assert first[0].candidate_id != other[0].candidate_id


@given(
    probability=st.floats(0, 1),
    classes=st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1), max_size=4),
)
def test_uncertainty_lies_between_0_and_1(probability, classes):
    assert 0 <= uncertainty(probability, classes) <= 1


def test_uncertainty_is_greatest_where_two_answers_are_equally_likely():
    assert uncertainty(0.5, {"a": 0.9}) == pytest.approx(1)
    assert uncertainty(1.0, {"a": 0.4, "b": 0.4}) == pytest.approx(1)
    assert uncertainty(1.0, {"a": 0.4}) == 0
    assert uncertainty(0.0, {"a": 0.4}) == 0
    assert uncertainty(0.9, {"a": 0.8, "b": 0.1}) == pytest.approx(1 - (0.8 - 0.1))
    assert uncertainty(0.7, {}) == pytest.approx(0.6), "no classes: is there something?"

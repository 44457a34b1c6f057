import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinematics.head import head_capsules
from kinematics.scale import head_widths_px
from proposals.config import ProposalsConfig
from proposals.propose import find_drafts, make_candidate
from proposals.regions import merge_hands, split_by_class
from schema.records import Part
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.puppets import HEAD_WIDTH, LAP, MOUTH, Puppet, make_puppet, mirrored, moved, visiting

EYE, CHEEK, EAR, CHIN = (303.0, 150.0), (290.0, 183.0), (276.0, 160.0), (320.0, 214.0)
FACIAL_PARTS = {"hand_on_nose", "hand_on_mouth", "hand_on_cheek"}
CONFIG = ProposalsConfig()


def going(*stops):
    """Send the finger tips from stop to stop: places with the second at which the hand leaves them."""
    times, places = [1.7], [LAP["right"]]
    arrival_s = 2.0
    for place, until_s in stops:
        times += [arrival_s, until_s]
        places += [place, place]
        arrival_s = until_s + 0.2
    times.append(times[-1] + 0.3)
    places.append(LAP["right"])
    across, down = zip(*places, strict=True)
    return lambda second: (float(np.interp(second, times, across)), float(np.interp(second, times, down)))


def puppet_going(*stops, **changes):
    return Puppet(seconds=stops[-1][1] + 2, right_tips=going(*stops), **changes)


TOUR = puppet_going((MOUTH, 3.5), (EYE, 5.3), (CHEEK, 8.0))
TRUE_SPANS = [(2.0, 3.5), (3.7, 5.3), (5.5, 8.0)]


def contacts(person, *, taxonomy="imigue32", **changes):
    config = dataclasses.replace(CONFIG, contact=dataclasses.replace(CONFIG.contact, **changes))
    drafts = find_drafts(person[1], taxonomy=load_taxonomy(taxonomy), config=config)
    return sorted((draft for draft in drafts if draft.proposer == "contact"), key=lambda draft: draft.span)


def evidence(person, **changes):
    return [draft.evidence for draft in contacts(person, **changes)]


def span(start, end):
    return TimeSpan(start_ns=round(start * 1e9), end_ns=round(end * 1e9))


def assert_toured(found, *, iou=0.75):
    assert len(found) == 3
    assert found[0].evidence in FACIAL_PARTS
    assert found[1].evidence == "hand_on_eye"
    assert found[2].evidence in FACIAL_PARTS
    for draft, (start, end) in zip(found, TRUE_SPANS, strict=True):
        assert draft.span.temporal_iou(span(start, end)) >= iou


@pytest.mark.parametrize("taxonomy", ["imigue32", "ma52", "smg17"])
@pytest.mark.parametrize("frame_rate", [10.0, 23.976, 50.0])
def test_a_hand_that_goes_from_mouth_to_eye_to_cheek_is_three_questions(taxonomy, frame_rate):
    found = contacts(make_puppet(dataclasses.replace(TOUR, frame_rate=frame_rate)), taxonomy=taxonomy)
    assert_toured(found)
    assert "; part 2 of 3 of one visit" in found[1].reason
    assert [draft.span.end_ns for draft in found[:2]] == [draft.span.start_ns for draft in found[1:]]


def test_the_pieces_stay_in_the_mirror_and_at_another_size():
    person = make_puppet(TOUR)
    plain = [(draft.span, draft.evidence) for draft in contacts(person)]
    for other in (mirrored(person), moved(person, scale=2.5, shift=(40.0, -30.0))):
        assert [(draft.span, draft.evidence) for draft in contacts(other)] == plain


@settings(max_examples=12, deadline=None)
@given(share=st.floats(0.0, 0.05), seed=st.integers(0, 1000))
def test_trembling_points_neither_hide_nor_invent_pieces(share, seed):
    assert_toured(contacts(make_puppet(dataclasses.replace(TOUR, jitter_px=share * HEAD_WIDTH, seed=seed))), iou=0.7)
    staying = puppet_going((MOUTH, 8.0), jitter_px=share * HEAD_WIDTH, seed=seed)
    assert len(contacts(make_puppet(staying))) == 1


def test_a_hand_that_is_often_lost_is_still_cut():
    track, sequence = make_puppet(TOUR)
    lost = np.random.default_rng(5).random(sequence.times_ns.shape[0]) < 0.4
    points, scores, seen = sequence.keypoints_xy.copy(), sequence.scores.copy(), sequence.parts_seen.copy()
    points[lost, 112:133], scores[lost, 112:133], seen[lost, Part.RIGHT_HAND] = np.nan, 0, False
    lossy = dataclasses.replace(sequence, keypoints_xy=points, scores=scores, parts_seen=seen)
    assert_toured(contacts((track, lossy)), iou=0.7)


def test_regions_of_one_class_stay_together_and_the_one_touched_longest_is_named():
    person = make_puppet(puppet_going((MOUTH, 3.5), (CHEEK, 6.5)))
    assert evidence(person) == ["hand_on_cheek"]
    assert evidence(person, taxonomy="ma52") == ["hand_on_mouth", "hand_on_cheek"]


def test_a_region_without_a_class_is_a_class_of_its_own():
    person = make_puppet(puppet_going((MOUTH, 4.0), (CHIN, 6.5)))
    ma52 = load_taxonomy("ma52")
    found = contacts(person, taxonomy="ma52")
    classes = [make_candidate(draft, person[0], sha256="ab" * 32, taxonomy=ma52).class_id for draft in found]
    assert [draft.evidence for draft in found] == ["hand_on_mouth", "hand_on_jaw"]
    assert classes == [ma52.class_for("hand_on_mouth").class_id, None]
    assert len(evidence(person, taxonomy="smg17")) == 1


def test_a_flicker_or_a_short_side_trip_never_cuts():
    flicker = [((EYE, MOUTH)[k % 2], 2.4 + 0.6 * k) for k in range(10)]
    assert len(contacts(make_puppet(puppet_going(*flicker)))) == 1
    assert evidence(make_puppet(puppet_going((MOUTH, 4.0), (EYE, 4.7), (MOUTH, 7.0)))) == ["hand_on_mouth"]
    assert len(contacts(make_puppet(puppet_going((MOUTH, 2.8), (EYE, 3.7))))) == 1


def test_a_visit_becomes_three_pieces_at_most_and_each_lasts():
    back_and_forth = make_puppet(puppet_going(*[((EYE, MOUTH)[k % 2], 3.4 + 1.6 * k) for k in range(6)]))
    found = contacts(back_and_forth)
    assert 2 <= len(found) <= 3
    assert all(draft.span.seconds >= 1.0 for draft in found)
    assert len(contacts(back_and_forth, most_pieces=1)) == 1
    assert len(contacts(back_and_forth, shortest_piece_s=20.0)) == 1


def test_a_second_hand_that_joins_makes_another_question():
    joining = Puppet(
        seconds=8,
        right_tips=visiting((300.0, 175.0), 2.0, 6.0),
        left_tips=visiting((345.0, 170.0), 4.0, 6.0, side="left"),
    )
    found = [draft for draft in contacts(make_puppet(joining)) if draft.evidence != "hands_together"]
    assert [draft.sides for draft in found] == [("right",), ("left", "right")]
    assert found[0].evidence in {*FACIAL_PARTS, "hand_on_eye"}
    assert found[1].evidence == "hands_on_face"
    assert found[1].span.temporal_iou(span(4, 6)) >= 0.7


def test_two_hands_are_at_the_face_together_only_where_both_are():
    names = ("hand_on_eye", "hand_on_ear")
    left, right = np.array([[2.0, 1.0], [2.0, 0.0], [0.0, 2.0]]), np.array([[3.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    assert merge_hands([left, right], names).tolist() == [[0, 1, 5], [2, 0, 0], [4, 2, 0]]
    assert merge_hands([left], names).tolist() == [[2, 1, 0], [2, 0, 0], [0, 2, 0]]


def test_where_no_finger_votes_there_is_no_piece():
    times_ns = np.arange(50, dtype=np.int64) * 40_000_000
    votes, names = np.zeros((50, 1)), ("hand_on_eye",)
    taxonomy = load_taxonomy("imigue32")
    assert split_by_class(votes, names, times_ns, taxonomy=taxonomy, config=CONFIG.contact) == []


def test_the_stops_of_these_tests_lie_where_they_are_named():
    sequence = make_puppet()[1]
    capsules = head_capsules(sequence, head_widths_px(sequence))
    for name, place in (("eye", EYE), ("mouth", MOUTH), ("cheek", CHEEK), ("ear", EAR), ("jaw", CHIN)):
        middles = (capsules.starts[0] + capsules.ends[0]) / 2
        nearest = np.hypot(*(middles - place).T).argmin()
        assert capsules.regions[nearest] == f"hand_on_{name}"

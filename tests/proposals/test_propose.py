import dataclasses
import time

import numpy as np
import pytest

from kinematics.stretches import Stretch
from proposals.config import ProposalsConfig
from proposals.propose import propose_candidates
from schema.errors import DropReason
from schema.records import Candidate, Dropped, Part
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.puppets import MOUTH, NECK_SIDE, Puppet, in_stretches, make_puppet, visiting

SHA256 = "ab" * 32
AT_NECK = Puppet(right_tips=visiting(NECK_SIDE, 2.0, 3.5))
RESTLESS = Puppet(seconds=60, frame_rate=10, head_shift=lambda s: (12 * np.sin(3 * s) * np.sin(0.4 * s), 0.0))


def propose(people, **changes):
    return propose_in(map(in_stretches, people), **changes)


def propose_in(people, **changes):
    config = dataclasses.replace(ProposalsConfig(), **changes)
    return list(propose_candidates(people, sha256=SHA256, taxonomy=load_taxonomy("imigue32"), config=config))


def kept(items):
    return [item for item in items if isinstance(item, Candidate)]


def dropped(items):
    return [item for item in items if isinstance(item, Dropped)]


def test_a_hand_at_the_neck_becomes_a_question_of_its_class():
    items = propose([make_puppet(AT_NECK)])
    assert [(c.evidence, c.class_id, c.proposer) for c in kept(items)] == [
        ("hand_on_neck", "touching_or_scratching_neck", "contact")
    ]
    assert kept(items)[0].box_xyxy == (180, 60, 460, 470)
    assert 0 < kept(items)[0].score <= 1
    assert dropped(items) == []


def test_a_movement_that_no_class_names_stays_unclassified():
    items = propose([make_puppet(Puppet(head_shift=lambda s: (0, 10 * np.sin(6 * s)) if 2 < s < 3 else (0, 0)))])
    assert {c.class_id for c in kept(items)} == {None}


def test_someone_still_is_dropped_with_the_reason():
    items = propose([make_puppet(track_number=3)])
    assert [(d.reason, d.item_id.endswith("/3")) for d in dropped(items)] == [(DropReason.NO_MOVEMENT, True)]
    assert kept(items) == []


def test_someone_of_whom_nothing_is_seen_is_dropped_too():
    everything = (Part.BODY, Part.FACE, Part.LEFT_HAND, Part.RIGHT_HAND)
    items = propose([make_puppet(Puppet(unseen=everything))])
    assert [d.reason for d in dropped(items)] == [DropReason.NO_MOVEMENT]


def test_each_track_comes_out_and_candidates_lie_in_their_tracks_time():
    people = [
        make_puppet(AT_NECK, track_number=0),
        make_puppet(track_number=1, start_s=6),
        make_puppet(dataclasses.replace(AT_NECK, seed=4), track_number=2, start_s=12),
    ]
    items = propose(people)
    assert {c.track_number for c in kept(items)} == {0, 2}
    assert len(dropped(items)) == 1
    for candidate in kept(items):
        track = people[candidate.track_number][0]
        assert track.times_ns[0] <= candidate.span.start_ns < candidate.span.end_ns
        assert candidate.span.end_ns <= track.times_ns[-1] + 40_000_000


def test_the_budget_holds_over_the_whole_video_and_what_is_beyond_is_told():
    people = [make_puppet(dataclasses.replace(RESTLESS, seed=k), track_number=k, start_s=60 * k) for k in range(2)]
    items, unlimited = propose(people), propose(people, max_per_track_minute=1000.0)
    assert len(kept(items)) == 12
    assert {c.track_number for c in kept(items)} == {0, 1}
    assert all(d.reason == DropReason.OVER_BUDGET for d in dropped(items))
    assert len(items) == len(unlimited)
    assert {c.candidate_id for c in kept(items)} | {d.item_id for d in dropped(items)} == {
        c.candidate_id for c in kept(unlimited)
    }


def test_contacts_come_before_movements_when_the_budget_is_short():
    busy = dataclasses.replace(RESTLESS, right_tips=visiting(MOUTH, 20.0, 22.0))
    items = propose([make_puppet(busy)], max_per_track_minute=1.0, fewest_per_video=1)
    assert [c.proposer for c in kept(items)] == ["contact"]


def test_the_same_input_gives_the_same_candidates_and_other_content_other_ids():
    first, again = propose([make_puppet(AT_NECK)]), propose([make_puppet(AT_NECK)])
    assert first == again
    other = list(
        propose_candidates(
            [in_stretches(make_puppet(AT_NECK))],
            sha256="cd" * 32,
            taxonomy=load_taxonomy("imigue32"),
            config=ProposalsConfig(),
        )
    )
    assert kept(other)[0].candidate_id != kept(first)[0].candidate_id
    assert len(kept(first)[0].candidate_id) == 21


@pytest.mark.parametrize("taxonomy", ["ma52", "smg17"])
def test_other_taxonomies_name_their_own_class(taxonomy):
    items = propose_candidates(
        [in_stretches(make_puppet(AT_NECK))], sha256=SHA256, taxonomy=load_taxonomy(taxonomy), config=ProposalsConfig()
    )
    assert [c.class_id for c in kept(items)] == [load_taxonomy(taxonomy).class_for("hand_on_neck").class_id]


def test_a_gesture_is_found_within_unrelated_footage_and_the_rest_stays_quiet():
    people = [
        make_puppet(Puppet(jitter_px=1.5, seed=1), track_number=0),
        make_puppet(AT_NECK, track_number=1, start_s=6),
        make_puppet(dataclasses.replace(RESTLESS, seconds=20), track_number=2, start_s=12),
    ]
    contacts = [c for c in kept(propose(people)) if c.proposer == "contact"]
    assert [(c.track_number, c.evidence) for c in contacts] == [(1, "hand_on_neck")]


def several(*visits):
    ways = [visiting(NECK_SIDE, start_s, end_s) for start_s, end_s in visits]
    return lambda second: max((way(second) for way in ways), key=lambda place: place[0])


def test_in_a_long_track_each_contact_is_found_once_also_across_the_edges_of_its_stretches():
    visits = [(100, 103), (470.5, 473), (498, 501), (528, 532), (700, 703), (930, 1010), (1029, 1031), (1400, 1499.5)]
    person = make_puppet(Puppet(seconds=1500, frame_rate=5, right_tips=several(*visits), jitter_px=0.1))
    cores = [stretch.core.start_ns / 1e9 for stretch in in_stretches(person)[1]]
    assert cores == pytest.approx([0, 500, 1000], abs=0.5)
    items = propose([person])
    found = [(c.span.start_ns / 1e9, c.span.end_ns / 1e9) for c in kept(items) if c.proposer == "contact"]
    asked = [(start_s, min(end_s, start_s + 20)) for start_s, end_s in visits]
    np.testing.assert_allclose(found, asked, atol=0.6)
    track, sequence = person
    whole = Stretch(sequence=sequence, core=TimeSpan(start_ns=0, end_ns=2 * int(track.times_ns[-1])))
    assert items == propose_in([(track, [whole])])


@pytest.mark.parametrize("frame_count", [1, 2, 3])
def test_a_track_of_a_few_frames_is_no_trouble(frame_count):
    items = propose([make_puppet(Puppet(seconds=frame_count / 25))])
    assert [d.reason for d in dropped(items)] == [DropReason.NO_MOVEMENT]


def test_a_minute_of_video_takes_well_under_a_second():
    person = make_puppet(Puppet(seconds=60, right_tips=visiting(MOUTH, 5.0, 55.0)))
    started = time.perf_counter()
    propose([person])
    assert time.perf_counter() - started < 3.0

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from proposals.drafts import Draft
from proposals.merge import answered_elsewhere, inherit_ids, merge_drafts
from schema.records import CandidateId
from schema.timespan import TimeSpan
from tests.factories import BOX, OTHER_VIDEO_ID, VIDEO_ID, make_anchor, make_candidate, make_task


def span(start, end):
    return TimeSpan(start_ns=round(start * 1e9), end_ns=round(end * 1e9))


def draft(start, end, *, proposer="motion", evidence="moving_arm", sides=("right",), score=0.5):
    return Draft(
        span=span(start, end), evidence=evidence, proposer=proposer, sides=sides, score=score, reason="because"
    )


def candidate(name, start, end, *, class_id=None, box=BOX, evidence="moving_arm"):
    return make_candidate(
        candidate_id=CandidateId(name), span=span(start, end), class_id=class_id, box_xyxy=box, evidence=evidence
    )


def task(name, start, end, *, class_id=None, box=BOX, video_id=VIDEO_ID, evidence="moving_arm"):
    anchor = make_anchor(video_id=video_id, span=span(start, end), box_xyxy=box)
    return make_task(candidate_id=CandidateId(name), anchor=anchor, class_id=class_id, evidence=evidence)


def merged(contacts, movements):
    return merge_drafts(contacts, movements, same_iou=0.3, margin_s=0.7)


def test_movements_at_the_same_time_are_one_and_the_best_stays():
    strong, weak, later = draft(1, 3, score=0.9), draft(1.5, 3, sides=("left",)), draft(5, 6)
    assert merged([], [weak, strong, later]) == [strong, later]


def test_the_same_arms_movement_around_a_contact_belongs_to_it():
    contact = draft(2, 4, proposer="contact", evidence="hand_on_neck")
    coming, other_arm, far = draft(1.2, 2), draft(1.2, 2, sides=("left",)), draft(7, 8)
    assert merged([contact], [coming, other_arm, far]) == [contact, other_arm, far]


def test_a_movement_of_head_or_body_during_a_contact_belongs_to_it():
    contact = draft(2, 4, proposer="contact", evidence="hand_on_neck")
    during, before = draft(2.5, 3.5, sides=()), draft(0.5, 1.5, sides=())
    assert merged([contact], [during, before]) == [contact, before]


def test_a_movement_across_the_pieces_of_one_visit_belongs_to_it():
    mouth = draft(2, 3, proposer="contact", evidence="hand_on_mouth")
    eye = draft(3, 4, proposer="contact", evidence="hand_on_eye")
    ear = draft(4, 5, proposer="contact", evidence="hand_on_ear")
    across, mostly_after = draft(2, 5, sides=()), draft(4.5, 6, sides=())
    assert merged([ear, mouth, eye], [across, mostly_after])[3:] == [mostly_after]


def test_an_id_is_inherited_by_the_same_person_class_and_time():
    found = inherit_ids([candidate("new", 2, 4)], [task("old", 2.1, 4.1)])
    assert [c.candidate_id for c in found] == ["old"]
    assert found[0].span == span(2, 4)


def test_nothing_is_inherited_from_another_class_time_person_or_video():
    strangers = [
        task("class", 2, 4, class_id="x"),
        task("time", 3, 5),
        task("person", 2, 4, box=(400.0, 50.0, 600.0, 450.0)),
        task("video", 2, 4, video_id=OTHER_VIDEO_ID),
    ]
    assert [c.candidate_id for c in inherit_ids([candidate("new", 2, 4)], strangers)] == ["new"]


def test_an_unclassified_question_is_the_same_only_with_the_same_evidence():
    other = task("old", 2, 4, evidence="moving_head")
    assert [c.candidate_id for c in inherit_ids([candidate("new", 2, 4)], [other])] == ["new"]
    nose, mouth = ({"class_id": "face", "evidence": name} for name in ("hand_on_nose", "hand_on_mouth"))
    assert [c.candidate_id for c in inherit_ids([candidate("new", 2, 4, **nose)], [task("old", 2, 4, **mouth)])] == [
        "old"
    ]


def test_of_two_candidates_the_better_fit_inherits():
    found = inherit_ids([candidate("a", 2, 4.5), candidate("b", 2, 4)], [task("old", 2, 4)])
    assert [c.candidate_id for c in found] == ["a", "old"]


def test_what_people_named_or_settled_is_not_asked_once_more_under_that_name():
    asked = [task("movement", 2, 4), task("mouth", 12, 14, class_id="mouth")]
    said = {"movement": {"neck"}, "mouth": {"chin"}}
    new = [
        candidate("again", 2, 4, class_id="neck", evidence="hand_on_neck"),
        candidate("chin", 12, 14, class_id="chin"),
        candidate("other", 2, 4, class_id="ear"),
        candidate("elsewhere", 3, 5, class_id="neck"),
    ]
    assert [c.candidate_id for c in inherit_ids(new, asked, said=said)] == ["movement", "mouth", "other", "elsewhere"]
    assert [c.candidate_id for c in inherit_ids(new, asked)] == ["again", "chin", "other", "elsewhere"]


def test_what_was_answered_is_not_asked_once_more_because_the_edges_are_set_otherwise():
    asked = [task("neck", 2, 4, class_id="neck"), task("ear", 12, 16, class_id="ear"), task("long", 22, 24)]
    said = {"neck": {"neck"}, "ear": {"ear"}, "long": {"neck"}}
    new = [
        candidate("later", 2.6, 4.2, class_id="neck"),
        candidate("inside", 12.1, 13.1, class_id="ear"),
        candidate("around", 20, 26, class_id="neck"),
        candidate("person", 2, 4, class_id="neck", box=(400.0, 50.0, 600.0, 450.0)),
    ]
    assert [c.candidate_id for c in inherit_ids(new, asked, said=said)] == ["neck", "ear", "around", "person"]
    assert [c.candidate_id for c in inherit_ids(new, asked)] == ["later", "inside", "around", "person"]


def test_what_else_lies_in_an_answered_question_is_answered_too():
    asked = [task("long", 2, 12, class_id="ear"), task("open", 20, 24, class_id="ear")]
    said = {"long": {"ear"}}
    new = [
        candidate("first", 2, 8, class_id="ear"),
        candidate("second", 8.5, 9.5, class_id="ear"),
        candidate("mostly outside", 11, 14, class_id="ear"),
        candidate("other class", 9, 10, class_id="neck"),
        candidate("other person", 9, 10, class_id="ear", box=(400.0, 50.0, 600.0, 450.0)),
        candidate("of an open question", 21, 22, class_id="ear"),
    ]
    named = inherit_ids(new, asked, said=said)
    assert named[0].candidate_id == "long"
    assert answered_elsewhere(named, asked, said=said) == {"second": "long"}
    assert answered_elsewhere(named, asked, said={}) == {}


times = st.integers(0, 40).map(lambda k: k / 4)
spans = st.tuples(times, st.integers(2, 12)).map(lambda pair: (pair[0], pair[0] + pair[1] / 4))


@settings(deadline=None)
@given(
    new=st.lists(st.tuples(spans, st.sampled_from([None, "x"])), max_size=6),
    old=st.lists(st.tuples(spans, st.sampled_from([None, "x"])), max_size=6),
)
def test_inheriting_is_one_to_one_and_doing_it_twice_changes_nothing(new, old):
    candidates = [candidate(f"new{k}", *at, class_id=name) for k, (at, name) in enumerate(new)]
    tasks = [task(f"old{k}", *at, class_id=name) for k, (at, name) in enumerate(old)]
    once = inherit_ids(candidates, tasks)
    ids = [c.candidate_id for c in once]
    assert len(set(ids)) == len(ids)
    assert [
        dataclasses.replace(c, candidate_id=o.candidate_id) for c, o in zip(once, candidates, strict=True)
    ] == candidates
    assert inherit_ids(once, tasks) == once
    tasks_by_id = {t.candidate_id: t for t in tasks}
    for found in once:
        if found.candidate_id in tasks_by_id:
            earlier = tasks_by_id[found.candidate_id]
            assert earlier.class_id == found.class_id
            assert earlier.anchor.span.temporal_iou(found.span) >= 0.7

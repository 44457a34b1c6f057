import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.answers.answer_fields import make_annotation_id
from annotation.answers.parse import missing_answers, parse_annotations, raw_of
from annotation.answers.regions import region_item
from schema.errors import DropReason, ItemError
from schema.privacy import make_annotator_id
from schema.questions import Mark, QuestionKind
from schema.records import Annotation, Dropped, FrameTimes, ReviewTask, Verdict, VideoId
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.factories import ARMS, KEY, NECK, OTHER_SHA256, VIDEO_ID, make_annotation, make_frame_times, make_task

ACCOUNT, SCRIPT = "anna@example.com", "script-1@example.com"
FRAME_NS = 40_000_000
IMIGUE = load_taxonomy("imigue32")


def choice(name: str, *values: str) -> dict[str, Any]:
    return {
        "id": name,
        "type": "choices",
        "from_name": name,
        "to_name": "player",
        "value": {"choices": list(values)},
    }


def comment(*lines: str) -> dict[str, Any]:
    return {"type": "textarea", "from_name": "comment", "to_name": "player", "value": {"text": list(lines)}}


def make_row(*result: dict[str, Any], **changes: Any) -> dict[str, Any]:
    row = {
        "id": 17,
        "task": 1,
        "completed_by": ACCOUNT,
        "created_at": "2026-03-01T10:00:00.000000Z",
        "updated_at": "2026-03-01T10:00:05.123456Z",
        "lead_time": 3.25,
        "was_cancelled": False,
        "result": list(result),
    }
    return row | changes


def span(control: str, first: int, end: int, label: str = "Gesture", *, origin: str = "manual") -> dict[str, Any]:
    """Frames of the clip from 0, the end not included."""
    item = region_item(
        control, "clip", first_frame_in_clip=first, end_frame_in_clip=end, labels=[label], name=f"{control}{first}"
    )
    return item | {"origin": origin}


def times_of(video_id: VideoId) -> FrameTimes:
    assert video_id == VIDEO_ID
    return make_frame_times()


def parse(
    *rows: Mapping[str, Any], task: ReviewTask | None = None, frame_times_of: Any = times_of, **more: Any
) -> list[Annotation | Dropped]:
    tasks = {1: make_task() if task is None else task}
    parsed = parse_annotations(
        rows,
        tasks=tasks,
        taxonomy=IMIGUE,
        pseudonym_key=KEY,
        scripted_accounts=frozenset({SCRIPT}),
        frame_times_of=frame_times_of,
        **more,
    )
    return list(parsed)


def parse_one(row: Mapping[str, Any], **arguments: Any) -> Annotation:
    (answer,) = parse(row, **arguments)
    assert isinstance(answer, Annotation), answer
    return answer


def drop_of(row: Mapping[str, Any], **arguments: Any) -> Dropped:
    (dropped,) = parse(row, **arguments)
    assert isinstance(dropped, Dropped), dropped
    assert "\n" not in dropped.detail
    return dropped


CLIP = {"clip_first_frame": 40, "clip_end_frame": 100}
"""Frames 40 to 99 of the video: a clip of 60."""
WITH_CLIP = make_task(**CLIP)
WINDOW = make_task(kind=QuestionKind.BLIND, about="c" + "2" * 20, class_id=None, **CLIP)
AUDIT = replace(WINDOW, kind=QuestionKind.AUDIT, about="")


def seconds_of_frames(first: int, end: int) -> TimeSpan:
    return TimeSpan(start_ns=first * FRAME_NS, end_ns=end * FRAME_NS)


def test_an_accept_keeps_what_was_asked_and_judged() -> None:
    task = make_task()
    row = make_row(choice("verdict", "accept"), comment("two hands", "long"))
    assert parse_one(row) == Annotation(
        annotation_id=make_annotation_id("server", 17, 1_772_359_205_123_456_000),
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        taxonomy="imigue32",
        question=task.question,
        proposed_class_id=NECK,
        annotator_id=make_annotator_id(KEY, ACCOUNT),
        scripted=False,
        verdict=Verdict.ACCEPT,
        class_id=NECK,
        comment="two hands\nlong",
        answered_ns=1_772_359_205_123_456_000,
        lead_time_ns=3_250_000_000,
        proposer="contact",
        answer_number=17,
        raw=raw_of(row),
    )


@pytest.mark.parametrize("verdict", [Verdict.REJECT, Verdict.UNSURE])
def test_reject_and_unsure_give_no_class(verdict: Verdict) -> None:
    answer = parse_one(make_row(choice("verdict", verdict)))
    assert (answer.verdict, answer.class_id, answer.proposed_class_id) == (verdict, None, NECK)


def test_relabel_gives_the_chosen_class() -> None:
    answer = parse_one(make_row(choice("gesture", ARMS), choice("verdict", "relabel")))
    assert (answer.verdict, answer.class_id) == (Verdict.RELABEL, ARMS)


def test_a_class_left_behind_by_a_change_of_mind_does_not_count() -> None:
    answer = parse_one(make_row(choice("verdict", "accept"), choice("gesture", ARMS)))
    assert (answer.verdict, answer.class_id) == (Verdict.ACCEPT, NECK)


def test_accepting_an_unclassified_movement_gives_no_class() -> None:
    answer = parse_one(make_row(choice("verdict", "accept")), task=make_task(class_id=None))
    assert (answer.verdict, answer.class_id) == (Verdict.ACCEPT, None)


def test_a_task_of_an_earlier_taxonomy_is_read_with_that_one() -> None:
    task = make_task(taxonomy="ma52", class_id="nodding")
    row = make_row(choice("verdict", "relabel"), choice("gesture", "crossing_arms"))
    assert parse_one(row, task=task).class_id == "crossing_arms"


def test_scripts_are_marked_and_accounts_are_hashed() -> None:
    answer = parse_one(make_row(choice("verdict", "accept"), completed_by=SCRIPT))
    assert answer.scripted
    assert "script-1" not in repr(answer)


def test_an_edit_is_a_new_answer_and_a_second_pull_is_not() -> None:
    row = make_row(choice("verdict", "accept"))
    edited = row | {"updated_at": "2026-03-01T10:00:09.000000Z"}
    other_spelling = row | {"updated_at": "2026-03-01T12:00:05.123456+02:00"}
    first, second, third, fourth = (parse_one(r).annotation_id for r in (row, row, edited, other_spelling))
    assert first == second == fourth != third


@pytest.mark.parametrize("lead_time", [None, -3, float("nan"), 1e300, "long"])
def test_a_lead_time_that_the_page_does_not_tell_is_zero(lead_time: Any) -> None:
    assert parse_one(make_row(choice("verdict", "accept"), lead_time=lead_time)).lead_time_ns == 0


ACCEPT = choice("verdict", "accept")


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (make_row(), "0 verdicts are chosen"),
        (make_row(comment("only words")), "0 verdicts are chosen"),
        (make_row(choice("verdict", "accept", "reject")), "2 verdicts are chosen"),
        (make_row(ACCEPT, choice("verdict", "reject")), "2 verdicts are chosen"),
        (
            make_row(choice("verdict", "maybe")),
            "'maybe' is no verdict of this page; there are accept, adjust, relabel, reject, unsure",
        ),
        (make_row(choice("verdict", "nothing")), "'nothing' is no verdict of this page"),
        (make_row(choice("verdict", "relabel")), "relabel with 0 classes"),
        (make_row(choice("verdict", "relabel"), choice("gesture", NECK, ARMS)), "relabel with 2 classes"),
        (make_row(choice("verdict", "relabel"), choice("gesture", "folding_arm")), "nearest is 'folding_arms'"),
        (make_row(ACCEPT, was_cancelled=True), "skipped"),
        (make_row(ACCEPT, task=2), "task 2 is none that pressroom put on the page"),
        (make_row(ACCEPT, task=None), "task None"),
        (make_row(ACCEPT, id=None), "no number"),
        (make_row(ACCEPT, id=10**30), "no number"),
        (make_row(ACCEPT, updated_at="9999-01-01T00:00:00Z"), "no time at which anybody could have answered"),
        (make_row(ACCEPT, completed_by=4), "who answered"),
        (make_row(ACCEPT, updated_at="yesterday"), "'yesterday' is no time with a zone"),
        (make_row(ACCEPT, updated_at="2026-03-01T10:00:05"), "no time with a zone"),
        (make_row(result=None), "no result"),
        (make_row({"from_name": "verdict", "value": None}), "verdict holds no list of choices"),
        (make_row({"from_name": "verdict", "value": {"choices": [3]}}), "verdict holds no list of choices"),
        (make_row({"from_name": "verdict", "value": {"labels": ["accept"]}}), "verdict holds no list of choices"),
    ],
)
def test_what_the_page_can_not_send_is_dropped_in_one_line(row: dict[str, Any], detail: str) -> None:
    (dropped,) = parse(row)
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.item_id) == (DropReason.INVALID_ANSWER, str(row["id"]))
    assert detail in dropped.detail
    assert "\n" not in dropped.detail
    assert ACCOUNT not in dropped.detail


def test_adjust_gives_the_class_and_the_exact_frames_that_were_dragged_to() -> None:
    answer = parse_one(make_row(choice("verdict", "adjust"), span("edges", 10, 31)), task=WITH_CLIP)
    assert (answer.verdict, answer.class_id) == (Verdict.ADJUST, NECK)
    assert answer.answered_span == answer.judged_span == seconds_of_frames(50, 71)


def test_relabel_keeps_edges_that_were_moved_and_only_those() -> None:
    relabel = (choice("verdict", "relabel"), choice("gesture", ARMS))
    moved = parse_one(make_row(*relabel, span("edges", 0, 60, origin="prediction-changed")), task=WITH_CLIP)
    assert (moved.class_id, moved.answered_span) == (ARMS, seconds_of_frames(40, 100))
    shown = parse_one(make_row(*relabel, span("edges", 0, 60, origin="prediction")), task=WITH_CLIP)
    assert (shown.class_id, shown.answered_span) == (ARMS, None)


@pytest.mark.parametrize("verdict", ["accept", "reject", "unsure"])
def test_edges_left_behind_by_a_change_of_mind_do_not_count(verdict: str) -> None:
    answer = parse_one(make_row(choice("verdict", verdict), span("edges", 10, 31)), task=WITH_CLIP)
    assert answer.answered_span is None


def test_frames_of_a_video_with_uneven_times_keep_their_own_times() -> None:
    times_ns = make_frame_times().times_ns.copy()
    times_ns[60:] += 1_000_000_000
    uneven = make_frame_times(times_ns=times_ns, end_ns=int(times_ns[-1]) + FRAME_NS)
    row = make_row(choice("verdict", "adjust"), span("edges", 10, 31))
    answer = parse_one(row, task=WITH_CLIP, frame_times_of=lambda _: uneven)
    assert answer.answered_span == TimeSpan(start_ns=50 * FRAME_NS, end_ns=71 * FRAME_NS + 1_000_000_000)


def test_a_window_gives_every_span_that_was_drawn_with_its_class() -> None:
    row = make_row(span("marks", 20, 31, ARMS), span("marks", 2, 5, NECK), span("marks", 50, 60, "unclassified"))
    answer = parse_one(row, task=WINDOW)
    assert (answer.verdict, answer.class_id, answer.answered_span) == (Verdict.MARKED, None, None)
    assert answer.marks == (
        Mark(span=seconds_of_frames(42, 45), class_id=NECK, first_frame=42, end_frame=45),
        Mark(span=seconds_of_frames(60, 71), class_id=ARMS, first_frame=60, end_frame=71),
        Mark(span=seconds_of_frames(90, 100), class_id=None, first_frame=90, end_frame=100),
    )
    assert (answer.kind, answer.about) == (QuestionKind.BLIND, WINDOW.about)
    assert not answer.suggestion_shown


def test_nothing_and_unsure_are_answers_to_a_window() -> None:
    assert parse_one(make_row(choice("verdict", "nothing")), task=AUDIT).verdict is Verdict.NOTHING
    unsure = parse_one(make_row(choice("verdict", "unsure"), span("marks", 2, 5, NECK)), task=AUDIT)
    assert (unsure.verdict, unsure.marks) == (Verdict.UNSURE, ())


def test_an_audit_that_began_with_suggestions_says_so() -> None:
    row = make_row(span("marks", 2, 5, NECK, origin="prediction"), parent_prediction=4)
    assert parse_one(row, task=AUDIT).suggestion_shown
    assert not parse_one(row | {"parent_prediction": None}, task=AUDIT).suggestion_shown
    assert not parse_one(row, task=WINDOW).suggestion_shown, "a blind window shows none"


@pytest.mark.parametrize(
    ("task", "result", "detail"),
    [
        (WITH_CLIP, (choice("verdict", "adjust"),), "adjust without a span"),
        (WITH_CLIP, (choice("verdict", "adjust"), span("edges", 1, 2), span("edges", 5, 6)), "2 spans are drawn"),
        (WITH_CLIP, (choice("verdict", "adjust"), span("edges", 10, 61)), "frame 61 of a clip of 60"),
        (make_task(), (choice("verdict", "adjust"), span("edges", 1, 2)), "without a timeline"),
        (WITH_CLIP, (choice("verdict", "marked"),), "'marked' is no verdict of this page"),
        (WINDOW, (choice("verdict", "nothing"), span("marks", 1, 2, NECK)), "1 spans are drawn; change the answer"),
        (WINDOW, (), "neither a span nor a verdict"),
        (WINDOW, (choice("verdict", "marked"),), "neither a span nor a verdict"),
        (WINDOW, (choice("verdict", "accept"),), "'accept' is no verdict of this page; there are marked, nothing"),
        (WINDOW, (span("marks", 1, 2, "touching_nek"),), "no class 'touching_nek'"),
        (WINDOW, (span("marks", 1, 600, NECK),), "frame 600 of a clip of 60"),
        (replace(WINDOW, clip_end_frame=900), (span("marks", 1, 600, NECK),), "frame 640 of a video of 250"),
    ],
)
def test_a_slip_on_the_timeline_is_dropped_in_one_line(
    task: ReviewTask, result: tuple[dict[str, Any], ...], detail: str
) -> None:
    dropped = drop_of(make_row(*result), task=task)
    assert dropped.reason is DropReason.INVALID_ANSWER
    assert detail in dropped.detail


def test_a_reversed_span_is_dropped_and_not_turned() -> None:
    backwards = span("marks", 1, 2, NECK)
    backwards["value"]["ranges"] = [{"start": 30, "end": 20}]
    assert "frames 30 to 20 are no range" in drop_of(make_row(backwards), task=WINDOW).detail


def test_a_file_that_is_no_longer_the_one_that_was_judged_orphans_its_edges_alone() -> None:
    def replaced(_: VideoId) -> FrameTimes:
        return make_frame_times(sha256=OTHER_SHA256)

    def gone(_: VideoId) -> FrameTimes:
        raise ItemError(DropReason.ORPHANED, "the study no longer holds the video")

    row = make_row(choice("verdict", "adjust"), span("edges", 1, 2))
    for frame_times_of in (replaced, gone):
        assert drop_of(row, task=WITH_CLIP, frame_times_of=frame_times_of).reason is DropReason.ORPHANED
        assert parse_one(make_row(ACCEPT), task=WITH_CLIP, frame_times_of=frame_times_of).verdict is Verdict.ACCEPT


def test_frame_times_are_read_once_a_video() -> None:
    asked: list[VideoId] = []

    def counted(video_id: VideoId) -> FrameTimes:
        asked.append(video_id)
        return make_frame_times()

    row = make_row(span("marks", 1, 2, NECK), span("marks", 4, 6, ARMS))
    assert len(parse(row, row | {"id": 18}, task=WINDOW, frame_times_of=counted)) == 2
    assert asked == [VIDEO_ID]


def test_what_an_answer_was_given_on_is_kept() -> None:
    task = replace(WITH_CLIP, page_version="verdict-12345678", kind=QuestionKind.EXPERT, about="c1", proposer="model-3")
    described = {"type": "textarea", "from_name": "description", "value": {"text": ["A hand is at the neck."]}}
    answer = parse_one(make_row(ACCEPT, described), task=task)
    assert (answer.page_version, answer.kind, answer.about) == ("verdict-12345678", QuestionKind.EXPERT, "c1")
    assert (answer.proposer, answer.description, answer.suggestion_shown) == ("model-3", "A hand is at the neck.", True)
    assert parse_one(make_row(ACCEPT)).description is None


def test_the_raw_answer_is_kept_without_the_account() -> None:
    row = make_row(ACCEPT, span("edges", 1, 2), updated_by=4, created_username=f" {ACCOUNT}, 4", parent_prediction=9)
    answer = parse_one(row)
    kept = json.loads(answer.raw)
    assert kept["result"] == row["result"]
    assert (kept["lead_time"], kept["updated_at"], kept["parent_prediction"]) == (3.25, row["updated_at"], 9)
    assert ACCOUNT not in repr(answer)


HONEST = {"updated_by": 4, "created_username": f" {ACCOUNT}, 4", "last_created_by": None}


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({}, ""),
        ({"created_username": "Anna, Bell, anna@example.com, 4"}, ""),
        ({"updated_by": 2}, "another account sent or changed it"),
        ({"updated_by": None}, "imported"),
        ({"last_created_by": 4}, "named an account"),
    ],
)
def test_a_contradiction_about_who_answered_is_flagged(fields: dict[str, Any], flag: str) -> None:
    answer = parse_one(make_row(ACCEPT, **HONEST | fields))
    assert flag in answer.flag
    assert bool(answer.flag) == bool(flag)
    assert "@" not in answer.flag


def test_an_answer_that_changed_hands_is_flagged() -> None:
    mine = make_annotator_id(KEY, ACCOUNT)
    assert parse_one(make_row(ACCEPT), first_annotators={17: mine}).flag == ""
    assert "another person's" in parse_one(make_row(ACCEPT), first_annotators={17: "r1"}).flag


def recorded(number: int, answered_ns: int, **changes: Any) -> Annotation:
    annotation_id = make_annotation_id("server", number, answered_ns)
    return make_annotation(annotation_id=annotation_id, answer_number=number, answered_ns=answered_ns, **changes)


def gone(answers: list[Annotation], present: set[int], *, deleted_ns: int = 900) -> list[Annotation]:
    return list(missing_answers(answers, present, server_id="server", deleted_ns=deleted_ns))


def test_a_deleted_answer_is_taken_back_once_in_its_newest_form() -> None:
    first, edited, other = recorded(1, 100), recorded(1, 200, comment="changed"), recorded(2, 150)
    (back,) = gone([edited, first, other], {2})
    assert back == replace(edited, annotation_id=make_annotation_id("server", 1, 900), answered_ns=900, deleted=True)
    assert gone([first, edited, other, back], {2}) == []


def test_an_answer_that_is_there_again_is_restored() -> None:
    first = recorded(1, 100)
    (back,) = gone([first], set())
    (again,) = gone([first, back], {1}, deleted_ns=950)
    assert (again.deleted, again.answered_ns, again.verdict) == (False, 950, first.verdict)
    assert gone([first, back, again], {1}) == []


def test_a_clock_that_went_back_does_not_hide_a_deletion() -> None:
    (back,) = gone([recorded(1, 100)], set(), deleted_ns=50)
    assert back.answered_ns == 101


def test_answers_of_another_server_and_of_older_versions_are_passed_over() -> None:
    elsewhere = replace(recorded(1, 100), annotation_id=make_annotation_id("other", 1, 100))
    assert gone([elsewhere, make_annotation(answer_number=None)], set()) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(Verdict),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("from_name", "value", "choices", "text")), inner, max_size=3)
    ),
    max_leaves=12,
)
damaged_rows = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "task", "completed_by", "updated_at", "lead_time", "result"), json_values),
).map(lambda changes: make_row(choice("verdict", "accept")) | changes)


ranges = st.dictionaries(st.sampled_from(("start", "end")), st.integers(-5, 300) | json_values)
spans = st.builds(
    lambda found, name, label: {"from_name": name, "value": {"ranges": found, "timelinelabels": [label]}},
    st.lists(ranges, max_size=3),
    st.sampled_from(("edges", "marks")),
    st.sampled_from((NECK, "unclassified", "x")),
)
verdicts = st.sampled_from([choice("verdict", verdict) for verdict in Verdict])


@given(st.lists(damaged_rows, max_size=5), st.sampled_from((WITH_CLIP, WINDOW)))
def test_every_row_comes_out_as_an_answer_or_a_reason(rows: list[dict[str, Any]], task: ReviewTask) -> None:
    assert len(parse(*rows, task=task)) == len(rows)


@given(st.lists(verdicts | spans, max_size=4), st.sampled_from((WITH_CLIP, WINDOW, AUDIT)))
def test_every_timeline_comes_out_as_spans_of_the_clip_or_as_a_reason(result: list[Any], task: ReviewTask) -> None:
    (answer,) = parse(make_row(*result), task=task)
    if isinstance(answer, Annotation):
        found = [*(mark.span for mark in answer.marks), *filter(None, [answer.answered_span])]
        whole = seconds_of_frames(40, 100)
        assert all(whole.overlap_ns(one) == one.duration_ns for one in found)

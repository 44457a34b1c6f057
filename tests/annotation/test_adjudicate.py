from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.answers.adjudicate import AdjudicateConfig, adjudicate_annotations, merge_segments
from schema.errors import ConfigError, DamagedTableError, DropReason
from schema.questions import Mark, QuestionKind
from schema.records import Annotation, CandidateId, Dropped, ReviewTask, Track, Verdict, VerifiedSegment, VideoId
from schema.taxonomy import load_taxonomy
from tests.factories import (
    ARMS,
    BOX,
    CANDIDATE_ID,
    NECK,
    OTHER_SHA256,
    OTHER_VIDEO_ID,
    SHA256,
    VIDEO_ID,
    make_anchor,
    make_annotation,
    make_segment,
    make_span,
    make_task,
    make_track,
)
from tests.strategies import annotations

IMIGUE = load_taxonomy("imigue32")
LEFT_BOX, RIGHT_BOX = (0.0, 0.0, 200.0, 400.0), (150.0, 0.0, 350.0, 400.0)


def adjudicate(
    given_answers: Iterable[Annotation],
    *,
    tasks: Iterable[ReviewTask] | None = None,
    tracks: Sequence[Track] | None = None,
    sha256: str = SHA256,
    experts: Set[str] = frozenset(),
    **config: Any,
) -> list[VerifiedSegment | Dropped]:
    shown = [make_track()] if tracks is None else tracks
    return list(
        adjudicate_annotations(
            given_answers,
            tasks=[make_task()] if tasks is None else tasks,
            tracks_of=lambda video_id: [t for t in shown if t.video_id == video_id],
            sha256s={VIDEO_ID: sha256, OTHER_VIDEO_ID: sha256},
            taxonomy=IMIGUE,
            config=AdjudicateConfig(**config),
            experts=experts,
        )
    )


def segment_of(*given_answers: Annotation, **arguments: Any) -> VerifiedSegment:
    (outcome,) = adjudicate(given_answers, **arguments)
    assert isinstance(outcome, VerifiedSegment), outcome
    return outcome


def drop_of(*given_answers: Annotation, **arguments: Any) -> Dropped:
    (outcome,) = adjudicate(given_answers, **arguments)
    assert isinstance(outcome, Dropped), outcome
    assert outcome.item_id == CANDIDATE_ID
    return outcome


def reject(number: int, **changes: Any) -> Annotation:
    return make_annotation(number, verdict=Verdict.REJECT, class_id=None, **changes)


def unsure(number: int, **changes: Any) -> Annotation:
    return make_annotation(number, verdict=Verdict.UNSURE, class_id=None, **changes)


def relabel(number: int, class_id: str = ARMS, **changes: Any) -> Annotation:
    return make_annotation(number, verdict=Verdict.RELABEL, class_id=class_id, **changes)


def test_one_person_is_enough_unless_the_study_asks_for_more() -> None:
    assert segment_of(make_annotation(1)) == VerifiedSegment(
        segment_id="g" + CANDIDATE_ID[1:],
        candidate_id=CANDIDATE_ID,
        video_id=VIDEO_ID,
        track_number=0,
        span=make_span(),
        class_id=NECK,
        answer_count=1,
        agreement=1.0,
        posterior=pytest.approx(0.83, abs=0.01),
        scripted=False,
        evidence=make_task().evidence,
        proposer="contact",
        proposer_score=0.7,
        description="The person touches or scratches the neck for 1.5 s.",
    )
    dropped = drop_of(make_annotation(1), min_human_answers=2)
    assert (dropped.reason, dropped.detail) == (DropReason.UNDECIDED, "1 of 1 answers are decided; 2 are needed")


def test_scripts_must_be_two_and_the_segment_says_so() -> None:
    assert drop_of(make_annotation(1, scripted=True)).reason is DropReason.UNDECIDED
    segment = segment_of(*(make_annotation(n, scripted=True) for n in (1, 2, 3)))
    assert (segment.scripted, segment.answer_count) == (True, 3)


def test_one_person_outweighs_three_scripts() -> None:
    scripts = [make_annotation(n, scripted=True) for n in (2, 3, 4)]
    assert drop_of(reject(1), *scripts).reason is DropReason.REJECTED
    segment = segment_of(relabel(1), *scripts)
    assert (segment.class_id, segment.scripted, segment.answer_count) == (ARMS, False, 1)


def test_a_person_who_is_unsure_keeps_scripts_from_deciding() -> None:
    scripts = [make_annotation(n, scripted=True) for n in (2, 3, 4)]
    dropped = drop_of(unsure(1), *scripts)
    assert (dropped.reason, dropped.detail) == (DropReason.UNDECIDED, "0 of 1 answers are decided; 1 are needed")


def test_the_majority_wins_and_its_share_is_told() -> None:
    segment = segment_of(make_annotation(1), make_annotation(2), reject(3))
    assert (segment.class_id, segment.answer_count) == (NECK, 3)
    assert segment.agreement == pytest.approx(2 / 3)
    assert drop_of(make_annotation(1), reject(2), reject(3)).reason is DropReason.REJECTED


def test_accepting_a_class_and_relabelling_to_it_agree() -> None:
    other_task_accept = make_annotation(2, proposed_class_id=ARMS, class_id=ARMS)
    segment = segment_of(relabel(1), other_task_accept, reject(3))
    assert segment.class_id == ARMS
    assert segment.agreement == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "given_answers",
    [
        (make_annotation(1), reject(2)),
        (make_annotation(1), relabel(2), reject(3)),
        (make_annotation(1), make_annotation(2), reject(3), reject(4)),
        (unsure(1), unsure(2)),
    ],
)
def test_what_is_in_doubt_is_undecided(given_answers: tuple[Annotation, ...]) -> None:
    assert drop_of(*given_answers).reason is DropReason.UNDECIDED


def test_a_doubt_is_told_with_its_number() -> None:
    assert drop_of(make_annotation(1), reject(2)).detail == (
        "1 of 2 decided answers say 'no gesture', probability 0.50; 0.80 is needed"
    )


def test_unsure_is_an_abstention() -> None:
    segment = segment_of(make_annotation(1), unsure(2), unsure(3))
    assert (segment.answer_count, segment.agreement) == (1, 1.0)


def test_more_certainty_can_be_asked_for() -> None:
    answers = (make_annotation(1), make_annotation(2), reject(3))
    assert segment_of(*answers).posterior == pytest.approx(0.89, abs=0.01)
    assert drop_of(*answers, min_posterior=0.95).reason is DropReason.UNDECIDED
    assert segment_of(*answers, make_annotation(4), min_posterior=0.95).answer_count == 4


def test_only_the_newest_answer_of_a_person_counts() -> None:
    first, changed = make_annotation(1), reject(2, annotator_id=make_annotation(1).annotator_id)
    assert drop_of(first, changed).reason is DropReason.REJECTED
    assert drop_of(changed, first).reason is DropReason.REJECTED
    back_to_unsure = unsure(3, annotator_id=first.annotator_id)
    assert drop_of(first, back_to_unsure).reason is DropReason.UNDECIDED


def test_the_same_row_twice_counts_once() -> None:
    assert drop_of(make_annotation(1), make_annotation(1), min_human_answers=2).reason is DropReason.UNDECIDED


def test_a_movement_that_no_class_names_can_be_agreed_on() -> None:
    accepts = [make_annotation(number, proposed_class_id=None, class_id=None) for number in (1, 2)]
    segment = segment_of(*accepts, tasks=[make_task(class_id=None)])
    assert segment.class_id is None
    assert (
        segment.description
        == "The person makes a movement that no class names (a hand at the side or back of the neck) for 1.5 s."
    )


def test_answers_in_another_taxonomy_do_not_count() -> None:
    answer = make_annotation(1, taxonomy="ma52", class_id="crossing_arms")
    dropped = drop_of(answer)
    assert (dropped.reason, dropped.detail) == (
        DropReason.UNDECIDED,
        "answered in ma52; the study's taxonomy is imigue32",
    )
    assert segment_of(answer, make_annotation(2)).answer_count == 1


def test_the_person_keeps_the_gesture_when_tracks_are_numbered_anew() -> None:
    answer = make_annotation(1, anchor=make_anchor(box_xyxy=LEFT_BOX))
    left, right = make_track(box_xyxy=LEFT_BOX), make_track(track_number=1, box_xyxy=RIGHT_BOX)
    assert segment_of(answer, tracks=[left, right]).track_number == 0
    left, right = make_track(track_number=1, box_xyxy=LEFT_BOX), make_track(box_xyxy=RIGHT_BOX)
    assert segment_of(answer, tracks=[right, left]).track_number == 1


def test_a_track_of_another_time_is_not_the_person() -> None:
    early, late = make_track(frame_count=50), make_track(track_number=1, first_frame=60, frame_count=50)
    assert segment_of(make_annotation(1), tracks=[early, late]).track_number == 1
    dropped = drop_of(make_annotation(1), tracks=[early])
    assert (dropped.reason, dropped.detail) == (DropReason.ORPHANED, "nobody is followed at 2.75 s any more")


def test_a_neighbour_does_not_inherit_the_gesture() -> None:
    answer = make_annotation(1, anchor=make_anchor(box_xyxy=LEFT_BOX))
    dropped = drop_of(answer, tracks=[make_track(box_xyxy=RIGHT_BOX)])
    assert (dropped.reason, dropped.detail) == (
        DropReason.ORPHANED,
        "the nearest person's box has IoU 0.14 with the judged one; 0.30 is needed",
    )


def test_another_file_or_a_video_without_tracks_orphans_the_answer() -> None:
    assert drop_of(make_annotation(1), sha256=OTHER_SHA256).reason is DropReason.ORPHANED
    assert drop_of(make_annotation(1), tracks=[]).reason is DropReason.ORPHANED


def test_the_segment_is_what_the_newest_of_the_majority_judged() -> None:
    moved = make_anchor(span=make_span(2.1, 3.6))
    again = make_task(anchor=moved, server_id="another", task_number=1, score=0.9)
    answers = (make_annotation(1), make_annotation(2, anchor=moved), reject(3))
    segment = segment_of(*answers, tasks=[again, make_task(task_number=7)])
    assert (segment.span, segment.proposer_score) == (moved.span, 0.9)


def test_an_answer_without_a_recorded_task_means_a_damaged_table() -> None:
    with pytest.raises(DamagedTableError, match=f"tasks: candidate {CANDIDATE_ID}.*restore"):
        adjudicate([make_annotation(1)], tasks=[])


def test_a_class_that_left_the_taxonomy_stops_the_run() -> None:
    with pytest.raises(ConfigError, match="no class 'gone'"):
        adjudicate([make_annotation(1, class_id="gone")])


def test_tracks_are_asked_for_once_a_video() -> None:
    asked: dict[VideoId, int] = defaultdict(int)

    def tracks_of(video_id: VideoId) -> Sequence[Track]:
        asked[video_id] += 1
        return [make_track(video_id=video_id)]

    videos = [VIDEO_ID, OTHER_VIDEO_ID] * 3
    answers = [
        make_annotation(n, candidate_id=CandidateId(f"c{n}"), anchor=make_anchor(video_id=video_id))
        for n, video_id in enumerate(videos)
    ]
    tasks = [make_task(candidate_id=a.candidate_id, anchor=a.anchor) for a in answers]
    outcomes = adjudicate_annotations(
        answers,
        tasks=tasks,
        tracks_of=tracks_of,
        sha256s={VIDEO_ID: SHA256, OTHER_VIDEO_ID: SHA256},
        taxonomy=IMIGUE,
        config=AdjudicateConfig(),
    )
    assert len(list(outcomes)) == 6
    assert asked == {VIDEO_ID: 1, OTHER_VIDEO_ID: 1}


@pytest.mark.parametrize(
    "changes",
    [{"min_posterior": 0.4}, {"min_posterior": 1.0}, {"min_answers": 0}, {"min_human_answers": 0}, {"min_box_iou": 0}],
)
def test_a_configuration_that_means_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|needed"):
        AdjudicateConfig(**changes)


TASKS = [make_task(candidate_id=CandidateId(f"c{n}"), task_number=n) for n in range(3)]
TWO_PEOPLE = [make_track(box_xyxy=BOX), make_track(track_number=1, box_xyxy=(110.0, 50.0, 300.0, 450.0))]


@given(st.lists(annotations(), max_size=12), st.data())
def test_order_and_repetition_of_rows_change_nothing(rows: list[Annotation], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows + rows[:3]))
    tracks = data.draw(st.permutations(TWO_PEOPLE))
    outcomes = adjudicate(rows, tasks=TASKS, tracks=TWO_PEOPLE)
    assert outcomes == adjudicate(shuffled, tasks=data.draw(st.permutations(TASKS)), tracks=tracks)


@given(st.lists(annotations(), max_size=12))
def test_kept_and_dropped_are_the_candidates_with_an_answer(rows: list[Annotation]) -> None:
    outcomes = adjudicate(rows, tasks=TASKS)
    ids = [o.item_id if isinstance(o, Dropped) else o.candidate_id for o in outcomes]
    assert sorted(ids) == sorted({a.candidate_id for a in rows})


@given(st.lists(annotations(candidate_count=1), min_size=1, max_size=12))
def test_a_segment_is_what_somebody_said_and_likely_enough(rows: list[Annotation]) -> None:
    (outcome,) = adjudicate(rows, tasks=TASKS)
    if isinstance(outcome, VerifiedSegment):
        assert outcome.posterior >= 0.8
        assert outcome.agreement > 0
        assert outcome.scripted == all(a.scripted for a in rows)
        assert outcome.class_id in {a.class_id for a in rows}


def expert_says(number: int, **changes: Any) -> Annotation:
    given = make_annotation(number, candidate_id=CandidateId("x1"), about=CANDIDATE_ID, kind=QuestionKind.EXPERT)
    return replace(given, annotator_id="r-expert", **changes)


def test_an_expert_decides_and_stays_visible() -> None:
    crowd = [reject(1), reject(2), reject(3), make_annotation(4)]
    own_edges = make_span(2.4, 3.0)
    segment = segment_of(*crowd, expert_says(5, answered_span=own_edges), experts={"r-expert"})
    assert (segment.posterior, segment.span, segment.answer_count) == (1.0, own_edges, 5)
    assert segment.agreement == pytest.approx(2 / 5)
    rejects = {"verdict": Verdict.REJECT, "class_id": None}
    assert drop_of(make_annotation(1), make_annotation(2), expert_says(5, **rejects), experts={"r-expert"}).reason is (
        DropReason.REJECTED
    )
    newest = segment_of(expert_says(5, **rejects), expert_says(6), experts={"r-expert"}, min_human_answers=3)
    assert newest.posterior == 1.0


def test_an_answer_to_the_expert_question_by_somebody_else_is_one_answer_among_others() -> None:
    segment = segment_of(reject(1), make_annotation(2), make_annotation(3), expert_says(4))
    assert segment.posterior < 1
    assert segment.answer_count == 4


def drawn(number: int, *spans_s: tuple[float, float], class_id: str | None = NECK, **changes: Any) -> Annotation:
    marks = tuple(
        Mark(span=make_span(*span_s), class_id=class_id, first_frame=round(25 * span_s[0]), end_frame=99)
        for span_s in spans_s
    )
    asked = make_anchor(span=make_span(0, 8))
    changes = {"verdict": Verdict.MARKED if marks else Verdict.NOTHING, "class_id": None, "anchor": asked} | changes
    return make_annotation(
        number,
        candidate_id=CandidateId("w1"),
        kind=QuestionKind.AUDIT,
        proposed_class_id=None,
        suggestion_shown=False,
        marks=marks,
        **changes,
    )


def window_task(**changes: Any) -> ReviewTask:
    window = {"candidate_id": CandidateId("w1"), "kind": QuestionKind.AUDIT, "class_id": None, "proposer": "audit"}
    return make_task(**window | {"anchor": make_anchor(span=make_span(0, 8))} | changes)


def test_what_people_draw_in_a_window_becomes_a_segment() -> None:
    answers = [drawn(1, (2.0, 3.0), (6.0, 7.0)), drawn(2, (2.2, 3.0)), drawn(3, (2.2, 3.2)), drawn(4, (2.1, 3.0))]
    outcomes = adjudicate(answers, tasks=[window_task()])
    (segment,) = (outcome for outcome in outcomes if isinstance(outcome, VerifiedSegment))
    assert (segment.class_id, segment.span, segment.answer_count) == (NECK, make_span(2.2, 3.0), 4)
    assert (segment.proposer, segment.evidence, segment.proposer_score) == ("window", "", 0.0)
    assert segment.segment_id == "g" + segment.candidate_id[1:]
    (lost,) = (outcome for outcome in outcomes if isinstance(outcome, Dropped))
    assert lost.reason is DropReason.REJECTED


def test_one_gesture_that_was_asked_about_twice_is_one_segment() -> None:
    later = CandidateId("c" + "9" * 20)
    moved = make_anchor(span=make_span(2.1, 3.6))
    again = [make_annotation(n, candidate_id=later, anchor=moved) for n in (5, 6)]
    tasks = [make_task(), make_task(candidate_id=later, anchor=moved, task_number=2)]
    outcomes = adjudicate([make_annotation(n) for n in (1, 2, 3)] + again, tasks=tasks)
    assert [type(outcome) for outcome in outcomes] == [VerifiedSegment, Dropped]
    assert outcomes[0].candidate_id == CANDIDATE_ID
    assert outcomes[1] == Dropped(
        stage="adjudicate",
        item_id=later,
        reason=DropReason.MERGED,
        detail=f"the same gesture as {CANDIDATE_ID}, which has more to go by",
    )


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"span": make_span(2.5, 3.0)}, 1),  # inside the other
        ({"span": make_span(2.2, 3.7)}, 1),  # overlaps by 0.76
        ({"span": make_span(2.8, 4.3)}, 2),
        ({"span": make_span(2.5, 3.0), "class_id": ARMS}, 2),
        ({"span": make_span(2.5, 3.0), "track_number": 1}, 2),
        ({"span": make_span(2.5, 3.0), "video_id": OTHER_VIDEO_ID}, 2),
    ],
)
def test_segments_are_merged_where_one_person_does_one_thing(changes: dict[str, Any], kept: int) -> None:
    other = make_segment(candidate_id="c-other", segment_id="g-other", **changes)
    for outcomes in ([make_segment(answer_count=3), other], [other, make_segment(answer_count=3)]):
        segments = [outcome for outcome in merge_segments(outcomes) if isinstance(outcome, VerifiedSegment)]
        assert len(segments) == kept
        assert CANDIDATE_ID in {segment.candidate_id for segment in segments}


def test_a_persons_segment_stays_before_the_one_of_more_scripts() -> None:
    scripts = make_segment(candidate_id="c-scripts", scripted=True, answer_count=3)
    (kept,) = (o for o in merge_segments([scripts, make_segment()]) if isinstance(o, VerifiedSegment))
    assert kept.candidate_id == CANDIDATE_ID

"""Whom a question "which one is the player?" shows, when it is asked again, and what the answers come to."""

import random
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from annotation.answers.player_answers import answers_from_votes, parse_player_votes
from annotation.pages.player_page import PLAYER_CONTROL, player_answer_result, player_instructions, player_page
from annotation.pages.player_questions import (
    LETTERS,
    PersonFollowed,
    QuestionDraft,
    draft_question,
    is_asked,
    player_task_document,
)
from schema.errors import DropReason
from schema.people import PersonAnchor
from schema.player_question_rows import (
    player_questions_from_rows,
    player_questions_to_rows,
    player_votes_from_rows,
    player_votes_to_rows,
)
from schema.player_questions import PersonShown, PlayerQuestion, PlayerVote
from schema.records import Dropped
from schema.timespan import NS_PER_SECOND
from tests.factories import KEY, OTHER_SHA256, SHA256, VIDEO_ID, make_track

LEFT, RIGHT, FAR = (20.0, 40.0, 220.0, 440.0), (400.0, 60.0, 600.0, 450.0), (700.0, 100.0, 760.0, 200.0)
SCRIPT = "script-1@example.com"


def followed(number: int, *spans: tuple[int, int], box: tuple[float, ...] = LEFT, sure: bool = False) -> PersonFollowed:
    """One person, followed over spans of frames."""
    tracks = tuple(
        make_track(first_frame=first, frame_count=end - first, box_xyxy=box, track_number=10 * number + k)
        for k, (first, end) in enumerate(spans)
    )
    return PersonFollowed(person_number=number, undecided=not sure, tracks=tracks)


def drafted(people: Sequence[PersonFollowed], sha256: str = SHA256) -> QuestionDraft:
    draft = draft_question(people, sha256=sha256)
    assert draft is not None
    return draft


def question_of(draft: QuestionDraft, number: int = 1) -> PlayerQuestion:
    return PlayerQuestion(
        question_id=draft.question_id,
        video_id=VIDEO_ID,
        sha256=draft.sha256,
        people=draft.people,
        question="Which one is the player?",
        reason="alike",
        server_id="server",
        project_number=1,
        task_number=number,
    )


QUESTION = question_of(
    drafted([followed(0, (0, 250)), followed(1, (0, 250), box=RIGHT), followed(2, (100, 200), box=FAR)])
)


def vote(chosen: str | None, *, reviewer: str = "r1", at: int = 1, **changes: Any) -> PlayerVote:
    """A vote for the letters in ``chosen``; empty is nobody, None is unsure."""
    given: dict[str, Any] = {
        "vote_id": f"a{reviewer}{at}",
        "question_id": QUESTION.question_id,
        "video_id": VIDEO_ID,
        "sha256": SHA256,
        "people": QUESTION.people,
        "chosen": None if chosen is None else frozenset(chosen),
        "annotator_id": reviewer,
        "scripted": False,
        "answered_ns": at,
        "lead_time_ns": 0,
    }
    return PlayerVote(**given | changes)


def anchors(letters: str, question: PlayerQuestion = QUESTION) -> set[PersonAnchor]:
    return {anchor for person in question.people if person.letter in letters for anchor in person.anchors}


def test_nobody_is_asked_about_people_whose_roles_are_known() -> None:
    assert draft_question([followed(0, (0, 100), sure=True), followed(1, (0, 100), sure=True)], sha256=SHA256) is None
    assert draft_question([], sha256=SHA256) is None


def test_everybody_is_shown_also_who_is_never_in_one_picture_with_another() -> None:
    people = [followed(k, (100 * k, 100 * k + 60)) for k in range(6)]
    draft = drafted(people)
    assert "".join(person.letter for person in draft.people) == "ABCDEF"
    assert 4 <= len(draft.moments) <= 6


def test_what_an_anchor_says_is_where_the_person_was() -> None:
    people = [followed(0, (0, 90), (120, 200)), followed(1, (50, 160), box=RIGHT)]
    draft = drafted(people)
    for person, shown in zip(people, draft.people, strict=True):
        frames = {int(t) for track in person.tracks for t in track.times_ns}
        for anchor in shown.anchors:
            assert anchor.time_ns in frames
            assert anchor.box_xyxy == tuple(person.tracks[0].boxes_xyxy[0])


def test_moments_are_spread_over_the_video_and_in_order() -> None:
    draft = drafted([followed(0, (0, 1000)), followed(1, (0, 1000), box=RIGHT)])
    times_s = [moment.time_ns / NS_PER_SECOND for moment in draft.moments]
    assert times_s == sorted(times_s)
    assert len(set(times_s)) == len(times_s) == 4
    assert times_s[-1] - times_s[0] > 0.5 * 1000 / 25


def test_the_undecided_come_first_where_there_are_more_than_eight() -> None:
    known = [followed(k, (0, 200), box=RIGHT, sure=True) for k in range(9)]
    draft = drafted([*known, followed(9, (0, 200)), followed(10, (300, 360))])
    assert {9, 10} <= draft.letters.keys()
    assert sorted(draft.letters.values()) == sorted(LETTERS)


def test_letters_are_those_of_the_previews_as_far_as_the_keys_go() -> None:
    draft = drafted([followed(1, (0, 100)), followed(3, (0, 100), box=RIGHT), followed(12, (0, 100), box=FAR)])
    assert draft.letters == {12: "A", 1: "B", 3: "D"}


def test_a_person_of_one_frame_can_be_asked_about() -> None:
    assert len(drafted([followed(0, (7, 8))]).moments) == 1


def test_the_same_evidence_is_the_same_question_and_other_evidence_is_another() -> None:
    people = [followed(0, (0, 100)), followed(1, (0, 100), box=RIGHT)]
    same = drafted(list(reversed(people)))
    moved = drafted([people[0], followed(1, (0, 100), box=FAR)])
    ids = {drafted(people).question_id, same.question_id}
    assert len(ids) == 1
    assert {moved.question_id, drafted(people, OTHER_SHA256).question_id}.isdisjoint(ids)


def test_people_who_are_followed_anew_where_they_were_are_not_asked_about_again() -> None:
    before = [followed(0, (0, 250)), followed(1, (0, 250), box=RIGHT)]
    asked = [question_of(drafted(before))]
    wider = (LEFT[0] - 15, LEFT[1] - 10, LEFT[2] + 20, LEFT[3])
    anew = [followed(3, (0, 60), (62, 250), box=wider), followed(0, (0, 250), box=RIGHT)]
    assert drafted(anew).question_id != asked[0].question_id
    assert is_asked(drafted(anew), anew, asked)


@pytest.mark.parametrize("sha256", [SHA256, OTHER_SHA256])
def test_somebody_new_or_another_file_is_asked_about(sha256: str) -> None:
    before = [followed(0, (0, 250)), followed(1, (0, 250), box=RIGHT)]
    asked = [question_of(drafted(before))]
    now = before if sha256 == OTHER_SHA256 else [*before, followed(2, (0, 250), box=FAR)]
    assert not is_asked(drafted(now, sha256), now, asked)


def test_the_task_tells_nothing_of_where_the_video_is_from() -> None:
    people = [followed(0, (0, 250)), followed(1, (0, 250), box=RIGHT)]
    draft = drafted(people)
    document = player_task_document(draft, reason="A 0.52, B 0.48")
    assert VIDEO_ID not in str(document)
    assert SHA256 not in str(document)
    assert document["data"]["question_id"] == draft.question_id
    assert f"/data/local-files/?d=players/{draft.question_id}.jpg" in document["data"]["html"]
    choices = document["data"]["people"]
    assert [choice["alias"] for choice in choices] == ["A", "B", "nobody", "unsure"]
    keys = [choice["hotkey"] for choice in choices]
    assert len(set(keys)) == len(keys)
    assert "u" not in keys, "u is taken by the editor"


def test_the_page_takes_several_letters_and_preselects_none() -> None:
    (choices,) = ElementTree.fromstring(player_page()).iter("Choices")
    assert choices.attrib["choice"] == "multiple"
    assert choices.attrib["required"] == "true"
    assert list(choices) == [], "the letters come with each task"
    assert all(f"<b>{key}</b>" in player_instructions() for key in ("0", "n"))


def test_questions_and_votes_come_back_from_their_rows() -> None:
    other = question_of(drafted([followed(4, (0, 40), box=FAR)]), number=2)
    assert player_questions_from_rows(player_questions_to_rows([QUESTION, other])) == [QUESTION, other]
    votes = [vote("B"), vote("", at=2), vote(None, at=3), vote("AC", reviewer="r2")]
    assert player_votes_from_rows(player_votes_to_rows(votes)) == votes


def parsed(*choices: list[str], account: str = "reviewer@example.com") -> list[PlayerVote | Dropped]:
    rows = [
        {
            "id": number,
            "task": QUESTION.task_number,
            "completed_by": account,
            "updated_at": "2026-03-01T10:00:00Z",
            "lead_time": 2.5,
            "result": [{"from_name": PLAYER_CONTROL, "type": "choices", "value": {"choices": chosen}}],
        }
        for number, chosen in enumerate(choices)
    ]
    questions = {QUESTION.task_number: QUESTION}
    scripts = frozenset({SCRIPT})
    return list(parse_player_votes(rows, questions=questions, pseudonym_key=KEY, scripted_accounts=scripts))


def test_letters_nobody_and_unsure_are_told_apart() -> None:
    votes = parsed(["B"], ["A", "C"], ["nobody"], ["unsure"])
    assert [v.chosen for v in votes if isinstance(v, PlayerVote)] == [{"B"}, {"A", "C"}, frozenset(), None]
    first = votes[0]
    assert isinstance(first, PlayerVote)
    assert (first.scripted, first.lead_time_ns, first.people) == (False, 2_500_000_000, QUESTION.people)
    assert "reviewer" not in str(first)


@pytest.mark.parametrize("chosen", [["A", "nobody"], ["unsure", "B"], ["nobody", "unsure"], ["Z"], []])
def test_what_contradicts_itself_or_names_nobody_shown_is_dropped(chosen: list[str]) -> None:
    (lost,) = parsed(chosen)
    assert isinstance(lost, Dropped)
    assert lost.reason is DropReason.INVALID_ANSWER


@pytest.mark.parametrize("chosen", [["B"], ["A", "B"], [], None])
def test_a_scripted_answer_is_read_like_a_persons(chosen: list[str] | None) -> None:
    (item,) = player_answer_result(chosen)
    (given,) = parsed(item["value"]["choices"], account=SCRIPT)
    assert isinstance(given, PlayerVote)
    assert given.scripted
    assert given.chosen == (None if chosen is None else frozenset(chosen))


def test_an_answer_names_players_and_others_by_where_they_were() -> None:
    (answer,) = answers_from_votes([vote("B")])
    assert set(answer.players) == anchors("B")
    assert set(answer.others) == anchors("AC")
    (nobody,) = answers_from_votes([vote("")])
    assert nobody.players == ()
    assert set(nobody.others) == anchors("ABC")


def test_the_newest_vote_of_a_reviewer_counts_and_unsure_takes_the_answer_back() -> None:
    (answer,) = answers_from_votes([vote("A", at=1), vote("B", at=2)])
    assert set(answer.players) == anchors("B")
    assert answers_from_votes([vote("A", at=1), vote(None, at=2)]) == []


def test_a_person_counts_instead_of_the_scripts_also_with_unsure() -> None:
    scripts = [vote("A", reviewer="r1", scripted=True), vote("A", reviewer="r2", scripted=True)]
    assert len(answers_from_votes(scripts)) == 2
    (answer,) = answers_from_votes([*scripts, vote("B", reviewer="r3")])
    assert (set(answer.players), answer.scripted) == (anchors("B"), False)
    assert answers_from_votes([*scripts, vote(None, reviewer="r3")]) == []


def test_a_second_question_about_a_file_adds_to_the_first_answer() -> None:
    second = question_of(drafted([followed(4, (300, 400), box=FAR)]), number=2)
    later = vote("E", at=5, question_id=second.question_id, people=second.people)
    (answer,) = answers_from_votes([vote("B"), later])
    assert set(answer.players) == anchors("B") | anchors("E", second)
    assert answer.answer_id == later.vote_id


def test_answers_do_not_depend_on_the_order_of_the_votes() -> None:
    votes = [vote(c, reviewer=f"r{k % 3}", at=k + 1) for k, c in enumerate(["A", "B", "", None, "AB", "C", "B"])]
    wanted = answers_from_votes(votes)
    for seed in range(20):
        assert answers_from_votes(random.Random(seed).sample(votes, len(votes))) == wanted


def test_a_vote_for_somebody_who_was_not_shown_can_not_be_made() -> None:
    with pytest.raises(ValueError, match="'D', who was not shown"):
        vote("D")
    with pytest.raises(ValueError, match="at no moment"):
        PersonShown(letter="A", anchors=())


def test_many_people_and_tracks_are_drafted_at_once() -> None:
    random_boxes = np.random.default_rng(0).uniform(0, 300, size=(300, 2))
    people = [
        followed(k, *((50 * j, 50 * j + 40) for j in range(k, 300, 20)), box=(x, y, x + 100, y + 200))
        for k, (x, y) in enumerate(random_boxes[:20])
    ]
    assert len(drafted(people).letters) <= len(LETTERS)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.asking.overlap import QuestionState, Step, next_step, plan_overlap, wanted_answers
from annotation.config import AnnotateConfig

CONFIG = AnnotateConfig(first_answers=2, most_answers=5, min_posterior=0.95)


def step(posterior, answers, *, expert=False, unsure=0, people=None):
    return next_step(
        posterior, answers, expert_answered=expert, config=CONFIG, unsure_count=unsure, annotator_count=people
    )


def wanted(posterior, answers, *, unsure=0, people=None):
    now = step(posterior, answers, unsure=unsure, people=people)
    return wanted_answers(now, answers, config=CONFIG, unsure_count=unsure, annotator_count=people)


# posteriors of FIELD.md's worked example: 32 classes, people who are right in 8 of 10
@pytest.mark.parametrize(
    ("posterior", "answers", "expected"),
    [
        (0.80, 1, Step.ASK_AGAIN),
        (0.998, 2, Step.ENOUGH),
        (0.446, 2, Step.ASK_AGAIN),
        (0.990, 3, Step.ENOUGH),
        (0.446, 5, Step.EXPERT),
    ],
)
def test_two_who_agree_are_enough_and_a_split_asks_again(posterior, answers, expected):
    assert step(posterior, answers) is expected


def test_one_person_settles_nothing_however_sure():
    assert step(1.0, 1) is Step.ASK_AGAIN
    assert step(1.0, 0) is Step.ASK_AGAIN


def test_somebody_who_could_not_tell_is_replaced():
    assert step(0.97, 2, unsure=1) is Step.ASK_AGAIN
    assert wanted(0.97, 2, unsure=1) == 3
    assert wanted(0.0, 2, unsure=2) == 4
    assert step(0.97, 5, unsure=4) is Step.EXPERT


def test_an_expert_ends_it():
    assert step(0.1, 1, expert=True) is Step.ENOUGH


def test_nobody_waits_for_a_fourth_answer_of_three_people():
    assert step(0.5, 3) is Step.ASK_AGAIN
    assert step(0.5, 3, people=3) is Step.EXPERT
    # a study that has only one annotator yet waits for the second one
    assert step(0.9, 1, people=1) is Step.ASK_AGAIN


@pytest.mark.parametrize(("answers", "expected"), [(0, 2), (1, 2), (2, 3), (4, 5)])
def test_first_answers_are_asked_together_and_then_one_by_one(answers, expected):
    assert wanted(0.5, answers) == expected


def test_a_settled_question_leaves_the_queue_with_what_it_has():
    states = [
        QuestionState(question_id="c1", posterior=0.5, answer_count=2),
        QuestionState(question_id="c2", posterior=0.99, answer_count=2),
        QuestionState(question_id="c3", posterior=0.5, answer_count=5),
        QuestionState(question_id="c4", posterior=0.5, answer_count=0, expert_answered=True),
    ]
    plans = list(plan_overlap(states, config=CONFIG))
    assert [(p.question_id, p.step, p.answers, p.is_open) for p in plans] == [
        ("c1", Step.ASK_AGAIN, 3, True),
        ("c2", Step.ENOUGH, 2, False),
        ("c3", Step.EXPERT, 5, False),
        ("c4", Step.ENOUGH, 1, False),
    ]


@given(
    posterior=st.floats(0, 1),
    answers=st.integers(0, 9),
    unsure=st.integers(0, 9),
    people=st.none() | st.integers(1, 9),
)
def test_every_question_ends(posterior, answers, unsure, people):
    unsure = min(unsure, answers)
    now = step(posterior, answers, unsure=unsure, people=people)
    if now is Step.ASK_AGAIN:
        assert answers < wanted(posterior, answers, unsure=unsure, people=people) <= CONFIG.most_answers
    else:
        assert answers >= CONFIG.first_answers


@pytest.mark.parametrize(("posterior", "answers", "unsure"), [(1.2, 2, 0), (-0.1, 2, 0), (0.5, 1, 2)])
def test_impossible_states_are_refused(posterior, answers, unsure):
    with pytest.raises(ValueError, match=r"posterior|unsure"):
        step(posterior, answers, unsure=unsure)

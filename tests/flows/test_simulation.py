"""The simulated loop: how questions, people and truth play together, with a model that a test makes up."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from annotation.answers.simulated_crew import skilled_crew
from evaluation.loop import LoopCurve, cost_ratio
from flows import _simulation
from flows._simulated_people import Asked, SimulatedPeople
from flows._simulated_proposals import keypoints_of_poses, lacking_points
from flows._simulation import MOST_ROUNDS, SimulationSettings, Strategy, simulate_loop
from models.detections import Detection, Judgement
from models.inputs.poses import LabelledSequence, PoseSequence
from schema.errors import UsageError
from schema.layouts import LAYOUTS
from schema.questions import QuestionKind
from schema.records import Candidate, CandidateId, VideoId
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.made_motions import made_people, made_taxonomy, without_labels

TAXONOMY = made_taxonomy()
SETTINGS = SimulationSettings(taxonomy=TAXONOMY, minutes=20.0, rounds=3, skill="careful")
PEOPLE = [replace(one, gestures=one.gestures[::6]) for one in made_people(4, seconds=80.0)]
"""One of six movements is a gesture: the others are only movements."""


class Knowing:
    """A model that knows a share of what there is, whether it was trained on it or not, and is sure of it."""

    identity = "knowing@0123456789ab"
    taxonomy_name = TAXONOMY.name

    def __init__(self, data: Sequence[LabelledSequence], *, share: float = 1.0) -> None:
        self.gestures = {one.poses.sequence_id: one.gestures[: round(share * len(one.gestures))] for one in data}

    def detect(self, poses: PoseSequence) -> list[Detection]:
        return [
            Detection(
                span=gesture.span,
                class_id=gesture.class_id,
                group=TAXONOMY.by_id(gesture.class_id).group,
                score=0.95,
                embedding=_vector(gesture.span),
            )
            for gesture in self.gestures[poses.sequence_id]
        ]

    def judge(self, poses: PoseSequence, spans: Sequence[TimeSpan]) -> list[Judgement]:
        return [self._judgement(poses, span) for span in spans]

    def _judgement(self, poses: PoseSequence, span: TimeSpan) -> Judgement:
        known = any(g.span.temporal_iou(span) > 0.5 for g in self.gestures[poses.sequence_id])
        return Judgement(
            probability=0.95 if known else 0.05,
            class_probabilities={},
            group_probabilities={},
            embedding=_vector(span),
        )


def _vector(span: TimeSpan) -> np.ndarray:
    return np.random.default_rng(span.start_ns).normal(size=8).astype(np.float32)


def simulate(strategy: Strategy, *, settings: SimulationSettings = SETTINGS, share: float = 1.0) -> LoopCurve:
    trained = Knowing(PEOPLE, share=share)
    return simulate_loop(PEOPLE, strategy=strategy, settings=settings, train=lambda *_: trained)


@pytest.fixture(scope="module")
def windows() -> LoopCurve:
    return simulate(Strategy.WINDOWS, settings=replace(SETTINGS, minutes=60.0))


def test_the_same_settings_give_the_same_curve_and_another_seed_another() -> None:
    short = replace(SETTINGS, minutes=4.0)
    first, again = (simulate(Strategy.LEARNED, settings=short) for _ in range(2))
    assert first == again
    assert simulate(Strategy.LEARNED, settings=replace(short, seed=1)).points != first.points


def test_windows_over_everything_find_nearly_everything_with_careful_people(windows: LoopCurve) -> None:
    assert windows.strategy.startswith("random windows of ")
    assert windows.last_recall > 0.7
    assert windows.points[-1].answers >= 2 * windows.points[-1].questions


def test_a_model_that_knows_saves_half_of_the_answers_and_one_that_does_not_saves_none(windows: LoopCurve) -> None:
    settings = replace(SETTINGS, first_windows=1.0, rounds=4)
    knowing = simulate(Strategy.LEARNED, settings=settings)
    ratio = cost_ratio(knowing, windows, 0.9)
    assert ratio is not None
    assert ratio < 0.5
    ignorant = simulate(Strategy.LEARNED, settings=settings, share=0.0)
    assert ignorant.last_recall < knowing.last_recall / 1.5


def test_the_loop_asks_windows_of_the_length_that_is_told() -> None:
    lengths: set[float] = set()
    whole = SimulatedPeople.ask

    def noting(people: SimulatedPeople, questions: Sequence[Asked]) -> None:
        lengths.update(q.clip.seconds for q in questions if q.kind is QuestionKind.AUDIT)
        whole(people, questions)

    settings = replace(SETTINGS, minutes=6.0, window_seconds=4.0, loop_window_seconds=9.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedPeople, "ask", noting)
        simulate(Strategy.LEARNED, settings=settings)
        assert max(lengths) == 9.0
        lengths.clear()
        assert simulate(Strategy.WINDOWS, settings=settings).strategy == "random windows of 4 s"
        assert max(lengths) == 4.0


def test_no_campaign_spends_much_more_than_its_time() -> None:
    for strategy in Strategy:
        curve = simulate(strategy, settings=replace(SETTINGS, minutes=6.0))
        assert curve.points[-1].seconds < 6 * 60 * 1.5
        spent = [point.seconds for point in curve.points]
        assert spent == sorted(spent)


def test_what_was_asked_is_not_asked_again() -> None:
    """With time for everything a model's detections are asked once each, in whichever round."""
    asked: list[Asked] = []
    whole = SimulatedPeople.ask

    def noting(people: SimulatedPeople, questions: Sequence[Asked]) -> None:
        asked.extend(questions)
        whole(people, questions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedPeople, "ask", noting)
        simulate(Strategy.LEARNED, settings=replace(SETTINGS, minutes=60.0))
    verdicts = [(q.candidate.video_id, q.candidate.span) for q in asked if q.kind is QuestionKind.VERDICT]
    assert verdicts
    for place, (name, span) in enumerate(verdicts):
        others = (other for its, other in verdicts[:place] if its == name)
        assert all(span.temporal_iou(other) < _simulation.SAME_PLACE_IOU for other in others)


def test_a_round_teaches_what_was_verified_and_where_nothing_is_known_nothing() -> None:
    taught: list[Sequence[LabelledSequence]] = []

    def train(labelled: Sequence[LabelledSequence], unlabelled: Sequence[PoseSequence], number: int) -> Knowing:
        taught.append(labelled)
        assert len(unlabelled) == len(PEOPLE)
        assert number == len(taught)
        return Knowing(PEOPLE)

    simulate_loop(PEOPLE, strategy=Strategy.LEARNED, settings=SETTINGS, train=train)
    truths = {one.poses.sequence_id: one.gestures for one in PEOPLE}
    known = [(one.poses.sequence_id, gesture) for one in taught[-1] for gesture in one.gestures]
    right = [g for name, g in known if any(g.span.temporal_iou(t.span) >= 0.5 for t in truths[name])]
    assert len(taught) == SETTINGS.rounds - 1
    assert len(right) > 0.8 * len(known) > 0
    judged_ns = sum(span.duration_ns for one in taught[0] for span in one.judged)
    whole_ns = sum(int(one.poses.times_ns[-1]) for one in PEOPLE)
    assert 0 < judged_ns < whole_ns


def _people(**changes: object) -> SimulatedPeople:
    settings = SETTINGS
    return SimulatedPeople(
        {one.poses.sequence_id: one.gestures for one in PEOPLE},
        taxonomy=TAXONOMY,
        annotate=settings.annotate,
        adjudicate=settings.adjudicate,
        skill=str(changes.get("skill", "careful")),
        count=4,
        seed=0,
    )


def _asked(span: TimeSpan, clip: TimeSpan, class_id: str | None, kind: QuestionKind = QuestionKind.VERDICT) -> Asked:
    candidate = Candidate(
        candidate_id=CandidateId("c" + f"{span.start_ns:020d}"),
        video_id=VideoId(PEOPLE[0].poses.sequence_id),
        track_number=0,
        span=span,
        box_xyxy=(0.0, 0.0, 1.0, 1.0),
        class_id=class_id,
        evidence="moving_arm",
        proposer="motion",
        score=0.5,
        reason="",
    )
    return Asked(candidate=candidate, clip=clip, kind=kind)


def test_nobody_sets_edges_that_the_clip_does_not_show() -> None:
    gesture = max(PEOPLE[0].gestures, key=lambda one: one.span.duration_ns)
    start_ns = gesture.span.start_ns + gesture.span.duration_ns // 2
    inside = TimeSpan(start_ns=start_ns, end_ns=gesture.span.end_ns)
    people = _people()
    people.ask([_asked(inside, inside, gesture.class_id)])
    (segment,) = people.segments()
    assert segment.span.start_ns >= inside.start_ns
    assert segment.span.end_ns <= inside.end_ns


def test_what_shows_nothing_is_refused_and_teaches_that_nothing_is_there() -> None:
    gestures = made_people(4, seconds=80.0)[0].gestures
    gap = TimeSpan(start_ns=gestures[0].span.end_ns, end_ns=gestures[1].span.start_ns)
    people = _people()
    people.ask([_asked(gap, gap, "nodding")])
    assert people.segments() == []
    assert people.told()[PEOPLE[0].poses.sequence_id].judged() == (gap,)


def test_a_window_costs_its_length_and_more_for_each_mark() -> None:
    whole = TimeSpan(start_ns=0, end_ns=10 * NS_PER_SECOND)
    people = _people()
    people.ask([_asked(whole, whole, None, QuestionKind.AUDIT)])
    assert people.answer_count >= 2
    assert people.seconds > people.answer_count * 12
    assert people.seconds < people.answer_count * (12 + 7 * 6)


def test_careless_people_verify_less_for_more_answers() -> None:
    careful, careless = (
        simulate(Strategy.RULES, settings=replace(SETTINGS, skill=skill, minutes=10.0))
        for skill in ("careful", "careless")
    )
    each = [curve.points[-1].answers / curve.points[-1].questions for curve in (careful, careless)]
    assert each[0] < each[1]
    assert careful.last_recall > careless.last_recall


def test_a_crew_of_an_unknown_skill_too_few_people_and_unlabelled_data_are_refused() -> None:
    with pytest.raises(UsageError, match="careful, ordinary, careless"):
        skilled_crew("lazy", 3, np.random.default_rng(0))
    with pytest.raises(UsageError, match="too few"):
        replace(SETTINGS, annotators=1)
    with pytest.raises(UsageError, match="0 minutes"):
        replace(SETTINGS, minutes=0.0)
    with pytest.raises(UsageError, match="finite"):
        replace(SETTINGS, window_seconds=float("nan"))
    assert replace(SETTINGS, rounds=MOST_ROUNDS).seconds_until(MOST_ROUNDS - 1) == SETTINGS.minutes * 60
    with pytest.raises(UsageError, match="nothing to find"):
        simulate_loop([without_labels(PEOPLE[0])], strategy=Strategy.WINDOWS, settings=SETTINGS)
    with pytest.raises(UsageError, match="train"):
        simulate_loop(PEOPLE, strategy=Strategy.LEARNED, settings=SETTINGS)


def test_every_layout_can_be_proposed_from_or_says_what_it_lacks() -> None:
    for layout in LAYOUTS.values():
        poses = PoseSequence(
            sequence_id="a/0",
            subject_id=None,
            layout=layout.name,
            times_ns=np.arange(30, dtype=np.int64) * 40_000_000,
            positions=np.random.default_rng(0).normal(size=(30, len(layout.sources), 3)).astype(np.float32),
            scores=np.ones((30, len(layout.sources)), np.float32),
        )
        seen = keypoints_of_poses(poses)
        assert seen.keypoints_xy.shape == (30, 133, 2)
    assert lacking_points(["wholebody133"]) == ()
    assert "no face" in " ".join(lacking_points(["kinect25"]))


def test_the_unit_of_a_skeleton_does_not_change_what_is_proposed() -> None:
    poses = PEOPLE[0].poses
    metres = replace(PEOPLE[0], poses=replace(poses, positions=poses.positions / np.float32(1000)))
    curves = [
        simulate_loop([one], strategy=Strategy.RULES, settings=replace(SETTINGS, minutes=2.0))
        for one in (PEOPLE[0], metres)
    ]
    assert curves[0].points == curves[1].points

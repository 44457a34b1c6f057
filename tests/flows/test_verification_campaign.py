"""A whole verification campaign on the real review server: what people of stated skill answer gives the truth back."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from annotation.answers.opinions import NO_GESTURE, outcome_of
from annotation.answers.simulate import SimulatedAnnotator, Truth
from annotation.reporting.anchoring import anchoring_effect
from annotation.studio import service
from annotation.studio.accounts import ensure_scripted_accounts
from flows._plan import study_videos
from flows._publication import adjudicate, publish
from flows._pull import pull
from flows._push import push
from flows._review import review_client
from flows._stages import segments_part
from flows._standing import Standing, read_standing
from flows._study import Study
from schema.answer_rows import annotations_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, SEGMENTS, TASKS
from schema.privacy import make_annotator_id
from schema.questions import QuestionKind
from schema.records import Verdict, VerifiedSegment
from schema.rows import segments_from_rows
from tests.answered_study import perceive_here
from tests.verification import Crowd, crowd_study, join_crowd

pytestmark = [pytest.mark.labelstudio, pytest.mark.campaign, pytest.mark.timeout(600)]
VIDEOS = 4
MOST_ROUNDS = 10
CARELESS = "de"
"""Names of those of the crew who are careless: one answers by chance, one accepts everything."""


def annotator(
    name: str, *, sees: float, refuses: float, keeps: float, finds: float, **more: object
) -> SimulatedAnnotator:
    return SimulatedAnnotator(annotator_id=name, sees=sees, refuses=refuses, keeps=keeps, finds=finds, **more)


CREW = (
    annotator("a", sees=0.96, refuses=0.94, keeps=0.98, finds=0.92),
    annotator("b", sees=0.93, refuses=0.95, keeps=0.98, finds=0.9),
    annotator("c", sees=0.94, refuses=0.92, keeps=0.97, finds=0.94),
    annotator("d", sees=0.6, refuses=0.4, keeps=0.7, finds=0.15, follows=0.5, edge_error_ns=400_000_000),
    annotator("e", sees=1.0, refuses=0.0, keeps=1.0, finds=0.0, follows=1.0, leaves_ns=None, seconds=1.5),
)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Run the campaign to its end: five people and an expert, with hidden items, blind questions and windows."""
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        study = crowd_study(
            tmp_path_factory.mktemp("crowd"),
            videos=VIDEOS,
            known_before_trust=8,
            blind_share=0.15,
            audit_minutes=1.0,
            audit_window_seconds=10.0,
        )
    with review_client(study) as (server, _):
        *accounts, expert = ensure_scripted_accounts(server, count=6)
    crowd = join_crowd(study, accounts, CREW, expert)
    run_campaign(crowd)
    yield crowd
    service.stop(study.layout)


def run_campaign(crowd: Crowd) -> None:
    for _ in range(MOST_ROUNDS):
        push(crowd.study)
        if not crowd.work():
            return
        crowd.refused += pull(crowd.study).dropped
    raise AssertionError(f"questions were still open after {MOST_ROUNDS} rounds")


@pytest.fixture(scope="module")
def standing(crowd: Crowd) -> Standing:
    return read_standing(crowd.study)


def expected(truth: Truth) -> str:
    return outcome_of(truth.class_id) if truth.exists else NO_GESTURE


def skills_by_name(crowd: Crowd, standing: Standing) -> dict[str, float]:
    ids = {name: make_annotator_id(crowd.study.key, account.email) for name, (_, account) in crowd.people.items()}
    return {name: standing.settlement.skills[annotator_id].weight for name, annotator_id in ids.items()}


def test_the_truth_comes_back(crowd: Crowd, standing: Standing) -> None:
    settled = standing.settlement.items
    assert len(crowd.truths) >= 55
    wrong = {i: settled[i].outcome for i, truth in crowd.truths.items() if settled[i].outcome != expected(truth)}
    assert len(wrong) <= 0.1 * len(crowd.truths), wrong


def test_the_careless_are_told_from_the_others(crowd: Crowd, standing: Standing) -> None:
    weights = skills_by_name(crowd, standing)
    careful = [weight for name, weight in weights.items() if name not in CARELESS]
    assert max(weights[name] for name in CARELESS) < min(careful), weights


def test_nobody_is_asked_more_than_needed(crowd: Crowd, standing: Standing) -> None:
    kinds = {task.task_number: task.kind for task in standing.tasks}
    verdicts = Counter(number for (_, number), count in crowd.given.items() if kinds[number] is QuestionKind.VERDICT)
    config = crowd.study.config.annotate
    assert all(config.first_answers <= count <= config.most_answers for count in verdicts.values()), verdicts
    assert sum(verdicts.values()) / len(verdicts) < 3.0, "adaptive overlap asks fewer than three each"


def test_every_answer_is_recorded_once(crowd: Crowd) -> None:
    recorded = annotations_from_rows(crowd.study.store.read(ANNOTATIONS))
    assert crowd.refused == []
    assert len(recorded) == sum(crowd.given.values())
    assert max(crowd.given.values()) == 1
    assert len({(a.annotator_id, a.candidate_id) for a in recorded}) == len(recorded)
    assert pull(crowd.study).rows == 0
    assert push(crowd.study).rows == 0


def test_hidden_items_are_met_by_everybody_and_look_like_the_others(crowd: Crowd, standing: Standing) -> None:
    met: defaultdict[str, list[bool]] = defaultdict(list)
    kinds = {task.task_number: task.kind for task in standing.tasks}
    for name, number in crowd.given:
        if kinds[number] in (QuestionKind.VERDICT, QuestionKind.KNOWN):
            met[name].append(kinds[number] is QuestionKind.KNOWN)
    assert all(sum(hidden) >= 4 for name, hidden in met.items() if name != "expert"), dict(met)
    hidden = [task for task in standing.tasks if task.kind is QuestionKind.KNOWN]
    ordinary = [task for task in standing.tasks if task.kind is QuestionKind.VERDICT]
    assert {t.project_number for t in hidden} == {t.project_number for t in ordinary}
    assert {t.candidate_id[0] for t in hidden} == {t.candidate_id[0] for t in ordinary}
    assert {known.variant for known in standing.known} >= {"exact", "negative"}


def test_blind_questions_name_no_class_and_measure_anchoring(crowd: Crowd, standing: Standing) -> None:
    blind = [answer for answer in standing.annotations if answer.kind is QuestionKind.BLIND]
    assert blind
    assert not any(answer.suggestion_shown for answer in blind)
    effect = anchoring_effect(standing.annotations)
    assert effect.existence is None or effect.existence.candidate_count <= len({a.about for a in blind})
    with review_client(crowd.study) as (_, client):
        task = next(t for t in standing.tasks if t.kind is QuestionKind.BLIND)
        state = client.task_states(task.project_number)[task.task_number]
    assert state.asked_id == task.candidate_id


def test_the_audit_finds_what_no_proposer_saw(crowd: Crowd, standing: Standing) -> None:
    windows = [answer for answer in standing.annotations if answer.kind is QuestionKind.AUDIT]
    assert len({answer.candidate_id for answer in windows}) >= 5
    assert any(answer.verdict is Verdict.MARKED for answer in windows)
    drawn = [item for item in standing.settlement.items.values() if item.item_id.startswith("m")]
    assert drawn, "what people drew themselves becomes an item of its own"


def segments_of(study: Study) -> list[VerifiedSegment]:
    adjudicate(study)
    part = segments_part(study, study_videos(study))
    return segments_from_rows(study.store.read_part(SEGMENTS, part.key, part.digest))


def test_segments_have_the_true_class_and_edges(crowd: Crowd) -> None:
    segments = segments_of(crowd.study)
    pairs = []
    for video in study_videos(crowd.study):
        true = crowd.gestures_of(video.video_id)
        found = [segment for segment in segments if segment.video_id == video.video_id]
        pairs += [(truth, segment) for truth in true for segment in found if is_same(truth, segment)]
    true_count = sum(len(crowd.gestures_of(video.video_id)) for video in study_videos(crowd.study))
    precision, recall = len({id(s) for _, s in pairs}) / len(segments), len({id(t) for t, _ in pairs}) / true_count
    assert 2 * precision * recall / (precision + recall) >= 0.85, (precision, recall)
    errors_ns = [abs(segment.span.start_ns - truth.span.start_ns) for truth, segment in pairs]
    assert np.median(errors_ns) <= 250_000_000


def is_same(truth: Truth, segment: VerifiedSegment) -> bool:
    return truth.class_id == segment.class_id and truth.span.temporal_iou(segment.span) >= 0.3


def test_it_ends_in_a_release(crowd: Crowd) -> None:
    assert publish(crowd.study).done in (0, 1)
    tasks = tasks_from_rows(crowd.study.store.read(TASKS))
    votes = list((crowd.study.layout.releases).glob("*/data/votes-*.parquet"))
    assert votes
    hidden = {t.candidate_id for t in tasks if t.kind is QuestionKind.KNOWN}
    import polars

    told = set(polars.read_parquet(votes)["candidate_id"].to_list())
    assert not told & hidden, "a published hidden item measures nobody any more"

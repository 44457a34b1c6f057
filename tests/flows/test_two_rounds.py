"""The whole loop, twice, on the real review server: people answer, a model learns and proposes, and again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit

from annotation.answers.simulate import SimulatedAnnotator, Truth
from annotation.studio import service
from annotation.studio.accounts import ensure_scripted_accounts
from flows._plan import current_candidates, study_videos, to_propose
from flows._pull import pull
from flows._push import push
from flows._report_rounds import study_rounds
from flows._review import review_client
from flows._rounds import choose_model
from flows._standing import read_standing
from flows._study import Study, open_study
from flows._train import train
from flows._videos import propose_video
from media.clips import write_clip
from schema.answer_rows import tasks_from_rows
from schema.arrow import TASKS
from schema.timespan import TimeSpan
from tests.answered_study import perceive_here
from tests.factories import NECK
from tests.made_motions import TINY
from tests.studies import make_study, run_to_candidates, set_keys
from tests.synthetic_people import PaintedPerson, interview_pictures
from tests.verification import Crowd, join_crowd

pytestmark = [pytest.mark.labelstudio, pytest.mark.campaign, pytest.mark.timeout(600)]
PEOPLE, VIDEOS_EACH, SECONDS = ("p1", "p2"), 2, 30.0
TOUCHES = tuple((1.6 + 2.6 * k, 2.6 + 2.6 * k) for k in range(10))
SKILL = SimulatedAnnotator(annotator_id="x", sees=0.98, refuses=0.98, keeps=1.0, finds=0.9, edge_error_ns=50_000_000)


def painted_study(root: Path) -> Study:
    """Two people, each in two recordings, who touch their neck ten times in each."""
    for person in PEOPLE:
        for number in range(VIDEOS_EACH):
            pictures = interview_pictures(
                seconds=SECONDS, touches=TOUCHES, person=PaintedPerson(color=PEOPLE.index(person)), background=number
            )
            path = root / "recordings" / person / f"v{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(pictures, path, frame_rate=10)
    make_study(root)
    document = tomlkit.parse((root / "study.toml").read_text())
    sources = tomlkit.aot()
    for person in PEOPLE:
        sources.append(tomlkit.item({"kind": "folder", "path": f"recordings/{person}", "person": person}))
    document["sources"] = sources
    (root / "study.toml").write_text(tomlkit.dumps(document))
    (root / "private" / "players.csv").write_text("person_id,name\np1,Painted One\np2,Painted Two\n")
    size = {"width": TINY.network.width, "layers": TINY.network.layers, "levels": TINY.network.levels}
    set_keys(
        root,
        annotate={"known_share": 0.0, "blind_share": 0.0, "queue_size": 30},
        proposals={"max_per_track_minute": 40.0},
        train={
            "steps": 60,
            "batch": TINY.batch,
            "folds": 2,
            "fewest_examples": 5,
            "window_seconds": TINY.window_seconds,
            "pretrain": {"steps": 10, "batch": 8},
            "network": size,
        },
    )
    study = open_study(root)
    run_to_candidates(study)
    return study


def tell_truth(crowd: Crowd) -> None:
    """Say of every candidate of today what really happens in it."""
    spans = [TimeSpan(start_ns=round(a * 1e9), end_ns=round(b * 1e9)) for a, b in TOUCHES]
    for _, candidate in current_candidates(crowd.study, study_videos(crowd.study)):
        like = max(spans, key=lambda span: span.temporal_iou(candidate.span))
        exists = like.temporal_iou(candidate.span) >= 0.3
        crowd.truths[candidate.candidate_id] = Truth(
            exists=exists, class_id=NECK if exists else None, span=like if exists else candidate.span
        )


def answer_all(crowd: Crowd) -> int:
    """Push, answer and pull once; returns how many answers were given."""
    tell_truth(crowd)
    push(crowd.study)
    answered = crowd.work()
    pull(crowd.study)
    return answered


def propose_with(study: Study, name: str) -> str:
    identity = choose_model(study, name).model
    for video in to_propose(study, study_videos(study)):
        propose_video(study, video)
    return identity


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Go round the loop twice."""
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        study = painted_study(tmp_path_factory.mktemp("loop"))
    with review_client(study) as (server, _):
        *accounts, expert = ensure_scripted_accounts(server, count=4)
    crowd = join_crowd(study, accounts, (SKILL, SKILL, SKILL), expert)
    for name in ("seed-1", "seed-2"):
        assert answer_all(crowd) > 0
        train(study)
        propose_with(study, name)
    push(study)
    yield crowd
    service.stop(study.layout)


def test_each_round_s_model_learned_from_all_that_was_verified_by_then(crowd: Crowd) -> None:
    counts = []
    for name in ("seed-1", "seed-2"):
        document = json.loads((crowd.study.layout.models / name / "config.json").read_text())
        counts.append(document["class_counts"][NECK])
    assert 5 <= counts[0] < counts[1] <= len(TOUCHES) * len(PEOPLE) * VIDEOS_EACH


def test_candidates_of_the_second_round_carry_the_model_beside_the_contacts(crowd: Crowd) -> None:
    candidates = [candidate for _, candidate in current_candidates(crowd.study, study_videos(crowd.study))]
    proposers = {source.proposer.partition("@")[0] for one in candidates for source in one.sources}
    assert proposers >= {"contact", "seed-2"}
    assert all(one.judged is not None and 0 <= one.judged.probability <= 1 for one in candidates)


def test_what_people_answered_is_never_asked_again(crowd: Crowd) -> None:
    tasks = tasks_from_rows(crowd.study.store.read(TASKS))
    numbers = {task.candidate_id: set() for task in tasks}
    for task in tasks:
        numbers[task.candidate_id].add(task.task_number)
    assert all(len(found) == 1 for found in numbers.values())
    standing = read_standing(crowd.study)
    answered = {answer.candidate_id for answer in standing.annotations}
    spans = [(task.anchor.video_id, task.anchor.span) for task in standing.tasks if task.candidate_id in answered]
    fresh = [task for task in standing.tasks if task.candidate_id not in answered]
    again = [
        task
        for task in fresh
        if any(v == task.anchor.video_id and span.temporal_iou(task.anchor.span) >= 0.7 for v, span in spans)
    ]
    assert again == []


def test_the_report_tells_what_each_round_bought(crowd: Crowd) -> None:
    rows, _ = study_rounds(crowd.study)
    assert [row.round_number for row in rows] == [0, 1, 2]
    assert all(row.overall.answers > 0 for row in rows[:2])
    assert rows[1].model.startswith("seed-1@")
    assert rows[0].overall.precision is not None
    assert rows[0].overall.precision.value > 0.3

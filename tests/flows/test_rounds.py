"""Rounds: the model is chosen for good, candidates follow it, and the questions follow the candidates."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import _minutes, _rounds
from flows._cli import app
from flows._clips import ReviewClip
from flows._facts import plan_facts
from flows._minutes import affordable, minutes_left
from flows._outcome import Outcome, record_run
from flows._plan import current_candidates, explain, study_videos, to_propose
from flows._push import changed_questions, count_waiting, is_order_old, review_task
from flows._questions import Waiting, plan_questions
from flows._queue import _scores, _today
from flows._rounds import choose_model, chosen_model, current_round, read_rounds, rounds_of_questions
from flows._seed_models import new_name
from flows._stages import video_parts
from flows._standing import read_standing
from flows._study import Study, open_study
from flows._videos import propose_video
from schema.answer_rows import annotations_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, CANDIDATES, TASKS
from schema.errors import BadModelError, UsageError
from schema.records import Candidate, ReviewTask, Verdict
from schema.rows import candidates_from_rows
from schema.timespan import NS_PER_SECOND
from tests.answered_study import perceive_here
from tests.factories import NECK, make_annotation
from tests.seed_stand_in import StandIn, seen, write_stand_in
from tests.studies import digests, set_keys
from tests.verification import crowd_study

CLIP = ReviewClip(
    path=Path("clip.mp4"), first_frame=0, end_frame=30, asked_first_frame=5, asked_end_frame=20, frame_rate=10
)
MISSED = seen(28.0, 29.0, "biting_nails", score=0.71)
"""What no contact or movement shows, and the stand-in sees."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        folder = tmp_path_factory.mktemp("rounds")
        root = crowd_study(folder, videos=1, known_share=0.0, blind_share=0.0).layout.root
        set_keys(root, proposals={"max_per_track_minute": 60.0})
        propose(open_study(root))
        return root


@pytest.fixture
def study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A copy of a study in round 0 with two models that say what the stand-in says."""
    root = tmp_path / "study"
    shutil.copytree(made, root)
    for number, name in enumerate(("seed-1", "seed-2")):
        write_stand_in(root / "models", name, seed=number)
    _rounds._loaded.clear()
    stand_in(monkeypatch, MISSED)
    return open_study(root)


def stand_in(monkeypatch: pytest.MonkeyPatch, *detections: object, likely_s: tuple[float, float] = (0, 15)) -> None:
    """Let every model that is loaded see this."""
    _rounds._loaded.clear()
    monkeypatch.setattr(
        _rounds, "_read", lambda folder, identity: StandIn(identity=identity, detections=detections, likely_s=likely_s)
    )


def propose(study: Study) -> list[Candidate]:
    for video in to_propose(study, study_videos(study)):
        propose_video(study, video)
    return [candidate for _, candidate in current_candidates(study, study_videos(study), features=True)]


def ask(study: Study, waiting: list[Waiting] | None = None, *, first: int = 1) -> list[ReviewTask]:
    """Record what is asked next as put on a server that does not exist."""
    stream = plan_questions(study, read_standing(study)).stream if waiting is None else waiting
    tasks = [
        review_task(study, one, clip=CLIP, server_id="server", place=(1, number))
        for number, one in enumerate(stream, start=first)
    ]
    study.store.append(TASKS, tasks_to_rows(tasks))
    record_run(study, Outcome(stage="push", done=1), key="study", started_ns=current_round(study).begun_ns + 1)
    return tasks


def answer(study: Study, tasks: list[ReviewTask], *, seconds: float = 4.0, people: int = 1, **changes: object) -> None:
    rows = [
        make_annotation(
            1000 * task.task_number + person,
            candidate_id=task.candidate_id,
            anchor=task.anchor,
            proposer=task.proposer,
            annotator_id=f"r{person:020d}",
            lead_time_ns=round(seconds * NS_PER_SECOND),
            answer_number=1000 * task.task_number + person,
            **{"class_id": task.class_id, "proposed_class_id": task.class_id} | changes,
        )
        for task in tasks
        for person in range(people)
    ]
    study.store.append(ANNOTATIONS, annotations_to_rows(rows))


def test_a_model_that_is_chosen_proposes_beside_contacts_and_movements_with_its_own_score(study: Study) -> None:
    before = propose(study)
    begun = choose_model(study, "seed-1")
    after = propose(study)
    (new,) = [c for c in after if c.proposer == begun.model]
    assert (new.class_id, new.score, new.span) == ("biting_nails", 0.71, MISSED.span)
    assert {c.candidate_id for c in before} <= {c.candidate_id for c in after}, "what was proposed keeps its id"
    assert all(c.judged is not None and c.judged.embedding for c in after)
    assert all(c.judged is None for c in before)


def test_without_a_model_no_part_is_made_anew_and_with_none_again_the_same_bytes_come(study: Study) -> None:
    before = digests(study.layout.root)
    assert to_propose(study, study_videos(study)) == []
    choose_model(study, "seed-1")
    propose(study)
    assert digests(study.layout.root) != before
    choose_model(study, "none")
    propose(study)
    assert digests(study.layout.root) == before


def test_the_choice_is_for_good_and_told_by_plan_status_and_explain(study: Study) -> None:
    identity = choose_model(study, "seed-1").model
    again = open_study(study.layout.root)
    assert current_round(again).model == identity
    assert choose_model(again, "seed-1").round_number == 1, "the same model again begins no round"
    assert choose_model(again, identity).round_number == 1
    (video,) = study_videos(again)
    why = next(row.why for row in explain(again, video.video_id) if row.table == "candidates")
    assert why == f"inputs.model was None, is {identity!r}"
    assert (plan_facts(again)["round"], plan_facts(again)["model"]) == (1, identity)
    assert choose_model(again, "seed-2").round_number == 2
    assert [one.model.partition("@")[0] for one in read_rounds(again)] == ["", "seed-1", "seed-2"]


def test_a_model_from_elsewhere_is_copied_and_never_takes_anothers_place(study: Study, tmp_path: Path) -> None:
    elsewhere = write_stand_in(tmp_path / "elsewhere", "seed-9")
    choose_model(study, str(elsewhere))
    shutil.rmtree(elsewhere)
    assert propose(study)
    other = write_stand_in(tmp_path / "other", "seed-9", seed=5)
    with pytest.raises(UsageError, match=r"seed-9 of the study is seed-9@.*a name stands for one model"):
        choose_model(study, str(other))
    assert sorted(p.name for p in study.layout.models.iterdir()) == ["seed-1", "seed-2", "seed-9"]


def test_a_model_that_does_not_fit_the_study_begins_no_round(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no model 'seed-7'.*seed-1, seed-2"):
        choose_model(study, "seed-7")
    spatial = write_stand_in(tmp_path, "spatial", dimensions=3)
    with pytest.raises(UsageError, match=r"wholebody133 in space.*train one on the study"):
        choose_model(study, str(spatial))
    assert len(read_rounds(study)) == 1


def test_no_model_is_called_what_stands_for_none(study: Study) -> None:
    with pytest.raises(UsageError, match=r"--name none: .*without a model.*name another"):
        new_name(study, "none")
    assert new_name(study, "none-1") == "none-1"


@pytest.mark.parametrize("harm", ["gone", "altered", "exchanged"])
def test_a_chosen_model_that_is_gone_or_another_is_named_with_what_to_do(study: Study, harm: str) -> None:
    identity = choose_model(study, "seed-1").model
    folder = study.layout.models / "seed-1"
    _rounds._loaded.clear()
    if harm == "altered":
        (folder / "SHA256SUMS").write_text("")
    else:
        shutil.rmtree(folder)
    if harm == "exchanged":
        write_stand_in(study.layout.models, "seed-1", seed=7)
    with pytest.raises(BadModelError, match=f"{identity}.*--model NAME.*--model none"):
        chosen_model(study)
    choose_model(study, "none")
    assert propose(study), "the way out that the message names"


@pytest.fixture
def patient_prefect() -> Iterator[None]:
    """Prefect waits for the server that it starts as long as the command tells it before its first import."""
    from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

    with temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 180}):
        yield


@pytest.mark.timeout(300)  # it starts Prefect's engine
@pytest.mark.usefixtures("patient_prefect")
def test_the_command_chooses_and_proposes(study: Study) -> None:
    result = CliRunner().invoke(app, ["propose", str(study.layout.root), "--model", "seed-1"])
    assert result.exit_code == 0, result.output
    assert "round 1: seed-1@" in result.output
    assert "propose: 1 done" in result.output
    told = CliRunner().invoke(app, ["status", str(study.layout.root), "--json"])
    assert json.loads(told.stdout)["model"].startswith("seed-1@")


def test_open_questions_are_worded_anew_by_the_next_model_and_answered_ones_stay(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_model(study, "seed-1")
    propose(study)
    tasks = ask(study)
    (open_task,) = [task for task in tasks if task.proposer.startswith("seed-1@")]
    contact = next(task for task in tasks if task.proposer == "contact")
    answer(study, [contact])
    stand_in(monkeypatch, seen(28.1, 29.0, "touching_jaw", score=0.93), seen(1.6, 2.6, "touching_jaw", score=0.99))
    begun = choose_model(study, "seed-2")
    after = {c.candidate_id: c for c in propose(study)}
    same = after[open_task.candidate_id]
    assert (same.proposer, same.class_id, same.score) == (begun.model, "touching_jaw", 0.93)
    changed = {task.candidate_id for task, _ in changed_questions(study, read_standing(study))}
    assert open_task.candidate_id in changed
    assert contact.candidate_id not in changed
    record = [waiting for task, waiting in changed_questions(study, read_standing(study))]
    ask(study, record)
    newest = {task.candidate_id: task for task in read_standing(study).tasks}
    assert newest[open_task.candidate_id].proposer == begun.model
    assert newest[contact.candidate_id].proposer == "contact"
    rounds = rounds_of_questions(study)
    assert (rounds[open_task.candidate_id], rounds[contact.candidate_id]) == (2, 1)
    assert changed_questions(study, read_standing(study)) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (("biting_nails", Verdict.RELABEL, "touching_jaw"), True),
        ((None, Verdict.RELABEL, "touching_jaw"), True),
        ((None, Verdict.REJECT, None), True),
        ((None, Verdict.ACCEPT, None), False),
        (("biting_nails", Verdict.REJECT, None), False),
        (("touching_jaw", Verdict.REJECT, None), True),
        (("biting_nails", Verdict.RELABEL, NECK), False),
    ],
)
def test_what_people_have_named_or_refused_is_not_asked_again_as_the_next_models_class(
    study: Study, monkeypatch: pytest.MonkeyPatch, given: tuple[str | None, Verdict, str | None], kept: bool
) -> None:
    shown, verdict, named = given
    choose_model(study, "seed-1")
    propose(study)
    (task,) = [task for task in ask(study) if task.proposer.startswith("seed-1@")]
    answer(study, [task], verdict=verdict, class_id=named, proposed_class_id=shown, people=2)
    stand_in(monkeypatch, seen(28.1, 29.0, "touching_jaw", score=0.93))
    model = choose_model(study, "seed-2").model
    (found,) = [candidate for candidate in propose(study) if candidate.proposer == model]
    assert (found.candidate_id == task.candidate_id) is kept
    assert found.class_id == "touching_jaw"
    assert changed_questions(study, read_standing(study)) == []


def test_a_new_round_puts_the_open_questions_in_another_order_once(study: Study) -> None:
    ask(study)
    assert not is_order_old(study, read_standing(study))
    assert count_waiting(study) == 0
    choose_model(study, "seed-1")
    propose(study)
    standing = read_standing(study)
    assert is_order_old(study, standing)
    record_run(study, Outcome(stage="push", done=1), key="study", started_ns=current_round(study).begun_ns + 1)
    assert not is_order_old(study, standing)


def test_what_the_model_is_unsure_of_comes_first_and_what_nobody_proposes_any_more_last(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, likely_s=(0, 6))
    tasks = [task for task in ask(study) if task.class_id == NECK]
    choose_model(study, "seed-1")
    propose(study)
    standing, today = read_standing(study), _today(study)
    doubts = {task.task_number: today[task.candidate_id].judged.uncertainty for task in tasks}
    assert len(set(doubts.values())) == 2
    scores = _scores(tasks, standing.settlement, today=today, finding=0.0)
    first = max(scores, key=scores.__getitem__)
    assert doubts[first] == max(doubts.values()), "what teaches most"
    other = _scores(tasks, standing.settlement, today=today, finding=1.0)
    likeliest = next(task for task in tasks if task.task_number == max(other, key=other.__getitem__))
    assert today[likeliest.candidate_id].judged.probability == 0.9, "what finds most"
    without = {name: candidate for name, candidate in today.items() if name != _asked(tasks, first)}
    scores = _scores(tasks, standing.settlement, today=without, finding=0.0)
    assert min(scores, key=scores.__getitem__) == first


def _asked(tasks: list[ReviewTask], number: int) -> str:
    return next(task.candidate_id for task in tasks if task.task_number == number)


def test_a_round_asks_no_more_than_its_minutes(study: Study) -> None:
    set_keys(study.layout.root, annotate={"round_minutes": 2.0})
    study = open_study(study.layout.root)
    assert affordable(study, read_standing(study), windows=0) == 7, "8 s an answer, two answers each, 120 s"
    tasks = ask(study)
    assert len(tasks) == 7
    assert plan_questions(study, read_standing(study)).stream == []
    answer(study, tasks, seconds=2.0, people=2, answered_ns=5)
    standing = read_standing(study)
    assert minutes_left(study, standing, windows=0) == pytest.approx(2.0 - 7 * 2 * 2.0 / 60)
    assert affordable(study, standing, windows=0) == 23, "people were faster than assumed: 92 s at 4 s a candidate"
    assert plan_facts(study)["round_minutes_left"] == 1.5


def test_a_new_round_has_its_minutes_anew_but_pays_for_what_is_still_open(study: Study) -> None:
    set_keys(study.layout.root, annotate={"round_minutes": 2.0})
    study = open_study(study.layout.root)
    tasks = ask(study)
    answer(study, tasks[:5], seconds=8.0, people=2, answered_ns=5)
    choose_model(study, "seed-1")
    standing = read_standing(study)
    open_count = sum(plan.is_open for plan in standing.overlaps.values())
    assert open_count == 2
    assert minutes_left(study, standing, windows=0) == pytest.approx(2.0 - open_count * 2 * 8.0 / 60)


def test_the_plan_shows_the_price_that_limits_the_round(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_minutes, "FEWEST_SETTLED", 5)
    tasks = ask(study, plan_questions(study, read_standing(study)).stream[:5])
    answer(study, tasks, seconds=6.0, people=4)
    facts = plan_facts(study)
    assert facts["candidates_to_push"] > 0
    assert facts["annotator_minutes"] == round(facts["candidates_to_push"] * 4 * 6.0 / 60, 1), "four answers each"


def test_candidates_of_an_older_version_are_read_without_judgement(study: Study) -> None:
    (video,) = study_videos(study)
    part = video_parts(study, video)[CANDIDATES.name]
    rows = study.store.read_part(CANDIDATES, part.key, part.digest)
    old = rows.drop_columns(["sources", "probability", "uncertainty", "embedding"])
    assert [c.candidate_id for c in candidates_from_rows(old)] == rows["candidate_id"].to_pylist()
    assert {c.judged for c in candidates_from_rows(old)} == {None}
    assert NECK in rows["class_id"].to_pylist()

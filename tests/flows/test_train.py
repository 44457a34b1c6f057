"""``pressroom train``: refused early, done once, resumed after a kill, and undone when somebody asks to be left out."""

import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import _train, _training_run
from flows._cli import app
from flows._doctor import examine
from flows._facts import status_facts
from flows._init import init_study
from flows._leases import lease
from flows._seed_models import find_model, new_name, seed_models
from flows._study import Study, open_study
from flows._train import plan_training, train
from flows._training_diary import Diary
from flows._withdraw import finish_begun, withdraw_on_request
from flows._withdrawals import begin
from models.folder import read_facts, read_model
from models.metrics import ModelMetrics
from models.training.progress import TrainProgress
from schema.arrow import IMPORTED_SEGMENTS, IMPORTED_VIDEOS
from schema.errors import LeaseHeldError, MissingPartError, RunError, UsageError
from schema.rows import table_of
from schema.tables import STUDY_KEY
from tests.imported_study import import_miga, tiny_training
from tests.miga_files import miga_recordings
from tests.studies import set_keys

WHY = "asked to be left out"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that holds a data set of three people; copied by the tests, never changed."""
    folder = tmp_path_factory.mktemp("untrained")
    init_study(folder / "study", name="training")
    tiny_training(folder / "study")
    recordings = miga_recordings(subjects=3, recordings=3, segments=36, frames=1350)
    import_miga(open_study(folder / "study"), folder, recordings)
    return folder / "study"


@pytest.fixture(scope="module")
def trained(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its first model."""
    root = Path(shutil.copytree(untrained, tmp_path_factory.mktemp("trained") / "study"))
    train(open_study(root))
    return root


@pytest.fixture
def fresh(untrained: Path, tmp_path: Path) -> Study:
    return open_study(Path(shutil.copytree(untrained, tmp_path / "study")))


@pytest.fixture
def study(trained: Path, tmp_path: Path) -> Study:
    return open_study(Path(shutil.copytree(trained, tmp_path / "study")))


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, whose intervals take longer than these networks."""
    monkeypatch.setattr(_training_run, "make_metrics", lambda *_, **__: ModelMetrics())


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["train", *map(str, arguments)])
    return done.exit_code, done.output


def refused(study: Study, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        plan_training(study, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def models_of(study: Study) -> list[str]:
    return [folder.name for folder in seed_models(study)]


def another_label(study: Study) -> None:
    """Import the data set once more, with one label more."""
    rows = study.store.read(IMPORTED_SEGMENTS).to_pylist()
    added = rows[0] | {"segment_id": "g" + "0" * 20, "start_ns": 1_000_000, "end_ns": 401_000_000}
    study.store.append(IMPORTED_SEGMENTS, table_of(IMPORTED_SEGMENTS, [added]))


def test_a_model_holds_what_it_is_and_learned_from(study: Study) -> None:
    (folder,) = seed_models(study)
    stored = read_model(folder)
    facts = stored.facts
    videos = study.store.read(IMPORTED_VIDEOS).to_pylist()
    assert (facts.name, facts.taxonomy, facts.config) == ("seed-1", study.taxonomy, study.config.train)
    assert facts.data.video_ids == tuple(sorted(row["video_id"] for row in videos))
    assert set(facts.data.subject_gestures) == {row["subject_id"] for row in videos}
    assert sum(facts.class_counts.values()) == sum(facts.data.subject_gestures.values()) == 36
    assert facts.data.labelled_minutes == facts.data.judged_minutes == pytest.approx(1350 / 25 / 60)
    assert [(one.name, one.gestures, one.subjects) for one in facts.data.origins] == [("miga", 36, 3)]
    metrics = facts.metrics
    assert {subject for fold in metrics.folds for subject in fold} == set(facts.data.subject_gestures)
    assert metrics.gestures == sum(score.examples for score in metrics.classes) == 36
    assert metrics.detection is not None
    assert metrics.classification is not None
    assert metrics.classification.segments == 36
    assert {curve.name for curve in metrics.losses} >= {"fold 1 of 2", "fold 2 of 2", "training"}
    assert "seed-1" in (folder / "card.html").read_text()
    assert not (study.layout.work / "train").exists()


def test_a_second_call_does_nothing_and_says_so(study: Study) -> None:
    before = digests(study.layout.models)
    status, output = run(study.layout.root)
    assert (status, "models/seed-1 was trained on just this" in output) == (0, True)
    assert digests(study.layout.models) == before


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_new_label_or_setting_asks_for_another_model_and_the_machine_for_none(study: Study) -> None:
    assert plan_training(study).made is not None
    tiny_training(study.layout.root, threads=2, device="cpu", checkpoint_seconds=9.0)
    assert plan_training(open_study(study.layout.root)).made is not None
    tiny_training(study.layout.root, balance=0.9)
    changed = plan_training(open_study(study.layout.root))
    assert (changed.made, changed.name) == (None, "seed-2")
    tiny_training(study.layout.root)
    another_label(study)
    assert plan_training(open_study(study.layout.root)).made is None


@pytest.mark.usefixtures("unmeasured")
def test_a_model_goes_on_from_another(study: Study) -> None:
    first = read_facts(find_model(study, "seed-1"))
    train(study, init="seed-1")
    second = read_facts(find_model(study, "seed-2"))
    assert second.data.init.startswith("seed-1@")
    assert second.points == first.points
    assert train(study, init="seed-1").notes == ["models/seed-2 was trained on just this"]
    assert train(study).notes == ["models/seed-1 was trained on just this"]


def test_a_name_is_given_once(study: Study) -> None:
    assert new_name(study) == "seed-2"
    assert plan_training(study, name="mine").name == "mine"
    another_label(study)
    assert "the study has a model seed-1 already, and a model is never replaced" in refused(study, name="seed-1")
    assert "small letters and digits" in refused(study, name="Seed 1")


def test_an_unknown_model_to_begin_with_is_refused(study: Study) -> None:
    assert "no model 'seed-9'" in refused(study, init="seed-9")
    assert "there are seed-1" in refused(study, init="seed-9")
    wrong = find_model(study, "seed-1").name + "@" + "0" * 12
    assert "not seed-1@000000000000" in refused(study, init=wrong)


def test_too_little_to_learn_from_is_refused_with_what_to_do(fresh: Study) -> None:
    rows = fresh.store.read(IMPORTED_VIDEOS).to_pylist()
    begin(fresh, [row["video_id"] for row in rows[1:]], cause="requested", reason=WHY)
    told = refused(fresh)
    assert "12 verified segments of 1 known person; at least 3 of 2 people are needed to train" in told
    assert "pressroom import" in told
    status, output = run(fresh.layout.root)
    assert (status, models_of(fresh)) == (2, [])
    assert "12 verified segments" in output


def test_people_whom_nobody_declared_are_told_apart_from_too_few(tmp_path: Path) -> None:
    init_study(tmp_path / "study", name="training")
    study = open_study(tmp_path / "study")
    assert "0 verified segments of 0 known people" in refused(study)
    import_miga(study, tmp_path, miga_recordings(subjects=2, recordings=2, segments=8, frames=400))
    assert "8 verified segments of 2 known people; at least 10 of 2 people" in refused(study)


def test_training_without_torch_says_what_brings_it(fresh: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_train, "find_spec", lambda package: None if package == "torch" else object())
    with pytest.raises(MissingPartError, match=r"needs the package torch.*`uv sync --extra train`"):
        plan_training(fresh)
    told = {finding.what: finding for finding in examine(None)}["training of seed models"]
    assert (told.good, "torch" in told.detail, told.remedy) == (True, True, "uv sync --extra train")


class KilledError(Exception):
    """Stands for a kill."""


def killed_after(monkeypatch: pytest.MonkeyPatch, stage: str, step: int) -> None:
    real: Callable[[Diary, TrainProgress], None] = Diary.report

    def report(diary: Diary, progress: TrainProgress) -> None:
        real(diary, progress)
        if (progress.stage, progress.step) == (stage, step):
            raise KilledError

    monkeypatch.setattr(Diary, "report", report)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(("stage", "step"), [("fold 2 of 2", 3), ("training", 2)])
def test_a_killed_training_goes_on_to_the_same_weights(
    fresh: Study, trained: Path, monkeypatch: pytest.MonkeyPatch, stage: str, step: int
) -> None:
    with monkeypatch.context() as patch:
        killed_after(patch, stage, step)
        with pytest.raises(KilledError):
            train(fresh)
    assert models_of(fresh) == []
    assert list((fresh.layout.work / "train").rglob("*.safetensors"))
    done: list[TrainProgress] = []
    real = Diary.report
    monkeypatch.setattr(Diary, "report", lambda diary, progress: done.append(progress) or real(diary, progress))
    train(open_study(fresh.layout.root))
    assert (stage, 1) not in {(progress.stage, progress.step) for progress in done}, "it went on from the checkpoint"
    for name in ("weights.safetensors", "config.json"):
        assert (fresh.layout.models / "seed-1" / name).read_bytes() == (trained / "models/seed-1" / name).read_bytes()
    losses = {curve.name: curve.across for curve in read_facts(fresh.layout.models / "seed-1").metrics.losses}
    assert losses["training"] == (1.0, 2.0, 3.0, 4.0), "the curve goes on, too"


@pytest.mark.usefixtures("unmeasured")
def test_two_at_once_make_one_model(fresh: Study) -> None:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: train(open_study(fresh.layout.root)), range(2)))
    assert sorted(outcome.done for outcome in outcomes) == [0, 1]
    assert models_of(fresh) == ["seed-1"]


@pytest.mark.usefixtures("unmeasured")
def test_a_withdrawal_takes_the_models_that_learned_from_it(study: Study) -> None:
    videos = [row["video_id"] for row in study.store.read(IMPORTED_VIDEOS).to_pylist()]
    train(study, init="seed-1", name="later")
    other = shutil.copytree(study.layout.models / "seed-1", study.layout.models / "elsewhere")
    told = json.loads((other / "data.json").read_text())
    kept = json.dumps(told).replace(videos[0], "v" + "0" * 20)
    (other / "data.json").write_text(kept)
    checkpoints = study.layout.work / "train" / "0123456789ab"
    checkpoints.mkdir(parents=True)
    (checkpoints / "training.safetensors").write_bytes(b"weights")
    done = withdraw_on_request(study, video=videos[0], subject=None, reason=WHY)
    assert done.erased.models == ["later", "seed-1"]
    assert [folder.name for folder in sorted(study.layout.models.iterdir())] == ["elsewhere"]
    assert not (study.layout.work / "train").exists()


def test_the_command_tells_which_models_went(study: Study) -> None:
    (first, *_) = study.store.read(IMPORTED_VIDEOS)["video_id"].to_pylist()
    arguments = ["withdraw", str(study.layout.root), "--video", first, "--reason", WHY]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "model seed-1 is gone, for it learned from them: `pressroom train` makes one without them" in done.output


def test_nobody_waits_for_a_training_to_withdraw(study: Study) -> None:
    (first, *_) = study.store.read(IMPORTED_VIDEOS)["video_id"].to_pylist()
    with lease(study.layout, "train", STUDY_KEY) as held:
        assert held
        with pytest.raises(LeaseHeldError, match="another runner has study in hand"):
            withdraw_on_request(study, video=first, subject=None, reason=WHY)
    assert finish_begun(open_study(study.layout.root)).erased.models == ["seed-1"]


def test_what_was_withdrawn_while_it_trained_is_in_no_model(fresh: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = fresh.store.read(IMPORTED_VIDEOS)["video_id"].to_pylist()

    def meanwhile(*_: Any, **__: Any) -> ModelMetrics:
        begin(open_study(fresh.layout.root), [first], cause="requested", reason=WHY)
        return ModelMetrics()

    monkeypatch.setattr(_training_run, "make_metrics", meanwhile)
    with pytest.raises(RunError, match="withdrawn meanwhile"):
        train(fresh)
    assert models_of(fresh) == []


def test_the_status_tells_the_models(study: Study) -> None:
    told = status_facts(study)["models"]
    assert list(told) == ["seed-1"]
    assert "36 segments of 3 people" in told["seed-1"]
    (study.layout.models / "seed-1" / "data.json").write_text("{}")
    assert "damaged" in status_facts(study)["models"]["seed-1"]


def test_settings_are_checked_by_their_path(fresh: Study) -> None:
    set_keys(fresh.layout.root, **{"train": {"stepps": 3}})
    status, output = run(fresh.layout.root)
    assert (status, "unknown key train.stepps; nearest is train.steps" in output) == (2, True)


def test_a_line_of_progress_tells_the_loss(fresh: Study, capsys: pytest.CaptureFixture[str]) -> None:
    from flows._progress import showing

    with showing():
        Diary(fresh.layout.root).report(TrainProgress(stage="fold 2 of 3", step=1, steps=40, loss=0.5321))
    assert capsys.readouterr().err == "train: fold 2 of 3: 1 of 40 steps, loss 0.532\n"

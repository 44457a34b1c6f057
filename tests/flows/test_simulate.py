"""``pressroom simulate``: which data it takes for the truth, what it writes, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows import _publication, _simulate
from flows._cli import app
from flows._init import init_study
from flows._leases import lease_holders
from flows._simulate import truth_of
from flows._study import Study, open_study
from schema.errors import UsageError
from tests.imported_study import import_miga, tiny_training
from tests.miga_files import miga_recordings


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imported")
    init_study(folder / "study", name="rehearsal")
    tiny_training(folder / "study")
    recordings = miga_recordings(subjects=3, recordings=3, segments=45, frames=3600)
    import_miga(open_study(folder / "study"), folder, recordings)
    return folder / "study"


@pytest.fixture
def study(imported: Path, tmp_path: Path) -> Study:
    return open_study(Path(shutil.copytree(imported, tmp_path / "study")))


def run(study: Study, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["simulate", str(study.layout.root), *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_an_imported_data_set_serves_as_the_truth_from_end_to_end(study: Study) -> None:
    truth = truth_of(study, on=None)
    assert len(truth.sequences) == 3
    assert sum(len(one.gestures) for one in truth.sequences) == 45
    assert truth.notes == ()
    assert truth.minutes == pytest.approx(3600 / 25 / 60, rel=0.01)


@pytest.mark.timeout(240)  # loads torch
def test_the_whole_rehearsal_trains_in_each_round_and_answers_what_a_recall_costs(study: Study) -> None:
    before = {path.name for path in study.layout.root.iterdir()}
    code, told, _ = run(study, "--minutes", "8", "--rounds", "2", "--skill", "careful", "--json")
    assert code == 0
    document = json.loads(told)
    names = [curve["strategy"] for curve in document["curves"]]
    assert names[1:] == ["random windows of 15 s", "motion and contact", "learned loop"]
    assert document["curves"][-1]["points"][-1]["round_number"] == 1
    assert {row["recall"] for row in document["needed"]} == {0.25, 0.5, 0.75, 0.9}
    page = (study.layout.reports / "simulation.html").read_text()
    assert "Minutes of everybody" in page
    assert "data:image/png;base64," in page
    assert 'src="http' not in page
    assert {path.name for path in study.layout.root.iterdir()} <= before | {"reports", "RECORDED", "segments", "work"}


def test_without_training_it_is_quick_and_the_same_call_tells_the_same(study: Study) -> None:
    calls = [run(study, "--minutes", "2", "--no-learned", "--json")[1] for _ in range(2)]
    assert calls[0] == calls[1]
    assert len(json.loads(calls[0])["curves"]) == 3
    _, table, _ = run(study, "--minutes", "2", "--no-learned")
    assert "| motion and contact |" in table


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--skill", "lazy"), "careful, ordinary, careless"),
        (("--minutes", "0"), "more than 0 minutes"),
        (("--minutes", "inf"), "more than 0 minutes (1,000,000,000 at most)"),
        (("--minutes", "1e308"), "got 4 and 1e+308"),
        (("--minutes", "nan"), "got 4 and nan"),
        (("--rounds", "3000"), "1 to 50 rounds"),
        (("--annotators", "1"), "too few"),
        (("--on", "nowhere"), "no such folder"),
    ],
)
def test_bad_calls_are_told_in_one_line(study: Study, arguments: tuple[str, ...], told: str) -> None:
    code, _, error = run(study, "--no-learned", *arguments)
    assert code == 2
    assert told in error
    assert len(error.strip().splitlines()) == 1


def test_the_truth_is_added_up_while_nobody_else_adds_up(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []

    def adjudicate(one: Study) -> None:
        held.extend(lease_holders(one.layout))
        _publication.adjudicate(one)

    monkeypatch.setattr(_simulate, "adjudicate", adjudicate)
    truth_of(study, on=None)
    assert held == ["publish.study"]
    assert lease_holders(study.layout) == []


def test_a_study_without_labels_says_where_to_get_some(tmp_path: Path) -> None:
    init_study(tmp_path / "study", name="empty")
    with pytest.raises(UsageError, match="pressroom import"):
        truth_of(open_study(tmp_path / "study"), on=None)


def test_a_rehearsal_that_is_interrupted_leaves_the_old_page(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    page = study.layout.reports / "simulation.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("the old one")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_simulate, "simulate_loop", interrupted)
    assert run(study, "--no-learned")[0] != 0
    assert page.read_text() == "the old one"
    assert [path.name for path in page.parent.iterdir()] == ["simulation.html"]

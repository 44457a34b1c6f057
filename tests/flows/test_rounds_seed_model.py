"""A seed model of real networks, untrained, from its folder to candidates."""

import sys
from pathlib import Path

import pytest

from flows import _rounds
from flows._rounds import choose_model, load_model
from models.inputs.outputs import Outputs
from models.inputs.skeletons import make_skeleton
from proposals.config import ProposalsConfig
from proposals.propose import propose_candidates
from schema.errors import BadModelError, MissingPartError
from schema.records import Candidate
from tests.puppets import NECK_SIDE, Puppet, in_stretches, make_puppet, visiting
from tests.seed_stand_in import IMIGUE
from tests.studies import make_study

POINTS = (0, 5, 6, 7, 8, 9, 10, *range(91, 133))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model whose weights are as torch drew them."""
    import torch

    from models.networks.network import SeedNetwork, Shape
    from models.seed_model import SeedModel
    from models.training.calibration import Calibration
    from models.training.preparing import Vocabulary
    from tests.made_motions import TINY

    classes = tuple(gesture.class_id for gesture in IMIGUE)
    outputs = Outputs(class_count=len(classes), group_count=len(IMIGUE.groups))
    torch.manual_seed(3)
    network = SeedNetwork(
        Shape(
            skeleton=make_skeleton("wholebody133", POINTS),
            dimensions=2,
            rate_hz=TINY.input.rate_hz,
            outputs=outputs,
            network=TINY.network,
        )
    )
    model = SeedModel(
        name="seed-1",
        taxonomy=IMIGUE,
        config=TINY,
        vocabulary=Vocabulary(
            classes=classes,
            groups=IMIGUE.groups,
            fallen_back=(),
            counts=dict.fromkeys(classes, 20),
            group_of={gesture.class_id: gesture.group for gesture in IMIGUE},
        ),
        network=network.eval(),
        found=Calibration.none(outputs.count),
        judged=Calibration.none(outputs.count),
    )
    model.save(tmp_path / "seed-1", model.facts())
    _rounds._loaded.clear()
    return tmp_path / "seed-1"


def proposed(folder: Path) -> list[Candidate]:
    from models.folder import digest_of_folder

    model = load_model(folder, f"seed-1@{digest_of_folder(folder)}")
    person = make_puppet(Puppet(seconds=20, right_tips=visiting(NECK_SIDE, 2.0, 3.5)))
    found = propose_candidates(
        [in_stretches(person)], sha256="ab" * 32, taxonomy=IMIGUE, config=ProposalsConfig(), model=model
    )
    return [item for item in found if isinstance(item, Candidate)]


def test_candidates_of_a_real_network_are_questions_of_the_study(folder: Path) -> None:
    found = proposed(folder)
    proposers = {candidate.proposer.partition("@")[0] for candidate in found}
    assert proposers == {"contact", "seed-1"}
    assert all(candidate.judged and len(candidate.judged.embedding) == 32 for candidate in found)
    assert all(0 <= source.score <= 1 for candidate in found for source in candidate.sources)
    assert proposed(folder) == found
    _rounds._loaded.clear()
    assert proposed(folder) == found, "read anew"


def test_a_model_is_read_once_in_a_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proposed(folder)
    monkeypatch.setattr(_rounds, "_read", lambda *_: pytest.fail("read again"))
    proposed(folder)


def test_a_damaged_model_from_elsewhere_is_not_copied_and_a_mended_one_is(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "study" / "recordings").mkdir(parents=True)
    study = make_study(tmp_path / "study")
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BadModelError, match=r"seed-1: weights.safetensors is not as it was written"):
        choose_model(study, str(folder))
    assert not (study.layout.models / "seed-1").exists()
    weights.write_bytes(whole)
    assert choose_model(study, str(folder)).round_number == 1
    assert (study.layout.models / "seed-1" / "weights.safetensors").read_bytes() == whole


def test_without_torch_the_message_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "models.seed_model", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingPartError, match=r"seed-1 needs the package torch.*--extra train.*--model none"):
        proposed(folder)

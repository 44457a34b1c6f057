"""Where a training stands: saved at once, exact to the bit, and never taken for another training's."""

import errno
from pathlib import Path

import pytest
import torch
from torch import nn

from models.training.checkpoint import Checkpoint, TrainState, capture, restore
from schema.errors import BadModelError, StoreFullError
from tests.kills import killed_at

torch.set_num_threads(1)
pytestmark = pytest.mark.timeout(240)
"""The first optimiser of a process imports torch's compiler: 10 s without compiled files, more on busy cores."""


def state(step: int = 3, value: float = 1.5) -> TrainState:
    return TrainState(step=step, tensors={"a": torch.full((4,), value)}, facts={"rate": 0.1 + 0.2, "name": "é"})


def test_what_is_saved_comes_back_exactly(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "folder" / "one.safetensors", "key")
    assert checkpoint.load() is None
    checkpoint.save(state())
    back = checkpoint.load()
    assert back is not None
    assert back.step == 3
    assert back.facts == {"rate": 0.1 + 0.2, "name": "é"}
    assert torch.equal(back.tensors["a"], torch.full((4,), 1.5))
    checkpoint.remove()
    assert checkpoint.load() is None
    checkpoint.remove()


def test_another_training_s_checkpoint_counts_as_none_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    Checkpoint(path, "one").save(state())
    assert Checkpoint(path, "other").load() is None
    assert Checkpoint(path, "one").load() is not None
    Checkpoint(path, "other").save(state(step=9))
    assert Checkpoint(path, "one").load() is None


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"\x80\x04\x95"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "one.safetensors"
    path.write_bytes(damage)
    with pytest.raises(BadModelError, match=r"one\.safetensors: this checkpoint can't be read .*delete it"):
        Checkpoint(path, "key").load()
    Checkpoint(path, "key").save(state())
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BadModelError):
        Checkpoint(path, "key").load()


def test_a_kill_while_saving_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    Checkpoint(path, "key").save(state(step=1, value=1.0))
    found = []
    for moment in range(1, 10):
        killed = killed_at(moment, lambda: lambda: Checkpoint(path, "key").save(state(step=2, value=2.0)))
        back = Checkpoint(path, "key").load()
        assert back is not None
        assert back.tensors["a"].unique().tolist() == [float(back.step)]
        found.append(back.step)
        if not killed:
            break
    assert found[0] == 1
    assert found[-1] == 2


def test_a_full_disk_is_named_and_the_old_state_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(tmp_path / "one.safetensors", "key")
    checkpoint.save(state(step=1))

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreFullError, match="the disk is full"):
        checkpoint.save(state(step=2))
    back = checkpoint.load()
    assert back is not None
    assert back.step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one.safetensors"]


def trained(steps: int, *, path: Path | None = None, stop: int | None = None) -> dict[str, torch.Tensor]:
    """A small training with dropout, momentum and its own chance; with ``stop`` it ends after so many updates."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
        things = {"modules": {"network": network}, "optimiser": optimiser}
        generators = {"data": torch.Generator().manual_seed(0)}
        found = Checkpoint(path, "key").load() if path else None
        if found:
            restore(found, **things, generators=generators)
        for step in range(found.step if found else 0, steps if stop is None else stop):
            loss = network(torch.randn(16, 4, generator=generators["data"])).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if path:
                Checkpoint(path, "key").save(capture(step + 1, **things, generators=generators))
        return network.state_dict()


@pytest.mark.parametrize("stop", [0, 1, 5, 9])
def test_a_training_that_stopped_anywhere_comes_to_the_very_same_weights(tmp_path: Path, stop: int) -> None:
    through = trained(10)
    path = tmp_path / "one.safetensors"
    trained(10, path=path, stop=stop)
    went_on = trained(10, path=path)
    assert all(torch.equal(through[name], went_on[name]) for name in through)


def test_another_network_s_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    trained(1, path=path)
    found = Checkpoint(path, "key").load()
    assert found is not None
    other = nn.Linear(4, 3)
    with pytest.raises(BadModelError, match="does not fit the training"):
        restore(found, modules={"network": other}, optimiser=torch.optim.AdamW(other.parameters()), generators={})

"""Settings of training that make no sense are refused by name, before anything is read."""

from pathlib import Path

import pytest

from flows._study import open_study
from schema.errors import ConfigError
from tests.studies import make_study, set_keys

BAD = {
    "batch": ({"batch": 0}, "train.batch: 0 must lie between 1 and 65536"),
    "device": ({"device": "gpu"}, "train.device: 'gpu' must be one of auto, cpu, cuda"),
    "not a number": ({"balance": float("nan")}, "train.balance: nan must lie between 0 and 1"),
    "no time": ({"input": {"rate_hz": 0.0}}, "train.input.rate_hz: 0.0 must lie between 2 and 60"),
    "no scale": ({"network": {"levels": 0}}, "train.network.levels: 0 must lie between 1 and 10"),
    "order": ({"pretrain": {"slowest": 2.0, "fastest": 1.0}}, "train.pretrain.fastest: 1.0 must lie between 2.0 and"),
    "method": ({"pretrain": {"method": "magic"}}, "train.pretrain.method: 'magic' must be one of"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, name: str) -> None:
    keys, message = BAD[name]
    make_study(tmp_path)
    set_keys(tmp_path, train=keys)
    with pytest.raises(ConfigError, match=message):
        open_study(tmp_path)

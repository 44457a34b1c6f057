"""The hosts of one study: the file that remembers them, and the manners that the study sets."""

from random import Random
from typing import TYPE_CHECKING

from collectors.manners import Manners

if TYPE_CHECKING:
    from collectors.clock import Clock
    from flows._study import Study

HOSTS_FILE = "hosts.json"
"""Under ``private/``: which sites a study visits tells something about it."""


def open_manners(study: "Study", *, clock: "Clock", rng: Random | None = None) -> Manners:
    """Open the manners that all runners of the study share."""
    config = study.config
    file = study.layout.private / HOSTS_FILE
    return Manners(file, config=config.manners, hosts=config.hosts, clock=clock, rng=rng)

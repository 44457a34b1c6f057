"""Training inside a simulated campaign: as ``pressroom train`` does it, without its cross-validation."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from models.config import TrainConfig
from models.inputs.poses import LabelledSequence, PoseSequence
from models.training.progress import TrainProgress
from proposals.learned import Proposer
from schema.taxonomy import Taxonomy

if TYPE_CHECKING:
    from models.seed_model import SeedModel


class RoundTrainer:
    """Trains the model of each round; the first one from nothing, each later one on from the one before.

    A real round cross-validates to calibrate, which costs as many trainings as there are folds. Here probabilities are
    the network's own: their order, which decides what is asked, hardly changes. Of no use twice: a campaign of its own
    needs a trainer of its own.
    """

    def __init__(
        self,
        *,
        taxonomy: Taxonomy,
        config: TrainConfig,
        seed: int,
        report: Callable[[int, TrainProgress], None] | None = None,
    ) -> None:
        """Take the classes, the settings, the campaign's seed and who is told of the round and its progress."""
        self._taxonomy, self._config = taxonomy, replace(config, seed=seed)
        self._report = report or (lambda number, progress: None)
        self._before: SeedModel | None = None

    def __call__(
        self, labelled: Sequence[LabelledSequence], unlabelled: Sequence[PoseSequence], number: int
    ) -> Proposer:
        """Train on what is verified; raises ``UsageError`` where that is nothing."""
        from models.training.lessons import prepare
        from models.training.train import train_seed_model

        lessons = prepare(labelled, unlabelled, taxonomy=self._taxonomy, config=self._config, init=self._before)
        self._before = train_seed_model(
            lessons,
            name=f"round-{number}",
            report=lambda progress: self._report(number, progress),
        )
        return self._before

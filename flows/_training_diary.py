"""What a training tells while it runs: shown as it goes, and kept for the model's card, also over a kill."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flows._progress import current_progress
from models.metrics import Curve
from models.training.progress import TrainProgress
from schema.files import replace_text

STAGE = "train"
FILE = "diary.json"
"""Beside the checkpoints."""
CURVE_POINTS = 100
"""Points that a loss curve keeps."""
SAVED_EVERY_S = 5.0


class Diary:
    """The losses and the time of one training."""

    def __init__(self, folder: Path) -> None:
        """Read what a killed run of the same training has left in the folder."""
        self._path = folder / FILE
        self._losses: dict[str, dict[int, float]] = {}
        self.seconds: dict[str, float] = {}
        """Seconds by stage; what a killed run spent since its last entry is lost."""
        self._saved_s = time.monotonic()
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):  # it is a record and decides nothing
            document = json.loads(self._path.read_text(encoding="ascii"))
            self._losses = {name: dict(points) for name, points in document["losses"].items()}
            self.seconds = dict(document["seconds"])

    def report(self, progress: TrainProgress) -> None:
        """Take note of an update, and show it."""
        current_progress()(STAGE, progress.stage, progress.step, progress.steps, progress.note)
        if progress.loss is None:
            return
        if progress.step % max(1, progress.steps // CURVE_POINTS) == 0 or progress.step == progress.steps:
            self._losses.setdefault(progress.stage, {})[progress.step] = progress.loss
        if time.monotonic() - self._saved_s >= SAVED_EVERY_S:
            self._save()

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to the stage's."""
        before, begun_s = self.seconds.get(stage, 0.0), time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = round(before + time.monotonic() - begun_s, 1)
            self._save()

    def curves(self) -> tuple[Curve, ...]:
        """Return the loss of each stage by its updates."""
        return tuple(
            Curve(
                name=name,
                across=tuple(float(step) for step in sorted(points)),
                up=tuple(points[step] for step in sorted(points)),
            )
            for name, points in self._losses.items()
            if points
        )

    def _save(self) -> None:
        losses = {name: sorted(points.items()) for name, points in self._losses.items()}
        replace_text(self._path, json.dumps({"losses": losses, "seconds": self.seconds}))
        self._saved_s = time.monotonic()

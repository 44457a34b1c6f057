"""A stand-in for a seed model: it sees what a test says, judges by the clock, and needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.detections import Detection, Judgement
from models.folder import write_model
from models.inputs.poses import PoseSequence
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.factories import NECK, make_span
from tests.made_up_models import made_up_weights, small_facts

IMIGUE = load_taxonomy("imigue32")


def seen(
    start_s: float, end_s: float, class_id: str | None = NECK, *, score: float = 0.64, group: str | None = None
) -> Detection:
    """A detection, in the group of its class unless another one is given."""
    return Detection(
        span=make_span(start_s, end_s),
        class_id=class_id,
        group=group or (IMIGUE.by_id(class_id).group if class_id else "Head"),
        score=score,
        embedding=np.zeros(2, dtype=np.float32),
    )


@dataclass(slots=True, kw_only=True)
class StandIn:
    """Detects the same in every sequence."""

    identity: str = "seed-1@0123456789ab"
    taxonomy_name: str = "imigue32"
    detections: Sequence[Detection] = ()
    likely_s: tuple[float, float] = (0.0, 0.0)
    """Spans whose middle lies here are gestures with 0.9, others with 0.2."""
    looked_at: list[str] = field(default_factory=list)

    def detect(self, poses: PoseSequence) -> list[Detection]:
        self.looked_at.append(poses.sequence_id)
        end_ns = int(poses.times_ns[-1])
        return [one for one in self.detections if one.span.end_ns <= end_ns]

    def judge(self, poses: PoseSequence, spans: Sequence[TimeSpan]) -> list[Judgement]:
        return [self._judgement(span) for span in spans]

    def _judgement(self, span: TimeSpan) -> Judgement:
        middle_s = span.middle_ns / NS_PER_SECOND
        probability = 0.9 if self.likely_s[0] <= middle_s < self.likely_s[1] else 0.2
        return Judgement(
            probability=probability,
            class_probabilities={NECK: 0.9 * probability, "folding_arms": 0.1 * probability},
            group_probabilities={},
            embedding=np.array([np.cos(middle_s), np.sin(middle_s)], dtype=np.float32),
        )


def write_stand_in(root: Path, name: str = "seed-1", *, seed: int = 0, **changes: object) -> Path:
    """Write a model's folder with made-up weights, for tests in which nobody runs them; returns it."""
    folder = root / name
    write_model(folder, made_up_weights(seed), small_facts(name, **changes))
    return folder

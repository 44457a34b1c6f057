"""A seed model: a trained network with its words and its calibration, ready to look at sequences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from models.config import TrainConfig
from models.detecting.chunks import EncodedSequence, encode
from models.detecting.finding import FoundSpans, find_spans, judge_spans
from models.detecting.suppression import overlaps
from models.detections import Detection, Judgement
from models.facts import ModelFacts, Temperatures, TrainedOn, TrainingRun, identity_of
from models.folder import digest_of_model, read_model, write_model
from models.inputs.normalise import NormalisedSequence, normalise
from models.inputs.outputs import Outputs
from models.inputs.poses import PoseSequence
from models.inputs.skeletons import make_skeleton
from models.metrics import ModelMetrics
from models.networks.network import SeedNetwork, Shape
from models.training.calibration import Calibration
from models.training.preparing import Vocabulary
from schema.errors import BadModelError, ConfigError
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

SAME = 0.5
"""Temporal IoU from which on a group's span and that of one of its classes tell one gesture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedModel:
    """Finds gestures in sequences of the layout that it was trained on; its weights never change."""

    name: str
    taxonomy: Taxonomy
    config: TrainConfig
    vocabulary: Vocabulary
    network: SeedNetwork
    found: Calibration
    """Of detections."""
    judged: Calibration
    """Of given spans."""
    unlabelled_windows: int = 0
    """Windows that its pre-training drew from; 0 where there was none, and of a model that was read from its folder."""
    _encoded: WeakKeyDictionary[PoseSequence, EncodedSequence] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )
    """The sequence that was looked at last, while somebody still has it: its candidates are judged after its detections
    were found, and both need the same features."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class ids that it tells apart."""
        return self.vocabulary.classes

    @property
    def groups(self) -> tuple[str, ...]:
        """Body-part groups that it tells."""
        return self.vocabulary.groups

    @property
    def taxonomy_name(self) -> str:
        """Name of the taxonomy of its classes."""
        return self.taxonomy.name

    @cached_property
    def digest(self) -> str:
        """12 hex digits over weights, configuration and taxonomy."""
        return digest_of_model(self.weights(), self.facts())

    @cached_property
    def identity(self) -> str:
        """What candidates, predictions and votes hold as proposer: ``seed-1@0123456789ab``."""
        return identity_of(self.name, self.digest)

    def detect(self, poses: PoseSequence, *, floor: float | None = None) -> list[Detection]:
        """Return the gestures that the model sees, by time.

        A class whose calibrated probability reaches the floor is named; below it, and for classes with too few
        examples, the body-part group alone: "unclassified movement".

        Args:
            poses: the sequence.
            floor: the floor, 0..1; that of the configuration if not given. With 0 each claim of a class is told.

        Raises:
            ConfigError: The sequence has another layout than the model takes.
        """
        if not poses.times_ns.shape[0]:
            return []
        encoded = self._looked_at(poses)
        frames = encoded.frames
        if not frames.seen.any():
            return []
        spans = find_spans(self.network, encoded, config=self.config.detect)
        return self.handed_out(spans, frames, floor=self.config.detect.floor if floor is None else floor)

    def judge(self, poses: PoseSequence, spans: Sequence[TimeSpan]) -> list[Judgement]:
        """Say of each span what it shows, whoever proposed it; raises as ``detect`` does."""
        if not spans:
            return []
        class_count = len(self.classes)
        encoded = self._looked_at(poses) if poses.times_ns.shape[0] else None
        if encoded is not None and encoded.frames.seen.any():
            logits, features = self.judge_encoded(encoded, spans)
            chances = self.judged.probabilities(logits)
        else:  # nobody is seen, so nothing is
            chances = np.zeros((len(spans), self.vocabulary.outputs.count))
            features = np.zeros((len(spans), self.network.encoder.width), np.float32)
        return [
            Judgement(
                probability=float(row[-1]),
                class_probabilities=dict(zip(self.classes, map(float, row[:class_count]), strict=True)),
                group_probabilities=dict(zip(self.groups, map(float, row[class_count:-1]), strict=True)),
                embedding=feature,
            )
            for row, feature in zip(chances, features, strict=True)
        ]

    def judge_encoded(
        self, encoded: EncodedSequence, spans: Sequence[TimeSpan]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """Return raw logits, shape ``(n, outputs)``, and features, shape ``(n, width)``, of spans."""
        placed = [encoded.frames.frames_of(span.start_ns, span.end_ns) for span in spans]
        first = np.array([one.start for one in placed], dtype=np.int64)
        end = np.array([one.stop for one in placed], dtype=np.int64)
        return judge_spans(self.network, encoded, first, end)

    def handed_out(self, spans: FoundSpans, frames: NormalisedSequence, *, floor: float) -> list[Detection]:
        """Return of what is told the likeliest, at most ``detect.most_per_minute``, by time."""
        if not frames.seen.any():
            return []
        most = max(1, round(self.config.detect.most_per_minute * len(frames.times_ns) / frames.rate_hz / 60))
        told = self.told(spans, frames, floor=floor)
        best = sorted(told, key=lambda d: (-d.score, d.span, d.class_id or "", d.group))[:most]
        return sorted(best, key=lambda d: (d.span, d.class_id or "", d.group))

    def told(
        self, spans: FoundSpans, frames: NormalisedSequence, *, floor: float, with_groups: bool = True
    ) -> list[Detection]:
        """Put found spans into words: classes from the floor on, groups where no class of theirs is named."""
        class_count = len(self.classes)
        chances = self.found.probabilities(spans.logits, spans.output)
        group_of = self.vocabulary.group_of
        named: list[Detection] = []
        order = np.argsort(-chances, kind="stable")
        is_class = spans.output[order] < class_count
        least = self.config.detect.least
        for row in order[is_class]:
            class_id = self.classes[spans.output[row]]
            if chances[row] >= max(floor, least if floor else 0.0):
                named.append(
                    self._detection(
                        spans, row, frames, chance=chances[row], class_id=class_id, group=group_of[class_id]
                    )
                )
        unnamed: list[Detection] = []
        edges = {group: _edges_ns(one.span for one in named if one.group == group) for group in self.groups}
        for row in order[~is_class] if with_groups else ():
            if chances[row] < least:
                continue
            group = self.groups[spans.output[row] - class_count]
            one = self._detection(spans, row, frames, chance=chances[row], class_id=None, group=group)
            likeness = overlaps(*edges[group], one.span.start_ns, one.span.end_ns)
            if likeness.max(initial=0.0) < SAME:
                unnamed.append(one)
        return named + unnamed

    def _detection(
        self,
        spans: FoundSpans,
        row: int,
        frames: NormalisedSequence,
        *,
        chance: float,
        class_id: str | None,
        group: str,
    ) -> Detection:
        first_ns, step_ns = int(frames.times_ns[0]), NS_PER_SECOND / frames.rate_hz
        last_ns = int(frames.times_ns[-1]) + round(step_ns)
        start_ns = first_ns + round(float(spans.first[row]) * step_ns)
        end_ns = min(first_ns + round(float(spans.end[row]) * step_ns), last_ns)
        return Detection(
            span=TimeSpan(start_ns=start_ns, end_ns=max(end_ns, start_ns + round(step_ns))),
            class_id=class_id,
            group=group,
            score=float(chance),
            embedding=spans.embeddings[row],
        )

    def _looked_at(self, poses: PoseSequence) -> EncodedSequence:
        """Run the encoder over a sequence, unless it was the last one."""
        encoded = self._encoded.get(poses)
        if encoded is None:
            self._encoded.clear()
            encoded = self._encoded[poses] = encode(self.network, self._normalised(poses))
        return encoded

    def _normalised(self, poses: PoseSequence) -> NormalisedSequence:
        shape = self.network.shape
        if (poses.layout, poses.dimensions) != (shape.skeleton.layout, shape.dimensions):
            raise ConfigError(
                f"{self.name} takes keypoints of the layout {shape.skeleton.layout} in {shape.dimensions} dimensions, "
                f"{poses.sequence_id} has {poses.layout} in {poses.dimensions}"
            )
        return normalise(poses, shape.skeleton, self.config.input)

    def weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything that is learned, calibration included, by name."""
        weights = {name: value.detach().cpu().numpy() for name, value in self.network.state_dict().items()}
        for name, calibration in (("found", self.found), ("judged", self.judged)):
            weights[f"calibration.{name}.temperatures"] = calibration.temperatures
            weights[f"calibration.{name}.shifts"] = calibration.shifts
        return weights

    def facts(
        self,
        *,
        data: TrainedOn | None = None,
        run: TrainingRun | None = None,
        metrics: ModelMetrics | None = None,
    ) -> ModelFacts:
        """Return what is written of the model beside its weights."""
        shape = self.network.shape
        temperatures = [float(value) for value in self.found.temperatures]
        class_count = len(self.classes)
        return ModelFacts(
            name=self.name,
            config=self.config,
            layout=shape.skeleton.layout,
            points=shape.skeleton.points,
            dimensions=shape.dimensions,
            taxonomy=self.taxonomy,
            classes=self.classes,
            groups=self.groups,
            class_counts=self.vocabulary.counts,
            fallen_back=self.vocabulary.fallen_back,
            temperatures=Temperatures(
                classes=dict(zip(self.classes, temperatures[:class_count], strict=True)),
                groups=dict(zip(self.groups, temperatures[class_count:-1], strict=True)),
                any_gesture=float(self.judged.temperatures[-1]),
            ),
            data=data or TrainedOn(),
            run=run or TrainingRun(trained_ns=0),
            metrics=metrics or ModelMetrics(),
        )

    def save(self, folder: Path, facts: ModelFacts) -> str:
        """Write the model with its card into a new folder; returns its digest, raises what ``write_model`` does."""
        return write_model(folder, self.weights(), facts)

    def renamed(self, name: str) -> "SeedModel":
        """Return the same model under another name."""
        return replace(self, name=name)

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> "SeedModel":
        """Read a model's folder; raises ``BadModelError`` for one that is damaged or none of ours."""
        stored = read_model(folder)
        facts = stored.facts
        vocabulary = Vocabulary(
            classes=facts.classes,
            groups=facts.groups,
            fallen_back=facts.fallen_back,
            counts=dict(facts.class_counts),
            group_of={gesture.class_id: gesture.group for gesture in facts.taxonomy},
        )
        shape = Shape(
            skeleton=make_skeleton(facts.layout, facts.points),
            dimensions=facts.dimensions,
            rate_hz=facts.rate_hz,
            outputs=Outputs(class_count=len(facts.classes), group_count=len(facts.groups)),
            network=facts.config.network,
        )
        network = SeedNetwork(shape)
        weights = dict(stored.weights)
        try:
            found, judged = (_calibration(weights, name) for name in ("found", "judged"))
            network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
        except (KeyError, RuntimeError) as error:
            raise BadModelError(f"{facts.name}: its weights don't fit its configuration; train it anew") from error
        return cls(
            name=facts.name,
            taxonomy=facts.taxonomy,
            config=facts.config,
            vocabulary=vocabulary,
            network=network.to(torch.device(device)).eval(),
            found=found,
            judged=judged,
        )


def _edges_ns(spans: Iterable[TimeSpan]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return starts and ends, each of shape ``(n,)``."""
    edges = np.array([(span.start_ns, span.end_ns) for span in spans], np.float64).reshape(-1, 2)
    return edges[:, 0], edges[:, 1]


def _calibration(weights: dict[str, npt.NDArray[Any]], name: str) -> Calibration:
    return Calibration(
        temperatures=weights.pop(f"calibration.{name}.temperatures"),
        shifts=weights.pop(f"calibration.{name}.shifts"),
    )

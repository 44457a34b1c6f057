"""Labelled sequences made ready: which points, classes and groups a model is to have, and everything in frames."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from models.config import TrainConfig
from models.inputs.normalise import NormalisedSequence, seen_points
from models.inputs.outputs import Outputs
from models.inputs.poses import LabelledSequence, PoseSequence
from models.inputs.skeletons import make_skeleton, watched_points
from models.inputs.views import outlines_of
from models.inputs.windows import LabelledFrames, place_labels
from models.networks.network import Shape
from schema.errors import ConfigError, UsageError
from schema.taxonomy import Taxonomy

_OTHER_SIDE = {"left": "right", "right": "left"}
_SIDES = re.compile(r"(?<![a-z])(?:left|right)(?![a-z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a model can say."""

    classes: tuple[str, ...]
    """Class ids that it tells apart, in the order of the taxonomy."""
    groups: tuple[str, ...]
    """Body-part groups of the examples, in the order of the taxonomy."""
    fallen_back: tuple[str, ...]
    """Classes with some examples, yet too few: their group alone is told."""
    counts: dict[str, int]
    """Examples of each class that has some."""
    group_of: dict[str, str]
    """Group of each class of the taxonomy."""

    @property
    def outputs(self) -> Outputs:
        """How the outputs are numbered."""
        return Outputs(class_count=len(self.classes), group_count=len(self.groups))

    def outputs_of(self, class_id: str) -> frozenset[int]:
        """Return which outputs a gesture of a class makes true."""
        meant = {self.outputs.count - 1}
        if class_id in self.classes:
            meant.add(self.classes.index(class_id))
        if self.group_of[class_id] in self.groups:
            meant.add(len(self.classes) + self.groups.index(self.group_of[class_id]))
        return frozenset(meant)


def make_vocabulary(labelled: Sequence[LabelledSequence], *, taxonomy: Taxonomy, fewest_examples: int) -> Vocabulary:
    """Decide which classes have enough examples to be told apart.

    Raises ``UsageError`` where there is no example at all, or one of a class that the taxonomy lacks.
    """
    counts = Counter(gesture.class_id for one in outlines_of(labelled) for gesture in one.gestures)
    if not counts:
        raise UsageError("there is no labelled gesture to learn from: verify some, or import a labelled data set")
    known = {gesture.class_id for gesture in taxonomy}
    unknown = sorted(counts.keys() - known)
    if unknown:
        raise UsageError(f"the labels name {unknown[0]!r}, which the taxonomy {taxonomy.name} lacks")
    classes = tuple(g.class_id for g in taxonomy if counts[g.class_id] >= fewest_examples)
    some = {g.group for g in taxonomy if counts[g.class_id]}
    return Vocabulary(
        classes=classes,
        groups=tuple(group for group in taxonomy.groups if group in some),
        fallen_back=tuple(g.class_id for g in taxonomy if 0 < counts[g.class_id] < fewest_examples),
        counts={g.class_id: counts[g.class_id] for g in taxonomy if counts[g.class_id]},
        group_of={g.class_id: g.group for g in taxonomy},
    )


def make_shape(labelled: Iterable[LabelledSequence], *, outputs: Outputs, config: TrainConfig) -> Shape:
    """Decide which points a model looks at: those that are seen often enough in the sequences, each read once.

    Raises ``ConfigError`` where the sequences have different layouts or dimensions, or hardly any point is seen.
    """
    alike = _alike(one.poses for one in labelled)
    first = next(alike)
    layout, dimensions = first.layout, first.dimensions
    points = seen_points(chain([first], alike), watched_points(layout), fewest_seen=config.input.fewest_seen)
    skeleton = make_skeleton(layout, points)
    if not all(skeleton.shoulders) or len(skeleton.points) < 2:
        raise ConfigError(f"{layout}: both shoulders and some other point must be seen, which tell place and size")
    return Shape(
        skeleton=skeleton,
        dimensions=dimensions,
        rate_hz=config.input.rate_hz,
        outputs=outputs,
        network=config.network,
    )


def _alike(sequences: Iterable[PoseSequence]) -> Iterator[PoseSequence]:
    """Yield the sequences; raises ``ConfigError`` at one of another layout or dimensions, and where there is none."""
    kinds: set[tuple[str, int]] = set()
    for poses in sequences:
        kinds.add((poses.layout, poses.dimensions))
        if len(kinds) > 1:
            break
        yield poses
    if len(kinds) != 1:
        told = ", ".join(f"{layout} in {dimensions} dimensions" for layout, dimensions in sorted(kinds))
        raise ConfigError(f"a model takes one layout of keypoints, the sequences have {told or 'none'}")


def place_labels_of(
    sequence: LabelledSequence, frames: NormalisedSequence, *, vocabulary: Vocabulary
) -> LabelledFrames:
    """Put the labels of a sequence into its normalised frames."""
    return place_labels(
        frames,
        sequence.gestures,
        sequence.judged,
        output_of={class_id: number for number, class_id in enumerate(vocabulary.classes)},
        group_of={
            class_id: vocabulary.groups.index(group)
            for class_id, group in vocabulary.group_of.items()
            if group in vocabulary.groups
        },
    )


def flipped_outputs(classes: Sequence[str]) -> dict[int, int]:
    """Return which output the mirror image of a gesture has, of classes whose ids name a side.

    Where the other side is not told apart it is -1: the mirror image is told by its group alone.
    """
    number_of = {class_id: number for number, class_id in enumerate(classes)}
    mirrored = {class_id: _SIDES.sub(lambda side: _OTHER_SIDE[side[0]], class_id) for class_id in classes}
    return {number_of[one]: number_of.get(other, -1) for one, other in mirrored.items() if other != one}

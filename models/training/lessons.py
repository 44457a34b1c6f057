"""What a study's models learn from, read and made ready once for all folds: reading takes as long as training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from models.config import TrainConfig
from models.inputs.normalise import NormalisedSequence, normalise
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from models.inputs.views import outlines_of, without_subjects
from models.inputs.windows import LabelledFrames
from models.networks.network import Shape
from models.seed_model import SeedModel
from models.training.preparing import Vocabulary, make_shape, make_vocabulary, place_labels_of
from models.training.progress import Report, TrainProgress, report_nothing
from schema.errors import ConfigError, UsageError
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

READING = "reading"
"""What progress calls it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """A labelled sequence as a model sees it, and what people said of it."""

    placed: LabelledFrames
    gestures: tuple[Gesture, ...]
    judged: tuple[TimeSpan, ...]

    @property
    def frames(self) -> NormalisedSequence:
        """What the model sees."""
        return self.placed.frames


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lessons:
    """Everything that a model, and the models of its folds, learn from."""

    taxonomy: Taxonomy
    config: TrainConfig
    vocabulary: Vocabulary
    shape: Shape
    labelled: tuple[Lesson, ...]
    unlabelled: Sequence[PoseSequence]
    """For pre-training; read anew by each model, but for those that are labelled too."""
    init: SeedModel | None = None
    """The model to begin with."""
    unseen: tuple[str, ...] = ()
    """Labelled sequences that are left out: the shoulders, which tell place and size, are never seen together."""

    def without(self, subjects: frozenset[str]) -> "Lessons":
        """Leave out what shows some people."""
        return replace(
            self,
            labelled=tuple(one for one in self.labelled if one.frames.subject_id not in subjects),
            unlabelled=without_subjects(self.unlabelled, subjects),
        )

    def of(self, subjects: frozenset[str]) -> tuple[Lesson, ...]:
        """Return the labelled sequences of some people."""
        return tuple(one for one in self.labelled if one.frames.subject_id in subjects)

    def unlabelled_frames(self) -> Iterator[NormalisedSequence | None]:
        """Yield what is pre-trained on; None for one of another layout, of other dimensions, or without frames."""
        ready = {one.frames.sequence_id: one.frames for one in self.labelled}
        wanted = (self.shape.skeleton.layout, self.shape.dimensions)
        for number, outline in enumerate(outlines_of(self.unlabelled)):
            if outline.sequence_id in ready:
                yield ready[outline.sequence_id]
                continue
            poses = self.unlabelled[number]
            fits = (poses.layout, poses.dimensions) == wanted and poses.times_ns.shape[0]
            yield normalise(poses, self.shape.skeleton, self.config.input) if fits else None


def prepare(
    labelled: Sequence[LabelledSequence],
    unlabelled: Sequence[PoseSequence],
    *,
    taxonomy: Taxonomy,
    config: TrainConfig,
    init: SeedModel | None = None,
    report: Report = report_nothing,
) -> Lessons:
    """Decide what models are to tell and to look at, and put every labelled sequence to that form.

    Args:
        labelled: What people said; sequences of one layout.
        unlabelled: Sequences that pre-training draws windows from, those with labels among them; those of another
            layout are left out.
        taxonomy: The classes.
        config: All numbers; of ``init``, if given, those of its network and its input.
        init: Begin with the weights of this model, and without pre-training: its encoder, and its heads where it tells
            the same classes apart.
        report: Told after every sequence.

    Raises:
        UsageError: There is no labelled gesture, or ``init`` looks at other points.
        ConfigError: The sequences have different layouts, or none of them ever shows both shoulders.
    """
    vocabulary = make_vocabulary(labelled, taxonomy=taxonomy, fewest_examples=config.fewest_examples)
    shape = make_shape(_reported(labelled, report, first=0), outputs=vocabulary.outputs, config=config)
    if init:
        shape, config = _like(shape, init), replace(config, network=init.config.network, input=init.config.input)
    ready: list[Lesson] = []
    unseen: list[str] = []
    for sequence in _reported(labelled, report, first=len(labelled)):
        if not sequence.poses.times_ns.shape[0]:
            continue
        frames = normalise(sequence.poses, shape.skeleton, config.input)
        if not frames.seen.any():
            unseen.append(frames.sequence_id)
            continue
        placed = place_labels_of(sequence, frames, vocabulary=vocabulary)
        ready.append(Lesson(placed=placed, gestures=sequence.gestures, judged=sequence.judged))
    if not any(lesson.gestures for lesson in ready):
        raise ConfigError(
            f"{len(unseen)} of {len(labelled)} labelled sequences never show both shoulders at once, which tell place "
            "and size, and the others hold no gesture: there is nothing to learn from"
        )
    return Lessons(
        taxonomy=taxonomy,
        config=config,
        vocabulary=vocabulary,
        shape=shape,
        labelled=tuple(ready),
        unlabelled=unlabelled,
        init=init,
        unseen=tuple(unseen),
    )


def _reported(labelled: Sequence[LabelledSequence], report: Report, *, first: int) -> Iterator[LabelledSequence]:
    """Yield the sequences, which are read twice, and tell how far this is; ``first``: steps that were done before."""
    for number, sequence in enumerate(labelled):
        yield sequence
        report(TrainProgress(stage=READING, step=first + number + 1, steps=2 * len(labelled)))


def _like(shape: Shape, init: SeedModel) -> Shape:
    """Return the shape of a model to begin with, with the outputs of the new one."""
    first = init.network.shape
    if (first.skeleton.layout, first.dimensions) != (shape.skeleton.layout, shape.dimensions):
        raise UsageError(
            f"{init.name} looks at {first.skeleton.layout} in {first.dimensions} dimensions, the sequences are "
            f"{shape.skeleton.layout} in {shape.dimensions}: train without --init"
        )
    return replace(first, outputs=shape.outputs)

"""What is told of a model beside its weights: what it can say, what it was trained on, what was measured of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.config import TrainConfig
from models.metrics import ModelMetrics
from schema.errors import BadModelError
from schema.layouts import LAYOUTS
from schema.taxonomy import Taxonomy

NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
"""``@`` parts a name from the digest in a proposer, so it is in no name."""
KEYED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""No blank, slash or colon: a name, a path or a link never gets into a model's folder as an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperatures:
    """What logits are divided by before they become probabilities, fitted on held-out people; 1 where none is named."""

    classes: Mapping[str, float] = field(default_factory=dict)
    """By class id."""
    groups: Mapping[str, float] = field(default_factory=dict)
    """By body-part group."""
    any_gesture: float = 1.0
    """Of the probability that there is a gesture at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A data set, or the study itself, whose labels a model learned from."""

    name: str
    """``study``, or the name of a release or an imported data set."""
    licence: str
    """As whoever imported it said; empty: nobody said."""
    sequences: int
    gestures: int
    subjects: int
    """Known people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRelease:
    """The release that a model was trained on."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """What a model learned from, under keyed ids; no name, no link, no path."""

    origins: tuple[Origin, ...] = ()
    video_ids: tuple[str, ...] = ()
    """Recordings with labels, keyed ids, each once and sorted."""
    unlabelled_video_ids: tuple[str, ...] = ()
    """Recordings that pre-training alone drew windows from."""
    subject_gestures: Mapping[str, int] = field(default_factory=dict)
    """Gestures by the person's keyed id; people whom nobody declared are in ``unknown_subject_gestures``."""
    unknown_subject_gestures: int = 0
    sequences: int = 0
    """Labelled sequences."""
    labelled_minutes: float = 0.0
    """Length of the labelled sequences."""
    judged_minutes: float = 0.0
    """Of these, where somebody looked for every gesture."""
    unlabelled_windows: int = 0
    """Windows that pre-training drew from."""
    unlabelled_sequences: int = 0
    release: TrainedRelease | None = None
    """None: trained on the study's own tables."""
    inputs_digest: str = ""
    """Digest of all sequences and labels."""
    init: str = ""
    """Identity of the model that training began with; empty: from nothing."""
    scripted_gestures: int = 0
    """Gestures that rest on answers of a script alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """When and where a model was trained, and how long it took."""

    trained_ns: int
    """Unix time of the end of training, ns."""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage: "pre-training", "training", "cross-validation"."""
    machine: str = ""
    """In words, without the machine's name: "cpu, 1 thread"."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of pressroom and the libraries that compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """All that is written of a model beside its weights."""

    name: str
    """``seed-1``; with the digest it is the proposer of candidates, predictions and votes."""
    config: TrainConfig
    layout: str
    """Layout of the keypoints that it takes (``schema.layouts.LAYOUTS``)."""
    points: tuple[int, ...]
    """Points of the layout that it looks at, in the order of its inputs."""
    dimensions: int
    """2 in the plane, 3 in space."""
    taxonomy: Taxonomy
    classes: tuple[str, ...]
    """Class ids that it tells apart, in the order of its outputs."""
    groups: tuple[str, ...]
    """Body-part groups, in the order of its outputs."""
    class_counts: Mapping[str, int]
    """Training examples by class id; of a class that is not named there was none."""
    fallen_back: tuple[str, ...] = ()
    """Classes with too few examples: their group alone is proposed."""
    temperatures: Temperatures = field(default_factory=Temperatures)
    data: TrainedOn
    run: TrainingRun
    metrics: ModelMetrics = field(default_factory=ModelMetrics)

    @property
    def rate_hz(self) -> float:
        """Frames per second that the networks see."""
        return self.config.input.rate_hz


def check_facts(facts: ModelFacts, *, told_as: str) -> None:
    """Raise ``BadModelError`` where facts contradict each other, or hold what no model's folder may.

    Args:
        facts: What is to be written, or was read.
        told_as: What the message begins with.
    """
    for wrong in (_wrong_name(facts), _wrong_inputs(facts), _wrong_classes(facts), _wrong_ids(facts.data)):
        if wrong:
            raise BadModelError(f"{told_as}: {wrong}")


def identity_of(name: str, digest: str) -> str:
    """Return what candidates, predictions and votes hold as proposer: ``seed-1@0123456789ab``."""
    return f"{name}@{digest}"


def _wrong_name(facts: ModelFacts) -> str:
    if NAME.fullmatch(facts.name):
        return ""
    return "a model's name is small letters and digits, with single hyphens, dots or underscores between them"


def _wrong_inputs(facts: ModelFacts) -> str:
    if facts.layout not in LAYOUTS:
        return f"there is no layout {facts.layout!r} of keypoints"
    count = len(LAYOUTS[facts.layout].sources)
    if not facts.points or len(set(facts.points)) != len(facts.points):
        return "it must look at some points of its layout, each once"
    if min(facts.points) < 0 or max(facts.points) >= count:
        return f"it looks at point {max(facts.points)}, and the layout {facts.layout} has {count} (from 0)"
    return "" if facts.dimensions in (2, 3) else f"poses have 2 or 3 dimensions, not {facts.dimensions}"


def _wrong_classes(facts: ModelFacts) -> str:
    known, groups = {gesture.class_id for gesture in facts.taxonomy}, set(facts.taxonomy.groups)
    named = {*facts.classes, *facts.fallen_back, *facts.class_counts, *facts.temperatures.classes}
    if named - known:
        return f"the taxonomy {facts.taxonomy.name} has no class {min(named - known)!r}"
    if {*facts.groups, *facts.temperatures.groups} - groups:
        strange = min({*facts.groups, *facts.temperatures.groups} - groups)
        return f"the taxonomy {facts.taxonomy.name} has no group {strange!r}"
    both = set(facts.classes) & set(facts.fallen_back)
    if both:
        return f"class {min(both)!r} can't be told apart and fall back to its group at once"
    if len(set(facts.classes)) != len(facts.classes) or len(set(facts.groups)) != len(facts.groups):
        return "a class or a group is named twice"
    every = (*facts.temperatures.classes.values(), *facts.temperatures.groups.values(), facts.temperatures.any_gesture)
    return "" if all(0 < value < float("inf") for value in every) else "a temperature must be above 0"


def _wrong_ids(data: TrainedOn) -> str:
    for what, ids in (
        ("recordings", (*data.video_ids, *data.unlabelled_video_ids)),
        ("people", tuple(data.subject_gestures)),
    ):
        if not all(KEYED_ID.fullmatch(one) for one in ids):
            return f"one of the {what} has no keyed id, and a model's folder holds no names, paths or links"
    return ""

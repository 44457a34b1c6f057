"""How good a model is on people whom it was not trained on, and how far its logits are to be trusted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from models.detecting.chunks import encode
from models.detecting.finding import FoundSpans, find_spans
from models.detecting.suppression import overlaps
from models.detections import Detection
from models.inputs.normalise import NormalisedSequence
from models.inputs.poses import Gesture
from models.seed_model import SeedModel
from models.training.calibration import Calibration, fit_calibration
from models.training.lessons import Lesson, Lessons
from models.training.preparing import Vocabulary
from models.training.progress import Report, report_nothing
from models.training.targets import LIKE, UNLIKE
from models.training.train import Calibrations, Checkpoints, train_seed_model
from schema.timespan import NS_PER_SECOND, TimeSpan

RIGHT_IOU = 0.3
"""A detection is right from this temporal IoU on: that of the MiGA challenges (FIELD: online metric)."""
RANDOM_SPANS = 2
"""Spans drawn by chance for each true one, on which judging is calibrated beside the detections."""
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """A sequence of a held-out person, and what the model of its fold said of it."""

    sequence_id: str
    subject_id: str
    gestures: tuple[Gesture, ...]
    judged: tuple[TimeSpan, ...]
    frames: NormalisedSequence
    found: FoundSpans
    true_logits: Floats
    """Logits of each gesture's span, shape ``(gestures, outputs)``."""
    other_spans: tuple[TimeSpan, ...]
    """Detections' spans and some drawn by chance, inside what was judged."""
    other_logits: Floats
    """Shape ``(spans, outputs)``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """A part of the people, held out."""

    subjects: tuple[str, ...]
    model: SeedModel
    """Trained without them; not calibrated."""
    sequences: tuple[HeldOut, ...]
    calibrations: Calibrations
    """Fitted on the people of the *other* folds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossValidation:
    """What all folds said of the people whom they did not know."""

    vocabulary: Vocabulary
    folds: tuple[Fold, ...]
    calibrations: Calibrations
    """Fitted on all folds: for the model that is trained on everybody."""

    def detections(self, *, floor: float) -> dict[str, list[Detection]]:
        """Return what each held-out sequence shows, by its id, as ``SeedModel.detect`` hands it out.

        Probabilities are fitted on the *other* folds.
        """
        return {
            one.sequence_id: model.handed_out(one.found, one.frames, floor=floor)
            for model, one in self._looks(calibrated=True)
        }

    def classed(self, *, calibrated: bool = True) -> dict[str, list[Detection]]:
        """Return every claim of a class, however unlikely, by the sequence's id; else as ``detections``."""
        return {
            one.sequence_id: model.told(one.found, one.frames, floor=0.0, with_groups=False)
            for model, one in self._looks(calibrated=calibrated)
        }

    def _looks(self, *, calibrated: bool) -> Iterator[tuple[SeedModel, HeldOut]]:
        for fold in self.folds:
            calibrations = fold.calibrations if calibrated else none_of(self.vocabulary)
            model = replace(fold.model, found=calibrations.found, judged=calibrations.judged)
            yield from ((model, one) for one in fold.sequences)

    def class_probabilities(self, *, calibrated: bool = True) -> dict[str, Floats]:
        """Return the probability of each class for each true gesture of a sequence, shape ``(gestures, classes)``."""
        told: dict[str, Floats] = {}
        for fold in self.folds:
            calibration = (fold.calibrations if calibrated else none_of(self.vocabulary)).judged
            for one in fold.sequences:
                chances = calibration.probabilities(one.true_logits)
                told[one.sequence_id] = chances[:, : len(self.vocabulary.classes)]
        return told

    @property
    def held_out(self) -> list[HeldOut]:
        """Return every held-out sequence."""
        return [one for fold in self.folds for one in fold.sequences]


def none_of(vocabulary: Vocabulary) -> Calibrations:
    """Leave logits as they are."""
    count = vocabulary.outputs.count
    return Calibrations(found=Calibration.none(count), judged=Calibration.none(count))


def cross_validate(
    lessons: Lessons, *, name: str, checkpoints: Checkpoints | None = None, report: Report = report_nothing
) -> CrossValidation:
    """Train a model for each part of the people on all others, and let it look at the part.

    People are parts as a whole; what was recorded of unknown people is trained on in every fold and never held out.
    Pre-training sees none of the held-out people either, and every fold begins from nothing: whom a model to begin with
    has learned from can't be unlearned, and nobody can tell that it is none of these people. Without two known people
    there is no fold, and calibration leaves logits as they are. The arguments are those of ``train_seed_model``.
    """
    parts = subject_folds(lessons.labelled, count=lessons.config.folds, seed=lessons.config.seed)
    looked_at: list[tuple[frozenset[str], SeedModel, tuple[HeldOut, ...]]] = []
    for number, subjects in enumerate(parts):
        model = train_seed_model(
            replace(lessons.without(subjects), init=None),
            name=name,
            checkpoints=checkpoints,
            stage=f"fold {number + 1} of {len(parts)}",
            report=report,
        )
        looked_at.append((subjects, model, tuple(look_at(model, one) for one in lessons.of(subjects))))
    vocabulary = lessons.vocabulary
    truths = {subjects: [truths_of(one, vocabulary) for one in theirs] for subjects, _, theirs in looked_at}
    folds = tuple(
        Fold(
            subjects=tuple(sorted(subjects)),
            model=model,
            sequences=sequences,
            calibrations=fit_calibrations(
                [one for other, theirs in truths.items() if other != subjects for one in theirs], vocabulary
            ),
        )
        for subjects, model, sequences in looked_at
    )
    every = [one for theirs in truths.values() for one in theirs]
    return CrossValidation(vocabulary=vocabulary, folds=folds, calibrations=fit_calibrations(every, vocabulary))


def subject_folds(labelled: Sequence[Lesson], *, count: int, seed: int) -> list[frozenset[str]]:
    """Part the known people so that each part has about as many gestures; none where there are not two people."""
    gestures: dict[str, int] = {}
    for one in labelled:
        if one.frames.subject_id is not None:
            known = one.frames.subject_id
            gestures[known] = gestures.get(known, 0) + len(one.gestures)
    if len(gestures) < 2 or count < 2:
        return []
    order = sorted(gestures, key=lambda one: (-gestures[one], sha256(f"{seed} {one}".encode()).hexdigest()))
    parts: list[set[str]] = [set() for _ in range(min(count, len(gestures)))]
    weights = [0] * len(parts)
    for subject in order:
        lightest = min(range(len(parts)), key=lambda part: (weights[part], len(parts[part])))
        parts[lightest].add(subject)
        weights[lightest] += gestures[subject]
    return [frozenset(part) for part in parts]


def look_at(model: SeedModel, lesson: Lesson) -> HeldOut:
    """Let a model look at a sequence of somebody whom it was not trained on."""
    frames = lesson.frames
    encoded = encode(model.network, frames)
    found = find_spans(model.network, encoded, config=model.config.detect)
    true_logits, _ = model.judge_encoded(encoded, [gesture.span for gesture in lesson.gestures])
    others = _other_spans(lesson, found)
    other_logits, _ = model.judge_encoded(encoded, others)
    return HeldOut(
        sequence_id=frames.sequence_id,
        subject_id=frames.subject_id or "",
        gestures=lesson.gestures,
        judged=lesson.judged,
        frames=frames,
        found=found,
        true_logits=true_logits,
        other_spans=tuple(others),
        other_logits=other_logits,
    )


def _other_spans(lesson: Lesson, found: FoundSpans) -> list[TimeSpan]:
    """Return the detections' spans and some drawn by chance, as long as gestures are, inside what was judged."""
    frames = lesson.frames
    spans = [_span(frames, first, end) for first, end in zip(found.first, found.end, strict=True)]
    lengths = [gesture.span.duration_ns for gesture in lesson.gestures] or [2 * NS_PER_SECOND]
    random = np.random.default_rng(int.from_bytes(sha256(frames.sequence_id.encode()).digest()[:8], "big"))
    first_ns, last_ns = int(frames.times_ns[0]), int(frames.times_ns[-1])
    for length_ns in lengths * RANDOM_SPANS:
        if last_ns - first_ns > length_ns:
            start_ns = int(random.integers(first_ns, last_ns - length_ns))
            spans.append(TimeSpan(start_ns=start_ns, end_ns=start_ns + length_ns))
    return [span for span in dict.fromkeys(spans) if is_judged(span, lesson.judged)]


def _span(frames: NormalisedSequence, first: float, end: float) -> TimeSpan:
    step_ns = NS_PER_SECOND / frames.rate_hz
    start_ns = int(frames.times_ns[0]) + round(first * step_ns)
    return TimeSpan(start_ns=start_ns, end_ns=max(start_ns + 1, int(frames.times_ns[0]) + round(end * step_ns)))


def is_judged(span: TimeSpan, judged: Sequence[TimeSpan]) -> bool:
    """Tell whether somebody looked at the middle of a span."""
    return any(one.start_ns <= span.middle_ns < one.end_ns for one in judged)


Truths = tuple[Floats, npt.NDArray[np.int64], Bools]
"""Logits, the output of each, and whether it is right."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOutTruths:
    """What is right of all that was said of a held-out sequence."""

    found: Truths
    """Of the detections."""
    judged: Truths
    """Of given spans."""


def truths_of(one: HeldOut, vocabulary: Vocabulary) -> HeldOutTruths:
    """Compare what was said of a sequence with its gestures."""
    return HeldOutTruths(found=_found_truths(one, vocabulary), judged=_judged_truths(one, vocabulary))


def fit_calibrations(truths: Sequence[HeldOutTruths], vocabulary: Vocabulary) -> Calibrations:
    """Fit probabilities to what held-out sequences show; without any, logits stay as they are."""
    if not truths:
        return none_of(vocabulary)
    count = vocabulary.outputs.count
    found = zip(*(one.found for one in truths), strict=True)
    judged = zip(*(one.judged for one in truths), strict=True)
    return Calibrations(
        found=fit_calibration(*(np.concatenate(column) for column in found), count=count),
        judged=fit_calibration(*(np.concatenate(column) for column in judged), count=count),
    )


def _found_truths(one: HeldOut, vocabulary: Vocabulary) -> Truths:
    """Return logit, output and truth of each detection where people looked: each gesture makes one of them right."""
    logits, outputs, truths = [], [], []
    spans = [_span(one.frames, first, end) for first, end in zip(one.found.first, one.found.end, strict=True)]
    looked_at = np.array([is_judged(span, one.judged) for span in spans], dtype=np.bool_)
    ious, meant = _ious(spans, [gesture.span for gesture in one.gestures]), _meant(one, vocabulary)
    for output in np.unique(one.found.output):
        rows = np.flatnonzero((one.found.output == output) & looked_at)
        rows = rows[np.argsort(-one.found.logits[rows], kind="stable")]
        theirs = ious[np.ix_(rows, np.flatnonzero(meant[:, output]))]
        is_right = np.zeros(len(rows), np.bool_)
        for place, like in enumerate(theirs if theirs.size else ()):
            best = int(np.argmax(like))
            is_right[place] = like[best] > RIGHT_IOU
            if is_right[place]:
                theirs[place + 1 :, best] = 0.0
        logits.append(one.found.logits[rows])
        outputs.append(np.full(len(rows), output, np.int64))
        truths.append(is_right)
    if not logits:
        return np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.bool_)
    return np.concatenate(logits), np.concatenate(outputs), np.concatenate(truths)


def _ious(spans: Sequence[TimeSpan], others: Sequence[TimeSpan]) -> Floats:
    """Return the temporal IoU of each span with each other, shape ``(n, m)``."""
    edges = [
        np.array([(one.start_ns, one.end_ns) for one in row], np.float64).reshape(-1, 2) for row in (spans, others)
    ]
    (first, end), (other_first, other_end) = (columns.T for columns in edges)
    return overlaps(first[:, None], end[:, None], other_first[None], other_end[None])


def _meant(one: HeldOut, vocabulary: Vocabulary) -> Bools:
    """Tell which outputs each gesture makes true, shape ``(gestures, outputs)``."""
    outputs_of = {class_id: sorted(vocabulary.outputs_of(class_id)) for class_id in {g.class_id for g in one.gestures}}
    meant = np.zeros((len(one.gestures), vocabulary.outputs.count), np.bool_)
    for row, gesture in zip(meant, one.gestures, strict=True):
        row[outputs_of[gesture.class_id]] = True
    return meant


def _judged_truths(one: HeldOut, vocabulary: Vocabulary) -> Truths:
    """Return logit, output and truth of every output for every span that clearly shows a gesture or clearly none."""
    spans = [*(gesture.span for gesture in one.gestures), *one.other_spans]
    if not spans:
        return np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.bool_)
    ious, meant = _ious(spans, [gesture.span for gesture in one.gestures]), _meant(one, vocabulary)
    of_outputs = np.stack([ious[:, column].max(axis=1, initial=0.0) for column in meant.T], axis=1)
    clear = (of_outputs >= LIKE) | (of_outputs < UNLIKE)
    logits = np.concatenate([one.true_logits, one.other_logits])
    return logits[clear], np.nonzero(clear)[1], of_outputs[clear] >= LIKE

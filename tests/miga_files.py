"""Writes data sets in the form in which the MiGA challenges ship iMiGUE: jittering people, made up from a seed.

Frames, labels and people are deterministic: the same arguments give the same bytes. Class shares are those of iMiGUE's
class figure (CVPR 2021, figure 2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

Floats = npt.NDArray[np.float64]
JOINTS = 35
ILLUSTRATIVE = 99
CLASS_SHARES: tuple[float, ...] = (
    0.08, 2.78, 0.24, 1.47, 0.49, 0.17, 0.49, 6.13, 0.71, 0.03, 2.45, 1.07, 0.76, 0.38, 0.24, 0.16, 2.19, 0.71, 0.01,
    6.58, 1.23, 2.85, 5.60, 4.80, 0.11, 2.32, 0.54, 0.54, 8.36, 0.04, 15.57, 30.9,
)  # fmt: skip
"""Percent of the clips of classes 1 to 32."""
RATE, SIZE = 25, (1280, 720)
MEAN_SECONDS, SHORTEST_FRAMES = 2.5, 5
_REST = np.array(
    [
        *[(640, 180), (640, 300), (540, 300), (500, 420), (560, 520), (740, 300), (780, 420), (720, 520)],
        *[(640, 560), (590, 560), (0, 0), (0, 0), (690, 560), (0, 0), (0, 0), (620, 165), (660, 165), (590, 175)],
        *[(690, 175), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)],
        *[(575 + 8 * k, 545 + 3 * k) for k in range(5)],
        *[(705 - 8 * k, 545 + 3 * k) for k in range(5)],
    ],
    np.float64,
)
"""A seated person, BODY_25 then right and left fingers; (0, 0): behind the desk, never seen."""
_RIGHT_ARM, _LEFT_ARM = (3, 4, *range(25, 30)), (6, 7, *range(30, 35))


@dataclass(frozen=True, slots=True, kw_only=True)
class MigaLabel:
    """A line of a label file: frames from 0, the last one included."""

    number: int
    first_frame: int
    last_frame: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MigaRecording:
    """What the two files of a recording hold."""

    native_id: str
    subject: str
    split: str
    values: Floats
    """x, y, confidence, shape ``(n, 35, 3)``; three zeros where a joint is not seen."""
    labels: tuple[MigaLabel, ...]


def person_values(frame_count: int, *, seed: int, hands_seen: float = 0.6) -> Floats:
    """Paint a person with numbers: slow swaying, arms that come and go, jitter of a pixel, hands seen at times."""
    random = np.random.default_rng(seed)
    seconds = np.arange(frame_count) / RATE
    place = random.uniform(0.8, 1.2) * _REST + random.uniform(-40, 40, 2)
    points = np.repeat(place[None], frame_count, axis=0)
    points += _sway(seconds, random, pixels=6.0)[:, None]
    for arm in (_RIGHT_ARM, _LEFT_ARM):
        points[:, arm] += _sway(seconds, random, pixels=30.0)[:, None]
    points += random.normal(0, 0.8, points.shape)
    scores = np.clip(random.normal(0.75, 0.1, points.shape[:2]), 0.05, 1.0)
    unseen = np.broadcast_to(~_REST.any(axis=1), scores.shape).copy()
    for fingers in (slice(25, 30), slice(30, 35)):
        unseen[:, fingers] |= _spells(frame_count, random, share=1 - hands_seen)[:, None]
    values = np.concatenate([np.round(points, 2), np.round(scores, 3)[..., None]], axis=-1)
    values[unseen] = 0
    return values


def _sway(seconds: Floats, random: np.random.Generator, *, pixels: float) -> Floats:
    periods, phases = random.uniform(3, 11, (3, 2)), random.uniform(0, 2 * np.pi, (3, 2))
    waves = np.sin(2 * np.pi * seconds[:, None, None] / periods + phases)
    found: Floats = pixels * waves.mean(axis=1)
    return found


def _spells(frame_count: int, random: np.random.Generator, *, share: float) -> npt.NDArray[np.bool_]:
    """Return spells of about a second, ``share`` of all frames."""
    spells = random.random(frame_count // RATE + 1) < share
    return np.repeat(spells, RATE)[:frame_count]


def draw_labels(frame_count: int, label_count: int, random: np.random.Generator) -> tuple[MigaLabel, ...]:
    """Draw labels by the classes' shares, 2.5 s long on average, one after the other; fewer where none fits."""
    shares = np.array(CLASS_SHARES) / sum(CLASS_SHARES)
    room = frame_count // max(label_count, 1)
    labels = []
    for turn in range(label_count):
        longest = room - 1
        if longest < SHORTEST_FRAMES:
            break
        length = int(np.clip(random.gamma(2.0, MEAN_SECONDS * RATE / 2), SHORTEST_FRAMES, longest))
        first = turn * room + int(random.integers(0, room - length))
        number = int(random.choice(len(shares), p=shares)) + 1
        number = ILLUSTRATIVE if number == len(shares) else number
        labels.append(MigaLabel(number=number, first_frame=first, last_frame=first + length - 1))
    return tuple(labels)


def miga_recordings(
    *, subjects: int = 4, recordings: int = 6, segments: int = 24, frames: int = 1500, seed: int = 0
) -> Iterator[MigaRecording]:
    """Make recordings one by one.

    Args:
        subjects: People; they take turns. The first half of them is in train, as in iMiGUE's protocol, the others in
            the validation split.
        recordings: Recordings in all.
        segments: Labels in all, spread evenly.
        frames: Frames in all, spread evenly.
        seed: Draws everything.
    """
    for number in range(recordings):
        random = np.random.default_rng((seed, number))
        count = frames // recordings + (number < frames % recordings)
        labels = draw_labels(count, segments // recordings + (number < segments % recordings), random)
        subject = number % subjects
        yield MigaRecording(
            native_id=f"{number + 1:04d}",
            subject=str(subject + 1),
            split="train" if subject < (subjects + 1) // 2 else "validate",
            values=person_values(count, seed=int(random.integers(2**32))),
            labels=labels,
        )


def write_miga(folder: Path, recordings: Sequence[MigaRecording] | Iterator[MigaRecording]) -> Path:
    """Write recordings as the challenge does, and ``subjects.csv`` beside them; returns the data set's folder."""
    data = folder / "datasets"
    subjects = ["recording,subject,outcome,split"]
    for recording in recordings:
        write_recording(data / f"imigue_skeleton_{recording.split}" / recording.native_id, recording)
        outcome = "win" if int(recording.native_id) % 3 else "loss"
        subjects.append(f"{recording.native_id},{recording.subject},{outcome},")
    (folder / "subjects.csv").write_text("\n".join(subjects) + "\n", encoding="utf-8")
    return data


def write_recording(folder: Path, recording: MigaRecording) -> None:
    """Write the two files of one recording: skeletons without a heading, labels in the order of time."""
    folder.mkdir(parents=True, exist_ok=True)
    write_skeletons(folder / f"{recording.native_id}_light_hand.csv", recording.values)
    lines = [f"{label.number},{label.first_frame},{label.last_frame}\n" for label in recording.labels]
    (folder / f"{recording.native_id}_label.csv").write_text("".join(lines), encoding="utf-8")


def write_skeletons(path: Path, values: Floats) -> None:
    """Write 106 columns: the frame's number, then x, y and confidence of 35 joints."""
    flat = values.reshape(len(values), 3 * JOINTS)
    columns = [np.arange(len(flat)), *flat.T]
    table = pa.Table.from_arrays([pa.array(column) for column in columns], names=[str(k) for k in range(len(columns))])
    csv.write_csv(table, path, csv.WriteOptions(include_header=False))

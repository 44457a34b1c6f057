"""A study of any size, made of numbers: people who sit, lean and touch themselves, with segments and answers.

Classes are as common as in the training labels of iMiGUE where ``../shared/media/labels`` has them, else as the shares
that its figure gives (the commonest ones; the rest share what is left). Nothing in it shows anybody.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa

from releases.inputs import MatchOutcome, ReleaseInputs, SubjectAttributes
from releases.privacy.linter import ForbiddenStrings
from schema.answer_rows import annotations_to_rows
from schema.questions import QuestionKind
from schema.records import (
    PART_SLICES,
    Anchor,
    Annotation,
    CandidateId,
    KeypointSequence,
    Part,
    Verdict,
    VerifiedSegment,
    VideoId,
    VideoRecord,
)
from schema.rows import keypoints_to_rows, segments_to_rows, videos_to_rows
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

LABELS = Path(__file__).parents[2] / "shared" / "media" / "labels" / "imigue_miga_train_labels.csv"
TAXONOMY = load_taxonomy("imigue32")
COMMONEST = {32: 0.309, 31: 0.1557, 29: 0.0836, 20: 0.0658, 8: 0.0613, 23: 0.056, 24: 0.048}
"""Shares of 18,499 clips by class number (iMiGUE's class figure, CVPR 2021)."""
FRAME_NS = 40_000_000
ANSWERS = 2
FIRST_ANSWER_NS = 1_700_000_000 * NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySize:
    """How large a study is."""

    subjects: int = 332
    videos: int = 3_400
    segments: int = 13_670
    frames: int = 3_700_000


def generated_inputs(size: StudySize, *, seed: int = 0) -> ReleaseInputs:
    """Return the inputs of a release of that size; keypoints are made when they are asked for."""
    random = np.random.default_rng(seed)
    frames_of = np.diff(np.linspace(0, size.frames, size.videos + 1).round().astype(int))
    owner = np.sort(np.r_[np.arange(size.subjects), random.integers(0, size.subjects, size.videos - size.subjects)])
    videos = [_video(n, int(frames_of[n])) for n in range(size.videos)]
    classes = random.choice(len(TAXONOMY.classes), size.segments, p=class_shares())
    segments = _segments(size, frames_of, classes, random)
    subjects = [f"s{n:020x}" for n in range(size.subjects)]
    return ReleaseInputs(
        segments=segments_to_rows(segments),
        annotations=annotations_to_rows(_answers(segments, videos)),
        videos=videos_to_rows(videos),
        subject_of={(video.video_id, 0): subjects[owner[n]] for n, video in enumerate(videos)},
        keypoints_of=lambda video_id: keypoints_of(
            video_id, frame_count=int(frames_of[_number(video_id)]), person=int(owner[_number(video_id)])
        ),
        taxonomy=TAXONOMY,
        forbidden=ForbiddenStrings(),
        match_outcomes={
            video.video_id: MatchOutcome(outcome="win" if random.random() < 0.72 else "loss") for video in videos
        },
        subject_attributes={
            subject: SubjectAttributes(sex="fm"[n % 2], birth_year=1980 + (7 * n) % 26)
            for n, subject in enumerate(subjects)
        },
        input_digests={"segments": "0" * 12},
    )


def class_shares() -> np.ndarray:
    """Return how common each class of iMiGUE is, in the taxonomy's order; they add up to 1."""
    counts = np.zeros(len(TAXONOMY.classes))
    if LABELS.exists():
        with LABELS.open(newline="") as file:
            for row in csv.DictReader(file):
                counts[int(row["class_id_zero_based"])] += 1
    else:
        counts[:] = (1 - sum(COMMONEST.values())) / (len(counts) - len(COMMONEST))
        for number, share in COMMONEST.items():
            counts[number - 1] = share
    return np.asarray(counts / counts.sum())


def keypoints_of(video_id: str, *, frame_count: int, person: int) -> pa.Table:
    """Make one person's keypoints: a body of their own build that sways, hands that wander, and estimator's jitter."""
    random = np.random.default_rng([_number(video_id), person])
    build = np.random.default_rng(person)
    rest = _rest() * build.uniform(0.9, 1.1, (1, 2)) + build.normal(0, 2.0, (133, 2))
    moves = np.zeros((frame_count, 133, 2), dtype=np.float32)
    for points, far in (
        (range(133), 12.0),
        (range(17), 4.0),
        ((9, *range(91, 112)), 60.0),
        ((10, *range(112, 133)), 60.0),
    ):
        moves[:, list(points)] += _wandering(frame_count, far, random)[:, None]
    jitter = random.normal(0, 0.4, moves.shape).astype(np.float32)
    parts = np.ones((frame_count, len(Part)), dtype=bool)
    parts[:, Part.FEET] = False
    for part in (Part.LEFT_HAND, Part.RIGHT_HAND):
        parts[:, part] = _wandering(frame_count, 1.0, random)[:, 0] > -0.3
    scores = np.clip(random.normal(0.8, 0.1, (frame_count, 133)), 0.05, 1).astype(np.float32)
    for part, points in PART_SLICES.items():
        scores[:, points][~parts[:, part]] = 0
    places = (rest + moves + jitter).astype(np.float32)
    sequence = KeypointSequence(
        video_id=VideoId(video_id),
        track_number=0,
        frame_indices=np.arange(frame_count, dtype=np.int32),
        times_ns=np.arange(frame_count, dtype=np.int64) * FRAME_NS,
        keypoints_xy=np.where(scores[..., None] > 0, places, np.float32(np.nan)),
        scores=scores,
        parts_seen=parts,
        interpolated=np.zeros(frame_count, dtype=bool),
    )
    return keypoints_to_rows(sequence)


def _rest() -> np.ndarray:
    """Return a seated person's points in a picture of 1280 x 720: head, shoulders, arms, hands, hidden feet."""
    body = [(640, 200), (655, 185), (625, 185), (675, 195), (605, 195), (740, 330), (540, 330), (790, 450), (490, 450),
            (700, 540), (580, 540), (700, 600), (580, 600), (720, 700), (560, 700), (720, 715), (560, 715)]  # fmt: skip
    feet = [(720, 718)] * 3 + [(560, 718)] * 3
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    face = np.stack([640 + 35 * np.cos(angles), 200 + 45 * np.sin(angles)], axis=1)
    hands = [[(x + 3 * (k % 4), 550 + 4 * (k // 4)) for k in range(21)] for x in (700, 568)]
    return np.concatenate([np.array(body), np.array(feet), face, *map(np.array, hands)]).astype(np.float64)


def _wandering(frame_count: int, far: float, random: np.random.Generator) -> np.ndarray:
    """Return a smooth path of shape ``(n, 2)`` that comes back to 0: interpolated knots, two a second."""
    knots = random.normal(0, far / 2, (frame_count // 12 + 2, 2))
    at = np.arange(frame_count) / 12
    return np.stack([np.interp(at, np.arange(knots.shape[0]), knots[:, axis]) for axis in (0, 1)], axis=1)


def _number(video_id: str) -> int:
    return int(video_id[1:], 16)


def _video(number: int, frame_count: int) -> VideoRecord:
    return VideoRecord(
        video_id=VideoId(f"v{number:020x}"),
        sha256=f"{number:064x}",
        byte_count=1,
        container="mp4",
        codec="h264",
        width=1280,
        height=720,
        rotation_degrees=0,
        average_rate=Fraction(25),
        header_rate=Fraction(25),
        frame_count=frame_count,
        duration_ns=frame_count * FRAME_NS,
        header_duration_ns=frame_count * FRAME_NS,
        has_audio=True,
        pixel_format="yuv420p",
        color_space="bt709",
        flags=(),
    )


def _segments(
    size: StudySize, frames_of: np.ndarray, classes: np.ndarray, random: np.random.Generator
) -> list[VerifiedSegment]:
    """Spread the segments over the videos, 2.5 s long on average; some overlap, as in life."""
    segments: list[VerifiedSegment] = []
    for k in range(size.segments):
        video = k * size.videos // size.segments
        length = int(np.clip(random.gamma(3, 21), 8, frames_of[video] // 2))
        first = int(random.integers(0, frames_of[video] - length))
        gesture = TAXONOMY.classes[classes[k]]
        segments.append(
            VerifiedSegment(
                segment_id=f"g{k:020x}",
                candidate_id=CandidateId(f"c{k:020x}"),
                video_id=VideoId(f"v{video:020x}"),
                track_number=0,
                span=TimeSpan(start_ns=first * FRAME_NS, end_ns=(first + length) * FRAME_NS),
                class_id=gesture.class_id,
                answer_count=ANSWERS,
                agreement=float(random.choice([1.0, 1.0, 0.5])),
                posterior=float(random.uniform(0.8, 1.0)),
                scripted=False,
                evidence=gesture.evidence[0] if gesture.evidence else "moving_hand",
                proposer="contact",
                proposer_score=float(random.uniform(0.3, 1.0)),
                description="",
            )
        )
    return segments


def _answers(segments: Sequence[VerifiedSegment], videos: Sequence[VideoRecord]) -> list[Annotation]:
    sha256s = {video.video_id: video.sha256 for video in videos}
    return [
        Annotation(
            annotation_id=f"a{ANSWERS * k + who:020x}",
            candidate_id=segment.candidate_id,
            anchor=Anchor(
                video_id=segment.video_id,
                sha256=sha256s[segment.video_id],
                span=segment.span,
                box_xyxy=(480.0, 120.0, 800.0, 720.0),
            ),
            taxonomy=TAXONOMY.name,
            question="Does the person do it?",
            proposed_class_id=segment.class_id,
            annotator_id=f"r{(k + who) % 12:020x}",
            scripted=False,
            verdict=Verdict.ACCEPT,
            class_id=segment.class_id,
            comment="",
            answered_ns=FIRST_ANSWER_NS + k * 20 * NS_PER_SECOND,
            lead_time_ns=6 * NS_PER_SECOND,
            kind=QuestionKind.VERDICT,
        )
        for k, segment in enumerate(segments)
        for who in range(ANSWERS)
    ]

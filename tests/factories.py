"""One maker per record: sensible values, any of which a test may change by keyword."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from schema.errors import DropReason
from schema.records import (
    KEYPOINT_COUNT,
    PART_SLICES,
    Anchor,
    Annotation,
    Candidate,
    CandidateId,
    Dropped,
    FrameTimes,
    KeypointSequence,
    Part,
    ReviewTask,
    Shot,
    Track,
    Verdict,
    VerifiedSegment,
    VideoFlag,
    VideoId,
    VideoRecord,
)
from schema.timespan import NS_PER_SECOND, TimeSpan

VIDEO_ID = VideoId("v" + "0" * 20)
OTHER_VIDEO_ID = VideoId("v" + "1" * 20)
SHA256 = "ab" * 32
OTHER_SHA256 = "cd" * 32
CANDIDATE_ID = CandidateId("c" + "2" * 20)
BOX = (100.0, 50.0, 300.0, 450.0)
NECK, ARMS = "touching_or_scratching_neck", "folding_arms"
"""Two classes of iMiGUE-32."""
KEY = bytes(range(32))


def make_span(start_s: float = 2.0, end_s: float = 3.5) -> TimeSpan:
    """Give a span in seconds."""
    return TimeSpan(start_ns=round(start_s * NS_PER_SECOND), end_ns=round(end_s * NS_PER_SECOND))


def make_video(**changes: Any) -> VideoRecord:
    """Ten seconds at 25 frames per second, sound, nothing wrong."""
    record = VideoRecord(
        video_id=VIDEO_ID,
        sha256=SHA256,
        byte_count=1_000_000,
        container="mov,mp4,m4a,3gp,3g2,mj2",
        codec="h264",
        width=640,
        height=480,
        rotation_degrees=0,
        average_rate=Fraction(25),
        header_rate=Fraction(25),
        frame_count=250,
        duration_ns=10 * NS_PER_SECOND,
        header_duration_ns=10 * NS_PER_SECOND,
        has_audio=True,
        pixel_format="yuv420p",
        color_space="bt709",
        flags=(VideoFlag.VARIABLE_RATE,),
    )
    return replace(record, **changes)


def make_frame_times(frame_count: int = 250, frame_ns: int = 40_000_000, **changes: Any) -> FrameTimes:
    """Evenly spaced frames; ticks of 1/12800 s as ffmpeg's mp4 writes them at 25 frames per second."""
    times = FrameTimes(
        video_id=VIDEO_ID,
        sha256=SHA256,
        time_base=Fraction(1, 12_800),
        pts=np.arange(frame_count, dtype=np.int64) * 512,
        times_ns=np.arange(frame_count, dtype=np.int64) * frame_ns,
        flags=np.zeros(frame_count, dtype=np.uint8),
        end_ns=frame_count * frame_ns,
    )
    return replace(times, **changes)


def make_shot(**changes: Any) -> Shot:
    """Cover the whole of ``make_video``."""
    shot = Shot(video_id=VIDEO_ID, shot_number=0, first_frame=0, end_frame=250, span=make_span(0, 10))
    return replace(shot, **changes)


def make_track(
    *, first_frame: int = 0, frame_count: int = 250, box_xyxy: tuple[float, ...] = BOX, **changes: Any
) -> Track:
    """One person who keeps still, at 25 frames per second."""
    frames = np.arange(first_frame, first_frame + frame_count, dtype=np.int32)
    track = Track(
        video_id=VIDEO_ID,
        track_number=0,
        shot_number=0,
        frame_indices=frames,
        times_ns=frames.astype(np.int64) * 40_000_000,
        boxes_xyxy=np.tile(np.array(box_xyxy, dtype=np.float32), (frame_count, 1)),
        scores=np.full(frame_count, 0.9, dtype=np.float32),
    )
    return replace(track, **changes)


def make_keypoints(
    *, first_frame: int = 0, frame_count: int = 250, unseen: tuple[Part, ...] = (), seed: int = 0, **changes: Any
) -> KeypointSequence:
    """Every point of the seen parts somewhere in ``BOX``, other places in every frame."""
    random = np.random.default_rng(seed)
    frames = np.arange(first_frame, first_frame + frame_count, dtype=np.int32)
    points = random.uniform(BOX[:2], BOX[2:], size=(frame_count, KEYPOINT_COUNT, 2)).astype(np.float32)
    scores = np.full((frame_count, KEYPOINT_COUNT), 0.8, dtype=np.float32)
    seen = np.ones((frame_count, len(Part)), dtype=np.bool_)
    for part in unseen:
        points[:, PART_SLICES[part]] = np.nan
        scores[:, PART_SLICES[part]] = 0
        seen[:, part] = False
    sequence = KeypointSequence(
        video_id=VIDEO_ID,
        track_number=0,
        frame_indices=frames,
        times_ns=frames.astype(np.int64) * 40_000_000,
        keypoints_xy=points,
        scores=scores,
        parts_seen=seen,
        interpolated=np.zeros(frame_count, dtype=np.bool_),
    )
    return replace(sequence, **changes)


def make_candidate(**changes: Any) -> Candidate:
    """A hand at the neck."""
    candidate = Candidate(
        candidate_id=CANDIDATE_ID,
        video_id=VIDEO_ID,
        track_number=0,
        span=make_span(),
        box_xyxy=BOX,
        class_id=NECK,
        evidence="hand_on_neck",
        proposer="contact",
        score=0.7,
        reason="right hand within 0.2 head widths of the neck for 1.4 s",
    )
    return replace(candidate, **changes)


def make_anchor(**changes: Any) -> Anchor:
    """What ``make_candidate`` is tied to."""
    return replace(Anchor(video_id=VIDEO_ID, sha256=SHA256, span=make_span(), box_xyxy=BOX), **changes)


def make_task(**changes: Any) -> ReviewTask:
    """The question that ``make_candidate`` leads to."""
    candidate = make_candidate()
    task = ReviewTask(
        candidate_id=candidate.candidate_id,
        anchor=make_anchor(),
        taxonomy="imigue32",
        class_id=candidate.class_id,
        question="Does the person touch or scratch the neck?",
        evidence=candidate.evidence,
        proposer=candidate.proposer,
        score=candidate.score,
        reason=candidate.reason,
        server_id="server",
        project_number=1,
        task_number=1,
    )
    return replace(task, **changes)


def make_annotation(number: int = 1, **changes: Any) -> Annotation:
    """A person's accept of ``make_task``; ``number`` tells answers and annotators apart."""
    task = make_task()
    annotation = Annotation(
        annotation_id=f"a{number:020d}",
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        taxonomy=task.taxonomy,
        question=task.question,
        proposed_class_id=task.class_id,
        annotator_id=f"r{number:020d}",
        scripted=False,
        verdict=Verdict.ACCEPT,
        class_id=task.class_id,
        comment="",
        answered_ns=1_700_000_000 * NS_PER_SECOND + number,
        lead_time_ns=4 * NS_PER_SECOND,
    )
    return replace(annotation, **changes)


def make_segment(**changes: Any) -> VerifiedSegment:
    """What one accept of ``make_task`` becomes."""
    candidate = make_candidate()
    segment = VerifiedSegment(
        segment_id="g" + candidate.candidate_id[1:],
        candidate_id=candidate.candidate_id,
        video_id=candidate.video_id,
        track_number=candidate.track_number,
        span=candidate.span,
        class_id=candidate.class_id,
        answer_count=1,
        agreement=1.0,
        posterior=1.0,
        scripted=False,
        evidence=candidate.evidence,
        proposer=candidate.proposer,
        proposer_score=candidate.score,
        description="The person touches or scratches the neck for 1.5 s.",
    )
    return replace(segment, **changes)


def make_dropped(**changes: Any) -> Dropped:
    """A video that isn't there."""
    dropped = Dropped(stage="collect", item_id=VIDEO_ID, reason=DropReason.MISSING, detail="no such file")
    return replace(dropped, **changes)

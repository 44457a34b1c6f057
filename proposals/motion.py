"""Parts of the body that move more than they tremble."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kinematics.hands import ELBOWS, SIDES, WRISTS, Hands, trusted_points
from kinematics.movement import displacements, jitter_floor
from kinematics.runs import Run, close_gaps, run_seconds, runs_of, span_of_run
from kinematics.windows import Bools, Floats, Times, frame_ends_ns, seconds_of
from proposals.config import MotionConfig
from proposals.drafts import Draft
from schema.records import KeypointSequence
from schema.skeleton import FACE_START
from schema.timespan import NS_PER_SECOND, TimeSpan

STILL_FACE = slice(FACE_START + 27, FACE_START + 48)
"""Face points of nose and eyes: they move with the head and not with the mouth."""
FEWEST_SEEN = 0.2
"""A part that is seen in a smaller share of the frames is not watched for movement."""
MOST_PEAKS_PER_MINUTE = 30
"""Peaks looked at in one part: many more than are ever kept, so that the work stays bounded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MovingPart:
    """A part's points in pixels, against what carries the part."""

    words: str
    evidence: str
    sides: tuple[str, ...]
    positions: Floats
    """Shape ``(n, p, 2)``, NaN where unseen."""


def moving_parts(sequence: KeypointSequence, hands: Hands) -> Iterator[MovingPart]:
    """Go through the parts that are watched, each against the part that carries it (a head against the shoulders)."""
    body = trusted_points(sequence)
    shoulders = (body[:, 5] + body[:, 6]) / 2
    carried = np.isfinite(shoulders).all(axis=1).mean() >= 0.5
    carrier = shoulders[:, None] if carried else np.zeros((body.shape[0], 1, 2))
    head = _head_points(sequence, body) - carrier
    yield MovingPart(words="head", evidence="moving_head", sides=(), positions=head)
    yield MovingPart(words="upper body", evidence="moving_torso", sides=(), positions=shoulders[:, None])
    yield MovingPart(
        words="shoulders", evidence="moving_shoulders", sides=(), positions=(body[:, 5:7] - shoulders[:, None])
    )
    for side, name in enumerate(SIDES):
        arm = body[:, [ELBOWS[side], WRISTS[side]]] - shoulders[:, None]
        yield MovingPart(words=f"{name} arm", evidence="moving_arm", sides=(name,), positions=arm)
        hand = hands.points[:, side]
        fingers = hand[:, 1:] - hand[:, :1]
        yield MovingPart(words=f"{name} fingers", evidence="moving_hand", sides=(name,), positions=fingers)


def _head_points(sequence: KeypointSequence, body: Floats) -> Floats:
    """Return the middle of eyes and nose in pixels, shape ``(n, 1, 2)``: of 21 face points if the face is seen.

    One mean of many points trembles less than each of them, and a nod is small: 0.04 head widths on a clip that is
    labelled so, where single points tremble by 0.02 from frame to frame and the mean by 0.01. A track uses face points
    or body points throughout, so that no change of source looks like a movement.
    """
    face = sequence.keypoints_xy[:, STILL_FACE].astype(np.float64).mean(axis=1)
    use_face = np.isfinite(face[:, 0]).mean() >= 0.8
    return np.asarray((face if use_face else body[:, :3].mean(axis=1))[:, None])


def find_movements(
    sequence: KeypointSequence, hands: Hands, head_widths: Floats, *, config: MotionConfig
) -> list[Draft]:
    """Return the movements of every part, each around a peak of its speed."""
    times_s = seconds_of(sequence.times_ns)
    walks = _walks(sequence, times_s, head_widths, config)
    drafts: list[Draft] = []
    for part in moving_parts(sequence, hands):
        seen = np.isfinite(part.positions[..., 0]).any(axis=1)
        if float(seen.mean()) < FEWEST_SEEN:
            continue
        way_px, gain = displacements(part.positions, times_s, over_s=config.over_s, smooth_s=config.smooth_s)
        way, floor = way_px / head_widths, jitter_floor(part.positions, times_s) / head_widths
        threshold = np.maximum(config.jitter_factor * floor * gain, config.least)
        drafts += _movements(
            part, np.where(walks, 0.0, way), floor, threshold, times_ns=sequence.times_ns, config=config
        )
    return drafts


def _walks(sequence: KeypointSequence, times_s: Floats, head_widths: Floats, config: MotionConfig) -> Bools:
    """Tell in which frames the whole person goes elsewhere, shape ``(n,)``: by the shoulders, or by the head."""
    body = trusted_points(sequence)
    result = np.zeros(head_widths.shape, dtype=np.bool_)
    for points in (body[:, 5:7].mean(axis=1, keepdims=True), body[:, :3].mean(axis=1, keepdims=True)):
        way, _ = displacements(points, times_s, over_s=config.over_s, smooth_s=config.smooth_s)
        result |= way > config.walking * head_widths
    return result


def _movements(
    part: MovingPart, way: Floats, floor: Floats, threshold: Floats, *, times_ns: Times, config: MotionConfig
) -> list[Draft]:
    """Return one part's movements from its ways, jitter and thresholds in head widths, each of shape ``(n,)``."""
    drafts, ends_ns = [], frame_ends_ns(times_ns)
    for run, peak in _peaks(way / threshold, times_ns, ends_ns, config):
        ratio, moved = float(way[peak] / threshold[peak]), float(way[peak])
        noise = float(floor[peak])
        trembling = f"{moved / noise:.0f} times" if noise > 0 and moved / noise < 100 else "over 100 times"
        reason = f"{part.words} moved {moved:.2f} head widths within {config.over_s:.1f} s, {trembling} its own jitter"
        drafts.append(
            Draft(
                span=_cut(span_of_run(run, times_ns, ends_ns), int(times_ns[peak]), config.longest_s),
                evidence=part.evidence,
                proposer="motion",
                sides=part.sides,
                score=round(ratio / (ratio + config.score_half), 4),
                reason=reason,
            )
        )
    return drafts


def _peaks(ratio: Floats, times_ns: Times, ends_ns: Times, config: MotionConfig) -> Iterator[tuple[Run, int]]:
    """Go through the peaks above 1, highest first, each with the run around it; runs never overlap."""
    left = ratio.copy()
    length_s = (ends_ns[-1] - times_ns[0]) / NS_PER_SECOND
    for _ in range(5 + int(MOST_PEAKS_PER_MINUTE * length_s / 60)):
        peak = int(np.argmax(left))
        if left[peak] < 1:
            return
        half_ns = round(config.longest_s / 2 * NS_PER_SECOND)
        low = int(np.searchsorted(times_ns, times_ns[peak] - half_ns, side="left"))
        high = int(np.searchsorted(times_ns, times_ns[peak] + half_ns, side="right"))
        holds = left[low:high] >= max(config.keep_share * left[peak], 0.5)
        holds &= left[low:high] > 0
        holds = close_gaps(holds, times_ns[low:high], ends_ns[low:high], longest_s=config.bridge_s)
        around = next(run for run in runs_of(holds) if run[0] <= peak - low < run[1])
        run = (low + around[0], low + around[1])
        left[run[0] : run[1]] = 0.0
        if run_seconds(run, times_ns, ends_ns) >= config.shortest_s - 1e-6:
            yield run, peak


def _cut(span: TimeSpan, peak_ns: int, longest_s: float) -> TimeSpan:
    """Cut a span to ``longest_s`` seconds around its peak."""
    half_ns = round(longest_s / 2 * NS_PER_SECOND)
    return TimeSpan(start_ns=max(span.start_ns, peak_ns - half_ns), end_ns=min(span.end_ns, peak_ns + half_ns))

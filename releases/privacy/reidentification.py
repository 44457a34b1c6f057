"""Whether published face points tell people apart: is a video's nearest other video one of the same person?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from releases.facts import Reidentification
from releases.privacy.faces import HEAD_POINTS, REDRAWN
from schema.columns import FIXED_POINT_PER_PIXEL
from schema.records import PART_SLICES, Part

Floats = npt.NDArray[np.float64]

LEAST_SUBJECTS = 10
"""With fewer people who have two videos, the interval around the accuracy holds nearly everything."""
NEAR_CHANCE = 2.0
"""An accuracy of up to so many times chance counts as near it, however many videos make the interval narrow."""
SAMPLED_FRAMES = 2000
"""Frames of a video that are looked at, evenly spread: medians need no more."""
ALL_POINTS = (*HEAD_POINTS, *range(PART_SLICES[Part.FACE].start, PART_SLICES[Part.FACE].stop))
_EYES, _SHOULDERS = (1, 2), (5, 6)
_NORMAL_95 = 1.959964
"""Quantile of the normal distribution for a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Video:
    subject_id: str
    recording_id: str
    estimated: npt.NDArray[np.float32]
    published: npt.NDArray[np.float32]


class FaceProbe:
    """Collects a few hundred numbers of each video and then looks for each video's nearest neighbour.

    A video's numbers are, of each point, the medians and the spreads (interquartile ranges) of its position relative
    to the head, and the head's size against the shoulders: what somebody would compute who looks for a person. Each
    number is standardised over all videos; distances are Euclidean.
    """

    def __init__(self) -> None:
        """Begin without videos."""
        self._videos: dict[tuple[str, str], _Video] = {}

    def add(
        self, subject_id: str, video_id: str, *, estimated: pa.Table, published: pa.Table, recording_id: str = ""
    ) -> None:
        """Take the keypoints of one person in one video; a video without a seen face tells nothing and is left out.

        Args:
            subject_id: The person.
            video_id: The video; given again it replaces what was given before.
            estimated: Rows of ``schema.arrow.KEYPOINTS`` of the person's tracks, as estimated.
            published: The same rows after ``neutral_faces``.
            recording_id: Stands for all copies of a recording, which are no neighbours of each other; empty: the
                video has no copy.
        """
        before, after = face_features(estimated, ALL_POINTS), face_features(published, REDRAWN)
        if before is not None and after is not None:
            self._videos[subject_id, video_id] = _Video(
                subject_id=subject_id, recording_id=recording_id or video_id, estimated=before, published=after
            )

    def result(self) -> Reidentification:
        """Test, or say why there is nothing to test."""
        videos = [self._videos[key] for key in sorted(self._videos)]
        counts = Counter(subject_id for subject_id, _ in {(one.subject_id, one.recording_id) for one in videos})
        people = sum(count > 1 for count in counts.values())
        if people < LEAST_SUBJECTS:
            why = (
                f"{people} people have two videos or more in which their face is seen; at least {LEAST_SUBJECTS} "
                "are needed to tell an accuracy from chance"
            )
            return Reidentification(tested=False, why=why, subjects=people)
        subjects, recordings = [one.subject_id for one in videos], [one.recording_id for one in videos]
        published = np.stack([one.published for one in videos])
        estimated = np.stack([one.estimated for one in videos])
        hits, chances = nearest_neighbours(published, subjects, recordings)
        hits_of_all, _ = nearest_neighbours(estimated, subjects, recordings)
        low, high = wilson_interval(float(hits.sum()), hits.size)
        why = (
            "the nearest neighbour of each video of a person with two or more, among all other videos, by medians and "
            "spreads of the head-relative face points; copies of one recording are no neighbours"
        )
        return Reidentification(
            tested=True,
            why=why,
            subjects=people,
            videos=hits.size,
            accuracy=float(hits.mean()),
            accuracy_low=low,
            accuracy_high=high,
            chance=float(chances.mean()),
            accuracy_of_all_points=float(hits_of_all.mean()),
        )


def is_near_chance(result: Reidentification) -> bool:
    """Tell whether a tested accuracy is near chance: its 95 % interval reaches it, or it is at most twice chance.

    Raises ``ValueError`` for a result that was not tested.
    """
    if not result.tested:
        raise ValueError("re-identification was not tested: there is no accuracy")
    return result.accuracy_low <= result.chance or result.accuracy <= NEAR_CHANCE * result.chance


def face_features(rows: pa.Table, points: Sequence[int]) -> npt.NDArray[np.float32] | None:
    """Compute the numbers of one video, NaN where a point was never seen; None where both eyes never were.

    The head's own frame has its origin between the eyes, the line through them level, and as its unit the root mean
    square distance of the points from the origin, over the whole video.

    Args:
        rows: Rows of ``schema.arrow.KEYPOINTS``.
        points: Which of the 133 keypoints are looked at.

    Returns:
        Shape ``(4 * points + 1,)``: medians and interquartile ranges of x and y, and the logarithm of the unit
        against the shoulders' distance.
    """
    xy = {point: _positions(rows, point) for point in sorted({*points, *_EYES, *_SHOULDERS})}
    left, right = (xy[eye] for eye in _EYES)
    across = left - right
    lengths = np.hypot(*across.T)
    usable = np.isfinite(lengths) & (lengths > 0)
    if not usable.any():
        return None
    across = (across / np.where(usable, lengths, np.nan)[:, None])[usable]
    middles = ((left + right) / 2)[usable]
    offsets = np.stack([xy[point][usable] for point in points], axis=1) - middles[:, None]
    x = offsets[..., 0] * across[:, None, 0] + offsets[..., 1] * across[:, None, 1]
    y = offsets[..., 1] * across[:, None, 0] - offsets[..., 0] * across[:, None, 1]
    unit = float(np.sqrt(np.nanmean(x**2 + y**2)))
    shoulders = np.hypot(*(xy[_SHOULDERS[0]] - xy[_SHOULDERS[1]]).T)
    shoulders = shoulders[np.isfinite(shoulders) & (shoulders > 0)]
    size = np.log(unit / float(np.median(shoulders))) if shoulders.size else np.nan
    low, middle, high = _quartiles(np.concatenate([x, y], axis=1) / unit)
    return np.concatenate([middle, high - low, [size]]).astype(np.float32)


def _positions(rows: pa.Table, point: int) -> Floats:
    step = max(1, rows.num_rows // SAMPLED_FRAMES)
    columns = [rows[f"k{point:03d}_{axis}"].to_numpy()[::step] for axis in ("x", "y")]
    return np.stack(columns, axis=1).astype(np.float64) / FIXED_POINT_PER_PIXEL


def _quartiles(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the quartiles of each column, NaN where it holds nothing; interpolated as ``numpy.percentile`` does.

    One sort for all columns: a call a column would take longer than all the rest of a release's test.
    """
    counts = np.isfinite(values).sum(axis=0)
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=0)
    columns = np.arange(values.shape[1])
    found = []
    for share in (0.25, 0.5, 0.75):
        place = share * np.maximum(counts - 1, 0)
        below = place.astype(np.intp)
        above = np.minimum(below + 1, np.maximum(counts - 1, 0))
        low, high = ordered[below, columns], ordered[above, columns]
        found.append(low + (high - low) * (place - below))
    return found[0], found[1], found[2]


def nearest_neighbours(
    features: npt.NDArray[np.float32], subjects: Sequence[str], recordings: Sequence[str]
) -> tuple[Floats, Floats]:
    """Look for the nearest other recording of each video whose person has another one.

    Args:
        features: Shape ``(n, f)``; a number that is NaN counts as the mean of the others.
        subjects: The person of each video.
        recordings: The recording of each video.

    Returns:
        For each such video: 1 where its neighbour is of the same person, a share where neighbours are equally near,
        and what guessing would give.
    """
    standard = _standardised(features.astype(np.float64))
    squares = (standard**2).sum(axis=1)
    people, sources = np.unique(subjects, return_inverse=True)[1], np.unique(recordings, return_inverse=True)[1]
    hits, chances = [], []
    for number in range(len(subjects)):
        others = sources != sources[number]
        same = others & (people == people[number])
        if not same.any():
            continue
        distances = squares + squares[number] - 2 * (standard * standard[number]).sum(axis=1)
        # equal videos differ in the last bits of a sum: which of them comes first must not decide
        nearest = others & (distances <= distances[others].min() + 1e-6)
        hits.append(float(same[nearest].mean()))
        chances.append(float(same.sum() / others.sum()))
    return np.array(hits), np.array(chances)


def _standardised(features: Floats) -> Floats:
    told = np.isfinite(features)
    counts = np.maximum(told.sum(axis=0), 1)
    means = np.where(told, features, 0.0).sum(axis=0) / counts
    centred = np.where(told, features - means, 0.0)
    spreads = np.sqrt((centred**2).sum(axis=0) / counts)
    return np.asarray(centred[:, spreads > 1e-6] / spreads[spreads > 1e-6])


def wilson_interval(hits: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927), as if the trials were independent; (0, 1) without trials."""
    if not count:
        return 0.0, 1.0
    share, weight = hits / count, _NORMAL_95**2 / count
    middle = share + weight / 2
    reach = _NORMAL_95 * float(np.sqrt(share * (1 - share) / count + weight / (4 * count)))
    return max(0.0, (middle - reach) / (1 + weight)), min(1.0, (middle + reach) / (1 + weight))

"""Which videos may be copies, without comparing each with each: moments of the same movement meet in hash tables.

Every three seconds of movement, begun at each sample, becomes a point that a crop, another brightness or speed moves
only a little. Points on the same sides of some random planes share a bucket (locality-sensitive hashing), and two
videos whose moments meet several times at one distance in time are looked at closely. Buckets get finer as the study
grows and overfull ones are passed over, so that the work grows with the number of moments, not with its square.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log2

import numpy as np
import numpy.typing as npt

from collectors.fingerprints import SMOOTHING_SAMPLES, Fingerprint, Floats

WINDOW_SAMPLES = 15
"""Length of a moment: 3 s."""
WAVES = 6
"""Cosine terms of each number in a moment: up to one movement a second, which 5 % of speed does not blur."""
TABLES = 8
CODE_BITS = 32
FINER_BITS = 5
"""Bits of a bucket beyond the logarithm of the number of moments: moments of speaking people are no random points."""
LARGEST_BUCKET = 16
"""Moments of a bucket that are still paired; fuller buckets hold movements that everybody makes."""
FEWEST_HITS, ENOUGH_HITS = 3, 8
"""Moments of one video that must meet the other's at the same distance in time: a twentieth of the shorter video's,
within these bounds. A copy of 6 minutes has some hundred, and one of 8 s has seven (median)."""
ENOUGH_SPAN_SAMPLES = 15
"""The first and the last of them do not overlap, or are half of a short video apart: one passage that looks alike is
an accident, two are not."""
OFFSET_BIN_SAMPLES = 10
"""Distances in time within 2 s are the same: at 1.05 times the speed they drift by so much in 40 s."""
MOST_HITS_KEPT = 2000
HITS_AT_ONCE = 2_000_000
_VARIED, _MOVING = 0.8, -1.4
"""Moments in which the amount of movement varies less, and never passes a quarter of a grey level (its logarithm), are
alike in every video."""
_FLOORS = np.array([0.5, 0.05, 0.05], dtype=np.float32)[None, :, None]
"""Variations below it, in the units of ``Fingerprint.motion``, are not blown up to full size."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encounter:
    """Two videos that may show the same recording."""

    first: int
    """Position among the fingerprints; lower than ``second``."""
    second: int
    hits: npt.NDArray[np.int32]
    """Moments that met: samples of the first and of the second, shape ``(n, 2)``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moments:
    video: npt.NDArray[np.int32]
    sample: npt.NDArray[np.int32]
    codes: npt.NDArray[np.uint32]
    """Shape ``(n, TABLES)``."""


def steady(motion: Floats) -> Floats:
    """Take out of a video's motion what changes slowly: somebody who sits down is not a movement of ten seconds."""
    from scipy.ndimage import uniform_filter1d

    if motion.shape[0] == 0:
        return motion
    return np.asarray(motion - uniform_filter1d(motion, SMOOTHING_SAMPLES, axis=0, mode="nearest"), dtype=np.float32)


def find_encounters(fingerprints: Sequence[Fingerprint]) -> list[Encounter]:
    """Return the pairs of videos whose moments met, by position; the order of equal inputs does not matter."""
    moments = _all_moments(fingerprints)
    count = moments.video.shape[0]
    if count < 2:
        return []
    bits = min(CODE_BITS, ceil(log2(count)) + FINER_BITS)
    met = [_meetings(moments, table, bits) for table in range(TABLES)]
    lengths = np.array([max(0, f.motion.shape[0] - WINDOW_SAMPLES + 1) for f in fingerprints])
    return list(_encounters(moments, met, lengths))


def _all_moments(fingerprints: Sequence[Fingerprint]) -> _Moments:
    planes = np.random.default_rng(0).standard_normal((3 * WAVES, TABLES * CODE_BITS)).astype(np.float32)
    videos, samples, codes = [], [], []
    for position, fingerprint in enumerate(fingerprints):
        points, begins = _points(fingerprint)
        videos.append(np.full(begins.shape[0], position, dtype=np.int32))
        samples.append(begins)
        sides = (points @ planes > 0).reshape(-1, TABLES, CODE_BITS)
        codes.append(np.packbits(sides, axis=2).view(">u4").astype(np.uint32).reshape(-1, TABLES))
    if not videos:
        return _Moments(
            video=np.zeros(0, np.int32), sample=np.zeros(0, np.int32), codes=np.zeros((0, TABLES), np.uint32)
        )
    return _Moments(video=np.concatenate(videos), sample=np.concatenate(samples), codes=np.concatenate(codes))


def _points(fingerprint: Fingerprint) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Return the lively moments of a video as points, and the samples at which they begin."""
    from numpy.lib.stride_tricks import sliding_window_view

    motion = steady(fingerprint.motion)
    if motion.shape[0] < WINDOW_SAMPLES:
        return np.zeros((0, 3 * WAVES), np.float32), np.zeros(0, np.int32)
    waves = sliding_window_view(motion, WINDOW_SAMPLES, axis=0) @ _cosines()
    sizes = np.sqrt((waves**2).sum(axis=2, keepdims=True))
    points = (waves / (sizes + _FLOORS)).reshape(-1, 3 * WAVES)
    most = sliding_window_view(fingerprint.motion[:, 0], WINDOW_SAMPLES).max(axis=1)
    lively = np.flatnonzero((sizes[:, 0, 0] > _VARIED) | (most > _MOVING))
    return points[lively], lively.astype(np.int32)


def _cosines() -> Floats:
    """Return the waves that a moment is taken apart into (DCT-II, orthonormal), shape ``(WINDOW_SAMPLES, WAVES)``."""
    phases = (np.arange(WINDOW_SAMPLES)[:, None] + 0.5) * np.arange(1, WAVES + 1)[None] * np.pi / WINDOW_SAMPLES
    return np.asarray(np.sqrt(2 / WINDOW_SAMPLES) * np.cos(phases), dtype=np.float32)


def _meetings(moments: _Moments, table: int, bits: int) -> npt.NDArray[np.int32]:
    """Return pairs of moments of different videos in one bucket, shape ``(n, 2)``."""
    bucket = moments.codes[:, table] >> np.uint32(CODE_BITS - bits)
    order = np.argsort(bucket, kind="stable").astype(np.int32)
    bucket = bucket[order]
    starts = np.flatnonzero(np.append(True, bucket[1:] != bucket[:-1]))
    sizes = np.diff(np.append(starts, bucket.shape[0]))
    fits = np.repeat((sizes > 1) & (sizes <= LARGEST_BUCKET), sizes)
    order, bucket = order[fits], bucket[fits]
    found = []
    for distance in range(1, LARGEST_BUCKET):
        one, other = order[:-distance], order[distance:]
        together = (bucket[:-distance] == bucket[distance:]) & (moments.video[one] != moments.video[other])
        found.append(np.stack([one[together], other[together]], axis=1))
    # moments are numbered by video, so the lower number belongs to the earlier video
    return np.sort(np.concatenate(found), axis=1)


def _encounters(
    moments: _Moments, met: list[npt.NDArray[np.int32]], lengths: npt.NDArray[np.int64]
) -> Iterator[Encounter]:
    """Yield the promising pairs, a block of first videos at a time: all at once would take gigabytes."""
    blocks = ceil(sum(of_table.shape[0] for of_table in met) / HITS_AT_ONCE)
    videos = np.linspace(0, lengths.shape[0], blocks + 1).astype(np.int64)
    for begin, end in pairwise(np.searchsorted(moments.video, videos)):
        of_block = [of_table[(of_table[:, 0] >= begin) & (of_table[:, 0] < end)] for of_table in met]
        yield from _block(moments, np.concatenate(of_block), lengths)


def _block(moments: _Moments, met: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]) -> Iterator[Encounter]:
    video_count = lengths.shape[0]
    pair = moments.video[met[:, 0]].astype(np.int64) * video_count + moments.video[met[:, 1]]
    first, second = moments.sample[met[:, 0]], moments.sample[met[:, 1]]
    bins = [(first - second + shift) // OFFSET_BIN_SAMPLES for shift in (0, OFFSET_BIN_SAMPLES // 2)]
    promising = np.unique(np.concatenate([_promising(pair, distance, second, lengths) for distance in bins]))
    of_promising = np.flatnonzero(np.isin(pair, promising))
    order = of_promising[np.lexsort((second[of_promising], pair[of_promising]))]
    begins = np.searchsorted(pair[order], promising)
    ends = np.searchsorted(pair[order], promising, side="right")
    hits = np.stack([first[order], second[order]], axis=1)
    for key, begin, end in zip(promising, begins, ends, strict=True):
        yield Encounter(first=int(key // video_count), second=int(key % video_count), hits=hits[_thinned(begin, end)])


def _promising(
    pair: npt.NDArray[np.int64],
    distance: npt.NDArray[np.int32],
    sample: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Return the pairs of which enough moments, far enough apart, met at one distance in time."""
    if pair.size == 0:
        return pair
    # one number for pair, distance and sample sorts ten times faster than three keys, or than `np.unique` hashes
    nearest = int(distance.min())
    distances, samples = int(distance.max()) - nearest + 1, int(sample.max()) + 1
    met = np.sort((pair * distances + (distance - nearest)) * samples + sample)
    met = met[np.append(True, met[1:] != met[:-1])]
    place, sample_met = met // samples, met % samples
    begins = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
    ends = np.append(begins[1:], met.size)
    counts, spans = ends - begins, sample_met[ends - 1] - sample_met[begins]
    pairs = place[begins] // distances
    shorter = np.minimum(lengths[pairs // lengths.shape[0]], lengths[pairs % lengths.shape[0]])
    enough = (counts >= np.clip(shorter // 20, FEWEST_HITS, ENOUGH_HITS)) & (
        spans >= np.minimum(shorter // 2, ENOUGH_SPAN_SAMPLES)
    )
    return np.asarray(pairs[enough], dtype=np.int64)


def _thinned(begin: int, end: int) -> slice:
    return slice(begin, end, max(1, (end - begin) // MOST_HITS_KEPT))

"""From a network's places to spans: the likely ones, their edges, and what the whole span shows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from models.config import DetectConfig
from models.detecting.chunks import Chunk, EncodedSequence, Places, cut, places_of
from models.detecting.edges import part_energies, snap
from models.detecting.pooling import PooledSpans
from models.detecting.suppression import soften, thin
from models.inputs.normalise import Floats32, NormalisedSequence
from models.networks.network import SeedNetwork

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAST_PLACE = 0.03
"""Probability below which a place is not looked at."""
MOST_PLACES_PER_SECOND = 4
"""Of each output the likeliest places that are looked at: far more than can be gestures."""
SAME_SPAN = 0.75
"""Temporal IoU from which on two places tell one span, before the span is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundSpans:
    """Spans of one sequence, in no order; arrays of one entry a span."""

    first: Floats
    """First frame, as a fraction."""
    end: Floats
    output: Ints
    """Which output claims it."""
    logits: Floats
    """Of the claim: that of the place and that of the span, mean of their log-odds."""
    embeddings: Floats32
    """Mean features, shape ``(n, width)``."""

    def chosen(self, rows: Ints, logits: Floats) -> "FoundSpans":
        """Return some of the spans, with other logits."""
        return FoundSpans(
            first=self.first[rows],
            end=self.end[rows],
            output=self.output[rows],
            logits=logits,
            embeddings=self.embeddings[rows],
        )


def find_spans(network: SeedNetwork, encoded: EncodedSequence, *, config: DetectConfig) -> FoundSpans:
    """Return every span that some output claims, with overlapping claims of one output suppressed.

    The last output, "any gesture", claims none: it has no words.
    """
    found = [_in_chunk(network, chunk, frames=encoded.frames, config=config) for chunk in encoded.chunks]
    whole = _joined(found, width=network.encoder.width)
    rows, logits = [], []
    for output in np.unique(whole.output):
        mine = np.flatnonzero(whole.output == output)
        scores = 1 / (1 + np.exp(-whole.logits[mine]))
        order, softened = soften(
            whole.first[mine], whole.end[mine], scores, sigma=config.nms_sigma, least=LEAST_PLACE / 2
        )
        rows.append(mine[order])
        logits.append(np.log(softened / (1 - softened)))
    if not rows:
        return whole
    return whole.chosen(np.concatenate(rows), np.concatenate(logits))


def judge_spans(network: SeedNetwork, encoded: EncodedSequence, first: Ints, end: Ints) -> tuple[Floats, Floats32]:
    """Return logits, shape ``(n, outputs)``, and mean features, shape ``(n, width)``, of given spans of frames.

    A span is looked at in the chunk that holds its middle; of one that reaches beyond its margins the inner part.
    """
    logits = np.full((len(first), network.shape.outputs.count), -np.inf)
    features = np.zeros((len(first), network.encoder.width), np.float32)
    middles = (first + end) // 2
    for chunk in encoded.chunks:
        low = chunk.first_frame + chunk.core.start
        rows = np.flatnonzero((middles >= low) & (middles < low + chunk.core.stop - chunk.core.start))
        if not rows.size:
            continue
        pool = PooledSpans(chunk.features)
        pooled = _pooled(pool, first[rows] - chunk.first_frame, end[rows] - chunk.first_frame, chunk)
        logits[rows] = _judged(network, pooled)
        features[rows] = pooled[:, : network.encoder.width]
    return logits, features


def _in_chunk(network: SeedNetwork, chunk: Chunk, *, frames: NormalisedSequence, config: DetectConfig) -> FoundSpans:
    firsts, ends, outputs, places = [], [], [], []
    most = max(1, round(MOST_PLACES_PER_SECOND * (chunk.core.stop - chunk.core.start) / frames.rate_hz))
    dense = places_of(network, chunk)
    spans = _spans(chunk, dense, frame_count=frames.times_ns.shape[0])
    logits = np.concatenate(dense.logits)
    for number in range(network.shape.outputs.count - 1):
        mine = logits[:, number].astype(np.float64)
        likely = np.flatnonzero(spans.counts & (mine >= np.log(LEAST_PLACE / (1 - LEAST_PLACE))))
        likely = likely[np.argsort(-mine[likely], kind="stable")[:most]]
        kept = likely[thin(spans.first[likely], spans.end[likely], mine[likely], at_iou=SAME_SPAN)]
        firsts.append(spans.first[kept])
        ends.append(spans.end[kept])
        outputs.append(np.full(len(kept), number))
        places.append(mine[kept])
    first, end = np.concatenate(firsts), np.concatenate(ends)
    output = np.concatenate(outputs).astype(np.int64)
    positions = cut(frames.positions, chunk.first_frame, len(chunk.features))
    seen = cut(frames.seen, chunk.first_frame, len(chunk.features))
    low_frame, high_frame = _bounds(chunk, frames.times_ns.shape[0])
    energies = part_energies(positions, seen, network.shape.skeleton, inside=slice(low_frame, high_frame))
    moved = snap(first, end, energies, within=round(config.snap_s * frames.rate_hz))
    first, end = np.maximum(moved[0], low_frame), np.minimum(moved[1], high_frame)
    low = np.round(first).astype(np.int64)
    pooled = _pooled(PooledSpans(chunk.features), low, np.maximum(np.round(end).astype(np.int64), low + 1), chunk)
    told = _judged(network, pooled)[np.arange(len(output)), output]
    return FoundSpans(
        first=first + chunk.first_frame,
        end=end + chunk.first_frame,
        output=output,
        logits=(np.concatenate(places) + told) / 2,
        embeddings=pooled[:, : network.encoder.width],
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Spans:
    first: Floats
    end: Floats
    counts: npt.NDArray[np.bool_]
    """Whether its place lies in the chunk's core."""


def _spans(chunk: Chunk, dense: Places, *, frame_count: int) -> _Spans:
    firsts, ends, counts = [], [], []
    low, high = _bounds(chunk, frame_count)
    for level, reaches in enumerate(dense.reaches):
        places = np.arange(reaches.shape[0]) * 2.0 ** (level + 1)
        firsts.append(np.maximum(places - reaches[:, 0], low))
        ends.append(np.minimum(places + reaches[:, 1], high))
        counts.append((places >= chunk.core.start) & (places < chunk.core.stop))
    first, end = np.concatenate(firsts), np.concatenate(ends)
    return _Spans(first=first, end=end, counts=np.concatenate(counts) & (end - first >= 1))


def _bounds(chunk: Chunk, frame_count: int) -> tuple[int, int]:
    """Return the first frame of a chunk that the sequence has, and the one after the last."""
    return max(-chunk.first_frame, 0), min(frame_count - chunk.first_frame, len(chunk.features))


def _pooled(pool: PooledSpans, first: Ints, end: Ints, chunk: Chunk) -> Floats32:
    frames = len(chunk.features)
    low = np.clip(first, 0, frames - 1)
    return pool.of(low, np.clip(end, low + 1, frames))


def _judged(network: SeedNetwork, pooled: Floats32) -> Floats:
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits = network.detector.judge(torch.from_numpy(pooled).to(device))
    return np.asarray(logits.double().cpu().numpy())


def _joined(found: list[FoundSpans], *, width: int) -> FoundSpans:
    empty = FoundSpans(
        first=np.zeros(0),
        end=np.zeros(0),
        output=np.zeros(0, np.int64),
        logits=np.zeros(0),
        embeddings=np.zeros((0, width), np.float32),
    )
    every = [empty, *found]
    return FoundSpans(
        first=np.concatenate([one.first for one in every]),
        end=np.concatenate([one.end for one in every]),
        output=np.concatenate([one.output for one in every]),
        logits=np.concatenate([one.logits for one in every]),
        embeddings=np.concatenate([one.embeddings for one in every]),
    )

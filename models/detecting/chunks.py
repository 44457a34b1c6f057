"""Long sequences in chunks, so that memory does not grow with the video."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from models.inputs.normalise import Floats32, NormalisedSequence
from models.networks.network import SeedNetwork

Kind = TypeVar("Kind", bound=np.generic)
CORE_FRAMES = 2048
"""Frames of a chunk that count; the margins around it are what they look at."""
REACH_STEPS = 4
"""A place of the coarsest scale looks at so many of its steps to each side: two convolutions and the pooling."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """What the encoder says of a stretch of a sequence."""

    first_frame: int
    """Frame of the sequence that its frame 0 is; below 0 in the margin before the beginning."""
    core: slice
    """Frames of the chunk that count; the others are looked at again elsewhere."""
    features: Floats32
    """Shape ``(t, width)``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedSequence:
    """A sequence that the encoder has seen: spans are found and judged from this."""

    frames: NormalisedSequence
    chunks: tuple[Chunk, ...]
    """By time; each frame is in the core of one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """What the detector says of a chunk."""

    logits: list[Floats32]
    """Of each scale, shape ``(places, outputs)``."""
    reaches: list[Floats32]
    """Of each scale, frames, shape ``(places, 2)``."""


def encode(network: SeedNetwork, frames: NormalisedSequence) -> EncodedSequence:
    """Run the encoder over a sequence, chunk by chunk; frames beyond its ends are unseen, as in training."""
    return EncodedSequence(frames=frames, chunks=tuple(_chunks(network, frames)))


def _chunks(network: SeedNetwork, frames: NormalisedSequence) -> Iterator[Chunk]:
    count = frames.times_ns.shape[0]
    margin = -(-network.encoder.reach // network.step) * network.step + REACH_STEPS * network.step
    device = next(network.parameters()).device
    for start in range(0, count, CORE_FRAMES):
        end = min(start + CORE_FRAMES, count)
        first = start - margin
        length = -(-(end + margin - first) // network.step) * network.step
        with torch.inference_mode():
            cuts = (cut(values, first, length) for values in (frames.positions, frames.seen, frames.scores))
            features = network.encoder(*(torch.from_numpy(values)[None].to(device) for values in cuts))
        yield Chunk(
            first_frame=first, core=slice(margin, margin + end - start), features=features[0].float().cpu().numpy()
        )


def places_of(network: SeedNetwork, chunk: Chunk) -> Places:
    """Run the detector over a chunk."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        dense = network.detector(torch.from_numpy(chunk.features)[None].to(device))
    return Places(
        logits=[logits[0].float().cpu().numpy() for logits in dense.classes],
        reaches=[reaches[0].float().cpu().numpy() for reaches in dense.reaches],
    )


def cut(values: npt.NDArray[Kind], first: int, length: int) -> npt.NDArray[Kind]:
    """Return a stretch of values along their first axis, 0 before their beginning and after their end."""
    low, high = max(first, 0), min(first + length, values.shape[0])
    whole = np.zeros((length, *values.shape[1:]), values.dtype)
    whole[low - first : high - first] = values[low:high]
    return whole

"""Small changes of windows that keep a micro-gesture what it is, each with its own switch.

Which changes respect micro-gestures is what arXiv 2405.13206 is about: slight jitter and shear, a mild change of
speed, a short motion played once more, whole parts unseen. A point that is masked is *unseen*, it does not rest at the
neck. Changes of time come with the source time of every frame, so that labels and edges can follow.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.config import AugmentConfig
from models.inputs.skeletons import Skeleton
from models.training.warps import at_frames, cropped, repeated, resampled

LONGEST_UNSEEN, SHORTEST_UNSEEN = 1.0, 0.25
"""Share of the window for which a masked part goes unseen."""
UPRIGHT = 1
"""The upright axis of poses in space: y, as cameras that measure depth give it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Augmented:
    """A batch of changed windows, and where its frames are from."""

    positions: Tensor
    """Shape ``(B, T, P, D)``; 0 where unseen."""
    seen: Tensor
    """Bool, shape ``(B, T, P)``."""
    scores: Tensor
    """Shape ``(B, T, P)``; 0 where unseen."""
    frames: Tensor
    """Which frame of the given window each frame shows, shape ``(B, T)``, float: 2.5 lies between the third and the
    fourth. Within 0..T - 1; what it says counts where ``inside`` holds."""
    inside: Tensor
    """Bool, shape ``(B, T)``: False where a frame was cut off or lies beyond the window; nothing is seen there."""
    flipped: Tensor
    """Bool, shape ``(B,)``: left and right are exchanged."""


def augment(
    positions: Tensor,
    seen: Tensor,
    scores: Tensor,
    *,
    skeleton: Skeleton,
    config: AugmentConfig,
    generator: torch.Generator,
) -> Augmented:
    """Change each window of a batch in its own way; what is given stays as it is.

    Args:
        positions: shape ``(B, T, P, D)``, neck as origin, shoulder width as unit, 0 where unseen.
        seen: bool, shape ``(B, T, P)``.
        scores: shape ``(B, T, P)``.
        skeleton: names the points.
        config: how much of each change; 0 switches one off.
        generator: where chance is from; on the device of the tensors.
    """
    batch, length, _, dimensions = positions.shape
    frames = torch.arange(length, dtype=positions.dtype, device=positions.device).repeat(batch, 1)
    if config.repeat:
        frames = repeated(energy_of(positions, seen), chance=config.repeat, generator=generator)
    if config.resample:
        frames = resampled(frames, greatest=config.resample, generator=generator)
    inside = (frames >= 0) & (frames <= length - 1)
    if config.crop:
        inside = inside & cropped(batch, length, greatest=config.crop, generator=generator)
    frames = frames.clamp(0, length - 1)
    if config.repeat or config.resample:
        positions, seen, scores = at_frames(positions, seen, scores, frames=frames)
    seen = seen & inside[..., None]
    if config.part_mask:
        seen = seen & ~masked_parts(seen, skeleton=skeleton, chance=config.part_mask, generator=generator)
    flipped = torch.zeros(batch, dtype=torch.bool, device=positions.device)
    if config.flip:
        flipped = torch.rand(batch, generator=generator, device=positions.device) < config.flip
        positions, seen, scores = flip(positions, seen, scores, flipped=flipped, skeleton=skeleton)
    matrices = shapes(batch, dimensions, config=config, generator=generator)
    if matrices is not None:
        positions = torch.bmm(positions.flatten(1, 2), matrices.transpose(1, 2)).view(positions.shape)
    if config.jitter:
        positions = jittered(positions, deviation=config.jitter, generator=generator)
    return Augmented(
        positions=positions * seen[..., None],
        seen=seen,
        scores=scores * seen,
        frames=frames,
        inside=inside,
        flipped=flipped,
    )


def energy_of(positions: Tensor, seen: Tensor) -> Tensor:
    """Return how much moves from each frame to the next, shape ``(B, T)``; the last frame has that of the one before.

    The sum of squared ways of the points that are seen in both frames, in shoulder widths.
    """
    both = seen[:, 1:] & seen[:, :-1]
    way = ((positions[:, 1:] - positions[:, :-1]).square().sum(dim=3) * both).sum(dim=2)
    return torch.cat([way, way[:, -1:]], dim=1)


def jittered(positions: Tensor, *, deviation: float, generator: torch.Generator) -> Tensor:
    """Add noise to each point in each frame, as estimators do; ``deviation`` in shoulder widths."""
    noise = torch.randn(positions.shape, generator=generator, device=positions.device, dtype=positions.dtype)
    return positions + noise * deviation


def shapes(batch: int, dimensions: int, *, config: AugmentConfig, generator: torch.Generator) -> Tensor | None:
    """Return one matrix a window that shears, resizes and (in space) turns it, shape ``(B, D, D)``.

    None where all three are switched off.
    """
    turns = config.turn_degrees if dimensions == 3 else 0.0
    if not (config.shear or config.scale or turns):
        return None
    matrices = torch.eye(dimensions, device=generator.device).repeat(batch, 1, 1)
    if config.shear:
        off = 1 - torch.eye(dimensions, device=generator.device)
        matrices = matrices + off * _spread((batch, dimensions, dimensions), config.shear, generator)
    if config.scale:
        matrices = matrices * (1 + _spread((batch, 1, 1), config.scale, generator))
    if turns:
        angles = _spread((batch,), turns, generator).deg2rad()
        across, away = (axis for axis in range(3) if axis != UPRIGHT)
        turn = torch.eye(3, device=generator.device).repeat(batch, 1, 1)
        turn[:, across, across] = turn[:, away, away] = angles.cos()
        turn[:, across, away], turn[:, away, across] = angles.sin(), -angles.sin()
        matrices = matrices @ turn
    return matrices


def maskable(skeleton: Skeleton) -> list[tuple[int, ...]]:
    """Return the sets of points that go unseen together: each hand, both, the face; what of them the layout has."""
    hands = [skeleton.parts[name] for name in ("left_hand", "right_hand") if name in skeleton.parts]
    both = [(*hands[0], *hands[1])] if len(hands) == 2 else []
    face = [skeleton.parts["face"]] if "face" in skeleton.parts else []
    return [*hands, *both, *face]


def masked_parts(seen: Tensor, *, skeleton: Skeleton, chance: float, generator: torch.Generator) -> Tensor:
    """Choose what goes unseen, bool like ``seen``: one part for a while, in a share ``chance`` of the windows."""
    batch, length, points = seen.shape
    device = seen.device
    sets = maskable(skeleton)
    if not sets:
        return torch.zeros_like(seen)
    members = torch.zeros(len(sets), points, dtype=torch.bool, device=device)
    for number, chosen in enumerate(sets):
        members[number, list(chosen)] = True
    which = torch.randint(len(sets), (batch,), generator=generator, device=device)
    drawn = torch.rand(4, batch, generator=generator, device=device)
    span = (SHORTEST_UNSEEN + (LONGEST_UNSEEN - SHORTEST_UNSEEN) * drawn[1]) * length
    start = drawn[2] * (length - span)
    times = torch.arange(length, device=device)[None]
    when = (times >= start[:, None]) & (times < (start + span)[:, None]) & (drawn[0] < chance)[:, None]
    return when[:, :, None] & members[which][:, None, :]


def flip(
    positions: Tensor, seen: Tensor, scores: Tensor, *, flipped: Tensor, skeleton: Skeleton
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror the windows where ``flipped`` ``(B,)`` holds: x is negated, points are renamed by ``skeleton.flip``."""
    order = torch.tensor(skeleton.flip, dtype=torch.long, device=positions.device)
    mirror = torch.ones(positions.shape[3], device=positions.device, dtype=positions.dtype)
    mirror[0] = -1
    wide = flipped[:, None, None]
    return (
        torch.where(wide[..., None], positions.index_select(2, order) * mirror, positions),
        torch.where(wide, seen.index_select(2, order), seen),
        torch.where(wide, scores.index_select(2, order), scores),
    )


def _spread(shape: tuple[int, ...], greatest: float, generator: torch.Generator) -> Tensor:
    """Draw evenly from ``[-greatest, greatest)``."""
    return (torch.rand(shape, generator=generator, device=generator.device) * 2 - 1) * greatest

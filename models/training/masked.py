"""Masked motion modelling: what moved where it was hidden (after MAMP, ICCV 2023), for small movements.

A patch is a few frames of one body point, or of a whole hand or face: a single finger tip is told by its neighbours.
Some patches are hidden, those that move above all; from what is left the encoder must tell how each hidden point moves
from frame to frame. What is ours: hidden patches are *unseen* to the encoder, as a lost hand is; the estimator's
jitter is taken off before motion decides what is hidden, and set under the scale of what is to be told; points count
by their score. Targets keep their mean: over four frames it is the direction of the movement.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from kinematics.movement import MAD_TO_SIGMA, SECOND_DIFFERENCE_GAIN
from models.config import AugmentConfig
from models.inputs.skeletons import Skeleton
from models.training.augment import augment

PATCH_FRAMES = 4
"""Frames of a patch (MAMP)."""
HIDDEN = 0.15
"""Share of the seen patches that is hidden. MAMP hides 0.9 of a transformer's tokens and leaves them out; convolutions
see the gaps, and are used later where there are none, so few of them are left. Chosen by a linear probe on UTKinect."""
TEMPERATURE = 0.4
"""Of the choice by motion, as a share of the greatest motion in a window. MAMP has 0.8; small motions need less."""
JITTER_ENERGY = 2.0
"""Times its expected energy that jitter is taken off: the energy of 12 noisy differences (4 frames, 3 axes) scatters by
``sqrt(2 / 12)`` = 0.41 of itself."""
LEAST_SCALE = 1e-3
"""Least scale of a target, shoulder widths a frame: keypoints are estimated no finer."""
DECODER_WIDTH = 64


class MaskedMotion(nn.Module):
    """The decoder, and an encoder's loss on a batch of windows."""

    members: Tensor
    piece_frames = 32
    """Frames of a window that an update looks at: 2.56 s hold a micro-gesture (iMiGUE's mean is 2.5 s)."""

    def __init__(self, skeleton: Skeleton, *, width: int, dimensions: int, augment: AugmentConfig) -> None:
        """Take the points, the encoder's width and the changes of windows.

        No jitter is added to what is to be told: nobody can tell noise.
        """
        super().__init__()
        self.skeleton = skeleton
        self.augment = replace(augment, jitter=0.0)
        self.register_buffer("members", groups_of(skeleton), persistent=False)
        self.decoder = nn.Sequential(
            nn.Linear(width, DECODER_WIDTH), nn.GELU(), nn.Linear(DECODER_WIDTH, len(skeleton.points) * dimensions)
        )

    def forward(
        self, encoder: nn.Module, positions: Tensor, seen: Tensor, scores: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """Return the mean squared error of the hidden movements, in their own scale; 0 where nothing was hidden.

        Args:
            encoder: gives features of every frame.
            positions: shape ``(B, T, P, D)``.
            seen: bool, shape ``(B, T, P)``.
            scores: shape ``(B, T, P)``.
            generator: where chance is from.
        """
        length = positions.shape[1] // PATCH_FRAMES * PATCH_FRAMES
        cut = (positions[:, :length], seen[:, :length], scores[:, :length])
        view = augment(*cut, skeleton=self.skeleton, config=self.augment, generator=generator)
        ways, known = steps(view.positions, view.seen)
        jitter = jitter_of(view.positions, view.seen)
        motion, there = patch_motion(ways, known, jitter, members=self.members)
        hidden = self._spread(hide(motion, there, share=HIDDEN, temperature=TEMPERATURE, generator=generator))
        left = view.seen & ~hidden
        features = encoder(view.positions * left[..., None], left, view.scores * left)
        told = self.decoder(features).view(positions.shape[0], length, *positions.shape[2:])
        scale = patch_scale(ways, known, jitter)
        weights = (hidden & known) * view.scores
        wrong = ((told - ways / scale[..., None]).square().mean(dim=3) * weights).sum()
        loss: Tensor = wrong / weights.sum().clamp(min=1e-6)
        return loss

    def _spread(self, patches: Tensor) -> Tensor:
        """Give what holds of each patch ``(B, T / 4, G)`` to its points and frames, ``(B, T, P)``."""
        points: Tensor = patches.float() @ self.members > 0
        return points.repeat_interleave(PATCH_FRAMES, dim=1)


def groups_of(skeleton: Skeleton) -> Tensor:
    """Return which points are hidden together, 1 or 0, shape ``(G, P)``: body points alone, hands and face whole."""
    groups: list[tuple[int, ...]] = []
    for name, points in skeleton.parts.items():
        groups += [(point,) for point in points] if name == "body" else [points]
    members = torch.zeros(len(groups), len(skeleton.points))
    for number, points in enumerate(groups):
        members[number, list(points)] = 1
    return members


def steps(positions: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return each point's way to the next frame ``(B, T, P, D)``, and whether it is known ``(B, T, P)``."""
    ways, known = torch.zeros_like(positions), torch.zeros_like(seen)
    known[:, :-1] = seen[:, 1:] & seen[:, :-1]
    ways[:, :-1] = positions[:, 1:] - positions[:, :-1]
    return ways * known[..., None], known


def jitter_of(positions: Tensor, seen: Tensor) -> Tensor:
    """Return the standard deviation of each point's noise in each window, shape ``(B, P)``, shoulder widths.

    ``kinematics.movement.jitter_floor`` for batches: the median absolute second difference over time, 0 where a point
    is not seen for three frames in a row.
    """
    rough = (positions[:, 1:-1] - (positions[:, :-2] + positions[:, 2:]) / 2).abs().mean(dim=3)
    known = seen[:, 1:-1] & seen[:, :-2] & seen[:, 2:]
    middle = rough.masked_fill(~known, torch.nan).nanmedian(dim=1).values.nan_to_num(0.0)
    deviation: Tensor = middle * (MAD_TO_SIGMA / SECOND_DIFFERENCE_GAIN**0.5)
    return deviation


def patch_motion(ways: Tensor, known: Tensor, jitter: Tensor, *, members: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each patch's points move a frame beyond their jitter, and whether the patch is seen at all.

    Args:
        ways: shape ``(B, T, P, D)``, T a multiple of ``PATCH_FRAMES``.
        known: bool, shape ``(B, T, P)``.
        jitter: standard deviation of the points' noise, shape ``(B, P)``.
        members: shape ``(G, P)``.

    Returns:
        Motion in shoulder widths a frame and bool, both of shape ``(B, T / 4, G)``.
    """
    batch, length, points, dimensions = ways.shape
    # a difference of two noisy places has twice the variance, on each axis
    noise = 2 * dimensions * JITTER_ENERGY * jitter.square()
    beyond = (ways.square().sum(dim=3) - noise[:, None]) * known
    patches = (batch, length // PATCH_FRAMES, PATCH_FRAMES, points)
    counts = known.view(patches).sum(dim=2).to(ways.dtype) @ members.T
    energy = beyond.view(patches).sum(dim=2) @ members.T
    return (energy / counts.clamp(min=1)).clamp(min=0).sqrt(), counts > 0


def hide(motion: Tensor, there: Tensor, *, share: float, temperature: float, generator: torch.Generator) -> Tensor:
    """Choose which patches are hidden, bool of the shape of ``motion`` ``(B, N, G)``: a share of the seen ones.

    Gumbel noise on ``softmax(motion / (greatest motion * temperature))``: what moves is hidden sooner (MAMP). In a
    window where nothing moves beyond its jitter all are alike.
    """
    flat, seen = motion.flatten(1), there.flatten(1)
    greatest = flat.amax(dim=1, keepdim=True).clamp(min=1e-6)
    even = torch.rand(flat.shape, generator=generator, device=flat.device).clamp(min=1e-9)
    wanted = (flat / (greatest * temperature) - torch.log(-torch.log(even))).masked_fill(~seen, -torch.inf)
    rank = wanted.argsort(dim=1, descending=True, stable=True).argsort(dim=1, stable=True)
    return ((rank < share * seen.sum(dim=1, keepdim=True)) & seen).view(motion.shape)


def patch_scale(ways: Tensor, known: Tensor, jitter: Tensor) -> Tensor:
    """Return what the ways of each point are divided by, ``(B, T, P)``: their size in the patch, noise under it."""
    batch, length, points, _ = ways.shape
    patches = (batch, length // PATCH_FRAMES, PATCH_FRAMES, points)
    energy = (ways.square().mean(dim=3) * known).view(patches).sum(dim=2) / known.view(patches).sum(dim=2).clamp(min=1)
    scale = (energy + 2 * JITTER_ENERGY * jitter[:, None].square() + LEAST_SCALE**2).sqrt()
    return scale.repeat_interleave(PATCH_FRAMES, dim=1)

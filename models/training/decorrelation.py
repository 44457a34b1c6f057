"""Dense decorrelation of two views, with a spatial and a temporal stream that are balanced (after USDRL, AAAI 2025).

No negatives, no slow copy of the weights: two changed views of a window must agree while no feature dies and no two
features say the same. How the streams hang on the one ``Encoder``, which gives features of every frame:

- *spatial*: the mean over the frames. It does not know their order: where the body's parts are.
- *temporal*: what is left of each frame's features without that mean: when what changes. It is dense: the views are
  compared at the same moments of the recording, wherever their changed time put them. Its greatest value over time is
  the stream's summary.
- *instance*: both summaries together, weighed against each other by a learned gate, one share a channel; or their plain
  sum (``balanced=False``), which lets the livelier stream drown the other.

USDRL has a branch of its own for each and 1024 channels; here both read the same features, so that every loss trains
the weights that a detector starts from. The losses and their weights are USDRL's code's.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from models.config import AugmentConfig
from models.inputs.skeletons import Skeleton
from models.training.augment import Augmented, augment, flip

EMBEDDING = 64
"""Channels that are compared."""
MOMENT_FRAMES = 4
"""The temporal stream is compared every so many frames."""
SIMILARITY, SPREAD, CROSS = 5.0, 1.0, 1e-3
"""Weights of the three losses (USDRL's code)."""
VARIANCE_GAIN = 5.0
OFF_DIAGONAL = 0.005
DENSE = 0.5
"""Weight of the two streams beside the instance (USDRL's code)."""


class Projector(nn.Sequential):
    """From features to what is compared."""

    def __init__(self, width: int) -> None:
        """Take the features' channels."""
        super().__init__(
            nn.Linear(width, EMBEDDING, bias=False),
            nn.BatchNorm1d(EMBEDDING),
            nn.ReLU(),
            nn.Linear(EMBEDDING, EMBEDDING),
        )


class Decorrelation(nn.Module):
    """The projectors and the gate, and an encoder's loss on a batch of windows."""

    piece_frames = 16
    """Frames of a window that an update looks at, in two views. Twice as many cost twice the time and made a linear
    probe on UTKinect no better."""

    def __init__(self, skeleton: Skeleton, *, width: int, augment: AugmentConfig, balanced: bool = True) -> None:
        """Take the points, the encoder's width and the changes of windows; ``balanced``: with the gate."""
        super().__init__()
        self.skeleton = skeleton
        self.augment = augment
        self.balanced = balanced
        self.instance, self.spatial, self.temporal = Projector(width), Projector(width), Projector(width)
        self.gate = nn.Linear(2 * width, width) if balanced else None

    def forward(
        self, encoder: nn.Module, positions: Tensor, seen: Tensor, scores: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """Return the loss of two views of a batch; the arguments are those of ``MaskedMotion``."""
        first, second = self._views(positions, seen, scores, generator=generator)
        features = encoder(
            torch.cat([first.positions, second.positions]),
            torch.cat([first.seen, second.seen]),
            torch.cat([first.scores, second.scores]),
        )
        moments, known = shared_moments(first, second)
        streams = [split(one, view, moments) for one, view in zip(features.chunk(2), (first, second), strict=True)]
        spatial = torch.cat([space for space, _ in streams])
        temporal = torch.stack([time for _, time in streams])
        lowest = torch.finfo(temporal.dtype).min
        summary = temporal.masked_fill(~known[None, ..., None], lowest).amax(dim=2)
        # a window that the views share no moment of has nothing to summarise
        summary = torch.where(known.any(dim=1)[None, :, None], summary, 0).flatten(0, 1)
        instance = self.instance(self._weighed(spatial, summary)).chunk(2)
        dense = self.temporal(temporal[:, known].flatten(0, 1)).chunk(2)
        return decorrelated(*instance) + DENSE * (decorrelated(*self.spatial(spatial).chunk(2)) + decorrelated(*dense))

    def shares(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """Return the share of the spatial stream in the instance, shape ``(B, width)``; a half each without a gate."""
        if self.gate is None:
            return torch.full_like(spatial, 0.5)
        return torch.sigmoid(self.gate(torch.cat([spatial, temporal], dim=1)))

    def _weighed(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        if self.gate is None:
            return spatial + temporal
        share = self.shares(spatial, temporal)
        # twice, so that an undecided gate is the plain sum
        return 2 * (share * spatial + (1 - share) * temporal)

    def _views(
        self, positions: Tensor, seen: Tensor, scores: Tensor, *, generator: torch.Generator
    ) -> tuple[Augmented, Augmented]:
        """Change a batch twice; left and right are exchanged in both or neither: they are not the same gesture."""
        chance = self.augment.flip
        if chance:
            flipped = torch.rand(positions.shape[0], generator=generator, device=positions.device) < chance
            positions, seen, scores = flip(positions, seen, scores, flipped=flipped, skeleton=self.skeleton)
        config = replace(self.augment, flip=0.0)
        first, second = (
            augment(positions, seen, scores, skeleton=self.skeleton, config=config, generator=generator)
            for _ in range(2)
        )
        return first, second


def shared_moments(first: Augmented, second: Augmented) -> tuple[Tensor, Tensor]:
    """Return moments of the given windows ``(K,)``, in frames, and whether both views show each, ``(B, K)``."""
    length = first.frames.shape[1]
    moments = torch.arange(MOMENT_FRAMES // 2, length, MOMENT_FRAMES, device=first.frames.device)
    there = [nearest(view, moments)[1] for view in (first, second)]
    return moments, there[0] & there[1]


def nearest(view: Augmented, moments: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frame of a view that shows each moment best ``(B, K)``, and whether one is within a frame of it."""
    far = (view.frames[:, None] - moments[None, :, None]).abs()
    far = far.masked_fill(~view.inside[:, None], torch.inf)
    best, frame = far.min(dim=2)
    return frame, best <= 1.0


def split(features: Tensor, view: Augmented, moments: Tensor) -> tuple[Tensor, Tensor]:
    """Return the spatial stream ``(B, width)`` and the temporal one at the moments ``(B, K, width)``."""
    inside = view.inside[..., None].to(features.dtype)
    spatial = (features * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)
    frame, _ = nearest(view, moments)
    at = features.gather(1, frame[..., None].expand(-1, -1, features.shape[2]))
    return spatial, at - spatial[:, None]


def decorrelated(first: Tensor, second: Tensor) -> Tensor:
    """Return how far two views ``(N, E)`` disagree, and how dead and alike their channels are: USDRL's losses.

    One row has no deviation and tells nothing: 0.
    """
    if first.shape[0] < 2:
        return (first + second).sum() * 0
    unlike = (first - second).square().mean()
    spread = sum((lively_and_apart(view) for view in (first, second)), first.new_zeros(()))
    scaled = [(view - view.mean(dim=0)) / view.std(dim=0).clamp(min=1e-4) for view in (first, second)]
    cross = scaled[0].T @ scaled[1] / first.shape[0]
    on = cross.diagonal()
    off = cross.square().sum() - on.square().sum()
    return SIMILARITY * unlike + SPREAD * spread + CROSS * ((on - 1).square().sum() + OFF_DIAGONAL * off)


def lively_and_apart(view: Tensor) -> Tensor:
    """Return how far channels of a view ``(N, E)`` fall below a deviation of 1, and how much they vary together."""
    centred = view - view.mean(dim=0)
    deviation = (centred.square().mean(dim=0) + 1e-4).sqrt()
    together = centred.T @ centred / max(1, view.shape[0] - 1)
    apart = (together.square().sum() - together.diagonal().square().sum()) / view.shape[1]
    return VARIANCE_GAIN * torch.relu(1 - deviation).mean() + apart

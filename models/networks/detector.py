"""The detector: features of every frame -> gestures at several scales, and what a given span shows.

After TemporalMaxer (arXiv 2303.09055): max-pooling from scale to scale, no attention, and heads that all scales share.
Unlike there each frame says of every class for itself whether it is there (micro-gestures overlap), and a second head
looks at a whole span: it names what a detection, or another proposer's candidate, shows.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

PRIOR = 0.02
"""Probability of a class before anything is learned: focal losses start wild without it (Lin et al. 2017)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """What every place of every scale says; a place at scale k stands for ``2 ** (k + 1)`` frames."""

    classes: list[Tensor]
    """Logits of each scale, shape ``(B, T / 2 ** (k + 1), class count + group count + 1)``; the last is "any"."""
    reaches: list[Tensor]
    """Frames that a gesture reaches back and on from the middle of a place, shape ``(B, T / 2 ** (k + 1), 2)``."""


class _Tower(nn.Module):
    """Two convolutions before a head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, 3, padding=1)
        self.second = nn.Conv1d(width, width, 3, padding=1)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])

    def forward(self, features: Tensor) -> Tensor:
        for convolution, norm in zip((self.first, self.second), self.norms, strict=True):
            features = torch.relu(norm(convolution(features).transpose(1, 2)).transpose(1, 2))
        return features


class Detector(nn.Module):
    """Heads over an encoder's features."""

    def __init__(self, *, width: int, levels: int, outputs: int, dropout: float) -> None:
        """Take the size; ``outputs`` counts classes, groups and "any"."""
        super().__init__()
        self.levels = levels
        self.tower = _Tower(width)
        self.class_head = nn.Conv1d(width, outputs, 1)
        with torch.no_grad():
            self.class_head.get_parameter("bias").fill_(math.log(PRIOR / (1 - PRIOR)))
        self.edge_head = nn.Conv1d(width, 2, 1)
        self.scales = nn.Parameter(torch.ones(levels))
        self.span_entry = nn.Linear(4 * width + 1, width)
        self.span_dropout = nn.Dropout(dropout)
        self.span_head = nn.Linear(width, outputs)

    def forward(self, features: Tensor) -> Dense:
        """Return what features ``(B, T, width)`` say; T is a multiple of ``2 ** levels``."""
        at_level = features.transpose(1, 2)
        classes, reaches = [], []
        for level in range(self.levels):
            at_level = nn.functional.max_pool1d(at_level, 3, stride=2, padding=1)
            seen = self.tower(at_level)
            classes.append(self.class_head(seen).transpose(1, 2))
            way = self.edge_head(seen) * self.scales[level]
            reaches.append(nn.functional.softplus(way).transpose(1, 2) * 2.0 ** (level + 1))
        return Dense(classes=classes, reaches=reaches)

    def judge(self, pooled: Tensor) -> Tensor:
        """Return logits of spans, shape ``(n, outputs)``, from ``pool_spans`` of shape ``(n, 4 * width + 1)``."""
        entered = self.span_dropout(torch.relu(self.span_entry(pooled)))
        logits: Tensor = self.span_head(entered)
        return logits


def pool_spans(features: Tensor, spans: Tensor) -> Tensor:
    """Return what spans hold and what lies around them, shape ``(n, 4 * width + 1)``.

    Mean and greatest feature of each span; the means of half its length before and after it, which tell a whole gesture
    from a part of one (structured segment networks, Zhao et al., ICCV 2017); and the logarithm of its length.

    Args:
        features: shape ``(B, T, width)``.
        spans: row, first frame and end frame (not included) of each span, at least a frame long, shape ``(n, 3)``.
    """
    rows, first, end = features.index_select(0, spans[:, 0]), spans[:, 1, None], spans[:, 2, None]
    frames = torch.arange(features.shape[1], device=features.device)
    lengths = end - first
    around = (lengths // 2).clamp(min=1)
    inside = (frames >= first) & (frames < end)
    before = (frames >= first - around) & (frames < first)
    after = (frames >= end) & (frames < end + around)
    weights = torch.stack([inside, before, after], dim=1).to(features.dtype)
    means = torch.bmm(weights / weights.sum(dim=2, keepdim=True).clamp(min=1), rows)
    greatest = rows.masked_fill(~inside[..., None], -torch.inf).amax(dim=1)
    return torch.cat([means[:, 0], greatest, means[:, 1], means[:, 2], torch.log(lengths.to(features.dtype))], dim=1)


def likely_spans(dense: Dense, *, length: int, count: int) -> Tensor:
    """Return the spans that the likeliest places of each window tell, first and end frame, shape ``(B, count, 2)``.

    Args:
        dense: What the detector says.
        length: Frames of a window; spans end there.
        count: Places of each window that are looked at.
    """
    firsts, ends, scores = [], [], []
    for level, (logits, reaches) in enumerate(zip(dense.classes, dense.reaches, strict=True)):
        places = torch.arange(reaches.shape[1], device=reaches.device) * 2.0 ** (level + 1)
        firsts.append((places - reaches[..., 0]).clamp(min=0))
        ends.append((places + reaches[..., 1]).clamp(max=length))
        scores.append(logits[..., :-1].amax(dim=-1))
    every = torch.stack([torch.cat(firsts, dim=1), torch.cat(ends, dim=1)], dim=-1)
    best = torch.cat(scores, dim=1)
    chosen = best.topk(min(count, best.shape[1]), dim=1).indices
    return every.gather(1, chosen[..., None].expand(-1, -1, 2)).detach()

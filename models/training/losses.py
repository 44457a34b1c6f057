"""What training makes small."""

import torch
from torch import Tensor
from torch.nn import functional

from models.networks.detector import Dense
from models.training.targets import DenseTargets, SpanTargets

FOCUS = 2.0
"""Places that are told well already count little: ``(1 - p) ** 2`` (Lin et al. 2017, equation 4)."""
EDGE_WEIGHT = 1.0
SPAN_WEIGHT = 2.0
AGAINST_WEIGHT = 1.0


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the focal loss of each logit (Lin et al., ICCV 2017, without its class weight)."""
    plain = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    right = torch.exp(-plain)
    return (1 - right) ** FOCUS * plain


def edge_loss(reaches: Tensor, targets: Tensor) -> Tensor:
    """Return ``1 - IoU + (distance of the middles / length of the hull) ** 2`` of spans around a place, shape ``(n,)``.

    The distance-IoU loss (Zheng et al., AAAI 2020) in one dimension.
    """
    shared = torch.minimum(reaches, targets).sum(dim=1)
    hull = torch.maximum(reaches, targets).sum(dim=1).clamp(min=1e-6)
    union = reaches.sum(dim=1) + targets.sum(dim=1) - shared
    middles = ((reaches[:, 1] - reaches[:, 0]) - (targets[:, 1] - targets[:, 0])) / 2
    return 1 - shared / union.clamp(min=1e-6) + (middles / hull) ** 2


def dense_loss(dense: Dense, targets: list[DenseTargets]) -> Tensor:
    """Return the loss of all scales, for each place at which a gesture is."""
    classes = sum(
        (focal(logits, target.classes) * target.weights[..., None]).sum()
        for logits, target in zip(dense.classes, targets, strict=True)
    )
    edges = sum(
        edge_loss(reaches[target.holds], target.reaches[target.holds]).sum()
        for reaches, target in zip(dense.reaches, targets, strict=True)
    )
    holding = max(1, sum(int(target.holds.sum()) for target in targets))
    return (torch.as_tensor(classes) + EDGE_WEIGHT * torch.as_tensor(edges)) / holding


def span_loss(logits: Tensor, targets: SpanTargets, *, class_count: int) -> Tensor:
    """Return the mean loss of the spans: each output for itself, and the class against the other classes.

    The second part is for spans that show one class alone: of several likely classes one is to be the likeliest.
    """
    plain = functional.binary_cross_entropy_with_logits(logits, targets.classes, reduction="none")
    alone = (plain * targets.weights).sum() / max(1, logits.shape[0])
    classes = targets.classes[:, :class_count]
    one = classes.sum(dim=1) == 1
    if not bool(one.any()):
        return SPAN_WEIGHT * alone
    against = functional.cross_entropy(logits[one, :class_count], classes[one].argmax(dim=1))
    return SPAN_WEIGHT * alone + AGAINST_WEIGHT * against

"""Changes of time: which frame of a window is shown when."""

import torch
from torch import Tensor

SHORTEST_REPEAT = 4
"""Frames of a motion that is played once more, at least: a third of a second at 12.5 frames/s."""
LONGEST_REPEAT = 1 / 6
"""The same at most, as a share of the window: the repetition takes twice as long, and must fit in."""


def resampled(frames: Tensor, *, greatest: float, generator: torch.Generator) -> Tensor:
    """Play each window slower or faster by up to ``greatest`` around its middle; frames ``(B, T)`` in and out.

    A window that is played faster ends before its frames do: those lie outside of 0..T - 1.
    """
    batch, length = frames.shape
    speed = 1 + (torch.rand((batch, 1), generator=generator, device=frames.device) * 2 - 1) * greatest
    middle = (length - 1) / 2
    return (frames - middle) * speed + middle


def cropped(batch: int, length: int, *, greatest: float, generator: torch.Generator) -> Tensor:
    """Choose what is left of each window, bool ``(B, T)``: up to a share ``greatest`` is cut off at the two ends."""
    device = generator.device
    drawn = torch.rand((2, batch), generator=generator, device=device)
    cut = drawn[0] * greatest * length
    start = cut * drawn[1]
    end = length - (cut - start)
    times = torch.arange(length, device=device)[None]
    return (times + 0.5 > start[:, None]) & (times + 0.5 < end[:, None])


def repeated(energy: Tensor, *, chance: float, generator: torch.Generator) -> Tensor:
    """Play a short motion once more: there, back and there again, so that nothing jumps; returns frames ``(B, T)``.

    Where it lies is drawn by how much moves. The rest of the window comes later, its end is lost.

    Args:
        energy: how much moves at each frame, shape ``(B, T)``.
        chance: share of the windows that it happens to.
        generator: where chance is from.
    """
    batch, length = energy.shape
    device = energy.device
    times = torch.arange(length, device=device, dtype=energy.dtype)[None]
    longest = int(length * LONGEST_REPEAT)
    if longest < SHORTEST_REPEAT:
        return times.repeat(batch, 1)
    drawn = torch.rand((2, batch), generator=generator, device=device)
    span = SHORTEST_REPEAT + (drawn[0] * (longest - SHORTEST_REPEAT + 1)).floor()
    centre = torch.multinomial(energy + 1e-6, 1, generator=generator)[:, 0]
    start = torch.minimum((centre - span / 2).floor().clamp(min=0), length - 1 - span)
    end = (start + span)[:, None]
    span = span[:, None]
    played = torch.where(times <= end, times, torch.where(times <= end + span, 2 * end - times, times - 2 * span))
    return torch.where((drawn[1] < chance)[:, None], played, times)


def at_frames(positions: Tensor, seen: Tensor, scores: Tensor, *, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return a window's points at given times, of the shapes of what is given.

    A point lies on the line between its places in the frames before and after, where both are seen; else it is as in
    the nearer frame.

    Args:
        positions: shape ``(B, T, P, D)``.
        seen: bool, shape ``(B, T, P)``.
        scores: shape ``(B, T, P)``.
        frames: shape ``(B, T)``, within 0..T - 1.
    """
    batch, length = frames.shape
    before = frames.floor().long().clamp(max=length - 1)
    after = (before + 1).clamp(max=length - 1)
    share = (frames - before)[..., None]
    window = torch.arange(batch, device=frames.device)[:, None] * length

    def rows(values: Tensor, at: Tensor) -> Tensor:
        # whole frames at once: indexing with two lists takes longer
        return values.flatten(0, 1).index_select(0, (window + at).flatten()).view(values.shape)

    early, late = rows(seen, before), rows(seen, after)
    nearer_late = share > 0.5
    share = torch.where(early & late, share, nearer_late.to(share.dtype))
    return (
        torch.lerp(rows(positions, before), rows(positions, after), share[..., None]),
        torch.where(nearer_late, late, early),
        torch.lerp(rows(scores, before), rows(scores, after), share),
    )

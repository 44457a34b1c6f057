"""What is known of a candidate beside its claim: everybody who proposed it, and what a model thinks of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A proposer that sees something there; what several see at once is one candidate."""

    proposer: str
    """``contact``, ``motion`` or a model's name and digest."""
    class_id: str | None
    """The class that it claims; the candidate may claim another source's."""
    score: float
    """Its own score, 0..1, comparable within one proposer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the round's model thinks of a candidate, whoever proposed it."""

    probability: float
    """Calibrated, 0..1: that there is a gesture in it at all."""
    uncertainty: float
    """0..1: one minus the margin between the two likeliest outcomes, one of which is that there is nothing."""
    embedding: tuple[float, ...]
    """The encoder's features of the span: near for what looks alike; empty where they were not read."""

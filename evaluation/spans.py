"""What is compared: spans that are there, and spans that somebody claims."""

from dataclasses import dataclass

from schema.timespan import TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueSpan:
    """A gesture that is there."""

    sequence_id: str
    span: TimeSpan
    class_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedSpan:
    """A gesture that a proposer claims."""

    sequence_id: str
    span: TimeSpan
    class_id: str | None
    """None: it claims a gesture and no class."""
    score: float
    group: str | None = None
    """Body-part group of what is claimed; None: that of its class."""

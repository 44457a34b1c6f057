"""One plain sentence for a verified segment, made from its class and its length: no name, no place, no feeling."""

from schema.taxonomy import EVIDENCE, GestureClass
from schema.timespan import TimeSpan

SHORTEST_TOLD_SECONDS = 0.1
"""One decimal can't tell shorter lengths apart from nothing."""


def describe(gesture: GestureClass | None, span: TimeSpan, *, evidence: str = "") -> str:
    """Say what happens in a segment, in one sentence.

    Args:
        gesture: The class that people agreed on; None is a movement that no class names.
        span: The segment's span; its length is told, rounded to a tenth of a second.
        evidence: The measured evidence (a key of ``EVIDENCE``), told where there is no class: people agreed that
            there is a movement, and the measurement says of what. Any other text is left out.

    Returns:
        A sentence such as "The person touches or scratches the neck for 1.4 s."
    """
    if gesture is not None:
        return f"The person {gesture.phrase} for {_length(span)}."
    seen = f" ({EVIDENCE[evidence]})" if evidence in EVIDENCE else ""
    return f"The person makes a movement that no class names{seen} for {_length(span)}."


def _length(span: TimeSpan) -> str:
    if span.seconds < SHORTEST_TOLD_SECONDS:
        return "less than 0.1 s"
    return f"{span.seconds:.1f} s"

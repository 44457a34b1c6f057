"""What the proposers hand to each other before a candidate gets its id."""

from dataclasses import dataclass

from schema.proposed import Source
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

WORDS: dict[str, str] = {
    "hand_on_scalp": "the top of the head",
    "hand_on_forehead": "the forehead",
    "hand_on_eye": "an eye",
    "hand_on_nose": "the nose",
    "hand_on_mouth": "the mouth",
    "hand_on_cheek": "a cheek",
    "hand_on_ear": "an ear",
    "hand_on_jaw": "the jaw",
    "hands_on_face": "the face",
    "hand_on_neck": "the neck",
    "hand_on_throat": "the throat",
    "hand_on_chest": "the chest",
    "hand_on_shoulder": "the other shoulder",
    "hand_on_arm": "the other arm",
    "arms_folded": "the other arm",
    "hands_together": "each other",
}
"""How a reason names the place of a contact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a proposer says of a span by itself, whatever evidence fits it."""

    class_id: str | None
    """None: an unclassified movement."""
    group: str | None
    """Body-part group; None: it tells none that the study's taxonomy has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A span that stands out in one track."""

    span: TimeSpan
    evidence: str
    """A key of ``schema.taxonomy.EVIDENCE``."""
    proposer: str
    """``contact``, ``motion`` or a model's name and digest."""
    sides: tuple[str, ...]
    """Hands or arms that take part: ``left``, ``right``, both or none."""
    score: float
    """0..1."""
    reason: str
    """Why, in words with numbers."""
    claim: Claim | None = None
    """What the proposer itself claims; None: the class that the taxonomy gives to the evidence."""
    others: tuple[Source, ...] = ()
    """Who else sees something there, and was merged into it."""

    def class_in(self, taxonomy: Taxonomy) -> str | None:
        """Return the class that is claimed, None for an unclassified movement."""
        if self.claim is not None:
            return self.claim.class_id
        gesture = taxonomy.class_for(self.evidence)
        return None if gesture is None else gesture.class_id

    def group_in(self, taxonomy: Taxonomy) -> str | None:
        """Return the body-part group that is claimed; None where neither proposer nor class tells one."""
        if self.claim is not None:
            return self.claim.group
        gesture = taxonomy.class_for(self.evidence)
        return None if gesture is None else gesture.group

    def source_in(self, taxonomy: Taxonomy) -> Source:
        """Return what remains of it where another draft of the same thing is asked about."""
        return Source(proposer=self.proposer, class_id=self.class_in(taxonomy), score=self.score)


def hand_words(sides: tuple[str, ...]) -> str:
    """Name the hands: "left hand", or "both hands"."""
    return "both hands" if len(sides) == 2 else f"{sides[0]} hand"


def shorten(span: TimeSpan, longest_s: float) -> tuple[TimeSpan, str]:
    """Cut a span to its first ``longest_s`` seconds, and say so in words (empty where nothing was cut)."""
    if span.seconds <= longest_s:
        return span, ""
    cut = TimeSpan(start_ns=span.start_ns, end_ns=span.start_ns + round(longest_s * 1e9))
    return cut, f"; it goes on for {span.seconds:.0f} s, of which this is the beginning"

"""The settings of verification: what reviewers see, how many of them answer, and what is asked to measure them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateConfig:
    """What reviewers see, how many of them answer, and what is asked beside the candidates."""

    first_answers: int = 2
    """Independent answers that each candidate gets at first."""
    most_answers: int = 5
    """Answers after which a candidate that has not settled goes to an expert."""
    min_posterior: float = 0.9
    """Probability of the verdict and class from which on nobody is asked again."""
    known_share: float = 0.08
    """Share of each reviewer's stream that are hidden items with a known answer. 0: none."""
    known_before_trust: int = 10
    """Hidden items that a reviewer gets among the first ones."""
    blind_share: float = 0.08
    """Share of the candidates that are also asked without their class, in a project of its own. 0: none."""
    audit_minutes: float = 0.0
    """Minutes of random windows without any proposal that are searched for what the proposals miss. 0: none."""
    audit_window_seconds: float = 15.0
    """Length of such a window."""
    queue_size: int = 500
    """Candidates that are open on the page at a time: a shorter queue follows a new order sooner."""
    finding: float = 0.8
    """What a model's round asks first of two equally rare and new candidates: 0, the less certain one, which teaches
    most; 1, the likelier gesture, which finds most; as `pressroom simulate` weighs them."""
    round_minutes: float = 0.0
    """Minutes of people's time that a round may take, at what an answer took in this study so far; 0: no limit. A round
    lasts until another model proposes."""
    clip_background: Literal["picture", "black"] = "picture"
    """`picture`, or `black`: only the skeleton is shown."""
    blur_faces: bool = False
    """Blur the face in the clips that reviewers see."""
    context_seconds: float = 1.0
    """What the clip shows before and after the candidate."""
    clip_height_px: int = 480
    """Height of the clip, pixels."""

    def __post_init__(self) -> None:
        """Refuse numbers that no campaign could have (``ValueError``)."""
        if not 1 <= self.first_answers <= self.most_answers:
            raise ValueError(f"1 <= first_answers <= most_answers, got {self.first_answers} and {self.most_answers}")
        if not 0.5 < self.min_posterior < 1:
            raise ValueError(f"min_posterior must be in (0.5, 1), got {self.min_posterior}")
        for name in ("known_share", "blind_share"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ValueError(f"{name} must be in 0..0.5, got {getattr(self, name)}")
        if self.round_minutes < 0 or not 0 <= self.finding <= 1:
            raise ValueError(
                f"round_minutes can't be negative and finding is in 0..1, got {self.round_minutes} and {self.finding}"
            )
        if self.queue_size < 1 or self.audit_minutes < 0 or self.audit_window_seconds <= 0:
            raise ValueError("queue_size, audit_minutes and audit_window_seconds can't be negative, nor a window 0 s")

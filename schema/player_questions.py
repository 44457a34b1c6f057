"""Questions "which one is the player?": who was shown at which moments, and what each reviewer answered."""

from dataclasses import dataclass

from schema.people import PersonAnchor
from schema.records import VideoId


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonShown:
    """One lettered person of a question's picture."""

    letter: str
    """``A``, ``B`` and so on; means something only within one question."""
    anchors: tuple[PersonAnchor, ...]
    """Where the person was boxed; at least one."""

    def __post_init__(self) -> None:
        """Refuse a person who is shown nowhere (``ValueError``)."""
        if not self.anchors:
            raise ValueError(f"person {self.letter!r} is shown at no moment")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerQuestion:
    """A question "which one is the player?" that was put on the reviewing page."""

    question_id: str
    """``q`` + hash of the file and of what was shown of it."""
    video_id: VideoId
    sha256: str
    """Digest of the video file that the anchors belong to."""
    people: tuple[PersonShown, ...]
    """By letter; at least one."""
    question: str
    """The wording that people saw."""
    reason: str
    """Why it was asked, in words with numbers."""
    server_id: str
    """Which Label Studio: the id that pressroom gave it when it made its data folder."""
    project_number: int
    task_number: int

    def __post_init__(self) -> None:
        """Refuse a question that shows nobody (``ValueError``)."""
        if not self.people:
            raise ValueError(f"{self.question_id} shows nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerVote:
    """One answer of one person to one such question, kept as given and never rewritten."""

    vote_id: str
    """``a`` + hash of (server, annotation number, revision): an edited answer is a new row."""
    question_id: str
    video_id: VideoId
    sha256: str
    people: tuple[PersonShown, ...]
    """Who was shown."""
    chosen: frozenset[str] | None
    """Letters of those who are players; empty: nobody shown is; None: the reviewer could not tell."""
    annotator_id: str
    """``r`` + keyed hash of the account: the server's claim, see docs/review.md."""
    scripted: bool
    """Answered by a script, not by a person."""
    answered_ns: int
    """Unix time of the answer in nanoseconds, as the server tells it."""
    lead_time_ns: int
    """How long the person took, as the page tells it."""

    def __post_init__(self) -> None:
        """Refuse letters that were not shown (``ValueError``)."""
        unknown = sorted((self.chosen or frozenset()) - {person.letter for person in self.people})
        if unknown:
            raise ValueError(f"{self.vote_id} chooses {unknown[0]!r}, who was not shown")

"""What people are asked on the review server: verdicts, hidden known items, blind and audit windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from schema.matching import Box
from schema.timespan import TimeSpan

if TYPE_CHECKING:  # schema.records imports this file
    from schema.records import VideoId


class QuestionKind(StrEnum):
    """How a question came about; the page shows the same for ``VERDICT`` and ``KNOWN``."""

    VERDICT = "verdict"
    """A candidate, with the class that was proposed for it."""
    KNOWN = "known"
    """A hidden item whose answer is known (gold): it measures the person, not the gesture."""
    EXPERT = "expert"
    """A candidate on which the answers did not settle, put to an expert."""
    BLIND = "blind"
    """A candidate's clip without its class: is there a micro-gesture, which, from when to when?"""
    AUDIT = "audit"
    """A random window that no proposer chose: what did the proposals miss?"""

    @property
    def shows_suggestion(self) -> bool:
        """Whether the page names a class or a span before the person has answered."""
        return self in (QuestionKind.VERDICT, QuestionKind.KNOWN, QuestionKind.EXPERT)


class Role(StrEnum):
    """What an annotator is for."""

    ANNOTATOR = "annotator"
    EXPERT = "expert"
    """Answers what others could not settle; an expert's newest answer decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A span that a person drew on a timeline."""

    span: TimeSpan
    class_id: str | None
    """None is a movement that no class names."""
    first_frame: int
    """First frame of the source video that lies in the span."""
    end_frame: int
    """One past the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAnswer:
    """The truth of a hidden item: private to the study, never sent to the review server."""

    question_id: str
    """``candidate_id`` of the question of kind ``KNOWN``."""
    variant: str
    """``exact``, ``negative`` (nothing happens), ``shifted`` (edges off) or ``relabelled`` (wrong class)."""
    exists: bool
    """Whether there is a micro-gesture at all."""
    class_id: str | None
    """The true class; None where there is no gesture, or none that a class names."""
    span: TimeSpan
    """The true edges; of a negative the span that is asked about."""
    source: str
    """``expert``, ``people`` (settled with a high posterior) or ``study`` (given by the study)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """A person who answers: the one place beside the server that holds the account."""

    annotator_id: str
    """``r`` + keyed hash of the account, as in *annotations*."""
    name: str
    account: str
    """E-mail address on the review server."""
    role: Role
    active: bool
    added_ns: int
    """Unix time in ns; of an annotator's several rows the newest counts."""


def expert_ids(annotators: Mapping[str, Annotator]) -> frozenset[str]:
    """Return those whose newest answer decides, also where they no longer answer."""
    return frozenset(one.annotator_id for one in annotators.values() if one.role is Role.EXPERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWindow:
    """A stretch of a followed person, drawn by chance: people search it for what the proposals miss."""

    window_id: str
    """``candidate_id`` of the question of kind ``AUDIT``."""
    video_id: "VideoId"
    track_number: int
    span: TimeSpan
    box_xyxy: Box
    """The person's box at mid-span."""
    sampled_share: float
    """Chance with which the window was drawn, (0, 1]: each gesture seen in it stands for 1 / ``sampled_share``."""

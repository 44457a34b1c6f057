"""The nouns of the data: one frozen record a concept, joined by id, arrays checked where they are born."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import NewType

import numpy as np
import numpy.typing as npt

from schema.errors import DropReason
from schema.matching import Box
from schema.proposed import Judged, Source
from schema.questions import Mark, QuestionKind
from schema.timespan import TimeSpan

SourceId = NewType("SourceId", str)
"""``l`` + keyed hash of a link or path as the study lists it."""
VideoId = NewType("VideoId", str)
"""``v`` + keyed hash of (platform, native id), or of a local file's content."""
SubjectId = NewType("SubjectId", str)
"""``s`` + keyed hash of a person's row id in players.csv."""
CandidateId = NewType("CandidateId", str)
"""``c`` + hash of what is asked: file, span, box, class, proposer; a later round inherits it."""

KEYPOINT_COUNT = 133
"""COCO-WholeBody: body 0-16, feet 17-22, face 23-90, left hand 91-111, right hand 112-132."""


class Part(IntEnum):
    """The body parts that can be unseen as a whole; the value is the column of ``parts_seen``."""

    BODY = 0
    FEET = 1
    FACE = 2
    LEFT_HAND = 3
    RIGHT_HAND = 4


PART_SLICES: dict[Part, slice] = {
    Part.BODY: slice(0, 17),
    Part.FEET: slice(17, 23),
    Part.FACE: slice(23, 91),
    Part.LEFT_HAND: slice(91, 112),
    Part.RIGHT_HAND: slice(112, 133),
}
"""Where each part's points lie among the 133 (COCO-WholeBody)."""


class TimeFlag(IntEnum):
    """What is wrong with the time of one frame."""

    GOOD = 0
    MISSING = 1
    """The file gives none; the time was put one nominal frame after the one before."""
    REPEATED = 2
    """The file gives a time not later than the frame before; treated like a missing one."""


class VideoFlag(StrEnum):
    """What is wrong with a video file that can be used all the same."""

    TRUNCATED = "truncated"
    """The file ends before the header says it does."""
    DAMAGED = "damaged"
    """Some packets can't be read whole, or can't be decoded at the file's ends: only those were tried."""
    VARIABLE_RATE = "variable_rate"
    """The times between frames differ by more than the rounding of the time base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """An item that a stage left out, and why."""

    stage: str
    item_id: str
    """The id of the item that came in."""
    reason: DropReason
    detail: str
    """Plain words with numbers; never a link, a name or a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord:
    """One video file that the study holds: what was probed, joined to its source by ``video_id``."""

    video_id: VideoId
    sha256: str
    byte_count: int
    container: str
    codec: str
    width: int
    """Displayed width in pixels: after rotation, and square pixels assumed."""
    height: int
    rotation_degrees: int
    """Clockwise turn that the file asks for: 0, 90, 180 or 270."""
    average_rate: Fraction
    """Frames per second over the whole file, from packet times."""
    header_rate: Fraction
    """Frames per second that the header claims (0 where it claims none)."""
    frame_count: int
    """Frames by the file's packets, after edit lists; damage inside may cost some, *frames* has those that decode."""
    duration_ns: int
    """From the first displayed frame to the end of the last one, by packet times."""
    header_duration_ns: int
    """What the header claims (0 where it claims none)."""
    has_audio: bool
    pixel_format: str
    color_space: str
    flags: tuple[VideoFlag, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameTimes:
    """The displayed frames of one video file, in display order; bound to the file by its sha256."""

    video_id: VideoId
    sha256: str
    time_base: Fraction
    """Seconds a tick of ``pts``."""
    pts: npt.NDArray[np.int64]
    """Presentation time stamps in ticks, shape ``(n,)``, as the file gives them."""
    times_ns: npt.NDArray[np.int64]
    """Nanoseconds since the first displayed frame, shape ``(n,)``, strictly increasing, starting at 0."""
    flags: npt.NDArray[np.uint8]
    """``TimeFlag`` values, shape ``(n,)``."""
    end_ns: int
    """When the last frame stops being shown."""

    def __post_init__(self) -> None:
        """Refuse arrays of unequal length and times that do not increase (``ValueError``)."""
        count = self.times_ns.shape[0]
        if self.pts.shape != (count,) or self.flags.shape != (count,):
            raise ValueError(f"frame times need equal lengths, got {self.pts.shape}, {count}, {self.flags.shape}")
        if count == 0 or self.times_ns[0] != 0 or np.any(np.diff(self.times_ns) <= 0):
            raise ValueError("frame times must start at 0 and increase")
        if self.end_ns <= int(self.times_ns[-1]):
            raise ValueError(f"the last frame must end after it starts, got end_ns={self.end_ns}")

    def frame_at(self, instant_ns: int) -> int:
        """Return the index of the frame shown at that instant; instants before or after it take the nearest end."""
        index = int(np.searchsorted(self.times_ns, instant_ns, side="right")) - 1
        return min(max(index, 0), int(self.times_ns.shape[0]) - 1)

    def span_of(self, first_frame: int, end_frame: int) -> TimeSpan:
        """Return the time during which frames ``[first_frame, end_frame)`` are shown."""
        after = self.end_ns if end_frame >= self.times_ns.shape[0] else int(self.times_ns[end_frame])
        return TimeSpan(start_ns=int(self.times_ns[first_frame]), end_ns=after)

    def frames_of(self, span: TimeSpan) -> tuple[int, int]:
        """Return ``[first_frame, end_frame)``: the frames that start to be shown within the span (one at least)."""
        first = int(np.searchsorted(self.times_ns, span.start_ns, side="left"))
        end = int(np.searchsorted(self.times_ns, span.end_ns, side="left"))
        first = min(first, int(self.times_ns.shape[0]) - 1)
        return first, max(end, first + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A run of frames between two cuts."""

    video_id: VideoId
    shot_number: int
    """From 0, in order; means something only within one part."""
    first_frame: int
    end_frame: int
    """One past the last frame."""
    span: TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """One person followed through one shot."""

    video_id: VideoId
    track_number: int
    """From 0, in order of first frame; means something only within one part."""
    shot_number: int
    frame_indices: npt.NDArray[np.int32]
    """Frames of the video in which the person is boxed, shape ``(n,)``, increasing."""
    times_ns: npt.NDArray[np.int64]
    """Times of those frames, shape ``(n,)``."""
    boxes_xyxy: npt.NDArray[np.float32]
    """Pixel boxes around the person as far as it is in the picture, shape ``(n, 4)``."""
    scores: npt.NDArray[np.float32]
    """Detector's confidence, shape ``(n,)``, 0..1; 0 where the box was interpolated."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together (``ValueError``)."""
        count = self.frame_indices.shape[0]
        shapes = (self.times_ns.shape, self.boxes_xyxy.shape, self.scores.shape)
        if count == 0 or shapes != ((count,), (count, 4), (count,)):
            raise ValueError(f"a track of {count} frames needs (n,), (n, 4), (n,) with n > 0, got {shapes}")
        if np.any(np.diff(self.frame_indices) <= 0):
            raise ValueError("a track's frame indices must increase")

    def box_at(self, instant_ns: int) -> Box:
        """Return the box of the frame nearest to the instant."""
        nearest = int(np.argmin(np.abs(self.times_ns - instant_ns)))
        x1, y1, x2, y2 = (float(v) for v in self.boxes_xyxy[nearest])
        return x1, y1, x2, y2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeypointSequence:
    """The 133 COCO-WholeBody keypoints of one track, frame by frame; "left" is the person's own left."""

    video_id: VideoId
    track_number: int
    frame_indices: npt.NDArray[np.int32]
    """Frames of the video, shape ``(n,)``, increasing."""
    times_ns: npt.NDArray[np.int64]
    """Times of those frames, shape ``(n,)``."""
    keypoints_xy: npt.NDArray[np.float32]
    """Pixel positions, shape ``(n, 133, 2)``; NaN where a point is not seen."""
    scores: npt.NDArray[np.float32]
    """Confidence, shape ``(n, 133)``, 0..1; 0 where a point is not seen, above 0 where it is."""
    parts_seen: npt.NDArray[np.bool_]
    """Whether body, feet, face, left hand, right hand were seen, shape ``(n, 5)`` (``Part``)."""
    interpolated: npt.NDArray[np.bool_]
    """Whether the frame was not looked at, and its points lie between those of its neighbours, shape ``(n,)``."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit, a position without a score, and points of an unseen part (``ValueError``)."""
        count = self.frame_indices.shape[0]
        arrays = (self.times_ns, self.keypoints_xy, self.scores, self.parts_seen, self.interpolated)
        shapes = tuple(array.shape for array in arrays)
        wanted = ((count,), (count, KEYPOINT_COUNT, 2), (count, KEYPOINT_COUNT), (count, len(Part)), (count,))
        if count == 0 or shapes != wanted:
            raise ValueError(f"a keypoint sequence of {count} frames needs {wanted}, got {shapes}")
        finite = np.isfinite(self.keypoints_xy)
        seen = finite[..., 0] & finite[..., 1]  # a fifth of the time of `all(axis=2)`, which was a third of reading
        if np.any(seen != (self.scores > 0)):
            raise ValueError("a keypoint has a position exactly where its score is above 0")
        for part, points in PART_SLICES.items():
            if np.any(seen[:, points] & ~self.parts_seen[:, part, None]):
                raise ValueError(f"points of {part.name} are given in frames where the part is not seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A span in which a track may show a micro-gesture: a question for people."""

    candidate_id: CandidateId
    video_id: VideoId
    track_number: int
    span: TimeSpan
    box_xyxy: Box
    """The person's box at mid-span: the anchor that outlives a new tracking."""
    class_id: str | None
    """A class of the study's taxonomy; none is "unclassified movement"."""
    evidence: str
    """What was measured, in the vocabulary of ``schema.taxonomy.EVIDENCE``."""
    proposer: str
    """``contact``, ``motion`` or a model's name and digest."""
    score: float
    """0..1, comparable within one proposer."""
    reason: str
    """Why, in words with numbers and units."""
    sources: tuple[Source, ...] = ()
    """Everybody who proposed it, the one that it claims first; empty: nobody but the proposer."""
    judged: Judged | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What people judged, tied to content: it means the same after perception is redone."""

    video_id: VideoId
    sha256: str
    span: TimeSpan
    box_xyxy: Box
    """The person's box at mid-span, in pixels of the file with that sha256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTask:
    """A question that was put on the reviewing page."""

    candidate_id: CandidateId
    """The question's id: the candidate's for a verdict, another one for a question of another kind."""
    anchor: Anchor
    """What is asked about; of an audit the whole window."""
    taxonomy: str
    class_id: str | None
    question: str
    """The wording that people saw."""
    evidence: str
    """What was measured, in the vocabulary of ``schema.taxonomy.EVIDENCE``."""
    proposer: str
    score: float
    reason: str
    server_id: str
    """Which Label Studio: the id that pressroom gave it when it made its data folder."""
    project_number: int
    task_number: int
    kind: QuestionKind = QuestionKind.VERDICT
    about: str = ""
    """Candidate that a question of another kind than ``VERDICT`` is about; empty for a window."""
    clip_first_frame: int | None = None
    """First frame of the source video that the clip shows: clip frame k is source frame ``clip_first_frame + k``."""
    clip_end_frame: int | None = None
    """One past the last frame that the clip shows."""
    page_version: str = ""
    """Name and digest of the page that it was put on."""
    round_number: int = 0
    """Round in which it was put, or worded anew."""


class Verdict(StrEnum):
    """What a person can say of a candidate, or of a window."""

    ACCEPT = "accept"
    ADJUST = "adjust"
    """The proposed class happens, from another instant to another instant."""
    RELABEL = "relabel"
    REJECT = "reject"
    UNSURE = "unsure"
    MARKED = "marked"
    """Of a blind or audit window: the person drew what happens."""
    NOTHING = "nothing"
    """Of a blind or audit window: no micro-gesture happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One answer of one person to one question, kept as given and never rewritten."""

    annotation_id: str
    """``a`` + hash of (server, annotation number, revision): an edited answer is a new row."""
    candidate_id: CandidateId
    anchor: Anchor
    taxonomy: str
    question: str
    proposed_class_id: str | None
    annotator_id: str
    """``r`` + keyed hash of the account: the server's claim, see docs/review.md."""
    scripted: bool
    """Answered by a script, not by a person."""
    verdict: Verdict
    class_id: str | None
    """The class that the answer gives: the proposed one on accept and adjust, the chosen one on relabel."""
    comment: str
    answered_ns: int
    """Unix time of the answer in nanoseconds, as the server tells it."""
    lead_time_ns: int
    """How long the person took, as the page tells it."""
    kind: QuestionKind = QuestionKind.VERDICT
    about: str = ""
    """Candidate that the question was about, where it is of another kind than ``VERDICT``."""
    answered_span: TimeSpan | None = None
    """Edges that the person moved; None: the anchor's own."""
    marks: tuple[Mark, ...] = ()
    """What the person drew on a window's timeline."""
    description: str | None = None
    """The sentence as the person left it; None: the page has none."""
    proposer: str = ""
    """Who proposed what was shown."""
    suggestion_shown: bool = True
    """Whether a class or a span was on the page before the answer."""
    page_version: str = ""
    answer_number: int | None = None
    """The server's number of the annotation: revisions of one answer share it."""
    deleted: bool = False
    """The answer was taken back on the server: this revision withdraws the ones before it."""
    flag: str = ""
    """What contradicts the claim of who answered; empty: nothing known."""
    raw: str = ""
    """The answer as the server gave it, JSON."""

    @property
    def judged_span(self) -> TimeSpan:
        """The edges that the answer stands for."""
        return self.answered_span or self.anchor.span


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSegment:
    """A micro-gesture that people agreed on, attached to today's tracks."""

    segment_id: str
    """``g`` + the candidate id's hash: stable as long as the question is."""
    candidate_id: CandidateId
    video_id: VideoId
    track_number: int
    span: TimeSpan
    class_id: str | None
    """None where people agreed on a movement that no class names."""
    answer_count: int
    agreement: float
    """Share of the counted answers that agree with the verdict, 0..1; the rest is the dissent."""
    posterior: float
    """Probability of existence and class, given the answers and the skill of those who gave them, 0..1."""
    scripted: bool
    """True where every counted answer came from a script."""
    evidence: str
    proposer: str
    proposer_score: float
    description: str
    """One sentence made from the class and the measured fields."""

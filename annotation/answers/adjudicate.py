"""Make one verified segment of several answers, and attach it to today's tracks by content."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from annotation.answers.consensus import Settled, settle
from annotation.answers.opinions import NO_GESTURE, WINDOW
from annotation.answers.revisions import age_key
from annotation.describe import describe
from schema.errors import DamagedTableError, DropReason, ItemError
from schema.matching import box_iou
from schema.questions import KnownAnswer
from schema.records import (
    Anchor,
    Annotation,
    CandidateId,
    Dropped,
    ReviewTask,
    Track,
    VerifiedSegment,
    VideoId,
)
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

STAGE = "adjudicate"
SAME_SEGMENT_IOU = 0.7
"""Temporal IoU from which on two segments of one class and person are one gesture, asked about twice."""
MOSTLY_INSIDE = 0.8
"""Share of the shorter segment that lies in the longer one from which on they are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicateConfig:
    """When answers make a segment, and when a judged box still shows the same person."""

    min_posterior: float = 0.8
    """Probability of the outcome, given the answers and the skill of those who gave them, from which on it stands:
    about what the accept of one unknown person gives. Below it the candidate is undecided."""
    min_answers: int = 2
    """Decided answers (not "unsure") that a candidate needs where only scripts have answered."""
    min_human_answers: int = 1
    """Decided answers that it needs once a person has answered: scripts don't count there. An expert's answer is
    enough in any case."""
    min_box_iou: float = 0.3
    """Overlap of the judged box with a track's box at mid-span from which on they show the same person: boxes of two
    trackers around one person differ in how much arm and lap they hold; neighbours at a table overlap less."""

    def __post_init__(self) -> None:
        """Refuse an outcome likelier wrong than right that would stand, and numbers of answers below 1 (ValueError)."""
        if not 0.5 <= self.min_posterior < 1:
            raise ValueError(f"min_posterior must be in [0.5, 1), got {self.min_posterior}")
        if min(self.min_answers, self.min_human_answers) < 1:
            raise ValueError(f"at least 1 answer is needed, got {self.min_answers} and {self.min_human_answers}")
        if not 0 < self.min_box_iou <= 1:
            raise ValueError(f"min_box_iou must be in (0, 1], got {self.min_box_iou}")


def adjudicate_annotations(
    annotations: Iterable[Annotation],
    *,
    tasks: Iterable[ReviewTask],
    tracks_of: Callable[[VideoId], Sequence[Track]],
    sha256s: Mapping[VideoId, str],
    taxonomy: Taxonomy,
    config: AdjudicateConfig,
    known: Iterable[KnownAnswer] = (),
    experts: Set[str] = frozenset(),
) -> Iterator[VerifiedSegment | Dropped]:
    """Decide every candidate that has an answer, in an order and with a result that don't depend on that of the rows.

    Of each annotator only the newest answer counts, and where a person has answered, scripts don't. Accepting a class
    and relabelling to it are the same outcome. "Unsure" is an abstention: it neither counts as an answer nor as a
    part of the whole. Answers given in another taxonomy than the study's, and answers whose author is in doubt, don't
    count. An expert decides. What is likeliest then (``consensus.py``) stands if it is likely enough. The
    segment's edges are the weighted median of those that the answers gave; it is attached to the track that holds the
    judged box, never by a track's number. One gesture that was asked about twice becomes one segment.

    Args:
        annotations: All answers of the study; the same answer may come several times.
        tasks: The recorded questions.
        tracks_of: Today's tracks of a video, of the file whose digest ``sha256s`` gives. Asked once a video in turn.
        sha256s: Digest of each video's file as the study holds it now.
        taxonomy: The study's taxonomy.
        config: Thresholds.
        known: The truth of the hidden known items.
        experts: ``annotator_id`` of those whose word decides.

    Yields:
        One ``VerifiedSegment`` or ``Dropped`` (``REJECTED``, ``UNDECIDED``, ``ORPHANED``, ``MERGED``) a candidate with
        an answer, and one a gesture that people drew themselves; video by video.

    Raises:
        DamagedTableError: A candidate has an answer but no recorded task.
        ConfigError: An answer holds a class that the taxonomy no longer has.
    """
    answers, asked = list(annotations), list(tasks)
    settlement = settle(tasks=asked, annotations=answers, known=known, experts=experts, taxonomy=taxonomy)
    tasks_of: dict[str, list[ReviewTask]] = defaultdict(list)
    for task in asked:
        tasks_of[task.candidate_id].append(task)
    videos = _videos_of(answers)
    for opinion in (opinion for item in settlement.items.values() for opinion in item.opinions):
        videos.setdefault(opinion.item_id, opinion.answer.anchor.video_id)
    tracks_of_latest = lru_cache(maxsize=1)(tracks_of)

    def decide(item: Settled) -> VerifiedSegment | Dropped:
        try:
            anchor = _judged(item, taxonomy=taxonomy, config=config)
            if sha256s.get(anchor.video_id) != anchor.sha256:
                raise ItemError(DropReason.ORPHANED, "the study no longer holds the video file that was judged")
            track = attach(anchor, tracks_of_latest(anchor.video_id), min_box_iou=config.min_box_iou)
            return _segment(item, anchor, _task_for(item, anchor, tasks_of), track, taxonomy)
        except ItemError as error:
            return Dropped(stage=STAGE, item_id=item.item_id, reason=error.reason, detail=error.detail)

    # A candidate's answers are all of one video; by video, so that only one video's tracks are held at a time.
    ordered = sorted(settlement.items.values(), key=lambda item: (videos[item.item_id], item.item_id))
    for _, items in groupby(ordered, key=lambda item: videos[item.item_id]):
        yield from merge_segments([decide(item) for item in items])


def _videos_of(annotations: Iterable[Annotation]) -> dict[str, VideoId]:
    """Say in which video each candidate lies, the first by id where answers contradict each other."""
    videos: dict[str, VideoId] = {}
    for annotation in annotations:
        item_id, video_id = annotation.about or annotation.candidate_id, annotation.anchor.video_id
        videos[item_id] = min(videos.get(item_id, video_id), video_id)
    return videos


def merge_segments(outcomes: Sequence[VerifiedSegment | Dropped]) -> list[VerifiedSegment | Dropped]:
    """Make one of the segments that show the same gesture of the same person, asked about in several questions.

    They are of one class and overlap (temporal IoU ``SAME_SEGMENT_IOU``), or one lies mostly inside the other
    (``MOSTLY_INSIDE`` of it). The one with more answers (of persons before scripts) stays as it is and keeps its id;
    the others are dropped as ``MERGED``. The order of what remains is that of ``outcomes``.
    """
    segments = [outcome for outcome in outcomes if isinstance(outcome, VerifiedSegment)]
    kept: dict[tuple[str, int, str | None], list[VerifiedSegment]] = defaultdict(list)
    merged: dict[str, Dropped] = {}
    for segment in sorted(segments, key=lambda s: (s.scripted, -s.answer_count, -s.posterior, s.segment_id)):
        likes = kept[segment.video_id, segment.track_number, segment.class_id]
        stays = next((other for other in likes if _is_same(segment.span, other.span)), None)
        if stays is None:
            likes.append(segment)
        else:
            detail = f"the same gesture as {stays.candidate_id}, which has more to go by"
            merged[segment.candidate_id] = Dropped(
                stage=STAGE, item_id=segment.candidate_id, reason=DropReason.MERGED, detail=detail
            )
    return [merged.get(_id_of(outcome), outcome) for outcome in outcomes]


def _id_of(outcome: VerifiedSegment | Dropped) -> str:
    return outcome.item_id if isinstance(outcome, Dropped) else outcome.candidate_id


def _is_same(first: TimeSpan, second: TimeSpan) -> bool:
    shorter_ns = min(first.duration_ns, second.duration_ns)
    inside = first.overlap_ns(second) >= MOSTLY_INSIDE * shorter_ns
    return inside or first.temporal_iou(second) >= SAME_SEGMENT_IOU


def _judged(item: Settled, *, taxonomy: Taxonomy, config: AdjudicateConfig) -> Anchor:
    """Return what was judged; raises ``ItemError`` (``UNDECIDED``, ``REJECTED``) where it makes no segment."""
    answered = item.answer_count + item.unsure_count
    if not answered:
        others = f"answered in {', '.join(item.unread)}; the study's taxonomy is {taxonomy.name}"
        raise ItemError(DropReason.UNDECIDED, others if item.unread else "no answer counts any more")
    needed = 1 if item.expert_answered else config.min_answers if item.scripted else config.min_human_answers
    if item.answer_count < needed:
        raise ItemError(
            DropReason.UNDECIDED, f"{item.answer_count} of {answered} answers are decided; {needed} are needed"
        )
    says = [opinion for opinion in item.opinions if opinion.outcome == item.outcome]
    share = f"{len(says)} of {item.answer_count} decided answers"
    if item.posterior < config.min_posterior or not says:
        probability = f"probability {item.posterior:.2f}; {config.min_posterior:.2f} is needed"
        raise ItemError(DropReason.UNDECIDED, f"{share} say {item.outcome!r}, {probability}")
    if item.outcome == NO_GESTURE:
        raise ItemError(DropReason.REJECTED, f"{share} see no micro-gesture")
    return max(says, key=lambda opinion: age_key(opinion.answer)).answer.anchor


def attach(anchor: Anchor, tracks: Sequence[Track], *, min_box_iou: float) -> Track:
    """Find the track that shows the judged person at mid-span; raises ``ItemError`` (``ORPHANED``) if none does."""
    middle_ns = anchor.span.middle_ns
    overlaps = [
        (box_iou(anchor.box_xyxy, track.box_at(middle_ns)), -track.track_number, track)
        for track in tracks
        if _covers(track, middle_ns)
    ]
    if not overlaps:
        detail = f"nobody is followed at {middle_ns / NS_PER_SECOND:.2f} s any more"
        raise ItemError(DropReason.ORPHANED, detail)
    best_iou, _, best = max(overlaps, key=lambda overlap: overlap[:2])
    if best_iou < min_box_iou:
        detail = f"the nearest person's box has IoU {best_iou:.2f} with the judged one; {min_box_iou:.2f} is needed"
        raise ItemError(DropReason.ORPHANED, detail)
    return best


def _covers(track: Track, instant_ns: int) -> bool:
    """Tell whether the track is on screen then; its last frame is shown for as long as the one before."""
    times_ns = track.times_ns
    last_ns = int(times_ns[-1] - times_ns[-2]) if times_ns.shape[0] > 1 else 0
    return int(times_ns[0]) <= instant_ns <= int(times_ns[-1]) + last_ns


def _task_for(item: Settled, anchor: Anchor, tasks_of: Mapping[str, Sequence[ReviewTask]]) -> ReviewTask:
    """Return the question that was answered; a candidate may have been asked again on another server."""
    tasks = tasks_of.get(item.item_id) or tasks_of.get(item.opinions[0].answer.candidate_id, ())
    if not tasks:
        raise DamagedTableError(
            f"tasks: candidate {item.item_id} was answered but never asked; restore the table from a backup"
        )
    return max(tasks, key=lambda t: (t.anchor == anchor, t.server_id, t.project_number, t.task_number))


def _segment(item: Settled, anchor: Anchor, task: ReviewTask, track: Track, taxonomy: Taxonomy) -> VerifiedSegment:
    gesture = None if item.class_id is None else taxonomy.by_id(item.class_id)
    drawn = item.item_id not in (task.candidate_id, task.about)
    span = item.span or anchor.span
    return VerifiedSegment(
        segment_id="g" + item.item_id[1:],
        candidate_id=CandidateId(item.item_id),
        video_id=anchor.video_id,
        track_number=track.track_number,
        span=span,
        class_id=item.class_id,
        answer_count=item.answer_count,
        agreement=item.agreement,
        posterior=item.posterior,
        scripted=item.scripted,
        evidence="" if drawn else task.evidence,
        proposer=WINDOW if drawn else task.proposer,
        proposer_score=0.0 if drawn else task.score,
        description=describe(gesture, span, evidence="" if drawn else task.evidence),
    )

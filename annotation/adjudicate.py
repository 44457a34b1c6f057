"""Make one verified segment of several answers, and attach it to today's tracks by content."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from annotation.describe import describe
from schema.errors import DamagedTableError, DropReason, ItemError
from schema.matching import box_iou
from schema.records import (
    Anchor,
    Annotation,
    CandidateId,
    Dropped,
    ReviewTask,
    Track,
    Verdict,
    VerifiedSegment,
    VideoId,
)
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND

STAGE = "adjudicate"
NO_GESTURE = "no gesture"
"""The outcome of a reject; a class's outcome is its id, or None for a movement that no class names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicateConfig:
    """When answers make a segment, and when a judged box still shows the same person."""

    min_answers: int = 2
    """Decided answers (not "unsure") that a candidate needs where only scripts have answered."""
    min_human_answers: int = 1
    """Decided answers that it needs once a person has answered: scripts don't count there, so one person is enough
    unless the study asks for more."""
    majority: float = 0.5
    """The winning outcome needs more than this share of the decided answers, and more than any other outcome."""
    min_box_iou: float = 0.3
    """Overlap of the judged box with a track's box at mid-span from which on they show the same person: boxes of two
    trackers around one person differ in how much arm and lap they hold; neighbours at a table overlap less."""

    def __post_init__(self) -> None:
        """Refuse a minority that would win and numbers of answers below 1 (``ValueError``)."""
        if not 0.5 <= self.majority < 1:
            raise ValueError(f"majority must be in [0.5, 1), got {self.majority}")
        if min(self.min_answers, self.min_human_answers) < 1:
            raise ValueError(f"at least 1 answer is needed, got {self.min_answers} and {self.min_human_answers}")
        if not 0 < self.min_box_iou <= 1:
            raise ValueError(f"min_box_iou must be in (0, 1], got {self.min_box_iou}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """What the counted answers of one candidate say together."""

    newest: Annotation
    """The newest answer of the majority: it holds the class and what was judged."""
    decided_count: int
    agreement: float


def adjudicate_annotations(
    annotations: Iterable[Annotation],
    *,
    tasks: Iterable[ReviewTask],
    tracks_of: Callable[[VideoId], Sequence[Track]],
    sha256s: Mapping[VideoId, str],
    taxonomy: Taxonomy,
    config: AdjudicateConfig,
) -> Iterator[VerifiedSegment | Dropped]:
    """Decide every candidate that has an answer, in an order and with a result that don't depend on that of the rows.

    Of each annotator only the newest answer counts, and where a person has answered, scripts don't. Accepting a class
    and relabelling to it are the same outcome. "Unsure" is an abstention: it neither counts as an answer nor as a
    part of the whole. Answers given in another taxonomy than the study's don't count. The segment is what the newest
    answer of the majority judged: its span, attached to the track that holds its box, never by a track's number.

    Args:
        annotations: All answers of the study; the same answer may come several times.
        tasks: The recorded questions.
        tracks_of: Today's tracks of a video, of the file whose digest ``sha256s`` gives. Asked once a video in turn.
        sha256s: Digest of each video's file as the study holds it now.
        taxonomy: The study's taxonomy.
        config: Thresholds.

    Yields:
        One ``VerifiedSegment`` or ``Dropped`` (``REJECTED``, ``UNDECIDED``, ``ORPHANED``) a candidate with an answer.

    Raises:
        DamagedTableError: A candidate has an answer but no recorded task.
        ConfigError: An answer holds a class that the taxonomy no longer has.
    """
    answers: dict[CandidateId, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        answers[annotation.candidate_id].append(annotation)
    asked: dict[CandidateId, list[ReviewTask]] = defaultdict(list)
    for task in tasks:
        asked[task.candidate_id].append(task)
    tracks_of_latest = lru_cache(maxsize=1)(tracks_of)
    # A candidate's answers are all of one video; by video, so that only one video's tracks are held at a time.
    for candidate_id in sorted(answers, key=lambda c: (min(a.anchor.video_id for a in answers[c]), c)):
        try:
            decision = _decide(answers[candidate_id], taxonomy=taxonomy, config=config)
            anchor = decision.newest.anchor
            if sha256s.get(anchor.video_id) != anchor.sha256:
                raise ItemError(DropReason.ORPHANED, "the study no longer holds the video file that was judged")
            track = _attach(anchor, tracks_of_latest(anchor.video_id), min_box_iou=config.min_box_iou)
            task = _task_for(decision.newest, asked[candidate_id])
            yield _segment(decision, task, track, taxonomy)
        except ItemError as error:
            yield Dropped(stage=STAGE, item_id=candidate_id, reason=error.reason, detail=error.detail)


def count_answers(annotations: Iterable[Annotation], *, taxonomy: Taxonomy) -> list[Annotation]:
    """Return the answers of one candidate that count: the newest of each annotator, of persons where there are any.

    The table is append-only and an edited answer is a new row, so an annotator's earlier rows are history. Two rows
    of the same instant are told apart by their id, so that the result does not depend on the order of the rows.
    """
    newest: dict[str, Annotation] = {}
    for annotation in annotations:
        if annotation.taxonomy != taxonomy.name:
            continue
        other = newest.get(annotation.annotator_id)
        if other is None or _age_key(annotation) > _age_key(other):
            newest[annotation.annotator_id] = annotation
    counted = sorted(newest.values(), key=_age_key)
    return [a for a in counted if not a.scripted] or counted


def _age_key(annotation: Annotation) -> tuple[int, str]:
    return annotation.answered_ns, annotation.annotation_id


def _outcome(annotation: Annotation) -> str | None:
    return NO_GESTURE if annotation.verdict is Verdict.REJECT else annotation.class_id


def _decide(given: Sequence[Annotation], *, taxonomy: Taxonomy, config: AdjudicateConfig) -> _Decision:
    """Take the vote; raises ``ItemError`` (``UNDECIDED``, ``REJECTED``) where it makes no segment."""
    counted = count_answers(given, taxonomy=taxonomy)
    if not counted:
        others = ", ".join(sorted({a.taxonomy for a in given}))
        raise ItemError(DropReason.UNDECIDED, f"answered in {others}; the study's taxonomy is {taxonomy.name}")
    needed = config.min_answers if counted[0].scripted else config.min_human_answers
    decided = [a for a in counted if a.verdict is not Verdict.UNSURE]
    if len(decided) < needed:
        raise ItemError(
            DropReason.UNDECIDED, f"{len(decided)} of {len(counted)} answers are decided; {needed} are needed"
        )
    votes: dict[str | None, list[Annotation]] = defaultdict(list)
    for annotation in decided:
        votes[_outcome(annotation)].append(annotation)
    outcome, winners = max(votes.items(), key=lambda vote: len(vote[1]))
    # More than half of the whole can't be reached by two outcomes, so ties end here too.
    if len(winners) <= config.majority * len(decided):
        raise ItemError(DropReason.UNDECIDED, f"at most {len(winners)} of {len(decided)} decided answers agree")
    if outcome == NO_GESTURE:
        raise ItemError(DropReason.REJECTED, f"{len(winners)} of {len(decided)} decided answers see no micro-gesture")
    return _Decision(
        newest=max(winners, key=_age_key), decided_count=len(decided), agreement=len(winners) / len(decided)
    )


def _attach(anchor: Anchor, tracks: Sequence[Track], *, min_box_iou: float) -> Track:
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


def _task_for(answer: Annotation, tasks: Sequence[ReviewTask]) -> ReviewTask:
    """Return the question that was answered; a candidate may have been asked again on another server."""
    if not tasks:
        raise DamagedTableError(
            f"tasks: candidate {answer.candidate_id} was answered but never asked; restore the table from a backup"
        )
    return max(tasks, key=lambda t: (t.anchor == answer.anchor, t.server_id, t.project_number, t.task_number))


def _segment(decision: _Decision, task: ReviewTask, track: Track, taxonomy: Taxonomy) -> VerifiedSegment:
    answer = decision.newest
    gesture = None if answer.class_id is None else taxonomy.by_id(answer.class_id)
    return VerifiedSegment(
        segment_id="g" + answer.candidate_id[1:],
        candidate_id=answer.candidate_id,
        video_id=answer.anchor.video_id,
        track_number=track.track_number,
        span=answer.anchor.span,
        class_id=answer.class_id,
        answer_count=decision.decided_count,
        agreement=decision.agreement,
        posterior=decision.agreement,
        scripted=answer.scripted,
        evidence=task.evidence,
        proposer=task.proposer,
        proposer_score=task.score,
        description=describe(gesture, answer.anchor.span, evidence=task.evidence),
    )

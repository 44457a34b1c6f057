"""What the study's own answers teach: verified segments, what people refused, and windows that they searched."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from annotation.answers.adjudicate import attach
from annotation.answers.consensus import Settled
from annotation.answers.opinions import NO_GESTURE
from annotation.answers.revisions import standing_answers
from flows._plan import study_videos
from flows._stages import segments_part
from flows._standing import Standing, read_standing
from flows._study import Study
from flows._training_told import AllTold
from flows._videos import kept_tracks_of
from models.inputs.poses import Gesture
from schema.errors import DropReason, ItemError
from schema.questions import QuestionKind
from schema.records import Anchor, ReviewTask, Verdict, VideoRecord
from schema.rows import segments_from_rows
from schema.timespan import TimeSpan

SETTLED_WITHOUT_SEGMENT = (DropReason.REJECTED, DropReason.MERGED)
"""Candidates of which everything is known though no segment has their id: nothing happens, or it has another's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A span of somebody, found by content."""

    anchor: Anchor
    span: TimeSpan
    is_open: bool


def add_answers(study: Study, videos: Mapping[str, VideoRecord], told: AllTold) -> None:
    """Add what people answered about these videos; the part *segments* is current.

    A candidate's span is judged where its answers settled it, an audit window where as many people searched it as the
    recall estimate needs (``annotate.first_answers``). The hidden known items are candidates with altered questions,
    or the study's own examples: they measure people and teach nothing. What was judged is found on today's tracks by
    time and box, as segments are; where nobody is followed any more it is left out.
    """
    standing = read_standing(study)
    part = segments_part(study, study_videos(study))
    dropped = {lost.item_id: lost.reason for lost in study.store.summary(part.spec, part.key, part.digest).dropped}
    anchors = _anchors(standing)
    for segment in segments_from_rows(study.store.read_part(part.spec, part.key, part.digest)):
        if segment.video_id not in videos:
            continue
        place = told[segment.video_id, segment.track_number]
        anchor = anchors.get(segment.candidate_id)
        spans = [segment.span, *([anchor.span] if anchor else [])]
        if segment.class_id is None:
            place.open += spans
        else:
            place.gestures.append(Gesture(span=segment.span, class_id=segment.class_id))
            place.asked += spans
            place.scripted += segment.scripted
    found = [*_candidates(standing, dropped, anchors), *_windows(study, standing)]
    _attach_all(study, videos, found, told)


def _anchors(standing: Standing) -> dict[str, Anchor]:
    """Return what was asked about each candidate; of questions in a row about one, the newest."""
    kinds = (QuestionKind.BLIND, QuestionKind.EXPERT, QuestionKind.VERDICT)
    asked = sorted((task for task in standing.tasks if task.kind in kinds), key=lambda task: kinds.index(task.kind))
    return {task.about or task.candidate_id: task.anchor for task in asked}


def _candidates(
    standing: Standing, dropped: Mapping[str, DropReason], anchors: Mapping[str, Anchor]
) -> Iterator[_Judged]:
    for item_id, item in standing.settlement.items.items():
        reason = dropped.get(item_id)
        anchor = anchors.get(item_id) or _drawn_in(item)
        if anchor is None or reason is None:
            continue
        if reason is DropReason.UNDECIDED:
            yield _Judged(anchor=anchor, span=_doubtful(item, anchor, item_id in anchors), is_open=True)
        elif reason in SETTLED_WITHOUT_SEGMENT and item_id in anchors:
            yield _Judged(anchor=anchor, span=anchor.span, is_open=False)


def _drawn_in(item: Settled) -> Anchor | None:
    """Return the window in which people drew something themselves."""
    return item.opinions[0].answer.anchor if item.opinions else None


def _doubtful(item: Settled, anchor: Anchor, is_candidate: bool) -> TimeSpan:
    """Return the time that nobody can speak for: what was asked, or what somebody drew and others did not see."""
    if is_candidate:
        return anchor.span if item.span is None else anchor.span.hull(item.span)
    drawn = [opinion.span for opinion in item.opinions if opinion.outcome != NO_GESTURE]
    span = drawn[0] if drawn else anchor.span
    for other in drawn[1:]:
        span = span.hull(other)
    return span


def _windows(study: Study, standing: Standing) -> Iterator[_Judged]:
    """Yield the audit windows that enough people searched."""
    needed = study.config.annotate.first_answers
    mine = (a for a in standing.annotations if a.kind is QuestionKind.AUDIT and a.taxonomy == study.taxonomy.name)
    searched: Counter[str] = Counter(a.candidate_id for a in standing_answers(mine) if a.verdict is not Verdict.UNSURE)
    windows: dict[str, ReviewTask] = {t.candidate_id: t for t in standing.of_kind(QuestionKind.AUDIT)}
    for window_id, task in sorted(windows.items()):
        if searched[window_id] >= needed:
            yield _Judged(anchor=task.anchor, span=task.anchor.span, is_open=False)


def _attach_all(study: Study, videos: Mapping[str, VideoRecord], found: Sequence[_Judged], told: AllTold) -> None:
    """Put what was judged on today's tracks, video by video."""
    tracks_of = lru_cache(maxsize=1)(lambda video_id: kept_tracks_of(study, videos[video_id]))
    for judged in sorted(found, key=lambda one: (one.anchor.video_id, one.span)):
        video = videos.get(judged.anchor.video_id)
        if video is None or video.sha256 != judged.anchor.sha256:
            continue
        try:
            tracks = tracks_of(judged.anchor.video_id)
            track = attach(judged.anchor, tracks, min_box_iou=study.config.adjudicate.min_box_iou)
        except ItemError:
            continue
        place = told[judged.anchor.video_id, track.track_number]
        (place.open if judged.is_open else place.asked).append(judged.span)

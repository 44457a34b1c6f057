"""What an answer says: the verdict and its class, the edges that were moved, the spans that were drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.answers.answer_fields import invalid_answer, texts_of
from annotation.answers.regions import Region, timeline_regions
from schema.errors import ConfigError, DropReason, ItemError
from schema.questions import Mark, QuestionKind
from schema.records import FrameTimes, ReviewTask, Verdict, VideoId
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

VERDICT_CONTROL = "verdict"
CLASS_CONTROL = "gesture"
EDGES_CONTROL = "edges"
MORE_CONTROL = "more"
"""Chosen where the timeline was opened beside the list of classes."""
MARKS_CONTROL = "marks"
UNCLASSIFIED_LABEL = "unclassified"
"""What a window's timeline answers for a movement that no class names."""
OF_A_CANDIDATE = (Verdict.ACCEPT, Verdict.ADJUST, Verdict.RELABEL, Verdict.REJECT, Verdict.UNSURE)
OF_A_WINDOW = (Verdict.MARKED, Verdict.NOTHING, Verdict.UNSURE)
WINDOWS = frozenset((QuestionKind.BLIND, QuestionKind.AUDIT))
"""Kinds of question that are put on the window page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an answer says."""

    verdict: Verdict
    class_id: str | None = None
    """The class that a verdict on a candidate gives; of a window the marks have theirs."""
    answered_span: TimeSpan | None = None
    """Edges that were moved; None: those that were asked about."""
    marks: tuple[Mark, ...] = ()


def judgement_of(
    row: Mapping[str, Any], task: ReviewTask, *, taxonomy: Taxonomy, frame_times_of: Callable[[VideoId], FrameTimes]
) -> Judgement:
    """Read what an answer says.

    Args:
        row: Label Studio's annotation; of its fields only ``result`` is read.
        task: The question that it answers.
        taxonomy: The taxonomy that the question was asked in.
        frame_times_of: Frame times of a video; asked only where a span was moved or drawn.

    Raises:
        ItemError: The page can't have sent it (``INVALID_ANSWER``), or the study no longer holds the file whose
            frames were marked (``ORPHANED``).
    """
    clip = _Clip(task=task, frame_times_of=frame_times_of)
    if task.kind in WINDOWS:
        return _of_window(row, taxonomy=taxonomy, clip=clip)
    return _of_candidate(row, task, taxonomy=taxonomy, clip=clip)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clip:
    """The frames that the page showed."""

    task: ReviewTask
    frame_times_of: Callable[[VideoId], FrameTimes]

    def mark(self, region: Region, class_id: str | None) -> Mark:
        """Turn a region of the clip into a span of the source video."""
        first, end = self.task.clip_first_frame, self.task.clip_end_frame
        if first is None or end is None:
            raise invalid_answer("a span was drawn, but the question was asked without a timeline")
        if region.end_frame_in_clip > end - first:
            raise invalid_answer(f"the span ends with frame {region.end_frame_in_clip} of a clip of {end - first}")
        times = self.frame_times_of(self.task.anchor.video_id)
        if times.sha256 != self.task.anchor.sha256:
            raise ItemError(DropReason.ORPHANED, "the study no longer holds the video file that was judged")
        source_first, source_end = first + region.first_frame_in_clip, first + region.end_frame_in_clip
        if source_end > times.times_ns.shape[0]:
            raise invalid_answer(f"the span ends with frame {source_end} of a video of {times.times_ns.shape[0]}")
        span = times.span_of(source_first, source_end)
        return Mark(span=span, class_id=class_id, first_frame=source_first, end_frame=source_end)


def _verdict_of(row: Mapping[str, Any], allowed: Sequence[Verdict]) -> Verdict | None:
    chosen = texts_of(row, VERDICT_CONTROL, "choices")
    if len(chosen) > 1:
        raise invalid_answer(f"{len(chosen)} verdicts are chosen, not one")
    if not chosen:
        return None
    if chosen[0] not in allowed:
        raise invalid_answer(f"{chosen[0]!r} is no verdict of this page; there are {', '.join(allowed)}")
    return Verdict(chosen[0])


def _of_candidate(row: Mapping[str, Any], task: ReviewTask, *, taxonomy: Taxonomy, clip: _Clip) -> Judgement:
    """Read a verdict on a candidate.

    What belongs to another verdict does not count: a person who opens the list, picks a class and then goes back to
    "accept" has accepted, and so has one who moved the edges and went back.
    """
    verdict = _verdict_of(row, OF_A_CANDIDATE)
    if verdict is None:
        raise invalid_answer("0 verdicts are chosen, not one")
    if verdict is Verdict.ACCEPT:
        return Judgement(verdict=verdict, class_id=task.class_id)
    if verdict is Verdict.ADJUST:
        return Judgement(verdict=verdict, class_id=task.class_id, answered_span=_adjusted(row, clip))
    if verdict is Verdict.RELABEL:
        class_id = _chosen_class(row, taxonomy)
        # a span that was dragged still says that it is as it was shown (tried with Label Studio 1.23.2)
        opened = bool(texts_of(row, MORE_CONTROL, "choices"))
        moved = [region for region in timeline_regions(row, EDGES_CONTROL) if region.changed or opened]
        return Judgement(verdict=verdict, class_id=class_id, answered_span=_only(moved, clip) if moved else None)
    return Judgement(verdict=verdict)


def _adjusted(row: Mapping[str, Any], clip: _Clip) -> TimeSpan:
    regions = timeline_regions(row, EDGES_CONTROL)
    if not regions:
        raise invalid_answer("adjust without a span on the timeline")
    return _only(regions, clip)


def _only(regions: Sequence[Region], clip: _Clip) -> TimeSpan:
    if len(regions) > 1:
        raise invalid_answer(f"{len(regions)} spans are drawn where one is asked about")
    return clip.mark(regions[0], None).span


def _chosen_class(row: Mapping[str, Any], taxonomy: Taxonomy) -> str:
    classes = texts_of(row, CLASS_CONTROL, "choices")
    if len(classes) != 1:
        raise invalid_answer(f"relabel with {len(classes)} classes chosen, not one")
    return _known_class(classes[0], taxonomy)


def _known_class(class_id: str, taxonomy: Taxonomy) -> str:
    try:
        return taxonomy.by_id(class_id).class_id
    except ConfigError as error:
        raise invalid_answer(str(error)) from error


def _of_window(row: Mapping[str, Any], *, taxonomy: Taxonomy, clip: _Clip) -> Judgement:
    """Read what a person found in a window; spans without a verdict are "marked"."""
    verdict = _verdict_of(row, OF_A_WINDOW)
    regions = timeline_regions(row, MARKS_CONTROL)
    if verdict is Verdict.UNSURE:  # an abstention: what was drawn before it stays in the raw answer alone
        return Judgement(verdict=verdict)
    if verdict is Verdict.NOTHING and regions:
        raise invalid_answer(f"nothing happens, it says, and {len(regions)} spans are drawn; change the answer")
    if verdict is Verdict.NOTHING:
        return Judgement(verdict=verdict)
    if not regions:
        raise invalid_answer("neither a span nor a verdict")
    marks = (clip.mark(region, _label_of(region, taxonomy)) for region in regions)
    return Judgement(verdict=Verdict.MARKED, marks=tuple(marks))


def _label_of(region: Region, taxonomy: Taxonomy) -> str | None:
    if len(region.labels) != 1:
        raise invalid_answer(f"a span has {len(region.labels)} classes, not one")
    label = region.labels[0]
    return None if label == UNCLASSIFIED_LABEL else _known_class(label, taxonomy)

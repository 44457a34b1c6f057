"""Windows for the recall audit: stretches of followed people, drawn by chance and not by any proposer."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kinematics.windows import frame_ends_ns
from schema.matching import Box, box_iou
from schema.privacy import keyed_fraction, make_question_id
from schema.questions import AuditWindow, QuestionKind
from schema.records import Candidate, Track, VideoId
from schema.timespan import NS_PER_SECOND, TimeSpan

SHORTEST_WINDOW_NS = NS_PER_SECOND
"""A person who is followed for less has no window: no gesture of a second can be seen whole."""
LEAST_SIZE = 0.25
"""A window full of candidates still counts for this share of its length: it may hide a gesture beside them."""
SAME_PERSON_IOU = 0.3
"""Overlap of a candidate's box with the person's from which on it is about that person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A window that may be drawn."""

    video_id: VideoId
    track_number: int
    span: TimeSpan
    box_xyxy: Box
    free_ns: int
    """Time of it in which nothing was proposed for the person."""

    @property
    def size_ns(self) -> float:
        """What the chance of being drawn is proportional to."""
        return max(float(self.free_ns), LEAST_SIZE * self.span.duration_ns)


def audit_cells(tracks: Iterable[Track], *, candidates: Sequence[Candidate], window_seconds: float) -> list[Cell]:
    """Cut the time of every followed person into equal windows of about ``window_seconds``.

    Candidates do not decide where windows begin. A track is cut into equal parts, the number of which is the nearest
    to its length over ``window_seconds``; breaks in a track in which nobody is boxed stay inside.

    Args:
        tracks: The kept tracks of any videos; taken one at a time.
        candidates: Every candidate of these videos, asked or not.
        window_seconds: Wanted length.
    """
    by_video: defaultdict[VideoId, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_video[candidate.video_id].append(candidate)
    return [
        _cell(track, span, by_video[track.video_id]) for track in tracks for span in _windows(track, window_seconds)
    ]


def draw_windows(cells: Iterable[Cell], *, key: bytes, minutes: float) -> list[AuditWindow]:
    """Draw windows of so many minutes together, more readily where nothing was proposed, with known chances.

    Sequential Poisson sampling (Ohlsson 1998, Journal of Official Statistics 14(2)): each window has its own number u
    in 0..1, from the study's key and from what the window is, and the windows with the smallest u / p are taken, where
    p is proportional to the time without candidates. The share p, at most 1, is kept with each window, so that
    ``estimate_recall`` weighs it by 1 / p. It depends on no order, and most windows stay drawn when the study grows.

    Args:
        cells: Every window of the study (``audit_cells``).
        key: The study's pseudonym key.
        minutes: Minutes to watch; the number of windows is the nearest to it, none for 0, at least one above.

    Returns:
        Windows by video, track and time.
    """
    pool = sorted(cells, key=lambda c: (c.video_id, c.track_number, c.span))
    if not pool or minutes <= 0:
        return []
    mean_ns = sum(cell.span.duration_ns for cell in pool) / len(pool)
    count = min(len(pool), max(1, round(minutes * 60 * NS_PER_SECOND / mean_ns)))
    shares = _shares([cell.size_ns for cell in pool], count)
    draws = [keyed_fraction(key, "audit", *_name(cell)) for cell in pool]
    chosen = sorted(range(len(pool)), key=lambda index: (draws[index] / shares[index], index))[:count]
    return [_window(pool[index], key=key, share=shares[index]) for index in sorted(chosen)]


def _windows(track: Track, window_seconds: float) -> list[TimeSpan]:
    start_ns, end_ns = int(track.times_ns[0]), int(frame_ends_ns(track.times_ns)[-1])
    if end_ns - start_ns < SHORTEST_WINDOW_NS:
        return []
    count = max(1, round((end_ns - start_ns) / (window_seconds * NS_PER_SECOND)))
    edges = [start_ns + (end_ns - start_ns) * number // count for number in range(count + 1)]
    return [TimeSpan(start_ns=a, end_ns=b) for a, b in pairwise(edges)]


def _cell(track: Track, span: TimeSpan, candidates: Sequence[Candidate]) -> Cell:
    mine = [c.span for c in candidates if c.span.overlap_ns(span) and _is_about(c, track)]
    return Cell(
        video_id=track.video_id,
        track_number=track.track_number,
        span=span,
        box_xyxy=track.box_at(span.middle_ns),
        free_ns=span.duration_ns - _covered_ns(span, mine),
    )


def _is_about(candidate: Candidate, track: Track) -> bool:
    return box_iou(candidate.box_xyxy, track.box_at(candidate.span.middle_ns)) >= SAME_PERSON_IOU


def _covered_ns(window: TimeSpan, spans: Sequence[TimeSpan]) -> int:
    """Return how much of a window some span covers."""
    covered_ns, reached_ns = 0, window.start_ns
    for span in sorted(spans):
        end_ns = min(span.end_ns, window.end_ns)
        covered_ns += max(0, end_ns - max(span.start_ns, reached_ns))
        reached_ns = max(reached_ns, end_ns)
    return covered_ns


def _shares(sizes: Sequence[float], count: int) -> list[float]:
    """Return chances that sum up to ``count``, proportional to the sizes where that stays below 1."""
    certain: set[int] = set()
    while True:
        rest = sum(size for index, size in enumerate(sizes) if index not in certain)
        scale = (count - len(certain)) / rest if rest else 0.0
        over = {index for index, size in enumerate(sizes) if index not in certain and size * scale >= 1}
        if not over:
            return [1.0 if index in certain else size * scale for index, size in enumerate(sizes)]
        certain |= over


def _name(cell: Cell) -> tuple[str, ...]:
    # by content: a track's number means something only within one part
    corners = (str(round(side)) for side in cell.box_xyxy)
    return cell.video_id, str(cell.span.start_ns), str(cell.span.end_ns), *corners


def _window(cell: Cell, *, key: bytes, share: float) -> AuditWindow:
    return AuditWindow(
        window_id=make_question_id(key, QuestionKind.AUDIT, *_name(cell)),
        video_id=cell.video_id,
        track_number=cell.track_number,
        span=cell.span,
        box_xyxy=cell.box_xyxy,
        sampled_share=share,
    )

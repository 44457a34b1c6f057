"""A strip of time below a film: candidates in lanes, and where we are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drawing.colours import FAINT_INK, INK, INSIDE, OUTSIDE, PAPER, RAIL, Colour, colours_of, dimmed
from drawing.texts import Picture, put_text, shortened, text_size_px, time_text
from schema.records import Candidate
from schema.timespan import TimeSpan

MOST_LANES = 4
"""Candidates of more than four at one time share the last lane: a taller strip would dwarf the picture."""
LANE_PX, GAP_PX, MARGIN_PX, TEXT_PX = 10, 4, 10, 16


def class_or_movement(candidate: Candidate) -> str:
    """Name a candidate by its class id, for callers that have no taxonomy at hand."""
    return (candidate.class_id or "unclassified movement").replace("_", " ")


def lanes_of(spans: Sequence[TimeSpan]) -> list[int]:
    """Return a lane for each span so that those of one lane do not overlap, as long as the lanes suffice."""
    lanes = [0] * len(spans)
    free_at_ns: list[int] = []
    for index in sorted(range(len(spans)), key=lambda i: (spans[i], i)):
        lane = next((n for n, end_ns in enumerate(free_at_ns) if end_ns <= spans[index].start_ns), len(free_at_ns))
        if lane == len(free_at_ns) and lane < MOST_LANES:
            free_at_ns.append(0)
        lane = min(lane, MOST_LANES - 1)
        free_at_ns[lane] = max(free_at_ns[lane], spans[index].end_ns)
        lanes[index] = lane
    return lanes


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The strip of one film; ``at`` gives it at an instant."""

    spans: tuple[tuple[TimeSpan, str], ...]
    """Each candidate's span and name."""
    colours: Mapping[str, Colour]
    """Of each name."""
    end_ns: int
    """Length of the film."""
    width: int
    resting: Picture
    """The strip without playhead and text."""

    @classmethod
    def make(
        cls, candidates: Sequence[Candidate], *, end_ns: int, width: int, name_of: Callable[[Candidate], str]
    ) -> "Strip":
        """Draw the lanes once."""
        spans = tuple((candidate.span, name_of(candidate)) for candidate in candidates)
        lanes = lanes_of([span for span, _ in spans])
        count = max(lanes, default=0) + 1
        height = MARGIN_PX + round(TEXT_PX * 1.3) + GAP_PX + count * (LANE_PX + GAP_PX) + MARGIN_PX
        resting = np.full((height + height % 2, width, 3), PAPER, dtype=np.uint8)
        colours = colours_of(name for _, name in spans)
        strip = cls(spans=spans, colours=colours, end_ns=end_ns, width=width, resting=resting)
        for lane in range(count):
            strip._fill(resting, lane, TimeSpan(start_ns=0, end_ns=end_ns), RAIL)
        for (span, name), lane in zip(spans, lanes, strict=True):
            strip._fill(resting, lane, span, colours[name])
        return strip

    def at(self, time_ns: int) -> Picture:
        """Return the strip at an instant: the playhead, the time, and the names of what goes on."""
        picture = self.resting.copy()
        x = self._x(time_ns)
        picture[self._lanes_top() - GAP_PX : -MARGIN_PX + GAP_PX, max(x - 1, 0) : x + 1] = INK
        time = time_text(time_ns)
        put_text(picture, time, (MARGIN_PX, MARGIN_PX), size_px=TEXT_PX, colour=FAINT_INK)
        left = MARGIN_PX + text_size_px(f"{time_text(self.end_ns)}    ", TEXT_PX)[0]
        running = dict.fromkeys(name for span, name in self.spans if span.contains(time_ns))
        for name in running:
            text = shortened(name, TEXT_PX, self.width - MARGIN_PX - left)
            put_text(picture, text, (left, MARGIN_PX), size_px=TEXT_PX, colour=self.colours[name])
            left += text_size_px(f"{text}    ", TEXT_PX)[0]
        return picture

    def _lanes_top(self) -> int:
        return MARGIN_PX + round(TEXT_PX * 1.3) + GAP_PX

    def _x(self, time_ns: int) -> int:
        rail_px = self.width - 2 * MARGIN_PX
        return MARGIN_PX + min(rail_px, time_ns * rail_px // self.end_ns)

    def _fill(self, picture: Picture, lane: int, span: TimeSpan, colour: Colour) -> None:
        top = self._lanes_top() + lane * (LANE_PX + GAP_PX)
        start = self._x(span.start_ns)
        picture[top : top + LANE_PX, start : max(self._x(span.end_ns), start + 2)] = colour


def progress_bar(width: int, height: int, *, clip: TimeSpan, asked: TimeSpan, time_ns: int) -> Picture:
    """Draw a film's progress: the span that is asked about shows on the whole bar, and lights up while it plays."""

    def x(instant_ns: int) -> int:
        share = (instant_ns - clip.start_ns) / clip.duration_ns
        return round(min(max(share, 0.0), 1.0) * width)

    bar = np.full((height, width, 3), RAIL, dtype=np.uint8)
    start, end, now = x(asked.start_ns), x(asked.end_ns), x(time_ns)
    bar[:, start:end] = dimmed(INSIDE, 0.4)
    bar[:, :now] = OUTSIDE
    bar[:, start : min(now, end)] = INSIDE
    if asked.contains(time_ns):
        bar[:, : max(now, 2)] = INSIDE
    return bar

"""Lanes of time, drawn: names on the left, a scale below, cuts through all of them."""

from collections.abc import Sequence

import numpy as np

from drawing.colours import FAINT_INK, INK, PAPER, RAIL, dimmed, ink_on
from drawing.lanes import Block, Fill, Lane
from drawing.texts import Picture, put_text, shortened, text_size_px
from schema.timespan import NS_PER_SECOND, TimeSpan

NAME_SHARE = 0.22
"""Names take this share of the width at most; longer ones are cut."""
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
"""Distances that the ticks of a scale can have, seconds."""
TICK_ROOM = 6.0
"""Least distance of two ticks in type sizes: a time has up to seven characters."""
SHORTEST_TEXT = 3.0
"""A block narrower than this many type sizes stays without text."""
HATCH_PX = 3
EDGE_FROM_PX = 5
"""Blocks as wide as this are parted from the next one by a dark edge."""


class Timeline:
    """Lanes drawn for one span of time at one width; ``picture`` holds them, ``x_of`` tells where a time lies."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        span: TimeSpan,
        *,
        width_px: int,
        size_px: int,
        pad_px: int,
        cuts_ns: Sequence[int] = (),
    ) -> None:
        """Draw the lanes.

        ``size_px`` is the size of the type, ``pad_px`` the room left and right; ``cuts_ns`` are marked by lines through
        all lanes.
        """
        self.span, self.size_px, self.width_px, self.pad_px = span, size_px, width_px, pad_px
        names_px = max((text_size_px(lane.name, size_px)[0] for lane in lanes), default=0)
        self.left_px = pad_px + min(names_px, round(NAME_SHARE * width_px)) + size_px // 2
        self.lane_px = round(1.2 * size_px)
        self.pitch_px = self.lane_px + max(2, size_px // 6)
        self.lanes_px = len(lanes) * self.pitch_px
        scale_px = round(1.5 * size_px)
        self.picture: Picture = np.full((self.lanes_px + scale_px, width_px, 3), PAPER, dtype=np.uint8)
        for row, lane in enumerate(lanes):
            self._draw_lane(row * self.pitch_px, lane)
        for cut_ns in cuts_ns:
            if span.start_ns < cut_ns < span.end_ns:
                x = self.x_of(cut_ns)
                self.picture[: self.lanes_px, x : x + 1] = FAINT_INK
        self._draw_scale()

    def x_of(self, time_ns: int) -> int:
        """Return the column of a time; times outside the span take the nearest end."""
        rail_px = self.width_px - self.left_px - self.pad_px
        share_px = (time_ns - self.span.start_ns) * rail_px // self.span.duration_ns
        return self.left_px + min(max(share_px, 0), rail_px - 1)

    def at(self, time_ns: int) -> Picture:
        """Return the timeline with a cursor at a time."""
        picture = self.picture.copy()
        x, half = self.x_of(time_ns), max(1, self.size_px // 12)
        picture[: self.lanes_px, max(x - half, 0) : x + half] = INK
        return picture

    def _draw_lane(self, top: int, lane: Lane) -> None:
        name = shortened(lane.name, self.size_px, self.left_px - self.pad_px)
        put_text(self.picture, name, (self.pad_px, top), size_px=self.size_px, colour=lane.colour)
        end = self.width_px - self.pad_px
        self.picture[top : top + self.lane_px, self.left_px : end] = RAIL
        shown = [block for block in lane.blocks if self._is_shown(block)]
        for block in shown:
            self._fill(top, block)
        for block in shown:
            self._write(top, block)

    def _is_shown(self, block: Block) -> bool:
        return block.span.start_ns < self.span.end_ns and block.span.end_ns > self.span.start_ns

    def _ends(self, block: Block) -> tuple[int, int]:
        start = self.x_of(block.span.start_ns)
        return start, max(self.x_of(block.span.end_ns), start + 2)

    def _fill(self, top: int, block: Block) -> None:
        start, end = self._ends(block)
        area = self.picture[top : top + self.lane_px, start:end]
        area[:] = block.colour
        if end - start >= EDGE_FROM_PX:
            area[:, -1] = PAPER
        if block.fill is Fill.HATCHED:
            rows, columns = np.indices(area.shape[:2])
            area[(rows + columns + start) // HATCH_PX % 2 == 0] = dimmed(block.colour, 0.35)

    def _write(self, top: int, block: Block) -> None:
        start, end = self._ends(block)
        pad = max(2, self.size_px // 4)
        room = end - start - 2 * pad
        if not block.text or (room < SHORTEST_TEXT * self.size_px and text_size_px(block.text, self.size_px)[0] > room):
            return
        text = shortened(block.text, self.size_px, room)
        put_text(self.picture, text, (start + pad, top), size_px=self.size_px, colour=ink_on(block.colour))

    def _draw_scale(self) -> None:
        rail_px = self.width_px - self.left_px - self.pad_px
        ns_per_px = self.span.duration_ns / rail_px
        step_s = next((s for s in STEPS_S if s * NS_PER_SECOND / ns_per_px >= TICK_ROOM * self.size_px), STEPS_S[-1])
        step_ns = round(step_s * NS_PER_SECOND)
        for number in range(-(-self.span.start_ns // step_ns), self.span.end_ns // step_ns + 1):
            x = self.x_of(number * step_ns)
            self.picture[self.lanes_px : self.lanes_px + max(3, self.size_px // 4), x : x + 1] = FAINT_INK
            text = scale_text(number * step_ns, step_ns)
            if x + text_size_px(text, self.size_px)[0] < self.width_px:
                corner = (x + max(2, self.size_px // 5), self.lanes_px + self.size_px // 6)
                put_text(self.picture, text, corner, size_px=self.size_px, colour=FAINT_INK)


def scale_text(time_ns: int, step_ns: int) -> str:
    """Return a tick's time, with tenths only where ticks lie less than a second apart: ``1:02``, ``1:02.5``."""
    tenths = time_ns // (NS_PER_SECOND // 10)
    seconds = f"{tenths // 600}:{tenths // 10 % 60:02d}"
    return f"{seconds}.{tenths % 10}" if step_ns < NS_PER_SECOND else seconds

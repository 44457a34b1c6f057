"""The strip of time below a film, with a moving cursor; and the bar below a review clip."""

import numpy as np

from drawing.colours import FAINT_INK, INK, INSIDE, OUTSIDE, PAPER, RAIL, dimmed
from drawing.lanes import Contents, candidate_colours, timeline_lanes
from drawing.texts import SMALLEST_TYPE_PX, Picture, put_text, shortened, text_size_px, time_text
from drawing.timelines import Timeline
from schema.timespan import NS_PER_SECOND, TimeSpan

PAGE_NS = 20 * NS_PER_SECOND
"""A film longer than one and a half pages is shown page by page: a contact of 0.3 s is to be seen, at 10 px here."""

OVERVIEW_PX = 10
"""Height of the bar that shows the whole of a long film, at least."""


class Strip:
    """The strip of one film: what goes on, an overview of a long film, and the lanes of the page that is played."""

    def __init__(self, contents: Contents, *, width_px: int, size_px: int) -> None:
        """Lay the strip out for a film ``width_px`` wide; ``size_px`` is the size of its type."""
        self.contents, self.width_px, self.size_px = contents, width_px, size_px
        self.pad_px, self.gap_px = max(4, size_px // 2), size_px // 2
        self.lanes = timeline_lanes(contents)
        self.colours = candidate_colours(contents.candidates, contents.name_of)
        self.end_ns = contents.times.end_ns
        self.page_count = 1 if self.end_ns <= 1.5 * PAGE_NS else -(-self.end_ns // PAGE_NS)
        self._page_number = -1
        self._page = self._draw_page(0)
        self._overview = self._draw_overview() if self.page_count > 1 else None
        rows = (self._head_px(), 0 if self._overview is None else self._overview.shape[0] + self.gap_px)
        height = sum(rows) + self._page.picture.shape[0] + self.gap_px
        self.height_px = height + height % 2

    def at(self, frame_index: int, time_ns: int) -> Picture:
        """Return the strip at an instant: time, frame and shot, the candidates that run, and the cursor."""
        picture = np.full((self.height_px, self.width_px, 3), PAPER, dtype=np.uint8)
        self._write_place(picture, frame_index, time_ns)
        self._write_running(picture, time_ns)
        top = self._head_px()
        if self._overview is not None:
            picture[top : top + self._overview.shape[0]] = self._overview
            self._mark_page(picture[top : top + self._overview.shape[0]], time_ns)
            top += self._overview.shape[0] + self.gap_px
        number = min(time_ns * self.page_count // self.end_ns, self.page_count - 1)
        if number != self._page_number:
            self._page = self._draw_page(number)
        page = self._page.at(time_ns)
        picture[top : top + page.shape[0]] = page
        return picture

    def _head_px(self) -> int:
        return round(3.5 * self.size_px)

    def _draw_page(self, number: int) -> Timeline:
        self._page_number = number
        start_ns, end_ns = (self.end_ns * n // self.page_count for n in (number, number + 1))
        span = TimeSpan(start_ns=start_ns, end_ns=end_ns)
        cuts_ns = [shot.span.start_ns for shot in self.contents.shots]
        small_px = max(SMALLEST_TYPE_PX, round(0.85 * self.size_px))
        return Timeline(self.lanes, span, width_px=self.width_px, size_px=small_px, pad_px=self.pad_px, cuts_ns=cuts_ns)

    def _draw_overview(self) -> Picture:
        """Draw the whole film as one bar: candidates in their colours, cuts as notches."""
        bar: Picture = np.full((max(OVERVIEW_PX, self.size_px // 2), self.width_px, 3), PAPER, dtype=np.uint8)
        first, last = self._overview_x(0), self._overview_x(self.end_ns)
        bar[1:-1, first:last] = RAIL
        for shot in self.contents.shots[1:]:
            bar[1:-1, self._overview_x(shot.span.start_ns)] = OUTSIDE
        for candidate in self.contents.candidates:
            start = self._overview_x(candidate.span.start_ns)
            end = max(self._overview_x(candidate.span.end_ns), start + 2)
            bar[1:-1, start:end] = self.colours[self.contents.name_of(candidate)]
        return bar

    def _overview_x(self, time_ns: int) -> int:
        return self.pad_px + time_ns * (self.width_px - 2 * self.pad_px) // self.end_ns

    def _mark_page(self, bar: Picture, time_ns: int) -> None:
        number = min(time_ns * self.page_count // self.end_ns, self.page_count - 1)
        start, end = (self._overview_x(self.end_ns * n // self.page_count) for n in (number, number + 1))
        bar[[0, -1], start:end] = INK
        bar[:, [start, end - 1]] = INK
        x = min(self._overview_x(time_ns), self.width_px - 2)
        bar[:, x : x + 2] = INK

    def _write_place(self, picture: Picture, frame_index: int, time_ns: int) -> None:
        count = self.contents.times.times_ns.shape[0]
        texts = [(f"{time_text(time_ns)} / {time_text(self.end_ns)}", INK)]
        texts.append((f"frame {frame_index} of {count}", FAINT_INK))
        shots = self.contents.shots
        number = next((n for n, shot in enumerate(shots, start=1) if frame_index < shot.end_frame), len(shots))
        if len(shots) > 1:
            texts.append((f"shot {number} of {len(shots)}", FAINT_INK))
        left = self.pad_px
        for text, colour in texts:
            put_text(picture, text, (left, self.size_px // 3), size_px=self.size_px, colour=colour)
            left += text_size_px(text, self.size_px)[0] + round(1.5 * self.size_px)

    def _write_running(self, picture: Picture, time_ns: int) -> None:
        top, left = round(1.9 * self.size_px), self.pad_px
        running = [candidate for candidate in self.contents.candidates if candidate.span.contains(time_ns)]
        if not running:
            put_text(picture, "no candidate", (left, top), size_px=self.size_px, colour=dimmed(FAINT_INK, 0.6))
        square = max(6, round(0.7 * self.size_px))
        for candidate in sorted(running, key=lambda c: (c.span, -c.score)):
            name = self.contents.name_of(candidate)
            drop = (round(1.3 * self.size_px) - square) // 2
            picture[top + drop : top + drop + square, left : left + square] = self.colours[name]
            left += square + self.size_px // 2
            text = shortened(f"{name} {candidate.score:.2f}", self.size_px, self.width_px - left)
            put_text(picture, text, (left, top), size_px=self.size_px, colour=self.colours[name])
            left += text_size_px(text, self.size_px)[0] + self.size_px


def progress_bar(width: int, height: int, *, clip: TimeSpan, asked: TimeSpan | None, time_ns: int) -> Picture:
    """Draw a film's progress: the span that is asked about shows on the whole bar, and lights up while it plays.

    Without ``asked`` the bar marks nothing.
    """

    def x(instant_ns: int) -> int:
        share = (instant_ns - clip.start_ns) / clip.duration_ns
        return round(min(max(share, 0.0), 1.0) * width)

    bar = np.full((height, width, 3), RAIL, dtype=np.uint8)
    now = x(time_ns)
    if asked is None:
        bar[:, :now] = OUTSIDE
        return bar
    start, end = x(asked.start_ns), x(asked.end_ns)
    bar[:, start:end] = dimmed(INSIDE, 0.4)
    bar[:, :now] = OUTSIDE
    bar[:, start : min(now, end)] = INSIDE
    if asked.contains(time_ns):
        bar[:, : max(now, 2)] = INSIDE
    return bar

"""What follows from each outcome of an attempt: never again, later (when), or at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from schema.errors import DropReason

NS_PER_S = 10**9
MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0
AFTER_START_S = 2 * HOUR_S
"""A broadcast is looked for so long after its announced start: conferences last under an hour, and the recording
appears a while after the end."""
LONGEST_LOOK_AHEAD_S = 7 * DAY_S
"""A broadcast that is announced for later than this is looked at before: starts are moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When an outcome is tried again."""

    why: str
    """What speaks for it."""
    at_once: int = 0
    """Attempts in a row after which the next may follow at once, in this run or the next."""
    first_wait_s: float | None = None
    """Wait after the first further attempt; None: none follows."""
    growth: float = 2.0
    """How much longer each further wait is than the one before."""
    longest_wait_s: float = 0.0
    """Longest wait."""
    attempts: int | None = None
    """Attempts in a row with this outcome after which no more follow; None: it is never given up."""

    @property
    def when(self) -> str:
        """The rule in one word: never, later or now."""
        if self.first_wait_s is None:
            return "never"
        return "now" if self.at_once else "later"

    def wait_s(self, attempts_in_a_row: int) -> float | None:
        """Return the wait after so many attempts with this outcome; None: no further one."""
        if self.first_wait_s is None or (self.attempts is not None and attempts_in_a_row >= self.attempts):
            return None
        steps = attempts_in_a_row - self.at_once - 1
        if steps < 0:
            return 0.0
        # growth to a large power leaves the range of floats; 64 doublings pass any longest wait
        return min(self.longest_wait_s, self.first_wait_s * self.growth ** min(steps, 64))


def _never(why: str) -> Rule:
    return Rule(why=why)


def _later(first_wait_s: float, longest_wait_s: float, why: str, *, attempts: int | None = None) -> Rule:
    return Rule(why=why, first_wait_s=first_wait_s, longest_wait_s=longest_wait_s, attempts=attempts)


_FILE = "a local file is looked at again once it is there, or was changed"
_ACCOUNT = "uploaders open videos later, and the study may get a cookies file"

POLICY: dict[DropReason, Rule] = {
    DropReason.MISSING: _never(_FILE),
    DropReason.EMPTY: _later(DAY_S, 30 * DAY_S, "an upload that failed may be mended", attempts=4),
    DropReason.UNREADABLE: _later(DAY_S, 30 * DAY_S, "servers send a page of theirs in a video's place", attempts=4),
    DropReason.NO_VIDEO: _never(_FILE),
    DropReason.REMOVED: _never("a video that is gone stays gone; listed under a new link, it is a new one"),
    DropReason.PRIVATE: _later(30 * DAY_S, 180 * DAY_S, _ACCOUNT, attempts=4),
    DropReason.GEO_BLOCKED: _later(
        30 * DAY_S, 180 * DAY_S, "rights run out, and the study may get a proxy", attempts=4
    ),
    DropReason.AGE_RESTRICTED: _later(30 * DAY_S, 180 * DAY_S, _ACCOUNT, attempts=4),
    DropReason.MEMBERS_ONLY: _later(30 * DAY_S, 180 * DAY_S, _ACCOUNT, attempts=4),
    DropReason.NOT_YET: _later(3 * HOUR_S, 7 * DAY_S, "it ends some time; after the announced start, if there is one"),
    DropReason.BOT_CHECK: _later(HOUR_S, DAY_S, "it is the host's doing, not the video's; the host is paused too"),
    DropReason.RATE_LIMITED: _later(HOUR_S, DAY_S, "it is the host's doing, not the video's; the host is paused too"),
    DropReason.REFUSED: _later(6 * HOUR_S, 7 * DAY_S, "refusals pass, or they are for good", attempts=8),
    DropReason.FORBIDDEN_ADDRESS: _later(DAY_S, 30 * DAY_S, "names are pointed elsewhere by mistake", attempts=5),
    DropReason.NETWORK: _later(10 * MINUTE_S, 7 * DAY_S, "networks and servers come back"),
    DropReason.TRUNCATED: Rule(
        why="it is resumed where it broke off",
        at_once=3,
        first_wait_s=HOUR_S,
        growth=4.0,
        longest_wait_s=7 * DAY_S,
        attempts=12,
    ),
    DropReason.NO_USABLE_FORMAT: _later(
        DAY_S, 30 * DAY_S, "sites make further formats for hours after an upload", attempts=5
    ),
    DropReason.UNSUPPORTED: _later(7 * DAY_S, 90 * DAY_S, "a site that changed is read by a newer yt-dlp", attempts=5),
    DropReason.TOO_LONG: _never("until the study's filters change"),
    DropReason.FILTERED: _never("until the study's filters change"),
    DropReason.OPTED_OUT: _never("until the opt-out list changes"),
    DropReason.DUPLICATE: _never("the study holds the recording"),
    DropReason.WITHDRAWN: _never("a withdrawal is final"),
    DropReason.DISPOSED: _never("its file was deleted by the study's own rule"),
}
"""The rule of every outcome that collection can have."""


def retry_ns(
    reason: DropReason,
    *,
    attempted_ns: int,
    attempts_in_a_row: int,
    retry_after_s: float | None = None,
    starts_ns: int | None = None,
) -> int | None:
    """Return when the item is due again, Unix time in ns; None: never.

    ``attempts_in_a_row`` counts this attempt and those before it with the same outcome, so it is 1 or more.
    ``retry_after_s`` is what the server asked to wait, which counts in place of the rule's wait: the host's pause is
    what grows. ``starts_ns`` is when a broadcast begins. An answer of ``attempted_ns`` means at once. Raises
    ``KeyError`` for an outcome of another stage.
    """
    wait_s = POLICY[reason].wait_s(attempts_in_a_row)
    if wait_s is None:
        return None
    if starts_ns is not None and starts_ns > attempted_ns:
        wait_s = min((starts_ns - attempted_ns) / NS_PER_S + AFTER_START_S, LONGEST_LOOK_AHEAD_S)
    if retry_after_s is not None and retry_after_s > 0:
        wait_s = min(retry_after_s, LONGEST_LOOK_AHEAD_S)
    return attempted_ns + round(wait_s * NS_PER_S)


def policy_lines() -> Iterator[str]:
    """Write the policy as the Markdown table of docs/collect.md."""
    yield "| outcome | tried again | waits | why |"
    yield "|---|---|---|---|"
    for reason, rule in POLICY.items():
        yield f"| `{reason}` | {rule.when} | {_waits(rule)} | {rule.why} |"


def _waits(rule: Rule) -> str:
    if rule.first_wait_s is None:
        return ""
    at_once = f"none, {rule.at_once} times; then " if rule.at_once else ""
    given_up = f"; given up after {rule.attempts} attempts" if rule.attempts else ""
    grown = f"x{rule.growth:g} each time, at most {_span(rule.longest_wait_s)}"
    return f"{at_once}{_span(rule.first_wait_s)}, {grown}{given_up}"


def _span(seconds: float) -> str:
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"

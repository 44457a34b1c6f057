"""The error tree of pressroom, on one page.

    PipelineError
    |-- ItemError                one item can't go on: the stage yields ``Dropped`` and takes the next one
    |-- PutOffError              one item is not tried now (its host is paused): nothing is recorded, it stays waiting
    `-- RunError                 the run can't go on
        |-- UsageError           the call or the study file is wrong (exit status 2)
        |   `-- ConfigError      a key of study.toml
        |-- MissingPartError     a program, package, weight file or back end that is not there
        |-- DamagedTableError    a recorded table lost a batch, or a part can't be read
        |-- StoreFullError       the disk is full
        |-- ServiceError         Label Studio or Prefect does not answer as it should
        |-- LeaseHeldError       another runner holds the study-wide lease
        |-- BadModelError        a model's folder that can't be used
        `-- InvalidReleaseError  a release that must not be published

A message names the thing, what is wrong with it, and what to do about it.
"""

from enum import StrEnum


class DropReason(StrEnum):
    """Why an item was left out; the same words in tables, logs and ``pressroom status``."""

    MISSING = "missing"
    """No such file."""
    EMPTY = "empty"
    """The file has 0 bytes."""
    UNREADABLE = "unreadable"
    """No frame can be read: not a video, or a container without its index."""
    NO_VIDEO = "no_video"
    """The container holds no video stream."""
    REMOVED = "removed"
    """The link answers 404 or 410, or the site says that the video is gone."""
    PRIVATE = "private"
    """The uploader shows it to chosen accounts alone."""
    GEO_BLOCKED = "geo_blocked"
    """The site does not show it in this country, or answers 451."""
    AGE_RESTRICTED = "age_restricted"
    """The site wants a signed-in adult."""
    MEMBERS_ONLY = "members_only"
    """The site wants a paying member or a signed-in account."""
    NOT_YET = "live_or_upcoming"
    """The broadcast has not begun, or is still on air."""
    BOT_CHECK = "bot_check"
    """The site wants proof that a person asks."""
    RATE_LIMITED = "rate_limited"
    """The site says that too much was asked of it: 429, or the same in words."""
    REFUSED = "refused"
    """The link answers another refusal: 401, 403, a certificate that can't be verified."""
    FORBIDDEN_ADDRESS = "forbidden_address"
    """The link, a redirect or a manifest leads to a private or loopback address that the study does not allow."""
    NETWORK = "network"
    """No answer, a broken connection, a time-out or a server error."""
    TRUNCATED = "truncated"
    """Fewer bytes or seconds arrived than were announced, or the file breaks off."""
    NO_USABLE_FORMAT = "no_usable_format"
    """The site offers the video only in forms that the study does not take."""
    UNSUPPORTED = "unsupported"
    """The link leads to no video, or to no single one, that can be downloaded."""
    TOO_LONG = "too_long"
    """The video is longer than its source's filter allows."""
    FILTERED = "filtered"
    """One of its source's filters passes it over."""
    OPTED_OUT = "opted_out"
    """The link, its channel or its player is on the study's opt-out list."""
    DUPLICATE = "duplicate"
    """The study holds the same recording from elsewhere."""
    WITHDRAWN = "withdrawn"
    """The video was withdrawn from the study."""
    DISPOSED = "disposed"
    """The video file was deleted by the study's retention rule, so that its parts can't be made anew."""
    NO_PERSON = "no_person"
    """Nobody was found."""
    TOO_SHORT = "too_short"
    """People were found, each for too short a time to judge a gesture."""
    NOT_THE_PLAYER = "not_the_player"
    """A person was followed who is not the one that the study is about: a moderator, a poster, somebody passing."""
    POOR_QUALITY = "poor_quality"
    """A person is shown too small, too blurred, too hidden or not moving: below the study's thresholds."""
    NO_KEYPOINTS = "no_keypoints"
    """A person was followed, but no body part was seen well enough."""
    NO_MOVEMENT = "no_movement"
    """A person was seen, but neither a contact nor a movement stood out."""
    OVER_BUDGET = "over_budget"
    """A candidate beyond the number that is kept for each track minute."""
    ANSWERED = "answered"
    """A candidate that people have answered already: one like it was asked there, in another round."""
    CRASHED = "crashed"
    """The process that worked on the item was killed by a signal, twice."""
    OUT_OF_MEMORY = "out_of_memory"
    """The process that worked on the item passed its memory limit."""
    TIMED_OUT = "timed_out"
    """The process that worked on the item passed its time limit."""
    INVALID_ANSWER = "invalid_answer"
    """An answer that the reviewing page can't give."""
    ORPHANED = "orphaned"
    """A judged span where no person is followed any more."""
    REJECTED = "rejected"
    """Most people said that there is no micro-gesture."""
    UNDECIDED = "undecided"
    """Too few answers, or none of the outcomes is likely enough."""
    MERGED = "merged"
    """The same gesture was verified under another question, which has more answers."""
    UNKNOWN_SUBJECT = "unknown_subject"
    """Nobody declared who the person is."""
    IMPORTED = "imported"
    """It comes from an imported data set, and the study does not publish those (`release.imported`)."""
    BAD_IMPORT = "bad_import"
    """A file of an imported data set, or a row of it, that does not hold what its format says."""

    @classmethod
    def _missing_(cls, value: object) -> "DropReason | None":
        """Understand the words that version 0.1 recorded."""
        return {"not_found": cls.REMOVED, "incomplete": cls.TRUNCATED}.get(str(value))


class PipelineError(Exception):
    """Base of every error that pressroom raises on purpose."""


class ItemError(PipelineError):
    """One item can't be processed; the stage turns it into a ``Dropped`` row and goes on."""

    def __init__(
        self,
        reason: DropReason,
        detail: str,
        *,
        retry_after_s: float | None = None,
        starts_ns: int | None = None,
    ) -> None:
        """Keep the typed reason beside the words.

        ``retry_after_s`` is what the server asked to wait; ``starts_ns`` the Unix time of a broadcast to come.
        """
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.starts_ns = starts_ns


class PutOffError(PipelineError):
    """An item is not tried now, through no fault of its own: its host is paused."""

    def __init__(self, host: str, *, until_ns: int, why: str) -> None:
        """Keep when the host may be asked again, Unix time in ns."""
        super().__init__(f"{host} is paused: {why}")
        self.host = host
        self.until_ns = until_ns
        self.why = why


class RunError(PipelineError):
    """The run can't go on; the command prints the message as one line."""


class UsageError(RunError):
    """The call is wrong: exit status 2."""


class ConfigError(UsageError):
    """The study file is wrong: the message names the key's path and the nearest valid one."""


class MissingPartError(RunError):
    """A program, package, weight file or back end is missing: the message says how to get it."""


class DamagedTableError(RunError):
    """A table can't be trusted: the message names what to restore or to delete."""


class StoreFullError(RunError):
    """The disk is full: nothing was damaged, the message says how much room is needed."""


class ServiceError(RunError):
    """Label Studio or Prefect is not there or does not answer as it should."""


class LeaseHeldError(RunError):
    """Another runner works on the same study-wide stage."""


class InvalidReleaseError(RunError):
    """A release that must not be published, or a folder that is none."""


class BadModelError(RunError):
    """A folder that is no model, a model that was altered, or one that must not be written."""

"""The error table: what yt-dlp raises and says -> how the attempt ended, in pressroom's own words.

yt-dlp tells most by class and status, and the rest in the site's words, which its extractors pass on. The words of the
tables were read in yt-dlp 2026.10.26: extractor/common.py, youtube, vimeo, twitch, twitter, tiktok, dailymotion.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.utils import parsedate_to_datetime
from traceback import walk_tb
from typing import TYPE_CHECKING

from yt_dlp.networking.exceptions import (
    CertificateVerifyError,
    HTTPError,
    IncompleteRead,
    NoSupportingHandlers,
    ProxyError,
    TransportError,
    UnsupportedRequest,
)
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnavailableVideoError,
    UnsupportedError,
    UserNotLive,
    YoutubeDLError,
)

from collectors.base import store_full_error
from schema.errors import DropReason, ItemError

if TYPE_CHECKING:
    from collectors.ytdlp.downloader import Downloader

Row = tuple[str, DropReason, str]

CLASS_TABLE: tuple[tuple[type[BaseException], DropReason, str], ...] = (
    (ContentTooShortError, DropReason.TRUNCATED, "fewer bytes arrived than the server announced"),
    (IncompleteRead, DropReason.TRUNCATED, "fewer bytes arrived than the server announced"),
    (CertificateVerifyError, DropReason.REFUSED, "the server's certificate can't be verified"),
    (ProxyError, DropReason.NETWORK, "the proxy does not answer as it should"),
    (TimeoutError, DropReason.NETWORK, "the server took too long to answer"),
    (TransportError, DropReason.NETWORK, "no connection, or a broken one"),
    (GeoRestrictedError, DropReason.GEO_BLOCKED, "the site does not show this video in this country"),
    (UserNotLive, DropReason.UNSUPPORTED, "the link leads to a channel that is not on air"),
    (UnsupportedRequest, DropReason.UNSUPPORTED, "the link leads to one that is not http or https"),
    (NoSupportingHandlers, DropReason.UNSUPPORTED, "the link leads to one that is not http or https"),
    (UnsupportedError, DropReason.UNSUPPORTED, "the link leads to a page without a video that can be downloaded"),
)
"""Reason and words for each error class; the first row that matches any error of the chain counts."""

STATUS_TABLE: dict[int, DropReason] = {
    402: DropReason.MEMBERS_ONLY,
    404: DropReason.REMOVED,
    408: DropReason.NETWORK,
    410: DropReason.REMOVED,
    416: DropReason.TRUNCATED,
    425: DropReason.NETWORK,
    429: DropReason.RATE_LIMITED,
    451: DropReason.GEO_BLOCKED,
}
"""Reason for each HTTP status; of the others, 5xx is ``NETWORK``, 4xx ``REFUSED`` and the rest ``UNSUPPORTED``."""

WORDS_TABLE: tuple[Row, ...] = (
    (
        r"not a bot|not a robot|captcha|anti-bot|unusual traffic|js challenge|rejected by server \(352\)",
        DropReason.BOT_CHECK,
        "the site wants proof that a person asks",
    ),
    (
        r"rate.?limit|too many requests|content isn't available, try again later",
        DropReason.RATE_LIMITED,
        "the site says that too much was asked of it",
    ),
    (
        r"confirm your age|age.?restrict|age.?verif|inappropriate for some|mature content|nsfw",
        DropReason.AGE_RESTRICTED,
        "the site shows this video to adults who sign in",
    ),
    (
        r"members.only|channel's members|join this channel|premium (?:members|subscri)|supporter.only|patrons? only"
        r"|requires? (?:a )?(?:payment|purchase|subscription)|purchase (?:is required|the)|need to purchase"
        r"|subscribers? only|subscription needed",
        DropReason.MEMBERS_ONLY,
        "the site shows this video to paying members",
    ),
    (
        r"\bprivate\b|protected tweet|protected by a password|password.protected|video.password",
        DropReason.PRIVATE,
        "the uploader shows this video to chosen accounts",
    ),
    (
        r"(?:in|from|to) your (?:current )?(?:country|region|location)|geo.?(?:restrict|block)"
        r"|not available in this country|not been made available in your|countr(?:y|ies) due to",
        DropReason.GEO_BLOCKED,
        "the site does not show this video in this country",
    ),
    (
        r"(?:event|stream|broadcast|premiere|video|show)s? (?:will|is scheduled to) (?:begin|start)|premieres? in"
        r"|not (?:yet )?started|not started yet|has not (?:yet )?begun|is scheduled (?:for|to)|is not yet available"
        r"|not downloadable yet|processing this video|live (?:event|stream) has ended",
        DropReason.NOT_YET,
        "the broadcast is not over, or its recording is not there yet",
    ),
    (
        r"requested format is not available|no video formats found|drm.protected|ffmpeg could not be found",
        DropReason.NO_USABLE_FORMAT,
        "the site offers this video in no form that can be taken",
    ),
    (
        r"no longer (?:available|exists)|(?:been|was|is) (?:removed|deleted|taken down)|does not exist|doesn't exist"
        r"|account .*terminated|on copyright grounds|copyright claim|rights? expired|video not found"
        r"|\A(?:this )?video (?:is )?unavailable\.?\Z",
        DropReason.REMOVED,
        "the site says that the video is gone",
    ),
)
"""Sites that refuse in words, whatever their status: a pattern, the reason and pressroom's words; first match counts.

"Video unavailable" and nothing more is what YouTube says of an id that it no longer knows.
"""

LOOSE_WORDS_TABLE: tuple[Row, ...] = (
    (
        r"sign.?in|logg?.?(?:ed)?.?in|account|authenticat|registered users|subscri|purchase|premium|cookies",
        DropReason.MEMBERS_ONLY,
        "the site says: sign in first",
    ),
    (
        r"unavailable|not available|isn't available|forbidden|blocked|page needs to be reloaded",
        DropReason.REFUSED,
        "the site says: the video is not available now",
    ),
    (
        r"timed? ?out|network error|incomplete (?:data|yt initial data) received|any player response",
        DropReason.NETWORK,
        "the site's answer was not complete",
    ),
)
"""Words that mean something only where neither the status nor the class of an error does."""

UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""How Python fails on data of another shape than the code expects."""
OWN_PACKAGES = ("collectors", "flows")
CHALLENGE_HEADER = "cf-mitigated"
"""What Cloudflare's bot check sends beside its 403, as yt-dlp's generic extractor knows it."""
NO_VIDEO_HERE = "the link leads to no video that can be downloaded"
TOO_LATE = "it took longer than collect.download_limit_s allows"
FORBIDDEN_HERE = (
    "it leads to a private or loopback address; if that is meant, list the host in collect.allow_private_hosts"
)


@contextmanager
def typed_errors(downloader: "Downloader") -> Iterator[None]:
    """Turn yt-dlp's errors into ``ItemError``, those included that it did not foresee.

    A page that a site changed makes extractors fail with whatever Python says. It is yt-dlp's fault if the newest of
    pressroom's and yt-dlp's own lines that the error went through is yt-dlp's; anything else goes on as it is.
    """
    try:
        yield
    except YoutubeDLError as error:
        raise item_error(downloader, error) from None  # the chain holds the link
    except UNFORESEEN as error:
        if not _is_of_ytdlp(error):
            raise
        detail = f"yt-dlp fails on it with {type(error).__name__}; a newer yt-dlp may read it"
        raise ItemError(DropReason.UNSUPPORTED, detail) from None


def _is_of_ytdlp(error: BaseException) -> bool:
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__)]
    ours_or_theirs = [name for name in modules if name.partition(".")[0] in ("yt_dlp", "yt_dlp_plugins", *OWN_PACKAGES)]
    return bool(ours_or_theirs) and ours_or_theirs[-1].startswith("yt_dlp")


def item_error(downloader: "Downloader", error: BaseException) -> ItemError:
    """Type an error of yt-dlp; raises ``StoreFullError`` when the disk is full.

    The result holds none of yt-dlp's words, which carry links and titles: raise it ``from None``.
    """
    chain = list(_causes(error))
    if not any(isinstance(cause, ExtractorError) for cause in chain):
        chain += _causes(downloader.last_error)  # after its retries the downloader tells no cause
    for cause in chain:
        full = store_full_error(cause, downloader.announced_bytes) if isinstance(cause, OSError) else None
        if full:
            raise full from None
    if downloader.has_met_forbidden_address:
        return ItemError(DropReason.FORBIDDEN_ADDRESS, FORBIDDEN_HERE)
    if downloader.is_late:
        return ItemError(DropReason.NETWORK, TOO_LATE)
    reason, detail = _judge(downloader, chain)
    return ItemError(reason, detail, retry_after_s=_retry_after_s(chain))


def _judge(downloader: "Downloader", chain: list[BaseException]) -> tuple[DropReason, str]:
    words = _words_of(chain)
    return (
        _by_words(words, WORDS_TABLE)
        or _by_status(chain)
        or _by_size(downloader, least=1)
        or _by_class(chain)
        or _by_size(downloader, least=0)
        or _by_words(words, LOOSE_WORDS_TABLE)
        or (DropReason.UNSUPPORTED, NO_VIDEO_HERE)
    )


def _words_of(chain: list[BaseException]) -> str:
    """Join what extractors say; what the downloader says counts where no extractor says anything."""
    if any(isinstance(cause, UnsupportedError) for cause in chain):
        return ""  # its words are the link's
    said = [cause.orig_msg for cause in chain if isinstance(cause, ExtractorError)]
    said = said or [str(cause) for cause in chain if isinstance(cause, DownloadError)]
    words = " ".join(said).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return re.sub(r"http ?error \d+: [^()>]*", "", words)  # a status counts by its number


def _by_words(words: str, table: tuple[Row, ...]) -> tuple[DropReason, str] | None:
    return next(((reason, detail) for pattern, reason, detail in table if re.search(pattern, words)), None)


def _by_status(chain: list[BaseException]) -> tuple[DropReason, str] | None:
    for cause in chain:
        if isinstance(cause, HTTPError):
            if cause.redirect_loop:
                return DropReason.NETWORK, "the server redirects in a circle"
            if cause.response.headers.get(CHALLENGE_HEADER, "").lower() == "challenge":
                return DropReason.BOT_CHECK, "the site wants proof that a person asks"
            by_class = {4: DropReason.REFUSED, 5: DropReason.NETWORK}.get(cause.status // 100, DropReason.UNSUPPORTED)
            return STATUS_TABLE.get(cause.status, by_class), f"the server answered {cause.status}"
    return None


def _by_class(chain: list[BaseException]) -> tuple[DropReason, str] | None:
    rows = ((reason, detail) for kind, reason, detail in CLASS_TABLE if any(isinstance(c, kind) for c in chain))
    return next(rows, None)


def _by_size(downloader: "Downloader", *, least: int) -> tuple[DropReason, str] | None:
    """Judge a download by what arrived: with some bytes, how the connection broke does not matter."""
    announced = downloader.announced_bytes
    if downloader.part is None or announced is None:
        return None
    byte_count = downloader.part.stat().st_size if downloader.part.exists() else 0
    if announced == 0:
        return DropReason.EMPTY, "the server's file has 0 bytes"
    if least <= byte_count < announced:
        return DropReason.TRUNCATED, f"{byte_count} of {announced} bytes arrived"
    return None


def _retry_after_s(chain: list[BaseException]) -> float | None:
    waits = [retry_after_s(cause.response.headers) for cause in chain if isinstance(cause, HTTPError)]
    return max((wait for wait in waits if wait is not None), default=None)


def retry_after_s(headers: Message) -> float | None:
    """Return how long a server asks to wait, by its Retry-After: seconds or a date (RFC 9110); None where it doesn't.

    A date counts from the server's own Date, so that a clock that is wrong here does not matter.
    """
    text = str(headers.get("Retry-After", "")).strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # more digits are a joke, and floats end
    until_s = _unix_s(text)
    if until_s is None:
        return None
    now_s = _unix_s(str(headers.get("Date", "")))
    return max(0.0, until_s - (time.time() if now_s is None else now_s))


def _unix_s(http_date: str) -> float | None:
    try:
        return parsedate_to_datetime(http_date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Go from an error of yt-dlp to what caused it, which each class keeps elsewhere.

    Contexts are followed only where yt-dlp wraps a write error in them: elsewhere they hold what it already got over.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            context = current.__context__ if isinstance(current, UnavailableVideoError) else None
            exc_info = getattr(current, "exc_info", None) or (None, None)
            waiting += [getattr(current, "cause", None), exc_info[1], current.__cause__, context]

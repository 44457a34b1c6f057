"""The error table, row by row: what sites say through yt-dlp's extractors, and how an attempt is recorded then."""

import re
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yt_dlp
from yt_dlp.networking import Response
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
    UnsupportedError,
    UserNotLive,
    YoutubeDLError,
)

from collectors.base import CollectConfig
from collectors.ytdlp.downloader import Downloader, open_downloader
from collectors.ytdlp.errors import CLASS_TABLE, LOOSE_WORDS_TABLE, STATUS_TABLE, WORDS_TABLE, item_error
from schema.errors import DropReason, ItemError, StoreFullError

R = DropReason
HINT = ". Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki"
GONE = "This video is no longer available because the YouTube account associated with this video has been terminated."

SAID = {
    # YouTube, as extractor/youtube/_video.py puts reason and subreason together
    f"Sign in to confirm you\u2019re not a bot{HINT}": R.BOT_CHECK,
    "Video unavailable. YouTube is requiring a captcha challenge before playback": R.BOT_CHECK,
    "This content isn't available, try again later. Your account has been rate-limited by YouTube": R.RATE_LIMITED,
    f"Sign in to confirm your age. This video may be inappropriate for some users{HINT}": R.AGE_RESTRICTED,
    "Join this channel to get access to members-only content like this video, and other perks.": R.MEMBERS_ONLY,
    "This video is available to this channel's members on level: Fans (or any higher level).": R.MEMBERS_ONLY,
    "This video requires payment to watch.": R.MEMBERS_ONLY,
    "This video is only available to Music Premium members": R.MEMBERS_ONLY,
    f"Private video. Sign in if you've been granted access to this video{HINT}": R.PRIVATE,
    "This video is private": R.PRIVATE,
    "Video unavailable. The uploader has not made this video available in your country": R.GEO_BLOCKED,
    "Video unavailable. This video contains content from A, who has blocked it in your country": R.GEO_BLOCKED,
    "This live event will begin in 3 hours.": R.NOT_YET,
    "Premieres in 45 minutes": R.NOT_YET,
    "We're processing this video. Check back later.": R.NOT_YET,
    "This live event has ended.": R.NOT_YET,
    "This video is DRM protected": R.NO_USABLE_FORMAT,
    "Requested format is not available. Use --list-formats for a list of available formats": R.NO_USABLE_FORMAT,
    "No video formats found!": R.NO_USABLE_FORMAT,
    "Video unavailable": R.REMOVED,
    "This video is unavailable.": R.REMOVED,
    "Video unavailable. This video has been removed by the uploader": R.REMOVED,
    "This video has been removed for violating YouTube's Terms of Service": R.REMOVED,
    f"Video unavailable. {GONE}": R.REMOVED,
    "This video is no longer available due to a copyright claim by A": R.REMOVED,
    "This video contains content from A, who has blocked it on copyright grounds": R.REMOVED,
    "This video is not available": R.REFUSED,
    "The page needs to be reloaded.": R.REFUSED,
    "Failed to extract any player response": R.NETWORK,
    # other sites
    "Got HTTP Error 403 caused by Cloudflare anti-bot challenge; try again with  --extractor-args": R.BOT_CHECK,
    "Unable to solve JS challenge": R.BOT_CHECK,
    "Request is rejected by server (352)": R.BOT_CHECK,
    "You have exceeded the rate limit. Try again later": R.RATE_LIMITED,
    f"NSFW tweet requires authentication{HINT}": R.AGE_RESTRICTED,
    f"This video is only available for age verified users or after 22:00{HINT}": R.AGE_RESTRICTED,
    f"You are not authorized to view this protected tweet{HINT}": R.PRIVATE,
    "This video is protected by a password, use the --video-password option": R.PRIVATE,
    f"This video is for premium members only{HINT}": R.MEMBERS_ONLY,
    "This is a supporter-only video: for friends": R.MEMBERS_ONLY,
    f"You need to purchase the course to download this episode{HINT}": R.MEMBERS_ONLY,
    f"This video is only available for registered users{HINT}": R.MEMBERS_ONLY,
    f"You need to log in to access this content{HINT}": R.MEMBERS_ONLY,
    "This video is not available from your location due to geo restriction": R.GEO_BLOCKED,
    "This video is unavailable in your country due to licensing restrictions": R.GEO_BLOCKED,
    "This live broadcast has not yet started": R.NOT_YET,
    "This live event is scheduled for 2026-11-01 10:00:00": R.NOT_YET,
    "Twitter Space not started yet": R.NOT_YET,
    "Twitter Space ended but not downloadable yet": R.NOT_YET,
    "Broadcast no longer exists": R.REMOVED,
    "Video 7 does not exist": R.REMOVED,
    "m3u8 download detected but ffmpeg could not be found. Please install": R.NO_USABLE_FORMAT,
    "Incomplete data received": R.NETWORK,
    "There is no video in this post": R.UNSUPPORTED,
    "An extractor error has occurred.": R.UNSUPPORTED,
}
"""What extractors of yt-dlp 2026.10.26 pass on, and how the attempt ended."""

OWN_WORDS = {
    "extractor/common.py": [
        "This video is only available for registered users",
        "This video is not available from your location due to geo restriction",
        "This video is DRM protected",
    ],
    "YoutubeDL.py": ["Requested format is not available", "No video formats found!"],
    "extractor/youtube/_video.py": [
        "The uploader has not made this video available in your country",
        "YouTube is requiring a captcha challenge before playback",
        "This content isn't available, try again later",
        "has been rate-limited by YouTube",
        "Failed to extract any player response",
    ],
    "extractor/generic.py": ["caused by Cloudflare anti-bot challenge", "cf-mitigated"],
    "downloader/external.py": ["m3u8 download detected but ffmpeg could not be found"],
}


@pytest.fixture
def downloader() -> Any:
    with open_downloader(CollectConfig()) as opened:
        yield opened


def http_error(status: int, headers: dict[str, str] | None = None, **more: Any) -> HTTPError:
    return HTTPError(Response(BytesIO(), "https://e.org/private", headers or {}, status), **more)


def judged(downloader: Downloader, error: YoutubeDLError) -> ItemError:
    """As yt-dlp raises it: wrapped by its error report."""
    return item_error(downloader, DownloadError(f"ERROR: {error}", (type(error), error, None)))


@pytest.mark.parametrize(("words", "reason"), SAID.items())
def test_what_a_site_says_is_typed(downloader: Downloader, words: str, reason: DropReason) -> None:
    found = judged(downloader, ExtractorError(words, expected=True, video_id="Steffi_1"))
    assert found.reason is reason, found.detail
    assert "Steffi" not in str(found)
    assert "http" not in found.detail


@pytest.mark.parametrize("row", [*WORDS_TABLE, *LOOSE_WORDS_TABLE], ids=lambda row: row[2])
def test_every_row_of_words_is_met_by_real_words(row: tuple[str, DropReason, str]) -> None:
    pattern, reason, _ = row
    lowered = [words.lower().replace("\u2019", "'") for words, told in SAID.items() if told is reason]
    assert any(re.search(pattern, words) for words in lowered)


@pytest.mark.parametrize(("file", "words"), [(file, words) for file, said in OWN_WORDS.items() for words in said])
def test_the_words_are_those_of_the_installed_yt_dlp(file: str, words: str) -> None:
    """A new release that says it otherwise fails here, and not in a campaign's night."""
    assert words in (Path(yt_dlp.__file__).parent / file).read_text(encoding="utf-8").replace("\\'", "'")


CLASSES: list[tuple[YoutubeDLError, DropReason]] = [
    (ContentTooShortError(1, 2), R.TRUNCATED),
    (IncompleteRead(1, 2), R.TRUNCATED),
    (CertificateVerifyError("x"), R.REFUSED),
    (ProxyError("x"), R.NETWORK),
    (TransportError(cause=TimeoutError()), R.NETWORK),
    (TransportError("x"), R.NETWORK),
    (GeoRestrictedError("Blocked."), R.GEO_BLOCKED),
    (UserNotLive(), R.UNSUPPORTED),
    (UnsupportedRequest("x"), R.UNSUPPORTED),
    (NoSupportingHandlers([], []), R.UNSUPPORTED),
    (UnsupportedError("https://e.org/login/private-video/removed"), R.UNSUPPORTED),
]


def test_every_class_of_the_table_is_tried() -> None:
    tried = [error for error, _ in CLASSES]
    assert all(
        any(isinstance(e, kind) or isinstance(e.__dict__.get("cause"), kind) for e in tried) for kind, *_ in CLASS_TABLE
    )


@pytest.mark.parametrize(("error", "reason"), CLASSES, ids=lambda value: type(value).__name__)
def test_a_class_is_typed_also_inside_an_extractor_s_error(
    downloader: Downloader, error: YoutubeDLError, reason: DropReason
) -> None:
    assert judged(downloader, error).reason is reason
    wrapped = ExtractorError("Unable to download webpage", expected=True, cause=error)
    assert judged(downloader, wrapped).reason is reason


STATUSES = {
    **STATUS_TABLE,
    301: R.UNSUPPORTED,
    400: R.REFUSED,
    401: R.REFUSED,
    403: R.REFUSED,
    500: R.NETWORK,
    502: R.NETWORK,
    503: R.NETWORK,
}


@pytest.mark.parametrize(("status", "reason"), STATUSES.items())
def test_a_status_is_typed_whatever_words_go_with_it(downloader: Downloader, status: int, reason: DropReason) -> None:
    error = http_error(status)
    error.msg = f"HTTP Error {status}: Private video removed, too many requests"
    wrapped = ExtractorError(f"Unable to download login page: {error.msg} (caused by {error!r})", cause=error)
    for raised in (error, wrapped):
        found = judged(downloader, raised)
        assert (found.reason, found.detail) == (reason, f"the server answered {status}")


def test_a_status_that_stands_for_something_else(downloader: Downloader) -> None:
    assert judged(downloader, http_error(302, redirect_loop=True)).reason is R.NETWORK
    assert judged(downloader, http_error(403, {"CF-Mitigated": "challenge"})).reason is R.BOT_CHECK


def test_a_server_s_wish_to_wait_is_passed_on(downloader: Downloader) -> None:
    error = ExtractorError("Unable to download webpage", cause=http_error(429, {"Retry-After": "90"}))
    assert judged(downloader, error).retry_after_s == 90


def test_after_its_retries_the_downloader_tells_no_cause_and_the_last_request_counts(downloader: Downloader) -> None:
    downloader.last_error = http_error(503, {"Retry-After": "5"})
    found = item_error(downloader, DownloadError("ERROR: Giving up after 3 retries"))
    assert (found.reason, found.retry_after_s) == (R.NETWORK, 5)
    downloader.last_error = http_error(404)  # an optional request of an extractor that then failed for its own reason
    assert judged(downloader, ExtractorError("There is no video in this post")).reason is R.UNSUPPORTED


@pytest.mark.parametrize(
    ("announced", "arrived", "reason"),
    [(10, 4, R.TRUNCATED), (10, None, R.NETWORK), (0, None, R.EMPTY), (None, 4, R.NETWORK)],
)
def test_a_broken_connection_is_judged_by_what_arrived(
    downloader: Downloader, tmp_path: Path, announced: int | None, arrived: int | None, reason: DropReason
) -> None:
    downloader.part, downloader.announced_bytes = tmp_path / "part", announced
    if arrived is not None:
        downloader.part.write_bytes(b"." * arrived)
    assert judged(downloader, TransportError("reset")).reason is reason


def test_a_full_disk_ends_the_run(downloader: Downloader) -> None:
    downloader.announced_bytes = 5_000_000
    error = DownloadError("ERROR: unable to write data", (OSError, OSError(28, "No space left on device"), None))
    with pytest.raises(StoreFullError, match="5 MB"):
        item_error(downloader, error)


def test_the_words_of_a_bad_header_do_not_break_anything(downloader: Downloader) -> None:
    headers = Message()
    headers["Retry-After"] = "9" * 400
    error = HTTPError(Response(BytesIO(), "https://e.org", dict(headers), 429))
    assert (judged(downloader, error).retry_after_s or 0) <= 999_999_999

"""What a collector is, and the stage that collects: source entries in, fetched files out, one at a time."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast
from urllib.parse import urlsplit

from collectors.facts import Facts
from collectors.filters import Filters
from media.hashes import sha256_of
from schema.errors import ConfigError, DropReason, ItemError, StoreFullError
from schema.privacy import make_video_id
from schema.records import Dropped, SourceId, VideoId, VideoRecord

STAGE = "collect"

VIDEO_SUFFIXES = frozenset(
    {
        ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
        ".webm", ".wmv",
    }
)  # fmt: skip
"""File-name endings that a folder is searched for, and the only ones that a fetched file may carry on."""
PART_SUFFIX = ".download.part"
"""Ending of a download that is under way, in the work folder."""
PART_RECORD_SUFFIX = ".part.json"
"""Ending of the record of what a part is a part of."""
OTHER_SUFFIX = ".video"
"""Ending of a fetched file whose own ending is none of ``VIDEO_SUFFIXES``: endings come from strangers."""


PROXY_SCHEMES = ("http", "socks4", "socks4a", "socks5", "socks5h")
"""Proxies that yt-dlp's own network code speaks."""


def checked_proxy(proxy: str, name: str) -> str:
    """Return a proxy as it is; raises ``ConfigError`` where its kind is unknown, without its words."""
    try:
        parts = urlsplit(proxy)
        is_usable = not proxy or (parts.scheme.lower() in PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigError(
            f"{name}: not a proxy such as socks5://127.0.0.1:1080; it begins with one of {', '.join(PROXY_SCHEMES)}"
        )
    return proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectConfig:
    """How videos are fetched, and how long their files are kept."""

    max_height_px: int = 720
    """Largest picture height to download; where a site offers only taller ones, its smallest is taken."""
    prefer_codec: Literal["h264", "vp9", "av1"] = "h264"
    """Video codec to take where a site offers the same height in several."""
    sound: bool = False
    """Whether a file with sound is wanted where the site offers one."""
    socket_timeout_s: float = 30.0
    """How long a server may stay silent."""
    retries: int = 3
    """How often a broken download is taken up again within one run."""
    retry_pause_s: float = 2.0
    """Pause before the first retry; each further one waits twice as long, 60 s at most."""
    download_limit_s: float = 7200.0
    """How long one download may take in all: a server that sends a byte now and then never times out."""
    duration_tolerance_s: float = 2.0
    """How much shorter than the announced length, or than its own header says, a file may be and still be whole."""
    proxy: str = ""
    """Proxy for all requests, such as socks5://127.0.0.1:1080; one with a password goes into PRESSROOM_PROXY."""
    cookies_file: str = ""
    """Netscape cookies file, absolute or relative to the study's folder; read, and never written, copied or logged."""
    user_agent: str = ""
    """User agent to send; empty is yt-dlp's own."""
    allow_private_hosts: tuple[str, ...] = ()
    """Hosts in a private or loopback range that may be connected to, by the name or address that links use."""
    keep_free_gigabytes: float = 5.0
    """A download is not begun that would leave less free disk than this."""
    videos_per_run: int = 0
    """Videos after which a run ends; 0 is no limit."""
    gigabytes_per_run: float = 0.0
    """Downloaded gigabytes after which a run ends; 0 is no limit."""
    relist_minutes: float = 10.0
    """A source that was listed so recently is not listed again."""
    full_listing_days: float = 7.0
    """How often every page of a source is read, which finds edited titles and what vanished."""
    opt_outs: str = "private/opt-outs.csv"
    """List of links, channels and players that are never collected, relative to the study's folder."""
    on_vanished: Literal["keep_features", "withdraw"] = "keep_features"
    """What becomes of a video that is no longer public at its source: nothing, or it leaves the study."""
    retain: Literal["forever", "until_release", "features_only"] = "forever"
    """When video files are deleted: never, once a release was built from them, or once their candidates are asked."""

    def __post_init__(self) -> None:
        """Refuse a proxy that can't be used, or whose password everybody would read who gets the study's file."""
        checked_proxy(self.proxy, "collect.proxy")
        if "@" in self.proxy:
            raise ConfigError(
                "collect.proxy: a user and password do not belong into study.toml; put the whole proxy into the "
                "environment variable PRESSROOM_PROXY and leave the key empty"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry:
    """One entry of the study's source list."""

    source_id: SourceId
    location: str
    """An http or https link, or an absolute path. Private: not for logs, details or file names."""
    person_id: str | None
    """Row of players.csv that the study declares for the video."""
    listed_at: str = ""
    """Where the study lists it, for messages: a key and a line tell the user which one, and nobody else anything."""
    filters: Filters = field(default_factory=Filters)
    """What its ``[[sources]]`` table passes over."""
    facts: Facts | None = None
    """What a listing told; None for a place that the study names itself."""

    @property
    def is_link(self) -> bool:
        """Tell a link from a path."""
        return self.location.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a location leads to, before its content is copied."""

    platform: str
    """The extractor's name in lower case, or ``file``."""
    native_id: str
    """The id on the platform; a local file's sha256. Private, like the location."""
    facts: Facts
    """What the site tells; of a local file its name, as the title."""
    sha256: str | None
    """Digest of the content, where it is known beforehand; ``save`` then raises where it wrote anything else."""
    byte_count: int | None
    """Size of the content, where it is known beforehand."""
    format: str
    """What was chosen: the platform's name of the format, codec and size; empty for a file."""
    save: Callable[[Path], Path]
    """Write the video into the folder, under a name made from the source id alone; raises ``ItemError``."""
    received_bytes: Callable[[], int] = int
    """How many bytes were asked of the network so far; 0 for a file of this machine."""
    digest_of_saved: Callable[[Path], str | None] = lambda path: None
    """Gives the sha256 of what ``save`` wrote, where it was taken while it was written."""


class Collector(Protocol):
    """A way to get videos of one kind of source."""

    def open(self, entry: SourceEntry) -> AbstractContextManager[Offer]:
        """Find out what the entry leads to; raises ``ItemError`` where that is no video. Leaving frees connections."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A video file in the work folder; whoever takes it moves or deletes it."""

    entry: SourceEntry
    video_id: VideoId
    platform: str
    native_id: str
    facts: Facts
    format: str
    path: Path
    record: VideoRecord
    """What was verified: the container opens, nothing is missing at its end, its first and last pictures decode."""
    received_bytes: int
    """What came over the network this time: less than the file's size where a part was taken up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyHeld:
    """An entry that leads to a video the study has: nothing was downloaded."""

    entry: SourceEntry
    video_id: VideoId
    platform: str
    native_id: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """An entry that gave no video, and what the attempt taught."""

    dropped: Dropped
    retry_after_s: float | None = None
    """How long the server asked to wait."""
    starts_ns: int | None = None
    """When the broadcast begins, Unix time in ns."""
    byte_count: int = 0
    """What came over the network all the same."""

    @classmethod
    def of(cls, entry: SourceEntry, error: ItemError, *, byte_count: int = 0) -> "Missed":
        """Tell of an entry what its error says."""
        return cls(
            dropped=Dropped(stage=STAGE, item_id=entry.source_id, reason=error.reason, detail=error.detail),
            retry_after_s=error.retry_after_s,
            starts_ns=error.starts_ns,
            byte_count=byte_count,
        )


COLLECTORS: dict[str, str] = {
    "link": "collectors.ytdlp.download:YtDlpCollector",
    "file": "collectors.local:LocalFileCollector",
}
"""The collector for each kind of location; loaded when first used."""

KEPT_PARTS = frozenset({DropReason.NETWORK, DropReason.TRUNCATED, DropReason.RATE_LIMITED, DropReason.BOT_CHECK})
"""Outcomes after which a part that can be taken up safely is kept for the next attempt."""


def collector_for(
    entry: SourceEntry,
    config: CollectConfig,
    *,
    study_folder: Path | None = None,
    on_request: Callable[[str], None] | None = None,
) -> Collector:
    """Return the collector that handles the entry's kind of location."""
    module, name = COLLECTORS["link" if entry.is_link else "file"].split(":")
    return cast(Collector, getattr(import_module(module), name)(config, study_folder, on_request))


def allow_all(entry: SourceEntry, offer: Offer) -> None:
    """Object to no offer."""


def collect_sources(
    entries: Iterable[SourceEntry],
    *,
    choose_collector: Callable[[SourceEntry, CollectConfig], Collector] | None = None,
    pseudonym_key: bytes,
    work_folder: Path,
    already_held: Callable[[str, str], bool],
    check_offer: Callable[[SourceEntry, Offer], None] = allow_all,
    config: CollectConfig,
    study_folder: Path | None = None,
    on_request: Callable[[str], None] | None = None,
    on_saved: Callable[[], None] = lambda: None,
) -> Iterator[Fetched | AlreadyHeld | Missed]:
    """Fetch and verify each entry's video; one row out for each entry in, in order.

    Args:
        entries: What to fetch.
        choose_collector: Stands in for ``collector_for``.
        pseudonym_key: Names the videos.
        work_folder: Where files are written, under names made from source ids; a part that can be taken up stays there.
        already_held: Asked with (platform, native id) after the look-up and before any content is copied, once for
            each entry and only when its turn comes: what the caller recorded meanwhile counts.
        check_offer: Called after the look-up and before anything else; raises ``ItemError`` for an unwanted offer.
        config: How to fetch.
        study_folder: What a relative ``cookies_file`` is relative to.
        on_request: Called with the host before each request of a look-up.
        on_saved: Called once the content is here and before it is verified: the host may serve the next one.

    Raises:
        StoreFullError: The disk is full.
        ConfigError: The proxy or the cookies file can't be used.
    """
    choose = choose_collector or partial(collector_for, study_folder=study_folder, on_request=on_request)
    work_folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        attempt = _Attempt(entry=entry, key=pseudonym_key, work_folder=work_folder, config=config, on_saved=on_saved)
        try:
            yield attempt.run(choose(entry, config), already_held, check_offer)
        except StoreFullError:
            remove_leftovers(work_folder, entry.source_id)
            raise
        except ItemError as error:
            remove_leftovers(work_folder, entry.source_id, but_parts=error.reason in KEPT_PARTS)
            yield Missed.of(entry, error, byte_count=attempt.received_bytes)


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One entry's way from its location to a verified file."""

    entry: SourceEntry
    key: bytes
    work_folder: Path
    config: CollectConfig
    on_saved: Callable[[], None]
    received_bytes: int = 0

    def run(
        self,
        collector: Collector,
        already_held: Callable[[str, str], bool],
        check_offer: Callable[[SourceEntry, Offer], None],
    ) -> Fetched | AlreadyHeld:
        with collector.open(self.entry) as offer:
            video_id = make_video_id(self.key, offer.platform, offer.native_id)
            check_offer(self.entry, offer)
            if already_held(offer.platform, offer.native_id):
                remove_leftovers(self.work_folder, self.entry.source_id)
                return AlreadyHeld(
                    entry=self.entry,
                    video_id=video_id,
                    platform=offer.platform,
                    native_id=offer.native_id,
                    facts=offer.facts,
                )
            remove_leftovers(self.work_folder, self.entry.source_id, but_parts=True)
            try:
                path, record = self._take(offer, video_id)
            finally:
                self.received_bytes = offer.received_bytes()
        return Fetched(
            entry=self.entry,
            video_id=video_id,
            platform=offer.platform,
            native_id=offer.native_id,
            facts=offer.facts,
            format=offer.format,
            path=path,
            record=record,
            received_bytes=self.received_bytes,
        )

    def _take(self, offer: Offer, video_id: VideoId) -> tuple[Path, VideoRecord]:
        from media.verify import check_video

        path = offer.save(self.work_folder)
        self.on_saved()
        record = check_video(
            path,
            video_id=video_id,
            sha256=offer.sha256 or offer.digest_of_saved(path) or sha256_of(path),
            announced_duration_ns=offer.facts.duration_ns,
            tolerance_s=self.config.duration_tolerance_s,
            is_download=self.entry.is_link,
        )
        return path, record


def remove_leftovers(work_folder: Path, source_id: SourceId, *, but_parts: bool = False) -> None:
    """Delete what an earlier attempt at this source left in the work folder.

    ``but_parts`` keeps a part whose record says what it is a part of, see ``collectors.ytdlp.parts``.
    """
    vouched_for = but_parts and (work_folder / f"{source_id}{PART_RECORD_SUFFIX}").is_file()
    kept = {f"{source_id}{PART_SUFFIX}", f"{source_id}{PART_RECORD_SUFFIX}"} if vouched_for else set()
    for path in work_folder.glob(f"{source_id}.*"):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def saved_suffix(file_name: str) -> str:
    """Return the ending that a fetched file keeps: a known one in lower case, else ``OTHER_SUFFIX``."""
    suffix = Path(file_name).suffix.lower()
    return suffix if suffix in VIDEO_SUFFIXES else OTHER_SUFFIX


def store_full_error(error: OSError, byte_count: int | None) -> StoreFullError | None:
    """Return the run error for a full disk or quota, else None; ``byte_count`` is the video's size where known."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    need = f"{byte_count / 1e6:.0f} MB are needed for the next video" if byte_count else "the next video does not fit"
    return StoreFullError(
        f"the disk with the study's work folder is full: {need}; make room and run the same command again"
    )

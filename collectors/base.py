"""What a collector is, and the stage that collects: source entries in, fetched files out, one at a time."""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from media.hashes import sha256_of
from schema.errors import DropReason, ItemError, StoreFullError
from schema.privacy import make_video_id
from schema.records import Dropped, SourceId, VideoId

STAGE = "collect"

VIDEO_SUFFIXES = frozenset(
    {
        ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
        ".webm", ".wmv",
    }
)  # fmt: skip
"""File-name endings that a folder is searched for, and the only ones that a fetched file may carry on."""
OTHER_SUFFIX = ".video"
"""Ending of a fetched file whose own ending is none of ``VIDEO_SUFFIXES``: endings come from strangers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectConfig:
    """How videos are fetched."""

    max_height_px: int = 720
    """Largest picture height to download; where a site offers only taller ones, its smallest is taken."""
    socket_timeout_s: float = 30.0
    """How long a server may stay silent."""
    retries: int = 3
    """How often a broken download is taken up again within one run."""
    retry_pause_s: float = 2.0
    """Pause before the first retry; each further one waits twice as long, 60 s at most."""
    download_limit_s: float = 7200.0
    """How long one download may take in all: a server that sends a byte now and then never times out."""


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
    title: str | None
    """The title on the platform, or the file's name. Private, like the location."""
    sha256: str | None
    """Digest that the content must have, where it is known beforehand."""
    save: Callable[[Path], Path]
    """Write the video into the folder, under a name made from the source id alone; raises ``ItemError``."""


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
    title: str | None
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyHeld:
    """An entry that leads to a video the study has: nothing was downloaded."""

    entry: SourceEntry
    video_id: VideoId
    platform: str
    native_id: str
    title: str | None


COLLECTORS: dict[str, str] = {
    "link": "collectors.ytdlp:YtDlpCollector",
    "file": "collectors.local:LocalFileCollector",
}
"""The collector for each kind of location; loaded when first used."""


def collector_for(entry: SourceEntry, config: CollectConfig) -> Collector:
    """Return the collector that handles the entry's kind of location."""
    module, name = COLLECTORS["link" if entry.is_link else "file"].split(":")
    return cast(Collector, getattr(import_module(module), name)(config))


def collect_sources(
    entries: Iterable[SourceEntry],
    *,
    choose_collector: Callable[[SourceEntry, CollectConfig], Collector] = collector_for,
    pseudonym_key: bytes,
    work_folder: Path,
    already_held: Callable[[str, str], bool],
    config: CollectConfig,
) -> Iterator[Fetched | AlreadyHeld | Dropped]:
    """Fetch each entry's video; one row out for each entry in, in order.

    ``already_held`` is asked with (platform, native id) after the entry was looked up and before its content is
    copied, once for each entry and only when its turn comes: what the caller recorded meanwhile counts. Raises
    ``StoreFullError`` when the disk is full; a ``Dropped`` carries the source id and never a link, id or name.
    """
    work_folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        try:
            yield _fetch(choose_collector(entry, config), entry, pseudonym_key, work_folder, already_held)
        except ItemError as error:
            yield Dropped(stage=STAGE, item_id=entry.source_id, reason=error.reason, detail=error.detail)


def _fetch(
    collector: Collector, entry: SourceEntry, key: bytes, work_folder: Path, already_held: Callable[[str, str], bool]
) -> Fetched | AlreadyHeld:
    with collector.open(entry) as offer:
        video_id = make_video_id(key, offer.platform, offer.native_id)
        if already_held(offer.platform, offer.native_id):
            return AlreadyHeld(
                entry=entry, video_id=video_id, platform=offer.platform, native_id=offer.native_id, title=offer.title
            )
        remove_leftovers(work_folder, entry.source_id)
        try:
            path = offer.save(work_folder)
            sha256 = _checked_digest(path, offer.sha256)
        except BaseException:
            remove_leftovers(work_folder, entry.source_id)
            raise
        return Fetched(
            entry=entry,
            video_id=video_id,
            platform=offer.platform,
            native_id=offer.native_id,
            title=offer.title,
            path=path,
            sha256=sha256,
        )


def _checked_digest(path: Path, expected: str | None) -> str:
    if path.stat().st_size == 0:
        raise ItemError(DropReason.EMPTY, "the file has 0 bytes")
    digest = sha256_of(path)
    if expected is not None and digest != expected:
        raise ItemError(DropReason.INCOMPLETE, "the file changed while it was copied")
    return digest


def remove_leftovers(work_folder: Path, source_id: SourceId) -> None:
    """Delete what an earlier attempt at this source left in the work folder.

    A part is never taken up by a later run: the site may offer another file or format by then, and the two halves
    would join without an error.
    """
    for path in work_folder.glob(f"{source_id}.*"):
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


TRIED_AGAIN = frozenset({DropReason.NETWORK, DropReason.INCOMPLETE, DropReason.REFUSED})
"""Reasons that may pass by themselves. A gone or unsupported video stays so: listing it anew starts afresh."""


def try_again(entry: SourceEntry, reason: DropReason) -> bool:
    """Tell whether the next run should try a dropped entry again; a local file, as soon as it is there with content."""
    if reason in (DropReason.MISSING, DropReason.EMPTY) and not entry.is_link:
        try:
            path = Path(entry.location)
            return path.is_file() and path.stat().st_size > 0
        except OSError:  # a name longer than a file name may be
            return False
    return reason in TRIED_AGAIN

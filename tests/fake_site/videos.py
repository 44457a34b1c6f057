"""What the site holds and what it remembers."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fake_site.clips import base_clip, file_bytes, lying_bytes
from tests.fake_site.faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A form in which a video is offered; the bytes are the same."""

    format_id: str = "22"
    height: int = 720
    vcodec: str = "avc1.64001F"
    acodec: str = "mp4a.40.2"
    ext: str = "mp4"


@dataclass(slots=True, kw_only=True)
class Video:
    """One video; change it between visits as you like."""

    id: str
    title: str = "Press conference"
    channel: str = "Centre Court"
    description: str = ""
    uploaded_on: str = "2026-05-20"
    language: str | None = None
    clip: int = 0
    """Which of the distinct recordings, 0..3."""
    copy_of: str = ""
    """Id of the video with exactly the same bytes."""
    revision: int = 1
    """Another one has other bytes and another ETag."""
    starts_s: int | None = None
    """Unix time at which a broadcast begins."""
    formats: tuple[Format, ...] = (Format(),)
    faults: list[Fault] = field(default_factory=list)
    is_removed: bool = False
    """Gone from every listing, its page answers 404."""

    @property
    def content(self) -> bytes:
        """The whole file."""
        mark = f"{self.copy_of or self.id}/{self.revision}"
        if any(fault.name == "lying_file" for fault in self.faults):
            return lying_bytes(self.clip, times=10)
        return file_bytes(self.clip, mark)

    @property
    def seconds(self) -> float:
        """Length that its page and listings announce where it does not lie."""
        lies = any(fault.name == "lying_file" for fault in self.faults)
        return base_clip(self.clip).seconds * (10 if lies else 1)


@dataclass(slots=True, kw_only=True)
class Request:
    """A request, and what became of it."""

    kind: str
    """page, list, search, feed, media, clip, manifest, segment, thumbnail or other."""
    key: str
    """Video id, or name of the list or feed."""
    page: int
    path: str
    headers: dict[str, str]
    at_s: float
    status: int = 0
    sent_bytes: int = 0
    """Bytes of the body that were written."""
    first_byte: int = 0
    is_whole: bool = False
    """Whether all of the true file from ``first_byte`` on was written, as it was announced."""


Watcher = Callable[[Request, str], None]
Gatekeeper = Callable[[Request], str | None]
"""Names the fault of phase ``page`` that a request meets, whatever it asks for; None lets it in."""

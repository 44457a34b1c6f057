"""Which of a site's formats is taken, and what it tells about a video."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from collectors.base import CollectConfig
from collectors.facts import Facts, clean_text
from schema.timespan import NS_PER_SECOND

CODEC_NAMES = {"h264": "h264", "vp9": "vp9", "av1": "av01"}
"""What yt-dlp's sorting calls each codec."""
PLAIN = "[protocol~='^https?$']"
"""One file over HTTP: its bytes can be counted, and its part taken up."""
TAKEN = "[protocol~='^(https?|m3u8_native|m3u8|http_dash_segments)$']"
"""Everything that yt-dlp downloads over its own HTTP client, without ffmpeg."""


def format_options(config: CollectConfig) -> dict[str, Any]:
    """Return yt-dlp's settings for the wanted format: one file, never two that ffmpeg would have to merge.

    A plain file within the height comes first; ``res:`` puts the smallest of the too tall before taller ones.
    """
    limit = f"[height<=?{config.max_height_px}]"
    kinds = ["b", "bv*"] if config.sound else ["bv*"]
    choices = [f"{kind}{where}" for kind in kinds for where in (f"{limit}{PLAIN}", TAKEN)]
    # where the picture is the same, a file without unwanted sound is the smaller one
    sound = "hasaud" if config.sound else "+hasaud"
    return {
        "format": "/".join(choices),
        "format_sort": [f"res:{config.max_height_px}", f"vcodec:{CODEC_NAMES[config.prefer_codec]}", "ext:mp4", sound],
    }


def format_text(info: Mapping[str, Any]) -> str:
    """Say what was chosen: the platform's name of the format, codec, size, container and sound, where it tells."""
    width, height = info.get("width"), info.get("height")
    codec, sound = info.get("vcodec"), info.get("acodec")
    words = [
        info.get("format_id"),
        str(codec).partition(".")[0] if codec not in (None, "none") else None,
        f"{width}x{height}" if width and height else None,
        info.get("ext"),
        "without sound" if sound == "none" else "with sound" if sound else None,
    ]
    return " ".join(clean_text(str(word)) for word in words if word)


def facts_of(info: Mapping[str, Any]) -> Facts:
    """Return what a look-up or a listing tells about one video."""
    live = info.get("live_status")
    return Facts(
        title=_text(info.get("title")),
        description=_text(info.get("description")),
        channel=_text(info.get("channel") or info.get("uploader")),
        channel_links=tuple(link for key in ("channel_url", "uploader_url") if (link := _text(info.get(key)))),
        uploaded_on=_date(info),
        duration_ns=_ns(info.get("duration")),
        height_px=_whole(info.get("height")),
        language=_text(info.get("language")),
        is_live=live in ("is_live", "is_upcoming") if live else info.get("is_live"),
    )


def starts_ns(info: Mapping[str, Any]) -> int | None:
    """Return when a broadcast begins, Unix time in ns, where the site tells."""
    return _ns(info.get("release_timestamp"))


def _text(value: object) -> str | None:
    return clean_text(value) or None if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _ns(seconds: object) -> int | None:
    if not isinstance(seconds, int | float) or not 0 < seconds < 2**63 / NS_PER_SECOND:
        return None
    return round(seconds * NS_PER_SECOND)


def _date(info: Mapping[str, Any]) -> str | None:
    digits = str(info.get("upload_date") or "")
    try:
        if digits:
            return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date().isoformat()
        seconds = info.get("timestamp")
        return datetime.fromtimestamp(seconds, UTC).date().isoformat() if isinstance(seconds, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None

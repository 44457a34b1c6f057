"""What `pressroom perceive --score-only` tells: who is there, how well they are shown, and who is the player."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import typer

from flows._plan import is_current, study_videos
from flows._stages import video_parts
from flows._study import Study
from schema.arrow import PLAYERS, QUALITY
from schema.people import Quality, TrackRole
from schema.people_rows import quality_from_rows, roles_from_rows
from schema.records import VideoRecord

COLUMNS = {
    "person": "person",
    "role": "role",
    "confidence": "sure",
    "kept": "kept",
    "tracks": "tracks",
    "seconds": "seconds",
    "height_px": "px tall",
    "sharpness": "sharp",
    "facing_share": "facing",
    "hidden_share": "hidden",
    "frozen_share": "frozen",
    "inset_share": "inset",
}
"""Facts of a person, and the words above them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A track with its measurements."""

    role: TrackRole
    quality: Quality


def tell_scores(study: Study, *, as_json: bool) -> None:
    """Print a row for each person of each video that was scored."""
    videos = {video.video_id: list(_people(study, video)) for video in study_videos(study) if _is_scored(study, video)}
    if as_json:
        typer.echo(json.dumps(videos, indent=1))
        return
    for video_id, people in videos.items():
        typer.echo(f"{video_id}: {len(people)} people" if people else f"{video_id}: nobody was followed")
        if people:
            typer.echo("  " + "  ".join(f"{words:>9}" for words in COLUMNS.values()))
        for person in people:
            typer.echo("  " + "  ".join(f"{_words(person[name]):>9}" for name in COLUMNS))
            typer.echo(f"            {person['reason']}")


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 10 else f"{value:.2f}"
    return "-" if value is None else str(value)


def _is_scored(study: Study, video: VideoRecord) -> bool:
    parts = video_parts(study, video)
    return is_current(study, parts[PLAYERS.name]) and is_current(study, parts[QUALITY.name])


def _people(study: Study, video: VideoRecord) -> Iterator[dict[str, object]]:
    parts = video_parts(study, video)
    roles, measured = (study.store.read_part(s, video.video_id, parts[s.name].digest) for s in (PLAYERS, QUALITY))
    qualities = {quality.track_number: quality for quality in quality_from_rows(measured)}
    people: dict[tuple[int, str], list[_Shown]] = {}
    for role in roles_from_rows(roles):
        shown = _Shown(role=role, quality=qualities[role.track_number])
        people.setdefault((role.person_number, role.role), []).append(shown)
    for key in sorted(people):
        yield _facts(people[key])


def _facts(tracks: list[_Shown]) -> dict[str, object]:
    """Say of a person's tracks of one role what they come to; shares are means over the tracks."""
    first = tracks[0].role
    facing = [one.quality.facing_share for one in tracks if one.quality.facing_share is not None]
    shares = ("height_px", "sharpness", "hidden_share", "frozen_share", "inset_share")
    return {
        "person": first.person_number,
        "role": first.role.value,
        "confidence": first.confidence,
        "kept": any(one.role.kept for one in tracks),
        "tracks": len(tracks),
        "seconds": sum(one.role.seconds for one in tracks),
        "facing_share": fmean(facing) if facing else None,
        **{name: fmean(getattr(one.quality, name) for one in tracks) for name in shares},
        "reason": first.reason,
    }

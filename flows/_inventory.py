"""What the study's parts hold, remembered by their files, so that the status of thousands of videos is a listing."""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows._plan import asked_candidates, asks_for_players, disposed_videos, is_current
from flows._stages import Part, perception_stages, segments_part, video_parts
from flows._study import Study
from schema.arrow import CANDIDATES, PLAYERS, TRACKS, TableSpec
from schema.errors import StoreFullError
from schema.files import replace_text
from schema.people import Role
from schema.records import VideoRecord

FILE = "parts-2.json"
"""Below work/tables, beside the rows of recorded tables that were parsed before; may be deleted at will."""
_TOLD: dict[str, list[str]] = {
    TRACKS.name: ["track_number"],
    PLAYERS.name: ["track_number", "role", "kept"],
    CANDIDATES.name: ["candidate_id", "track_number"],
}
"""Columns whose values are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one part holds; its file never changes, and a file that was made anew has another time."""

    byte_count: int
    changed_ns: int
    row_count: int
    dropped: dict[str, int]
    """How many items its stage dropped, by reason."""
    ids: list[str]
    """Tracks of *tracks*, their roles in *players*, questions of *candidates* with their tracks."""


@dataclass(slots=True, kw_only=True)
class Inventory:
    """Everything that was made and is current."""

    rows: Counter[str] = field(default_factory=Counter)
    """Rows by table."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Items that were dropped, by reason."""
    tracks: int = 0
    """People who were followed."""
    candidates_to_push: int = 0
    """Candidates that were never asked, of videos that are there to cut a clip from."""
    candidates_on_hold: int = 0
    """Candidates that wait until somebody says who is the player."""
    roles: Counter[str] = field(default_factory=Counter)
    """Tracks by role."""


def take_inventory(study: Study, videos: Iterable[VideoRecord]) -> Inventory:
    """Count what the current parts of the videos, and of the study, hold.

    A part is read once: what it holds is remembered in a file. The first inventory of a large study takes a while.
    """
    videos = list(videos)
    found, remembered = Inventory(), _Remembered(study)
    asked = asked_candidates(study)
    gone = disposed_videos(study)
    asks = asks_for_players(study)
    for video in videos:
        parts = video_parts(study, video)
        undecided: frozenset[str] = frozenset()
        for spec in (*perception_stages(study.config), CANDIDATES):
            part = parts[spec.name]
            if not is_current(study, part):
                continue
            held = remembered.held(part)
            _count(found, spec, held)
            if spec is PLAYERS and asks:
                undecided = frozenset(track for track, role, kept in map(str.split, held.ids) if _waits(role, kept))
            if spec is CANDIDATES and video.video_id not in gone:
                _count_questions(found, held, asked=asked, undecided=undecided)
    segments = segments_part(study, videos)
    if is_current(study, segments):
        _count(found, segments.spec, remembered.held(segments))
    remembered.save()
    return found


def _count(found: Inventory, spec: TableSpec, held: Held) -> None:
    found.rows[spec.name] += held.row_count
    found.dropped.update(held.dropped)
    found.tracks += len(held.ids) if spec is TRACKS else 0
    if spec is PLAYERS:
        found.roles.update(name.split()[1] for name in held.ids)


def _waits(role: str, kept: str) -> bool:
    return role == Role.UNDECIDED and kept == str(True)


def _count_questions(found: Inventory, held: Held, *, asked: set[str], undecided: frozenset[str]) -> None:
    for name in held.ids:
        candidate_id, _, track = name.partition(" ")
        waits = track in undecided
        found.candidates_to_push += candidate_id not in asked and not waits
        found.candidates_on_hold += candidate_id not in asked and waits


class _Remembered:
    """The file of what parts hold."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._path = study.layout.work / "tables" / FILE
        self._known: dict[str, Held] = {}
        self._used: dict[str, Held] = {}
        with suppress(OSError, ValueError, TypeError, AttributeError):  # it is made anew where it can't be read
            document: dict[str, dict[str, Any]] = json.loads(self._path.read_text(encoding="ascii"))
            self._known = {name: Held(**row) for name, row in document.items()}

    def held(self, part: Part) -> Held:
        """Return what a part on disk holds."""
        path = self._study.store.part_path(part.spec, part.key, part.digest)
        name, state = f"{part.spec.name}/{path.name}", path.stat()
        known = self._known.get(name)
        if known is None or (known.byte_count, known.changed_ns) != (state.st_size, state.st_mtime_ns):
            known = self._read(part, path)
        self._used[name] = known
        return known

    def _read(self, part: Part, path: Path) -> Held:
        state = path.stat()
        summary = self._study.store.summary(part.spec, part.key, part.digest)
        columns = _TOLD.get(part.spec.name)
        ids: set[str] = set()
        if columns:
            rows = self._study.store.read_part(part.spec, part.key, part.digest, columns=columns)
            ids = {" ".join(map(str, row)) for row in zip(*(rows[c].to_pylist() for c in columns), strict=True)}
        return Held(
            byte_count=state.st_size,
            changed_ns=state.st_mtime_ns,
            row_count=summary.row_count,
            dropped=dict(Counter(lost.reason.value for lost in summary.dropped)),
            ids=sorted(ids),
        )

    def save(self) -> None:
        """Write what was used, unless it is what the file holds."""
        if self._used == self._known:
            return
        with suppress(OSError, StoreFullError):  # a status is told of a full or read-only disk, too
            replace_text(self._path, json.dumps({name: asdict(held) for name, held in self._used.items()}))

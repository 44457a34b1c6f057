"""Tombstones: which videos left the study, why, and by what a later collection knows them again.

A tombstone holds keyed hashes, numbers, and words without a name. What finds copies of the recording, its fingerprint,
is in it too, sealed with the study's key.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from collectors.base import SourceEntry
from collectors.facts import Facts
from collectors.manners import site_of
from flows._leases import waited_lease
from flows._opt_outs import OptOutList, sources_of_opted_out_places
from flows._sealed import seal, unseal
from flows._study import Study
from releases.errata import held_of
from schema.arrow import DUPLICATES, FINGERPRINTS, IMPORTED_VIDEOS, LISTINGS, SOURCES, VIDEOS, WITHDRAWALS
from schema.privacy import make_video_id
from schema.records import SourceId, VideoId
from schema.rows import Row, table_of
from schema.tables import STUDY_KEY

COPY = "copy"
"""Link of a duplicate that shows the same recording, in the table duplicates; and why such a one is withdrawn later."""
BEGUN, DONE = "begun", "done"
"""States of a withdrawal: erasure may have stopped anywhere, or nothing is left to erase."""
SHORTEST_TELLING = 6
"""A native id from this length on, with a digit in it, is looked for in other links: "index" is in many by chance."""
_RELEASE = re.compile(r".+-\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What stays of a withdrawn video."""

    video_id: VideoId
    cause: str
    """`requested`, `opted_out`, `vanished` or `copy`."""
    withdrawn_ns: int
    state: str | None
    """`begun` or `done`; None where a version of pressroom withdrew it that erased nothing."""
    reason: str | None
    source_ids: tuple[str, ...] | None
    content_id: str | None
    """Id that a local file of the same content would have."""
    segment_count: int | None
    """Segments of it in the one earlier release that has most."""
    fingerprint: bytes | None
    """Its part of *fingerprints* as a file, sealed (``flows._sealed``); None where none was made."""


def tombstones(study: Study) -> dict[VideoId, Tombstone]:
    """Return every tombstone by video id: its newest row, with the sources and fingerprint of all its rows."""
    found: dict[VideoId, Tombstone] = {}
    for row in study.store.read(WITHDRAWALS).to_pylist():
        stone = Tombstone(**row)
        before = found.get(stone.video_id)
        if before is not None:
            sources = tuple(sorted({*(before.source_ids or ()), *(stone.source_ids or ())}))
            stone = replace(stone, source_ids=sources, fingerprint=stone.fingerprint or before.fingerprint)
        found[stone.video_id] = stone
    return found


def withdrawn_videos(study: Study) -> frozenset[VideoId]:
    """Return the videos that were withdrawn, also where the erasure is not done yet."""
    return frozenset(VideoId(video_id) for video_id in study.store.read(WITHDRAWALS)["video_id"].to_pylist())


def withdrawn_sources(study: Study) -> frozenset[str]:
    """Return the sources that are known to lead to withdrawn videos: none of them is asked any more."""
    lists = study.store.read(WITHDRAWALS)["source_ids"].to_pylist()
    return frozenset(source_id for source_ids in lists for source_id in source_ids or ())


def withdrawn_content(study: Study, sha256: str) -> VideoId | None:
    """Return the withdrawn video whose file had this content; None where there is none."""
    content_id = make_video_id(study.key, "file", sha256)
    rows = study.store.read(WITHDRAWALS).select(["video_id", "content_id"]).to_pylist()
    return next((VideoId(r["video_id"]) for r in rows if content_id in (r["content_id"], r["video_id"])), None)


def withdrawn_fingerprints(study: Study) -> dict[VideoId, pa.Table]:
    """Return the fingerprints of withdrawn videos, rows of *fingerprints*."""
    found: dict[VideoId, pa.Table] = {}
    for stone in tombstones(study).values():
        if stone.fingerprint:
            with pq.ParquetFile(pa.BufferReader(unseal(stone.fingerprint, key=study.key))) as file:
                found[stone.video_id] = file.read()
    return found


def withdrawn_segments(study: Study) -> int:
    """Count the segments of earlier releases that were withdrawn: of each video as many as the fullest release has."""
    return sum(stone.segment_count or 0 for stone in tombstones(study).values())


def unfinished(study: Study) -> list[Tombstone]:
    """List the withdrawals whose erasure is not done."""
    return [stone for stone in tombstones(study).values() if stone.state != DONE]


def begin(study: Study, video_ids: Iterable[str], *, cause: str, reason: str | None = None) -> list[VideoId]:
    """Write the tombstones of videos that have none, or none that tells all; returns the videos that had none.

    They hold what the erasure will take away and a later collection needs. From here on the videos take no part in
    anything; ``flows._withdraw`` erases them.
    """
    wanted = {VideoId(video_id) for video_id in video_ids}
    with waited_lease(study.layout, "withdraw", STUDY_KEY):
        known = tombstones(study)
        new = sorted(wanted - known.keys())
        bare = sorted(v for v in wanted & known.keys() if known[v].state is None)
        facts = _Facts(study, {*new, *bare}) if new or bare else None
        rows = [facts.row(video_id, cause=cause, reason=reason) for video_id in new] if facts else []
        rows += [facts.row(v, cause=known[v].cause, reason=known[v].reason) for v in bare] if facts else []
        study.store.append(WITHDRAWALS, table_of(WITHDRAWALS, rows))
    return new


def begin_again(study: Study, video_ids: Iterable[str]) -> None:
    """Mark withdrawals as begun that are done: what came back since, from a backup say, is erased once more."""
    known = tombstones(study)
    done = [known[VideoId(video_id)] for video_id in sorted(set(video_ids)) if known[VideoId(video_id)].state == DONE]
    again = _Facts(study, {stone.video_id for stone in done})
    _append(study, [replace(s, state=BEGUN, source_ids=again.sources_of(s)) for s in done])


def mark_done(study: Study, stones: Iterable[Tombstone]) -> None:
    """Record that nothing is left of these videos."""
    newest = tombstones(study)
    _append(study, [replace(newest[stone.video_id], state=DONE) for stone in stones])


def note_source(study: Study, video_id: VideoId, source_id: str) -> None:
    """Remember another source that leads to a withdrawn video, so that it is asked but once."""
    with waited_lease(study.layout, "withdraw", STUDY_KEY):
        stone = tombstones(study)[video_id]
        if source_id not in (stone.source_ids or ()):
            _append(study, [replace(stone, source_ids=(*(stone.source_ids or ()), source_id))])


def _append(study: Study, stones: Iterable[Tombstone]) -> None:
    """Add newer rows of known tombstones: the fingerprint stands in the first."""
    rows = [asdict(stone) | {"fingerprint": None} for stone in stones]
    study.store.append(WITHDRAWALS, table_of(WITHDRAWALS, rows))


class _Facts:
    """What tombstones keep of some videos, read once for all of them."""

    def __init__(self, study: Study, video_ids: set[VideoId]) -> None:
        self._study = study
        self._video_ids = video_ids
        self._sources = source_ids_of(study, video_ids) if video_ids else {}
        videos = study.store.read(VIDEOS).select(["video_id", "sha256"]).to_pylist()
        self._sha256s = {row["video_id"]: row["sha256"] for row in videos}
        self._segments = _segment_counts(study, video_ids) if video_ids else {}

    def sources_of(self, stone: Tombstone) -> tuple[str, ...]:
        return tuple(sorted({*(stone.source_ids or ()), *self._sources.get(stone.video_id, ())}))

    def row(self, video_id: VideoId, *, cause: str, reason: str | None) -> Row:
        sha256 = self._sha256s.get(video_id)
        stone = Tombstone(
            video_id=video_id,
            cause=cause,
            withdrawn_ns=time.time_ns(),
            state=BEGUN,
            reason=reason,
            source_ids=tuple(sorted(self._sources.get(video_id, ()))),
            content_id=make_video_id(self._study.key, "file", sha256) if sha256 else None,
            segment_count=self._segments.get(video_id, 0),
            fingerprint=self._fingerprint(video_id),
        )
        return asdict(stone)

    def _fingerprint(self, video_id: VideoId) -> bytes | None:
        store = self._study.store
        for name in store.parts(FINGERPRINTS):
            if name.key == video_id and store.summary(FINGERPRINTS, name.key, name.digest).row_count:
                content = store.part_path(FINGERPRINTS, name.key, name.digest).read_bytes()
                return seal(content, key=self._study.key)
        return None


def source_ids_of(study: Study, video_ids: Iterable[str]) -> dict[VideoId, set[str]]:
    """Return the sources that lead to each of some videos: those that gave it, and listed links with its native id."""
    wanted = set(video_ids)
    found: dict[VideoId, set[str]] = {}
    natives: dict[tuple[str, str], VideoId] = {}
    for row in study.store.read(SOURCES).to_pylist():
        if row["video_id"] in wanted:
            found.setdefault(VideoId(row["video_id"]), set()).add(row["source_id"])
            if row["platform"] != "file" and is_telling(row["native_id"]):
                natives[row["native_id"], site_of(row["location"])] = VideoId(row["video_id"])
    if natives:
        pattern = whole_words(native_id for native_id, _ in natives)
        for row in study.store.read(LISTINGS).select(["source_id", "location"]).to_pylist():
            match = pattern.search(row["location"])
            video_id = natives.get((match[0], site_of(row["location"]))) if match else None
            if video_id:
                found.setdefault(video_id, set()).add(row["source_id"])
    return found


def is_telling(native_id: str) -> bool:
    """Tell whether text that holds a native id is about its video, and does not hold it by chance."""
    return len(native_id) >= SHORTEST_TELLING and any(c.isdigit() for c in native_id)


def whole_words(words: Iterable[str]) -> re.Pattern[str]:
    """Match any of the words where it does not go on: ``talk-1`` is not in ``talk-10``."""
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")


def release_folders(study: Study) -> list[Path]:
    """List every release below the study's folder, whatever its name, by folder name."""
    folder = study.layout.releases
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path.is_dir() and _RELEASE.fullmatch(path.name))


def _segment_counts(study: Study, video_ids: set[VideoId]) -> dict[str, int]:
    most: Counter[str] = Counter()
    for release in release_folders(study):
        most |= Counter(held_of(release, video_ids).segments.values())
    return most


def is_known_video(study: Study, video_id: str) -> bool:
    """Tell whether the study has, had or imported a video of that id."""
    tables = (VIDEOS, SOURCES, IMPORTED_VIDEOS, WITHDRAWALS)
    return any(video_id in study.store.read(spec)["video_id"].to_pylist() for spec in tables)


def opted_out_videos(study: Study, opt_outs: OptOutList, *, people: Mapping[str, str]) -> set[str]:
    """Return the videos that the list forbids, with the other copies of them that the study has found.

    A withdrawal is final, so that a family name alone in a title is not enough for it.
    """
    places = sources_of_opted_out_places(study, opt_outs)
    found = {
        row["video_id"]
        for row in study.store.read(SOURCES).to_pylist()
        if row["source_id"] in places or _is_opted_out(row, opt_outs, people)
    }
    return with_copies(study, found) if found else found


def _is_opted_out(row: Row, opt_outs: OptOutList, people: Mapping[str, str]) -> bool:
    entry = SourceEntry(
        source_id=SourceId(row["source_id"]),
        location=row["location"],
        person_id=people.get(row["video_id"], row["person_id"]),
    )
    links = (row["channel_links"] or "").split()
    facts = Facts(title=row["title"], channel=row["channel"], channel_links=tuple(links))
    told = opt_outs.forbids(entry, facts, platform=row["platform"], native_id=row["native_id"], certainly=True)
    return told is not None


def with_copies(study: Study, video_ids: set[str]) -> set[str]:
    """Add the copies of the videos: the same recording under another link is the same person's wish."""
    parts = [name for name in study.store.parts(DUPLICATES) if name.key == STUDY_KEY]
    rows = [row for name in parts for row in study.store.read_part(DUPLICATES, name.key, name.digest).to_pylist()]
    pairs = [{row["video_id"], row["kept_video_id"]} for row in rows if row["link"] == COPY]
    found: set[str] = set(video_ids)
    while True:
        more = {video_id for pair in pairs if pair & found for video_id in pair - found}
        if not more:
            return found
        found |= more

"""By which ids and words a study names the videos that are withdrawn: what the erasure looks for."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flows._study import Study
from flows._withdrawals import is_telling, source_ids_of, tombstones, whole_words
from schema.arrow import (
    ANNOTATIONS,
    CANDIDATES,
    IMPORTED_SEGMENTS,
    IMPORTED_SOURCES,
    LISTINGS,
    PLAYER_ANSWERS,
    PLAYER_QUESTIONS,
    SEGMENTS,
    SOURCES,
    TASKS,
    VIDEOS,
    TableKind,
    TableSpec,
)
from schema.records import VideoId
from schema.rows import Row

SHORTEST_TITLE = 12
"""A title or name from this length on is looked for in logs and tracebacks; a shorter one is in them by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """Everything that names some videos, as far as it is not erased yet."""

    video_ids: frozenset[str]
    source_ids: frozenset[str]
    question_ids: frozenset[str]
    """Candidates, and questions of every kind about the videos."""
    segment_ids: frozenset[str]
    sha256s: frozenset[str]
    """Files of theirs that no other video has."""
    texts: frozenset[str]
    """Links and paths, and those native ids, titles and file names that are long enough to tell."""

    @property
    def ids(self) -> frozenset[str]:
        """Every id, of whatever kind: no two kinds share one."""
        return self.video_ids | self.source_ids | self.question_ids | self.segment_ids

    @property
    def id_pattern(self) -> re.Pattern[str]:
        """Match any id or digest, which nothing holds by chance."""
        return re.compile("|".join(sorted(self.ids | self.sha256s)))

    @property
    def pattern(self) -> re.Pattern[str]:
        """Match any id, digest or text, in a line of a log or a traceback."""
        texts = f"|{whole_words(self.texts).pattern}" if self.texts else ""
        return re.compile(self.id_pattern.pattern + texts)


def doomed_of(study: Study, video_ids: Iterable[str]) -> Doomed:
    """Gather what names the videos, which have tombstones."""
    wanted = {VideoId(video_id) for video_id in video_ids}
    known = tombstones(study)
    noted = {source_id for video_id in wanted for source_id in known[video_id].source_ids or ()}
    found = source_ids_of(study, wanted).values()
    sources = noted.union(*found)
    files = {row["sha256"]: set[str]() for row in _rows(study, VIDEOS, wanted)}
    for row in study.store.read(VIDEOS).select(["video_id", "sha256"]).to_pylist():
        if row["sha256"] in files:
            files[row["sha256"]].add(row["video_id"])
    questions = frozenset(_question_ids(study, wanted))
    return Doomed(
        video_ids=frozenset(wanted),
        source_ids=frozenset(sources),
        question_ids=questions,
        # a segment has its question's digits (annotation.answers.adjudicate): its own table may be erased already
        segment_ids=frozenset(_segment_ids(study, wanted)) | {f"g{question_id[1:]}" for question_id in questions},
        sha256s=frozenset(sha256 for sha256, holders in files.items() if holders <= wanted),
        texts=frozenset(_texts(study, wanted, sources)),
    )


def _rows(study: Study, spec: TableSpec, video_ids: set[VideoId]) -> list[Row]:
    """Return the rows about the videos: of a recorded table, or of any part of a derived one, current or not."""
    if spec.kind is TableKind.RECORDED:
        rows = study.store.read(spec).to_pylist()
    else:
        names = study.store.parts(spec)
        whole = (study.store.read_part(spec, n.key, n.digest) for n in names if n.key in {*video_ids, "study"})
        rows = [row for table in whole for row in table.to_pylist()]
    return [row for row in rows if row["video_id"] in video_ids]


def _question_ids(study: Study, video_ids: set[VideoId]) -> Iterator[str]:
    for spec in (TASKS, ANNOTATIONS):
        for row in _rows(study, spec, video_ids):
            yield row["candidate_id"]
            if row["about"]:
                yield row["about"]
    yield from (row["candidate_id"] for row in _rows(study, CANDIDATES, video_ids))
    for spec in (PLAYER_QUESTIONS, PLAYER_ANSWERS):
        yield from (row["question_id"] for row in _rows(study, spec, video_ids))


def _segment_ids(study: Study, video_ids: set[VideoId]) -> Iterator[str]:
    for spec in (SEGMENTS, IMPORTED_SEGMENTS):
        yield from (row["segment_id"] for row in _rows(study, spec, video_ids))


def _texts(study: Study, video_ids: set[VideoId], source_ids: set[str]) -> Iterator[str]:
    told = _rows(study, SOURCES, video_ids)
    told += [row for row in study.store.read(LISTINGS).to_pylist() if row["source_id"] in source_ids]
    told += _rows(study, IMPORTED_SOURCES, video_ids)
    for row in told:
        yield row["location"]
        names = (row.get("native_id") or "", Path(row["location"]).name, row.get("title") or "")
        yield from (name for name in names if is_telling(name) or len(name) >= SHORTEST_TITLE)

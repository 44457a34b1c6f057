"""What a withdrawal erases of a study's own files and tables; every step can be repeated after a kill."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from annotation.pages.player_questions import PICTURES_FOLDER
from annotation.pages.tasks import CLIPS_FOLDER
from flows._doomed import Doomed
from flows._identity import REVIEW_FILE
from flows._study import Study
from flows._withdrawals import COPY
from media.store import MediaStore
from schema.arrow import (
    DUPLICATES,
    IDENTITIES,
    PLAYER_QUESTIONS,
    RUNS,
    SEGMENTS,
    TABLES,
    TASKS,
    WITHDRAWALS,
    TableKind,
    TableSpec,
)
from schema.rows import Row, table_of
from schema.tables import STUDY_KEY

ID_COLUMNS = ("video_id", "source_id", "candidate_id", "question_id", "segment_id", "about", "key")
"""Columns of recorded tables that hold an id of a video, or of something of it; ``key`` is that of *runs*."""
_SERVED = re.compile(r"(?P<id>.+?)(-[0-9a-f]{12}.*)?\.(mp4|jpg)")


@dataclass(slots=True, kw_only=True)
class Erased:
    """What one call erased, by kind."""

    files: Counter[str] = field(default_factory=Counter)
    """Files by folder."""
    byte_count: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    """Rows by recorded table."""
    tasks: int = 0
    """Tasks of the review server, with their answers."""
    server_rows: int = 0
    """Rows of Prefect's database, and what else the review server's held."""
    log_lines: int = 0
    models: list[str] = field(default_factory=list)
    """Seed models that had learned from the videos."""
    stays: list[str] = field(default_factory=list)
    """What could not be erased from here, in words."""

    def delete(self, path: Path, *, kind: str) -> None:
        """Delete a file, and count it where it was there."""
        with suppress(FileNotFoundError):
            byte_count = path.stat().st_size
            path.unlink()
            self.files[kind] += 1
            self.byte_count += byte_count


def erase_files(study: Study, doomed: Doomed, erased: Erased) -> None:
    """Delete the videos, what was made of them, what is served and drawn of them, and what lies in work/."""
    layout = study.layout
    for sha256 in sorted(doomed.sha256s & MediaStore(layout).digests()):
        erased.byte_count += MediaStore(layout).remove(sha256)
        erased.files["media"] += 1
    for folder, path in _derived_files(study, doomed.video_ids):
        erased.delete(path, kind=folder)
    for path in _named(layout.previews, doomed.video_ids):
        erased.delete(path, kind="previews")
    for path in _served(study, doomed):
        erased.delete(path, kind="served")
    for path in _named(layout.work, doomed.video_ids | doomed.source_ids):
        erased.delete(path, kind="work")
    for path in sorted((layout.work / "tables").glob("parts-*.json")):  # made anew by the next status
        erased.delete(path, kind="work")
    for path in sorted(layout.reports.rglob("*")):
        if path.is_file() and doomed.pattern.search(path.read_text(encoding="utf-8", errors="replace")):
            erased.delete(path, kind="reports")


def _derived_files(study: Study, video_ids: frozenset[str]) -> Iterator[tuple[str, Path]]:
    for spec in TABLES.values():
        if spec.kind is TableKind.DERIVED:
            folder = study.layout.table(spec)
            yield from ((spec.name, path) for path in _named(folder, video_ids))
            if spec in (SEGMENTS, IDENTITIES):
                yield from ((spec.name, path) for path in _named(folder, {STUDY_KEY}))


def _named(folder: Path, names: Iterable[str]) -> list[Path]:
    """List the files of a folder whose name begins with one of the names, also those that a killed writer left."""
    wanted = frozenset(names)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [p for p in found if p.is_file() and re.split(r"[.-]", p.name.lstrip("."), maxsplit=1)[0] in wanted]


def _served(study: Study, doomed: Doomed) -> Iterator[Path]:
    """Yield clips and pictures of the videos' questions, and those that no recorded question has: a killed push's."""
    clips, pictures = (TASKS, "candidate_id", CLIPS_FOLDER), (PLAYER_QUESTIONS, "question_id", PICTURES_FOLDER)
    for spec, column, folder in (clips, pictures):
        recorded = set(study.store.read(spec)[column].to_pylist())
        for path in sorted((study.layout.served / folder).glob("*")):
            match = _SERVED.fullmatch(path.name.lstrip("."))
            if path.is_file() and (match is None or match["id"] in doomed.question_ids or match["id"] not in recorded):
                yield path


def rewrite_duplicates(study: Study, video_ids: frozenset[str]) -> None:
    """Take the videos out of the study's part *duplicates*, which stays until the next comparison replaces it.

    Deleted instead, the videos of one event would be free to fall into two splits until then. An event whose first
    video goes is named by the next.
    """
    for name in study.store.parts(DUPLICATES):
        rows = study.store.read_part(DUPLICATES, name.key, name.digest).to_pylist()
        kept = list(_without(rows, video_ids))
        if kept != rows:
            facts = study.store.summary(DUPLICATES, name.key, name.digest).facts
            study.store.write_part(DUPLICATES, name.key, name.digest, table_of(DUPLICATES, kept), facts=facts)


def _without(rows: Iterable[Row], video_ids: frozenset[str]) -> Iterator[Row]:
    first: dict[str, str] = {}
    for row in rows:
        if row["video_id"] in video_ids:
            continue
        if row["kept_video_id"] not in video_ids:
            yield row
        elif row["link"] != COPY:
            kept = first.setdefault(row["kept_video_id"], row["video_id"])
            if kept != row["video_id"]:
                yield row | {"kept_video_id": kept}


def erase_rows(study: Study, doomed: Doomed, erased: Erased) -> None:
    """Take the rows out of every recorded table but the tombstones; what tells of them goes last.

    *sources*, *videos* and *tasks* say which rows of the others are meant, so that they are purged after them.
    """
    for spec in reversed(TABLES.values()):
        if spec.kind is TableKind.RECORDED and spec is not WITHDRAWALS:
            gone = study.store.purge(spec, _keep(spec, doomed))
            if gone:
                erased.rows[spec.name] += gone


def _keep(spec: TableSpec, doomed: Doomed) -> Callable[[pa.Table], pa.Array]:
    columns = [name for name in ID_COLUMNS if name in spec.schema.names]
    ids = pa.array(sorted(doomed.ids), pa.string())
    words = doomed.pattern if spec is RUNS else None

    def keep(rows: pa.Table) -> pa.Array:
        kept = pa.repeat(True, rows.num_rows)
        for name in columns:
            kept = pc.and_(kept, pc.invert(pc.is_in(rows[name].combine_chunks(), value_set=ids)))
        if words:
            told = [words.search(detail) is None for detail in rows["detail"].to_pylist()]
            kept = pc.and_(kept, pa.array(told, pa.bool_()))
        return kept

    return keep


def erase_review_rows(study: Study, doomed: Doomed, erased: Erased) -> None:
    """Take the videos out of private/review.csv, with what was answered about them."""
    path = study.layout.private / REVIEW_FILE
    if path.exists():
        from collectors.catalogue.review import forget_videos

        erased.rows[REVIEW_FILE] += forget_videos(path, doomed.video_ids)


def erase_log_lines(path: Path, doomed: Doomed, erased: Erased) -> None:
    """Take the lines out of a server's log that name something of the videos.

    The file is written in place, as the server holds it open to append; a line that it writes meanwhile may be lost.
    """
    if not path.is_file():
        return
    words = doomed.pattern
    with path.open("r+", encoding="utf-8", errors="surrogateescape", newline="") as file:
        lines = file.readlines()
        kept = [line for line in lines if not words.search(line)]
        if len(kept) < len(lines):
            file.seek(0)
            file.writelines(kept)
            file.truncate()
            erased.log_lines += len(lines) - len(kept)

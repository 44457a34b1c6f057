"""Imported data sets as a release takes them: the rows of each one's newest import."""

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from flows._import_videos import StudyVideos
from flows._study import Study
from flows._withdrawals import withdrawn_videos
from releases.inputs import ImportedInputs
from schema.arrow import (
    IMPORTED_KEYPOINTS,
    IMPORTED_SEGMENTS,
    IMPORTED_SOURCES,
    IMPORTED_VIDEOS,
    IMPORTS,
    TableSpec,
)
from schema.errors import DamagedTableError, ItemError, UsageError
from schema.rows import Row, table_of
from schema.tables import digest_of

SHORTEST_TELLING = 6
"""A name or id of a recording from this length on tells which it is; shorter ones are in many words by chance."""
SHORTEST_NUMBER = 8
"""Digits alone tell from this length on."""
SHORTEST_NAME = 4
"""The name of a person, which has no digits."""
_OWN_ID = re.compile(r"[a-z][0-9a-f]{20}")


def current_imports(study: Study) -> dict[str, Row]:
    """Return the newest row of *imports* of each data set, by its name."""
    return {row["origin"]: row for row in study.store.read(IMPORTS).to_pylist()}


def current_rows(study: Study, spec: TableSpec) -> pa.Table:
    """Return the rows of a table that belong to the newest import of their data set, without withdrawn videos."""
    rows = study.store.read(spec)
    ids = [row["import_id"] for row in current_imports(study).values()]
    is_newest = pc.is_in(rows["import_id"], value_set=pa.array(ids, pa.string()))
    gone = pa.array(sorted(withdrawn_videos(study)), pa.string())
    return rows.filter(pc.and_(is_newest, pc.invert(pc.is_in(rows["video_id"], value_set=gone))))


def imported_inputs(study: Study) -> ImportedInputs | None:
    """Put together what was imported; None where nothing was.

    Labels of the study's own videos are put on the player who is followed today in the middle of them; where nobody is,
    they are left out.

    Raises ``UsageError`` where a data set has the labels of another taxonomy than the study's of today.
    """
    imports = current_imports(study)
    if not imports:
        return None
    for origin, row in imports.items():
        if row["taxonomy"] != study.taxonomy.name:
            raise UsageError(
                f"{origin} was imported with the classes of {row['taxonomy']}, and the study's are now those of "
                f"{study.taxonomy.name}: import it again, or set study.taxonomy back"
            )
    videos = current_rows(study, IMPORTED_VIDEOS)
    digests = dict(zip(videos["video_id"].to_pylist(), videos["keypoints_digest"].to_pylist(), strict=True))
    return ImportedInputs(
        segments=table_of(IMPORTED_SEGMENTS, _attached(study, digests)),
        videos=videos,
        keypoints_of=lambda video_id: imported_keypoints(study, video_id, digests[video_id]),
        licences={origin: row["licence"] for origin, row in imports.items()},
    )


def _attached(study: Study, imported: dict[str, str | None]) -> Iterator[Row]:
    videos: StudyVideos | None = None
    for row in current_rows(study, IMPORTED_SEGMENTS).to_pylist():
        if row["video_id"] in imported:
            yield row
            continue
        videos = videos or StudyVideos(study)
        if row["video_id"] not in videos:
            continue
        try:
            video = videos.by_id(row["video_id"])
            has_edges = row["start_ns"] is not None and row["end_ns"] is not None
            middle_ns = (row["start_ns"] + row["end_ns"]) // 2 if has_edges else video.frame_times.end_ns // 2
            yield row | {"track_number": video.player_at(middle_ns)}
        except ItemError:
            continue


def imported_keypoints(
    study: Study, video_id: str, digest: str | None, *, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read the keypoints of an imported recording, or some of their columns; none where it came without any.

    Raises ``DamagedTableError`` where their part is not there.
    """
    if digest is None:
        return IMPORTED_KEYPOINTS.schema.empty_table()
    if not study.store.has_part(IMPORTED_KEYPOINTS, video_id, digest):
        raise DamagedTableError(
            f"{IMPORTED_KEYPOINTS.name}: the part of {video_id} is not there; `pressroom import` of the same files "
            "makes it again"
        )
    return study.store.read_part(IMPORTED_KEYPOINTS, video_id, digest, columns=columns)


def imported_digest(study: Study) -> str:
    """Digest what a release would take of the imported data sets, without reading keypoints."""
    imports = current_imports(study)
    if not imports:
        return ""
    videos = current_rows(study, IMPORTED_VIDEOS).drop_columns(["import_id"])
    segments = current_rows(study, IMPORTED_SEGMENTS).drop_columns(["import_id"])
    licences = {origin: row["licence"] for origin, row in imports.items()}
    return digest_of({"licences": licences, "videos": videos.to_pylist(), "segments": segments.to_pylist()})


def imported_forbidden(study: Study) -> frozenset[str]:
    """Return the names, ids and paths of imported recordings that tell which they are: a release must not hold them.

    Plain numbers such as 0001 are in every text; so are names of classes, and this project's own ids.
    """
    words = {text.casefold() for gesture in study.taxonomy for text in (gesture.class_id, gesture.name)}
    found: set[str] = set()
    for row in study.store.read(IMPORTED_SOURCES).to_pylist():
        found.add(row["location"])
        found.update(text for text in (row["native_id"],) if _is_telling(text))
        found.update(text for text in (row["native_subject"],) if text and (_is_telling(text) or _is_name(text)))
    return frozenset(text for text in found if text.casefold() not in words)


def _is_telling(text: str) -> bool:
    if _OWN_ID.fullmatch(text):
        return False
    return len(text) >= (SHORTEST_NUMBER if text.isdigit() else SHORTEST_TELLING)


def _is_name(text: str) -> bool:
    return len(text) >= SHORTEST_NAME and not any(character.isdigit() for character in text)

"""Rows of *quality*, *players* and *visibility*, and back."""

from collections.abc import Iterable
from dataclasses import asdict, fields

import numpy as np
import pyarrow as pa

from schema.arrow import PLAYERS, QUALITY, VISIBILITY
from schema.people import DecidedBy, Quality, Role, TrackRole, Visibility
from schema.records import Part, VideoId
from schema.rows import Row, table_of


def quality_to_rows(qualities: Iterable[Quality]) -> pa.Table:
    """Turn measurements into rows of *quality*."""
    return table_of(QUALITY, (_quality_row(quality) for quality in qualities))


def _quality_row(quality: Quality) -> Row:
    row = {f.name: getattr(quality, f.name) for f in fields(Quality)}
    return row | {"colors": None if quality.colors is None else quality.colors.tobytes()}


def quality_from_rows(table: pa.Table) -> list[Quality]:
    """Read measurements back."""
    return [_quality(row) for row in table.to_pylist()]


def _quality(row: Row) -> Quality:
    colors = row.pop("colors")
    return Quality(**row, colors=None if colors is None else np.frombuffer(colors, np.uint8))


def roles_to_rows(roles: Iterable[TrackRole]) -> pa.Table:
    """Turn decisions into rows of *players*."""
    return table_of(PLAYERS, (asdict(role) for role in roles))


def roles_from_rows(table: pa.Table) -> list[TrackRole]:
    """Read decisions back."""
    return [
        TrackRole(**row | {"role": Role(row["role"]), "decided_by": DecidedBy(row["decided_by"])})
        for row in table.to_pylist()
    ]


def visibilities_to_rows(visibilities: Iterable[Visibility]) -> pa.Table:
    """Turn shares of seen parts into rows of *visibility*."""
    return table_of(VISIBILITY, (_visibility_row(one) for one in visibilities))


def _part_column(part: Part) -> str:
    return f"{part.name.lower()}_share"


def _visibility_row(one: Visibility) -> Row:
    row = {f.name: getattr(one, f.name) for f in fields(Visibility) if f.name != "part_shares"}
    return row | {_part_column(part): one.part_shares[part] for part in Part}


def visibilities_from_rows(table: pa.Table) -> list[Visibility]:
    """Read shares of seen parts back."""
    return [
        Visibility(
            video_id=VideoId(row["video_id"]),
            track_number=row["track_number"],
            frame_count=row["frame_count"],
            part_shares=tuple(row[_part_column(part)] for part in Part),
            hands_share=row["hands_share"],
            both_hands_share=row["both_hands_share"],
        )
        for row in table.to_pylist()
    ]

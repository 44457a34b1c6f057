"""Keypoints that are there already: an answer about who is the player changes whose are wanted, not what they are."""

import json
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from flows._stages import Document, Part
from flows._study import Study
from schema.records import Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedBefore:
    """What an older part holds of each track."""

    rows: dict[int, pa.Table] = field(default_factory=dict)
    dropped: dict[int, Dropped] = field(default_factory=dict)


def estimated_before(study: Study, part: Part) -> EstimatedBefore:
    """Read the video's older keypoints, where they were made of the same tracks in the same way, for other people.

    What is estimated of one person does not depend on who else is (``KeypointEstimator``), so they are what would be
    made anew. Of a video whose work was given up nothing is.
    """
    for name in study.store.parts(part.spec):
        if name.key != part.key or name.digest == part.digest:
            continue
        summary = study.store.summary(part.spec, name.key, name.digest)
        if _without_players(json.loads(summary.facts["document"])) != _without_players(part.document):
            continue
        rows = study.store.read_part(part.spec, name.key, name.digest)
        numbers = pc.unique(rows["track_number"]).to_pylist()
        return EstimatedBefore(
            rows={number: rows.filter(pc.equal(rows["track_number"], number)) for number in numbers},
            dropped={
                track_of(lost): lost
                for lost in summary.dropped
                if lost.item_id.startswith(f"{part.key}/track") and lost.stage == part.spec.name
            },
        )
    return EstimatedBefore()


def track_of(lost: Dropped) -> int:
    """Return the number of the track that was dropped under ``<video>/track<n>``."""
    return int(lost.item_id.rpartition("/track")[2])


def _without_players(document: Document) -> Document:
    inputs = {name: digest for name, digest in document["inputs"].items() if name != "players"}
    return document | {"inputs": inputs}

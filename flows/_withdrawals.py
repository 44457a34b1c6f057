"""Videos that take no further part in the study: opted out after they were collected, or vanished at their source."""

import time
from collections.abc import Iterable

from collectors.base import SourceEntry
from collectors.facts import Facts
from flows._opt_outs import OptOutList
from flows._study import Study
from schema.arrow import SOURCES, WITHDRAWALS
from schema.records import SourceId, VideoId
from schema.rows import table_of


def withdrawn_videos(study: Study) -> frozenset[VideoId]:
    """Return the videos that were withdrawn."""
    return frozenset(VideoId(video_id) for video_id in study.store.read(WITHDRAWALS)["video_id"].to_pylist())


def withdraw(study: Study, video_ids: Iterable[str], *, cause: str) -> list[str]:
    """Record withdrawals, each once; returns the videos that were not withdrawn before."""
    new = sorted(set(video_ids) - withdrawn_videos(study))
    rows = [{"video_id": video_id, "cause": cause, "withdrawn_ns": time.time_ns()} for video_id in new]
    study.store.append(WITHDRAWALS, table_of(WITHDRAWALS, rows))
    return new


def withdraw_opted_out(study: Study, opt_outs: OptOutList, *, people: dict[str, str]) -> list[str]:
    """Apply the opt-out list to what is already there; ``people`` is who is in each video. Returns the new ones."""
    found = []
    for row in study.store.read(SOURCES).to_pylist():
        entry = SourceEntry(
            source_id=SourceId(row["source_id"]),
            location=row["location"],
            person_id=people.get(row["video_id"], row["person_id"]),
        )
        facts = Facts(title=row["title"], channel=row["channel"])
        if opt_outs.forbids(entry, facts):
            found.append(row["video_id"])
    return withdraw(study, found, cause="opted_out")

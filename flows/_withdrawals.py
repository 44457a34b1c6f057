"""Videos that take no further part in the study: opted out after they were collected, or vanished at their source."""

import time
from collections.abc import Iterable, Mapping

from collectors.base import SourceEntry
from collectors.facts import Facts
from flows._leases import waited_lease
from flows._opt_outs import OptOutList, sources_of_opted_out_places
from flows._study import Study
from schema.arrow import DUPLICATES, SOURCES, WITHDRAWALS
from schema.records import SourceId, VideoId
from schema.rows import Row, table_of
from schema.tables import STUDY_KEY

COPY = "copy"
"""Link of a duplicate that shows the same recording, in the table duplicates."""


def withdrawn_videos(study: Study) -> frozenset[VideoId]:
    """Return the videos that were withdrawn."""
    return frozenset(VideoId(video_id) for video_id in study.store.read(WITHDRAWALS)["video_id"].to_pylist())


def withdraw(study: Study, video_ids: Iterable[str], *, cause: str) -> list[str]:
    """Record withdrawals, each once; returns the videos that were not withdrawn before."""
    wanted = set(video_ids)
    if not wanted - withdrawn_videos(study):
        return []
    with waited_lease(study.layout, "withdraw", STUDY_KEY):
        new = sorted(wanted - withdrawn_videos(study))
        rows = [{"video_id": video_id, "cause": cause, "withdrawn_ns": time.time_ns()} for video_id in new]
        study.store.append(WITHDRAWALS, table_of(WITHDRAWALS, rows))
    return new


def withdraw_opted_out(study: Study, opt_outs: OptOutList, *, people: Mapping[str, str]) -> list[str]:
    """Apply the opt-out list to what is already there; ``people`` is who is in each video. Returns the new ones."""
    return withdraw(study, opted_out_videos(study, opt_outs, people=people), cause="opted_out")


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
    return _with_copies(study, found) if found else found


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


def _with_copies(study: Study, video_ids: set[str]) -> set[str]:
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

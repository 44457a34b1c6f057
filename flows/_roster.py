"""How many players each video shows, as the study declares its people."""

from flows._listing import known_entries
from flows._study import Study
from schema.arrow import SOURCES

_MEMO = "people declared, of sources of size"


def expected_players(study: Study, video_id: str) -> int:
    """Return how many players a video shows: as many people as its sources declare, ``players.expected`` at least.

    A video that two sources give to two people shows both.
    """
    return max(study.config.players.expected, _declared_counts(study).get(video_id, 0))


def _declared_counts(study: Study) -> dict[str, int]:
    """Count the people of videos that have several, remembered until a source is added."""
    memo = f"{_MEMO} {study.store.recorded_size(SOURCES)}"
    if memo not in study.parts:
        study.parts[memo] = _counted(study)
    return study.parts[memo]


def _counted(study: Study) -> dict[str, int]:
    rows = study.store.read(SOURCES).select(["source_id", "video_id", "person_id"]).to_pylist()
    people: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["person_id"]:
            people.setdefault(row["video_id"], {})[row["source_id"]] = row["person_id"]
    several = {video_id: found for video_id, found in people.items() if len(set(found.values())) > 1}
    if not several:
        return {}
    # a person that was corrected since is another one today; reading every source list takes a while
    today: dict[str, str | None] = {entry.source_id: entry.person_id for entry in known_entries(study)}
    return {
        video_id: len({today.get(source_id) or person for source_id, person in found.items()})
        for video_id, found in several.items()
    }

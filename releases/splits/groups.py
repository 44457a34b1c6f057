"""What belongs together: ids that are linked by any chain, and the recordings that copies and events make of videos."""

from collections.abc import Iterable


def groups_of(ids: Iterable[str], together: Iterable[Iterable[str]]) -> list[list[str]]:
    """Unite ids that are linked by any chain of groups.

    Args:
        ids: The ids; those of ``together`` that are not among them are passed over.
        together: Groups of ids, of any size.

    Returns:
        Groups by their first id, each sorted; every id is in just one.
    """
    ordered = sorted(set(ids))
    root = {name: name for name in ordered}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for linked in together:
        known = sorted(name for name in linked if name in root)
        for other in known[1:]:
            first, second = sorted((find(known[0]), find(other)))
            root[second] = first
    groups: dict[str, list[str]] = {}
    for name in ordered:
        groups.setdefault(find(name), []).append(name)
    return list(groups.values())


def recordings_of(video_ids: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give every video the first by id of all that show its recording or event, itself where it is alone.

    Args:
        video_ids: The videos.
        links: Pairs of videos that are copies or show one event; chains of them may lead through other videos.
    """
    links = list(links)
    known = {*video_ids, *(video_id for link in links for video_id in link)}
    return {video_id: group[0] for group in groups_of(known, links) for video_id in group}

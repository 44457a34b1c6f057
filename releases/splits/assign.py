"""Which subject is in train, val or test: disjoint by subject and by recording, and fixed once published."""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from releases.splits.config import SPLITS, SplitsConfig
from schema.errors import InvalidReleaseError

_FILL_ORDER = ("train", "test", "val")
"""Which split is served first among equally empty ones: with two subjects there is something to train and to test."""
_LOCK_LINE = re.compile(r"(?P<subject_id>s[0-9a-f]+) (?P<split>train|val|test)")


def assign_splits(
    segment_counts: Mapping[str, int],
    *,
    together: Iterable[Iterable[str]] = (),
    locked: Mapping[str, str] | None = None,
    config: SplitsConfig,
) -> dict[str, str]:
    """Give every subject one split.

    Subjects that an earlier release placed stay where they are. The others follow, those with most segments first
    (a hash of the id breaks ties), each to the split that is furthest below its wanted share. A lone subject is in
    ``train``: with one person there is nothing to hold out. The result does not depend on the order of the input.

    Args:
        segment_counts: Segments of each subject.
        together: Groups of subjects that appear in one recording, in copies of it or at one event, and must share a
            side; unknown ids are ignored.
        locked: Splits of earlier releases by subject.
        config: The wanted shares.

    Raises:
        InvalidReleaseError: Subjects of one recording or event are locked to different sides.
    """
    locked = locked or {}
    filled = dict.fromkeys(SPLITS, 0)
    assignment: dict[str, str] = {}
    waiting: list[list[str]] = []
    for group in _groups(sorted(segment_counts), together):
        sides = sorted({locked[subject] for subject in group if subject in locked})
        if len(sides) > 1:
            raise InvalidReleaseError(
                f"subjects {', '.join(group)} appear in one recording, its copies or one event, but earlier releases "
                f"put them in {' and '.join(sides)}: leave that recording out"
            )
        if sides:
            _place(group, sides[0], segment_counts, assignment, filled)
        else:
            waiting.append(group)
    for group in sorted(waiting, key=lambda g: (-sum(segment_counts[s] for s in g), _hash_of(g[0]))):
        _place(group, _emptiest(filled, config), segment_counts, assignment, filled)
    return dict(sorted(assignment.items()))


def _place(
    group: list[str], split: str, counts: Mapping[str, int], assignment: dict[str, str], filled: dict[str, int]
) -> None:
    for subject in group:
        assignment[subject] = split
        filled[split] += counts[subject]


def _emptiest(filled: Mapping[str, int], config: SplitsConfig) -> str:
    used = [split for split in _FILL_ORDER if config.shares[split] > 0]
    return min(used, key=lambda split: filled[split] / config.shares[split])


def _hash_of(subject_id: str) -> str:
    return sha256(subject_id.encode()).hexdigest()


def recordings_of(video_ids: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give every video the first by id of all that show its recording or event, itself where it is alone.

    Args:
        video_ids: The videos.
        links: Pairs of videos that are copies or show one event; chains of them may lead through other videos.
    """
    links = list(links)
    known = sorted({*video_ids, *(video_id for link in links for video_id in link)})
    return {video_id: group[0] for group in _groups(known, links) for video_id in group}


def _groups(subjects: list[str], together: Iterable[Iterable[str]]) -> list[list[str]]:
    """Unite ids that are linked by any chain of groups; the ids of a group keep their order."""
    root = {subject: subject for subject in subjects}

    def find(subject: str) -> str:
        while root[subject] != subject:
            subject = root[subject]
        return subject

    for linked in together:
        known = sorted(subject for subject in linked if subject in root)
        for other in known[1:]:
            first, second = sorted((find(known[0]), find(other)))
            root[second] = first
    groups: dict[str, list[str]] = {}
    for subject in subjects:
        groups.setdefault(find(subject), []).append(subject)
    return list(groups.values())


def read_splits_lock(path: Path) -> dict[str, str]:
    """Read the ``splits.lock`` of an earlier release; a file that is not there locks nobody.

    Raises ``InvalidReleaseError`` for a line that is not ``<subject id> <split>``.
    """
    if not path.exists():
        return {}
    locked: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="ascii", errors="replace").splitlines(), start=1):
        match = _LOCK_LINE.fullmatch(line)
        if match is None or match["subject_id"] in locked:
            raise InvalidReleaseError(f"{path}: line {number} is not a new '<subject id> <split>': restore the file")
        locked[match["subject_id"]] = match["split"]
    return locked


def splits_lock_text(assignment: Mapping[str, str]) -> str:
    """Write an assignment as the text of ``splits.lock``."""
    return "".join(f"{subject} {split}\n" for subject, split in sorted(assignment.items()))

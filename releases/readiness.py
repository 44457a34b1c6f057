"""For which of the field's five tasks a release suffices, and why not; the thresholds are pressroom's own.

iMiGUE-3K's abstract names the tasks: recognition (unsupervised, semi-supervised, supervised), retrieval and emotion.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import sqrt
from typing import Any

from releases.facts import TaskReadiness

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
LEARNED_FROM = 10
"""Segments of a class in train from which on it can be learned: with 10 % of the labels one is left."""
JUDGED_BY = 5
"""Segments of a class in the held-out split from which on its recall says something: one error is 20 points."""
FEWEST_CLASSES = 2
FEWEST_WINDOWS = 100
"""Windows without labels in train: fewer are no pre-training."""
FEWEST_OUTCOMES = 10
"""Held-out videos of each outcome: with 10 and 10 the 95 % interval of a coin's accuracy is 22 points either way."""


def readiness_of(segments: Rows, windows: Rows, videos: Rows, *, splits: Collection[str]) -> tuple[TaskReadiness, ...]:
    """Judge a release by its rows, all by split.

    Held out is ``test``, or ``val`` where there is no test. Segments that rest on scripts' answers alone, and movements
    that no class names, don't count.

    Args:
        segments: Rows of *segments*.
        windows: Rows of *unlabelled*.
        videos: Rows of *videos*.
        splits: Which splits there are.
    """
    held_out = next((split for split in ("test", "val") if split in splits), None)
    train = _classes(segments.get("train", ()))
    test = _classes(segments.get(held_out, ()) if held_out else ())
    judged = [c for c in sorted(train) if train[c] >= LEARNED_FROM and test[c] >= JUDGED_BY]
    window_count = len(windows.get("train", ()))
    missing = "" if held_out else "there is no held-out split: one known subject, or too few"
    told = f"{len(judged)} classes have {LEARNED_FROM} segments in train and {JUDGED_BY} held out"
    can_judge = missing or ("" if len(judged) >= FEWEST_CLASSES else f"{told}; {FEWEST_CLASSES} are needed")
    can_pretrain = (
        ""
        if window_count >= FEWEST_WINDOWS
        else f"{window_count} unlabelled windows in train; {FEWEST_WINDOWS} are needed"
    )
    return (
        _task("unsupervised", can_judge or can_pretrain, f"{window_count} unlabelled windows in train; {told}"),
        _task("semi-supervised", can_judge or can_pretrain, f"{told}; {window_count} unlabelled windows in train"),
        _task("supervised", can_judge, told),
        _retrieval(segments, held_out, missing),
        _emotion(videos, held_out, missing),
    )


def _task(task: str, lack: str, holds: str) -> TaskReadiness:
    return TaskReadiness(task=task, suffices=not lack, why=lack or holds)


def _classes(rows: Sequence[Row]) -> Counter[str]:
    return Counter(row["class_id"] for row in rows if row["class_id"] is not None and not row["scripted"])


def _retrieval(segments: Rows, held_out: str | None, missing: str) -> TaskReadiness:
    videos: defaultdict[str, set[str]] = defaultdict(set)
    for row in segments.get(held_out, ()) if held_out else ():
        if row["class_id"] is not None and not row["scripted"]:
            videos[row["class_id"]].add(row["video_id"])
    found = sum(len(seen) > 1 for seen in videos.values())
    told = f"{found} classes are held out in two videos or more"
    return _task("retrieval", missing or ("" if found >= FEWEST_CLASSES else f"{told}; {FEWEST_CLASSES} needed"), told)


def _emotion(videos: Rows, held_out: str | None, missing: str) -> TaskReadiness:
    def outcomes(split: str | None) -> Counter[str]:
        return Counter(row["match_outcome"] for row in videos.get(split or "", ()) if row["match_outcome"])

    train, test = outcomes("train"), outcomes(held_out)
    told = ", ".join(
        f"{counts['win']} wins and {counts['loss']} losses {where}"
        for counts, where in ((train, "in train"), (test, "held out"))
    )
    fewest = min(counts[outcome] for counts in (train, test) for outcome in ("win", "loss"))
    if missing or fewest < FEWEST_OUTCOMES:
        return _task("emotion", missing or f"{told}; {FEWEST_OUTCOMES} of each are needed", "")
    points = 100 * 1.96 * sqrt(0.25 / test.total())
    return _task("emotion", "", f"{told}; an accuracy has an interval of {points:.0f} points either way")

"""How well splits meet their shares, against whole people drawn by lot: ``python benchmarks/splits.py``.

The published training labels of iMiGUE (13,670 segments of 251 videos), given to made-up people, where their list is at
hand; and a synthetic study of 332 people. Mean absolute deviation from 70/15/15, percentage points, over five studies.
"""

import time
from dataclasses import fields

from releases.splits.plan import SplitRequest, plan_splits
from tests.releases.split_worlds import (
    IMIGUE_LABELS,
    Deviations,
    deviations,
    imigue_labels,
    populated,
    random_splits,
    synthetic_labels,
)

STUDIES = 5
LOTS = 10


def main() -> None:
    """Print one table a kind of study."""
    if IMIGUE_LABELS.exists():
        labels = imigue_labels()
        for people in (12, 37, 72):
            report(
                f"iMiGUE's labels, {people} people", [populated(labels, people=people, seed=n) for n in range(STUDIES)]
            )
    report(
        "synthetic, 332 people, 3,400 videos",
        [populated(synthetic_labels(3400, seed=n), people=332, seed=n) for n in range(STUDIES)],
    )


def report(name: str, requests: list[SplitRequest]) -> None:
    """Print how far the planned splits and those by lot are from the shares, and how long planning took."""
    started = time.perf_counter()
    plans = [plan_splits(request).assignment for request in requests]
    seconds = (time.perf_counter() - started) / len(requests)
    planned = [deviations(request, plan) for request, plan in zip(requests, plans, strict=True)]
    by_lot = [deviations(r, random_splits(r, seed=seed)) for r in requests for seed in range(LOTS)]
    print(f"{name}: {seconds:.2f} s a plan")
    for title, found in (("planned", planned), ("by lot", by_lot)):
        print(f"  {title:8}", "  ".join(f"{f.name} {mean(found, f.name):.2f}" for f in fields(Deviations)))


def mean(found: list[Deviations], name: str) -> float:
    """Average one of the deviations."""
    return sum(float(getattr(one, name)) for one in found) / len(found)


if __name__ == "__main__":
    main()

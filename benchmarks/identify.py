"""Precision and recall of who is in a video and how their match ended, on labelled titles; and the speed.

    python benchmarks/identify.py [--errors tune]

The titles are those of tests/data/titles.csv, with the results in tests/data/identify. A half of them, chosen by a
digest of the title, was held out while the rules were made (``held``). Precision is the share of the matcher's answers
that are right; recall is the share of the labels that it gave. The speed is that of 3,400 titles against 5,000 players.
"""

import argparse
import csv
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path

from collectors.catalogue.config import IdentifyConfig, MatchesConfig
from collectors.catalogue.identify import Catalogue, Described, Identity, Occasion, identify_videos
from collectors.catalogue.people import Person, read_players

DATA = Path(__file__).parents[1] / "tests" / "data"
TABLES = (
    MatchesConfig(path="results.csv"),
    MatchesConfig(path="invented_tour.csv", layout="sackmann", tour="atp"),
    MatchesConfig(path="invented_tour_women.csv", layout="sackmann", tour="wta"),
)
TITLES, PLAYERS = 3_400, 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A title and what is true of it."""

    half: str
    occasion: Occasion
    person: str | None
    outcome: str | None
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How often the matcher was right."""

    given: int
    right: int
    labels: int

    @property
    def precision(self) -> float:
        """Share of the answers that are right; 1 where none was given."""
        return self.right / self.given if self.given else 1.0

    @property
    def recall(self) -> float:
        """Share of the labels that were given."""
        return self.right / self.labels if self.labels else 1.0


def read_labels(path: Path = DATA / "titles.csv") -> list[Label]:
    """Read the labelled titles."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Label(
                half=row["half"],
                occasion=Occasion(
                    title=row["title"],
                    description=row["description"],
                    channel=row["channel"],
                    uploaded_on=date.fromisoformat(row["uploaded_on"]) if row["uploaded_on"] else None,
                ),
                person=row["person"] or None,
                outcome=row["outcome"] or None,
                about=row["about"],
            )
            for row in csv.DictReader(file)
        ]


def read_catalogue() -> Catalogue:
    """Read the players and results that the labels are about."""
    folder = DATA / "identify"
    return Catalogue.read(read_players(folder / "players.csv"), TABLES, study_folder=folder, config=IdentifyConfig())


def identified(labels: Iterable[Label]) -> list[tuple[Label, Identity]]:
    """Let the matcher answer each title on its own, as a nightly run would."""
    labels = list(labels)
    videos = [Described(video_id=f"v{number}", occasion=label.occasion) for number, label in enumerate(labels)]
    found = identify_videos(videos, catalogue=read_catalogue(), config=IdentifyConfig())
    return list(zip(labels, found, strict=True))


def measure(pairs: Iterable[tuple[str | None, str | None]]) -> Measure:
    """Compare answers with labels, each as (label, answer)."""
    pairs = list(pairs)
    return Measure(
        given=sum(answer is not None for _, answer in pairs),
        right=sum(answer is not None and answer == label for label, answer in pairs),
        labels=sum(label is not None for label, _ in pairs),
    )


def _tell(name: str, found: list[tuple[Label, Identity]]) -> None:
    for what, pairs in (
        ("person", [(label.person, answer.person_id) for label, answer in found]),
        ("outcome", [(label.outcome, answer.match_outcome) for label, answer in found]),
    ):
        one = measure(pairs)
        print(
            f"{name:5} {what:8} precision {one.right:3}/{one.given:3} = {one.precision:.3f}   "
            f"recall {one.right:3}/{one.labels:3} = {one.recall:.3f}"
        )


def _errors(found: list[tuple[Label, Identity]]) -> Iterator[str]:
    for label, answer in found:
        person, outcome = answer.person_id, answer.match_outcome
        if (person, outcome) == (label.person, label.outcome):
            continue
        wrong = (person and person != label.person) or (outcome and outcome != label.outcome)
        yield (
            f"{'WRONG ' if wrong else 'silent'} {label.occasion.title!r}: {person} {outcome}, "
            f"is {label.person} {label.outcome}; {answer.evidence}"
        )


def _invented_people(count: int) -> list[Person]:
    starts = (
        "Ba",
        "Ce",
        "Do",
        "Fa",
        "Gi",
        "Ha",
        "Jo",
        "Ka",
        "Li",
        "Mo",
        "Na",
        "Pe",
        "Ra",
        "Si",
        "To",
        "Va",
        "We",
        "Zo",
    )
    middles = ("ran", "lin", "vek", "mar", "ster", "kow", "ber", "dan", "fel", "gor", "hal", "jen", "nov", "pol", "rik")
    ends = ("ski", "sen", "ova", "ez", "ini", "mann", "ard", "ich", "eau", "ton", "ado", "ura", "ieri", "qvist")
    families = ["".join(parts) for parts in product(starts, middles, ends)]
    given = ["".join(parts) for parts in product(starts, ("na", "lo", "ri", "ta", "mas", "vid", "len"))]
    return [
        Person(person_id=f"x{n}", name=f"{given[n % len(given)]} {families[(n * 7) % len(families)]}")
        for n in range(count)
    ]


def _speed() -> float:
    people = _invented_people(PLAYERS)
    catalogue = Catalogue.read(
        [*read_players(DATA / "identify" / "players.csv"), *people],
        TABLES,
        study_folder=DATA / "identify",
        config=IdentifyConfig(),
    )
    videos = [
        Described(
            video_id=f"v{n}",
            occasion=Occasion(
                title=f"{people[n].name} press conference | Round {1 + n % 3} of the Invented Open {2000 + n % 25}",
                channel="Invented Open",
                uploaded_on=date(2023, 7, 7),
            ),
        )
        for n in range(TITLES)
    ]
    began = time.perf_counter()
    list(identify_videos(videos, catalogue=catalogue, config=IdentifyConfig()))
    return time.perf_counter() - began


def main() -> None:
    """Tell precision and recall of each half, and the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", choices=("tune", "held", "all"), help="list what is not as labelled, of one half")
    wanted = parser.parse_args().errors
    found = identified(read_labels())
    for half in ("tune", "held", "all"):
        of_half = [one for one in found if half in (one[0].half, "all")]
        _tell(half, of_half)
        if wanted == half:
            print("\n".join(_errors(of_half)))
    print(f"{TITLES} titles against {PLAYERS} players: {_speed():.1f} s")


if __name__ == "__main__":
    main()

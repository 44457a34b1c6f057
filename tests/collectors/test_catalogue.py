"""Titles become people and match outcomes: never a wrong outcome, and silence where a title does not tell."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from benchmarks.identify import identified, measure, read_labels
from collectors.catalogue.config import IdentifyConfig, MatchesConfig
from collectors.catalogue.identify import Answer, Catalogue, Described, Identity, Occasion, identify_videos
from collectors.catalogue.people import Person

SINNER = Person(person_id="p1", name="Jannik Sinner", sex="m", country="ITA")
VENUS = Person(person_id="p2", name="Venus Williams", sex="f", country="USA")
OSAKA = Person(person_id="p3", name="Naomi Osaka", sex="f", country="JPN")
PEOPLE = (SINNER, VENUS, OSAKA, Person(person_id="p4", name="Félix Auger-Aliassime", aliases=("FAA",)))
ROWS = (
    "2023-05-16,Rome,R16,Francisco Cerundolo,Jannik Sinner,6-7(3) 6-2 6-2",
    "2023-05-17,Geneva,R32,Jannik Sinner,Ivo Marek,6-3 6-4",
    "2023-07-03,Wimbledon,R128,Jannik Sinner,Juan Manuel Cerundolo,6-2 6-2 6-2",
    "2023-07-03,Wimbledon,R128,Elina Svitolina,Venus Williams,6-4 6-3",
    "2023-07-05,Wimbledon,R64,Jannik Sinner,Diego Schwartzman,7-5 6-1 6-2",
    "2023-07-11,Wimbledon,QF,Jannik Sinner,Roman Safiullin,6-4 3-6 6-2 6-2",
    "2023-07-14,Wimbledon,SF,Novak Djokovic,Jannik Sinner,6-3 6-4 7-6(4)",
    "2023-07-16,Wimbledon,F,Carlos Alcaraz,Novak Djokovic,1-6 7-6(6) 6-1 3-6 6-4",
    "2023-09-13,Osaka Open,F,Naomi Osaka,Venus Williams,6-4 6-4",
    "2023-10-20,Antwerp,SF,Jannik Sinner,Felix Auger Aliassime,W/O",
)


def catalogue_of(folder: Path, *, rows: tuple[str, ...] = ROWS, people: tuple[Person, ...] = PEOPLE) -> Catalogue:
    path = folder / "results.csv"
    path.write_text("\n".join(("date,tournament,round,winner,loser,score", *rows)) + "\n", encoding="utf-8")
    table = MatchesConfig(path="results.csv", licence="CC BY-NC-SA 4.0")
    return Catalogue.read(people, [table], study_folder=folder, config=IdentifyConfig())


def ask(catalogue: Catalogue, title: str, day: str, **more: str) -> Identity:
    occasion = Occasion(title=title, uploaded_on=date.fromisoformat(day) if day else None, **more)
    (found,) = identify_videos(
        [Described(video_id="v1", occasion=occasion)], catalogue=catalogue, config=IdentifyConfig()
    )
    return found


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return catalogue_of(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="module")
def answers() -> Mapping[str, list]:
    found: dict[str, list] = {"tune": [], "held": []}
    for label, answer in identified(read_labels()):
        found[label.half].append((label, answer))
    return found


@pytest.mark.parametrize("half", ["tune", "held"])
def test_on_the_labelled_titles_no_outcome_and_no_person_is_wrong(half: str, answers: Mapping[str, list]):
    assert len(answers[half]) >= 120
    wrong = [
        (label.occasion.title, answer.person_id, answer.match_outcome)
        for label, answer in answers[half]
        if answer.person_id not in (None, label.person) or answer.match_outcome not in (None, label.outcome)
    ]
    assert wrong == []


@pytest.mark.parametrize("half", ["tune", "held"])
def test_silence_does_not_swallow_the_labelled_titles(half: str, answers: Mapping[str, list]):
    people = measure((label.person, answer.person_id) for label, answer in answers[half])
    outcomes = measure((label.outcome, answer.match_outcome) for label, answer in answers[half])
    assert people.recall > 0.85
    assert outcomes.recall > 0.78


@pytest.mark.parametrize(
    ("title", "day", "outcome", "row"),
    [
        ("Jannik Sinner press conference, Wimbledon quarter-final", "2023-07-11", "win", 7),
        ("Jannik Sinner through to the semi-finals | Press Conference", "2023-07-12", "win", 7),
        ("Jannik Sinner semi-final press conference", "2023-07-15", "loss", 8),
        ("Jannik Sinner second round press conference | Wimbledon 2023", "2023-07-06", "win", 6),
        ("Jannik Sinner press conference after 6-4 3-6 6-2 6-2 win", "2023-07-11", "win", 7),
        ("Jannik Sinner press conference Geneva", "2023-05-17", "win", 3),
        ("Jannik Sinner press conference Rome", "2023-05-17", "loss", 2),
        ("Jannik Sinner press conference after losing to Cerundolo", "2023-05-17", "loss", 2),
        ("Naomi Osaka press conference Osaka Open final", "2023-09-13", "win", 10),
        ("Jannik_Sinner_Wimbledon_2023_QF_press_conference.mp4", "", "win", 7),
    ],
)
def test_the_title_tells_which_match(catalogue: Catalogue, title: str, day: str, outcome: str, row: int):
    found = ask(catalogue, title, day)
    assert (found.match_outcome, found.match_row) == (outcome, f"results.csv:{row}"), found.evidence
    assert found.licence == "CC BY-NC-SA 4.0"


@pytest.mark.parametrize(
    ("title", "day"),
    [
        ("Jannik Sinner press conference", "2023-05-18"),
        ("Jannik Sinner press conference Wimbledon", "2023-07-12"),  # it may look ahead to the semi-final
        ("Jannik Sinner pre-tournament press conference Wimbledon", "2023-07-04"),
        ("Jannik Sinner press conference ahead of the semi-final", "2023-07-13"),
        ("Jannik Sinner press conference Wimbledon final", "2023-07-15"),
        ("Jannik Sinner press conference after beating Medvedev", "2023-07-11"),
        ("Jannik Sinner press conference after loss", "2023-07-11"),
        ("Jannik Sinner doubles press conference Wimbledon", "2023-07-11"),
        ("Jannik Sinner press conference Kooyong Classic", "2023-07-11"),
        ("Jannik Sinner Wimbledon 2019 quarter-final press conference", "2023-07-11"),
        ("Jannik Sinner press conference Antwerp semi-final", "2023-10-20"),
        ("Jannik Sinner interview", "2023-07-11"),
        ("Jannik Sinner at Wimbledon", "2023-07-11"),
        ("Jannik Sinner press conference", ""),
        ("Jannik Sinner quarter-final press conference", "2023-07-20"),
        ("Jannik Sinner quarter-final press conference", "2023-07-10"),
    ],
)
def test_nothing_is_said_where_the_title_does_not_tell(catalogue: Catalogue, title: str, day: str):
    found = ask(catalogue, title, day)
    assert found.match_outcome is None, found.evidence
    assert found.person_id == "p1"


@pytest.mark.parametrize(
    ("title", "person"),
    [
        ("JANNIK SINNER PRESS CONFERENCE", "p1"),
        ("Sinner Jannik, press conference", "p1"),
        ("Press conference: J. Sinner, Wimbledon", "p1"),
        ("Sinner press conference Wimbledon", "p1"),
        ("Sinner vs Safiullin - Jannik Sinner press conference", "p1"),
        ("FAA press conference", "p4"),
        ("Felix Auger Aliassime press conference", "p4"),
        ("Mark Sinner press conference Wimbledon", None),
        ("Sinner's coach press conference", None),
        ("Jannik Sinner and Serena press conference", None),
        ("Sinner vs Safiullin press conference", None),
        ("Expert on Sinner, press conference", None),
        ("Brad Gilbert talks Jannik Sinner's win, press conference", None),
        ("Juan Carlos Ferrero press conference: Sinner", None),
        ("Press conference with Volandri after Jannik Sinner win", None),
        ("Alcaraz beats Medvedev, Jannik Sinner next, press conference", None),
        ("Jannik Sinner (ITA) vs Roman Safiullin (RUS) press conference", None),
        ("Saint or sinner? Press conference", None),
        ("Osaka press conference", None),
        ('"Sinner is the best" | press conference', None),
    ],
)
def test_who_speaks(catalogue: Catalogue, title: str, person: str | None):
    found = ask(catalogue, title, "2023-07-11")
    assert found.person_id == person, found.evidence
    assert found.decided_by == ("matcher" if person else None)


def test_a_slip_of_the_pen_counts_only_where_the_results_show_the_person(catalogue: Catalogue):
    assert ask(catalogue, "Jannik Siner press conference Wimbledon", "2023-07-11").person_id is None  # five letters
    assert ask(catalogue, "Jannik Sinnner press conference Wimbledon", "2023-07-11").person_id == "p1"
    far = ask(catalogue, "Jannik Sinnner press conference", "2022-01-11")
    assert (far.person_id, far.suggested_id, far.needs_review) == (None, "p1", True)


def test_two_people_of_one_name_are_told_apart_by_their_results_or_not_at_all(tmp_path: Path):
    people = (
        Person(person_id="a", name="Robin Adler", sex="m"),
        Person(person_id="b", name="Robin Adler", sex="f"),
    )
    (tmp_path / "men.csv").write_text(
        "date,tournament,round,winner,loser,score\n2024-05-12,Porto,F,Robin Adler,Ivo Marek,6-4 6-4\n"
    )
    tables = [MatchesConfig(path="men.csv", tour="atp")]
    catalogue = Catalogue.read(people, tables, study_folder=tmp_path, config=IdentifyConfig())
    found = ask(catalogue, "Robin Adler press conference | Porto final", "2024-05-12")
    assert (found.person_id, found.match_outcome, found.runner_up_id) == ("a", "win", "b")
    unclear = ask(catalogue, "Robin Adler press conference", "2024-02-01")
    assert (unclear.person_id, unclear.needs_review) == (None, True)


def test_results_that_may_not_reach_the_day_say_nothing(tmp_path: Path):
    two_rounds = catalogue_of(tmp_path, rows=ROWS[2:5])  # the table was last brought up to date on 5 July
    title = "Jannik Sinner press conference | Wimbledon"
    assert ask(two_rounds, title, "2023-07-05").match_outcome == "win"
    assert ask(two_rounds, title, "2023-07-07").match_outcome is None
    assert (
        ask(two_rounds, "Jannik Sinner second round press conference | Wimbledon", "2023-07-07").match_outcome == "win"
    )


def test_sackmanns_tables_tell_the_week_alone_so_a_first_match_needs_more_than_a_date(tmp_path: Path):
    (tmp_path / "atp.csv").write_text(
        "tourney_name,draw_size,tourney_level,tourney_date,winner_name,loser_name,score,round\n"
        "Metz,32,A,20231106,Jannik Sinner,Ivo Marek,6-1 6-1,R32\n"
        "Metz,32,A,20231106,Jannik Sinner,Jan Novy,6-1 6-1,R16\n"
        "Metz,32,A,20231106,Jannik Sinner,Tom Old,6-1 6-1,F\n"
    )
    tables = [MatchesConfig(path="atp.csv", layout="sackmann", tour="atp")]
    catalogue = Catalogue.read([SINNER], tables, study_folder=tmp_path, config=IdentifyConfig())
    assert ask(catalogue, "Jannik Sinner press conference Metz", "2023-11-06").match_outcome is None
    first = ask(catalogue, "Jannik Sinner press conference after first round win, Metz", "2023-11-07")
    assert (first.match_outcome, first.match_row) == ("win", "atp.csv:2")
    late = ask(catalogue, "Jannik Sinner press conference Metz", "2023-11-12")
    assert (late.match_outcome, late.tournament) == ("win", "Metz")


def test_the_studys_word_and_a_persons_answer_come_before_the_matcher(catalogue: Catalogue):
    title = Occasion(title="Sinner vs Safiullin press conference QF", uploaded_on=date(2023, 7, 11))
    plain = Described(video_id="v1", occasion=title)
    videos = [
        plain,
        replace(plain, declared_id="p2", answer=Answer(person_id="p1")),
        replace(plain, answer=Answer(person_id="p1", outcome="win")),
        replace(plain, answer=Answer(person_id="none")),
        replace(plain, answer=Answer(person_id="p3", outcome="none")),
    ]
    found = list(identify_videos(videos, catalogue=catalogue, config=IdentifyConfig()))
    told = [(f.person_id, f.decided_by, f.match_outcome, f.needs_review) for f in found]
    assert told == [
        (None, None, None, True),
        ("p2", "study", None, False),
        ("p1", "person", "win", False),
        (None, "person", None, False),
        ("p3", "person", None, False),
    ]
    assert found[2].licence == ""  # a person told it: no table binds it


def test_a_declared_person_gets_no_outcome_from_a_title_that_names_another(catalogue: Catalogue):
    title = Occasion(title="Jannik Sinner quarter-final press conference", uploaded_on=date(2023, 7, 11))
    videos = [Described(video_id="v1", occasion=title, declared_id=person) for person in ("p1", "p2")]
    mine, other = identify_videos(videos, catalogue=catalogue, config=IdentifyConfig())
    assert (mine.match_outcome, mine.decided_by) == ("win", "study")
    assert (other.person_id, other.match_outcome) == ("p2", None)


def test_matches_that_agree_give_the_outcome_but_no_match(catalogue: Catalogue):
    found = ask(catalogue, "Jannik Sinner press conference Wimbledon", "2023-07-05")
    assert (found.match_outcome, found.match_row, found.tournament) == ("win", None, "Wimbledon")


def test_evidence_names_the_row_and_the_runner_up(catalogue: Catalogue):
    found = ask(catalogue, "Sinner press conference | Wimbledon QF", "2023-07-11")
    assert found.score < 1
    assert "results.csv:7" in found.evidence
    assert "the round" in found.evidence


def test_a_channel_names_the_tournament_but_does_not_overrule_the_title(catalogue: Catalogue):
    title = "Jannik Sinner press conference"
    assert ask(catalogue, title, "2023-07-15").match_outcome is None
    assert ask(catalogue, title, "2023-07-15", channel="Wimbledon").match_outcome == "loss"
    assert ask(catalogue, f"{title} | Roland-Garros", "2023-07-15", channel="Wimbledon").match_outcome is None


def test_a_description_can_forbid_but_its_names_are_not_believed(catalogue: Catalogue):
    title = "Jannik Sinner press conference | Wimbledon"
    assert ask(catalogue, title, "2023-07-11").match_outcome == "win"
    before = ask(catalogue, title, "2023-07-11", description="The Italian talks to the media ahead of his semi-final.")
    assert before.match_outcome is None
    alone = ask(catalogue, "Press conference, day 9", "2023-07-12", description="Jannik Sinner talks to the press.")
    assert (alone.person_id, alone.suggested_id, alone.needs_review) == (None, "p1", True)


def test_a_study_without_results_still_knows_full_names(tmp_path: Path):
    catalogue = Catalogue.read(PEOPLE, [], study_folder=tmp_path, config=IdentifyConfig())
    found = ask(catalogue, "Jannik Sinner press conference", "2023-07-11")
    assert (found.person_id, found.match_outcome) == ("p1", None)
    assert ask(catalogue, "Sinner press conference", "2023-07-11").person_id is None

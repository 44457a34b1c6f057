"""Players files and results tables as people keep them: both layouts, every fault named by file and line."""

from pathlib import Path

import pytest

from collectors.catalogue.config import IdentifyConfig, MatchesConfig
from collectors.catalogue.identify import Catalogue
from collectors.catalogue.people import People, Person, read_players
from collectors.catalogue.results import UNKNOWN, sets_in
from collectors.catalogue.rounds import Round, may_be, round_in_table, rounds_in
from collectors.catalogue.spelling import Text, name_spellings
from collectors.catalogue.tournaments import Tournaments
from schema.errors import ConfigError

SACKMANN = "tourney_name,tourney_date,round,winner_id,winner_name,winner_age,loser_id,loser_name,loser_age,score\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_own_players_file_needs_a_name_alone(tmp_path: Path):
    head = "\ufeffperson_id,name,aliases,sex,country,birth_year\n"
    text = head + "p1,Félix Auger-Aliassime,FAA; Félix A-A,M,CAN,2000\np2,Ons,,,,\n"
    felix, ons = read_players(written(tmp_path / "players.csv", text))
    assert (felix.aliases, felix.sex, felix.birth_year) == (("FAA", "Félix A-A"), "m", 2000)
    assert ons == Person(person_id="p2", name="Ons")
    (short,) = read_players(written(tmp_path / "short.csv", "person_id,name\np1,Ada Lovelace\n"))
    assert short.name == "Ada Lovelace"
    assert read_players(tmp_path / "none.csv") == []


def test_sackmanns_players_file_is_read_as_it_is(tmp_path: Path):
    head = "player_id,name_first,name_last,hand,dob,ioc,height,wikidata_id\n"
    text = head + "104745,Rafael,Nadal,L,19860603,ESP,185,Q1\n1,X,,U,19000000,UNK,,\n"
    nadal, unknown = read_players(written(tmp_path / "atp_players.csv", text))
    assert (nadal.person_id, nadal.name, nadal.birth_year, nadal.table_id) == ("104745", "Rafael Nadal", 1986, "104745")
    assert unknown.birth_year is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,name\n1,Ada\n", "needs the columns person_id and name, got id, name"),
        ("", "got nothing"),
        ("person_id,name\np1,Ada\np1,Bob\n", "person_id 'p1' is given twice"),
        ("person_id,name\n,Ada\n", "line 2: the person_id is empty"),
        ("person_id,name\np1,\n", "line 2: the name is empty"),
        ("person_id,name,sex\np1,Ada,x\n", "sex 'x' must be m, f or empty"),
        ("person_id,name,birth_year\np1,Ada,1815\n", "birth_year '1815'"),
    ],
)
def test_a_bad_players_file_is_told_with_its_line(tmp_path: Path, text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        read_players(written(tmp_path / "players.csv", text))


def test_a_players_file_in_another_encoding_is_told(tmp_path: Path):
    (tmp_path / "players.csv").write_bytes("person_id,name\np1,Félix\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        read_players(tmp_path / "players.csv")


@pytest.mark.parametrize(
    ("written_so", "also"),
    [
        ("Müller", "mueller"),
        ("Müller", "muller"),
        ("Đoković", "djokovic"),
        ("Świątek", "swiatek"),
        ("O'Connell", "oconnell"),
        ("O\u2019Connell", "oconnell"),
        ("Østergaard", "oestergaard"),
        ("Straßer", "strasser"),
    ],
)
def test_a_name_is_found_in_every_spelling(written_so: str, also: str):
    assert (also,) in name_spellings(written_so)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("date,tournament,round,winner,loser\n", "needs the column 'score'"),
        ("date,tournament,round,winner,loser,score\n5 July,Rome,F,A,B,6-1 6-1\n", "line|:2: '5 July' is no date"),
        ("date,tournament,round,winner,loser,score\n2023-02-30,Rome,F,A,B,6-1 6-1\n", "is no date"),
    ],
)
def test_a_bad_results_table_is_told(tmp_path: Path, text: str, told: str):
    written(tmp_path / "results.csv", text)
    with pytest.raises(ConfigError, match=told):
        Catalogue.read([], [MatchesConfig(path="results.csv")], study_folder=tmp_path, config=IdentifyConfig())


def test_a_missing_results_table_and_bad_settings_name_the_key(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"matches\[0\]\.path: no such file"):
        Catalogue.read([], [MatchesConfig(path="x.csv")], study_folder=tmp_path, config=IdentifyConfig())
    for bad in ({"path": ""}, {"path": "x", "tour": "itf"}):
        with pytest.raises(ConfigError, match=r"matches\."):
            MatchesConfig(**bad)
    for wrong in ({"min_score": 2}, {"min_lead": -1}, {"days_after_match": 99}):
        with pytest.raises(ConfigError, match=r"identify\."):
            IdentifyConfig(**wrong)


def test_a_pattern_reads_the_files_of_all_years(tmp_path: Path):
    for year in (2022, 2023):
        written(tmp_path / f"atp_{year}.csv", SACKMANN + f"Metz,{year}1106,F,1,A B,,2,C D,,6-1 6-1\n")
    table = MatchesConfig(path="atp_20??.csv", layout="sackmann")
    catalogue = Catalogue.read([], [table], study_folder=tmp_path, config=IdentifyConfig())
    assert [match.row for match in catalogue.results.matches] == ["atp_2022.csv:2", "atp_2023.csv:2"]


def test_namesakes_in_a_table_are_joined_by_id_sex_and_age_or_to_nobody(tmp_path: Path):
    text = (
        SACKMANN
        + "Metz,20231106,F,7,Ann Lee,21.0,9,Jo Ray,30.0,6-1 6-1\nMetz,20231106,SF,9,Jo Ray,30,8,Ann Lee,40,6-0 6-0\n"
    )
    written(tmp_path / "wta.csv", text)
    young = Person(person_id="a", name="Ann Lee", birth_year=2002)
    old = Person(person_id="b", name="Ann Lee", birth_year=1983)
    man = Person(person_id="c", name="Jo Ray", sex="m")
    tables = [MatchesConfig(path="wta.csv", layout="sackmann", tour="wta")]
    catalogue = Catalogue.read([young, old, man], tables, study_folder=tmp_path, config=IdentifyConfig())
    final, semi = catalogue.results.matches
    persons = catalogue.people.persons
    assert (persons[final.winner], persons[semi.loser]) == (young, old)
    assert persons[final.loser].person_id == ""  # the man of that name does not play there
    unclear = [Person(person_id=i, name="Ann Lee") for i in ("a", "b")]
    catalogue = Catalogue.read(unclear, tables, study_folder=tmp_path, config=IdentifyConfig())
    assert catalogue.results.matches[0].winner == UNKNOWN


def test_a_walkover_was_not_played_and_a_retirement_was(tmp_path: Path):
    rows = ("W/O", "6-3 2-1 RET", "6-5 DEF", "", "Walkover")
    text = "".join(f"2023-07-0{n},Rome,F,A B,C D,{score}\n" for n, score in enumerate(rows, start=1))
    written(tmp_path / "results.csv", "date,tournament,round,winner,loser,score\n" + text)
    catalogue = Catalogue.read([], [MatchesConfig(path="results.csv")], study_folder=tmp_path, config=IdentifyConfig())
    told = [(match.played, match.broken_off) for match in catalogue.results.matches]
    assert told == [(False, False), (True, True), (True, True), (True, False), (False, False)]


def test_sets_are_read_without_tie_breaks():
    assert sets_in("7-6(4) 6\u20133 [10-8]") == ((7, 6), (6, 3))
    assert sets_in("Wimbledon 2023-07-11") == ()


@pytest.mark.parametrize(
    ("written_so", "is_read"),
    [
        ("R64", Round(players=64)),
        ("QF", Round(players=8)),
        ("Quarterfinals", Round(players=8)),
        ("Second Round", Round(number=2)),
        ("The Final", Round(players=2)),
        ("RR", Round(players=0)),
        ("Q2", Round(number=2, qualifying=True)),
        ("whatever", None),
    ],
)
def test_rounds_of_tables(written_so: str, is_read: Round | None):
    assert round_in_table(written_so) == is_read


@pytest.mark.parametrize(
    ("title", "draw", "fits"),
    [
        ("through to the semi-finals", 128, 8),
        ("reaches US Open final", 128, 4),
        ("zieht ins Viertelfinale ein", 32, 16),
        ("se mete en semifinales", 32, 8),
        ("qualifié pour les huitièmes de finale", 128, 32),
        ("semi-final press conference", 128, 4),
        ("third round", 128, 32),
        ("third round", 32, 8),
        ("3. Runde", 128, 32),
        ("2nd round win", 56, 32),
        ("ottavi di finale", 128, 16),
        ("QF", 32, 8),
    ],
)
def test_the_round_of_a_title_fits_one_round_of_the_draw(title: str, draw: int, fits: int):
    (said,) = rounds_in(Text(title).plain)
    rounds = [size for size in (128, 64, 32, 16, 8, 4, 2) if size < 2 * draw]
    found = [size for size in rounds if may_be(said, Round(players=size), draw_players=draw, won=True) is not False]
    assert found == [fits]


def test_a_loser_reached_no_further_round():
    (said,) = rounds_in(Text("through to the semi-finals").plain)
    assert may_be(said, Round(players=8), draw_players=128, won=False) is False


def test_one_event_has_many_names():
    names = [
        "Rome Masters",
        "Internazionali BNL d'Italia",
        "Italian Open",
        "Roland Garros",
        "Paris Masters",
        "Villanova Open",
    ]
    known = Tournaments.of(names, also_called={"Villanova Open": ("Trofeo Nuovo",)})
    assert {known.event_of(name) for name in names[:3]} == {"rome"}
    assert known.named_in(Text("Rolex Paris Masters 2023").plain).surely == {"paris masters"}
    assert known.named_in(Text("Paris").plain).allows("roland garros")
    assert known.named_in(Text("Paris").plain).allows("paris masters")
    assert not known.named_in(Text("Roland-Garros, Paris").plain).allows("paris masters")
    assert known.named_in(Text("Trofeo Nuovo").plain).surely == {known.event_of("Villanova Open")}
    assert known.named_in(Text("Mubadala Silicon Valley Classic").plain).unknown
    assert not known.named_in(Text("his first grand slam title").plain).unknown


def test_a_place_that_a_table_uses_is_no_grand_slam():
    known = Tournaments.of(["Melbourne", "Melbourne 1", "Australian Open"], also_called={})
    assert len({known.event_of(name) for name in ("Melbourne", "Melbourne 1", "Australian Open")}) == 3


def test_people_are_found_by_family_names_of_several_words():
    people = People.of(
        [Person(person_id="p", name="Alex de Minaur"), Person(person_id="q", name="Roberto Bautista Agut")]
    )
    assert {("de", "minaur"), ("deminaur",), ("bautista", "agut"), ("agut",)} <= people.by_family.keys()
    assert people.named("DE MINAUR Alex") == [0]

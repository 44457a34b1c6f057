"""What a study's splits go by: lists by person and by number, matches, copies and events, declared attributes."""

from pathlib import Path

import pytest

from flows._identity import identity_rows
from flows._init import init_study
from flows._split_inputs import copies_and_events, fixed_splits, matches_of, subject_attributes
from flows._study import Study, open_study
from releases.inputs import SubjectAttributes
from schema.arrow import DUPLICATES, IMPORTED_SOURCES, IMPORTED_VIDEOS, IMPORTS, SOURCES
from schema.errors import ConfigError
from schema.privacy import make_subject_id
from schema.rows import table_of
from tests.studies import set_keys

PLAYERS = "person_id,name,sex,birth_year\np1,Jannik Sinner,m,2001\np2,Iga Swiatek,f,\n7,Carlos Alcaraz,,2003\n"
RESULTS = (
    "date,tournament,round,winner,loser,score\n"
    "2023-07-14,Wimbledon,SF,Carlos Alcaraz,Jannik Sinner,6-3 6-4 7-6(4)\n"
    "2023-07-16,Wimbledon,F,Carlos Alcaraz,Novak Djokovic,1-6 7-6(6) 6-1 3-6 6-4\n"
)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    init_study(tmp_path, name="who")
    (tmp_path / "private" / "players.csv").write_text(PLAYERS)
    return open_study(tmp_path)


def with_splits(study: Study, **keys: object) -> Study:
    set_keys(study.layout.root, release={"splits": keys})
    return open_study(study.layout.root)


def listed(study: Study, text: str) -> dict[str, str]:
    (study.layout.private / "splits.csv").write_text(text)
    return fixed_splits(with_splits(study, lists="private/splits.csv"))


def of_player(study: Study, person_id: str) -> str:
    return make_subject_id(study.key, person_id)


def of_import(origin: str, name: str) -> str:
    return f"s{origin}{name}"


def imported(study: Study, origin: str, names: list[str], *, kind: str = "miga", import_id: str = "i1") -> None:
    """Record an import of recordings, one a person."""
    run = {
        "import_id": import_id,
        "origin": origin,
        "format": kind,
        "taxonomy": "imigue32",
        "licence": "agreement",
        "content": "c",
        "video_count": len(names),
        "segment_count": 0,
        "dropped": "{}",
        "imported_ns": 1,
    }
    unknown = dict.fromkeys(IMPORTED_VIDEOS.schema.names)
    size = {"frame_count": 9, "rate_numerator": 25, "rate_denominator": 1, "layout": "wholebody133"}
    study.store.append(IMPORTS, table_of(IMPORTS, [run]))
    shared = [{"import_id": import_id, "video_id": f"v{origin}{name}"} for name in names]
    subjects = [{"origin": origin, "subject_id": of_import(origin, name)} for name in names]
    sources = [{"native_id": f"{n}.csv", "native_subject": n, "location": f"/data/{n}.csv"} for n in names]
    videos = [unknown | size | one | other for one, other in zip(shared, subjects, strict=True)]
    study.store.append(IMPORTED_VIDEOS, table_of(IMPORTED_VIDEOS, videos))
    places = [one | other for one, other in zip(shared, sources, strict=True)]
    study.store.append(IMPORTED_SOURCES, table_of(IMPORTED_SOURCES, places))


def test_a_study_that_says_nothing_fixes_nobody(study: Study) -> None:
    assert fixed_splits(study) == {}


def test_a_list_names_players_by_row_and_imported_people_by_their_own_name(study: Study) -> None:
    imported(study, "smg", ["7", "8"], kind="smg")
    found = listed(study, "person_id,split\np1,test\n7,val\n8,train\nsmg:7,test\n")
    assert found == {
        of_player(study, "p1"): "test",
        of_player(study, "7"): "val",
        of_import("smg", "8"): "train",
        of_import("smg", "7"): "test",
    }


def test_a_name_that_two_data_sets_have_must_say_which(study: Study) -> None:
    imported(study, "smg", ["12"], kind="smg")
    imported(study, "ma52", ["12"], kind="ma52", import_id="i2")
    with pytest.raises(ConfigError, match=r"release\.splits\.lists: line 2: .*ORIGIN:ID"):
        listed(study, "person_id,split\n12,test\n")
    assert listed(study, "person_id,split\nma52:12,test\n") == {of_import("ma52", "12"): "test"}


def test_of_a_data_set_that_was_imported_twice_the_newest_people_count(study: Study) -> None:
    imported(study, "smg", ["1"], kind="smg")
    imported(study, "smg", ["2"], kind="smg", import_id="i2")
    assert listed(study, "person_id,split\n2,test\n") == {of_import("smg", "2"): "test"}
    with pytest.raises(ConfigError, match="line 2"):
        listed(study, "person_id,split\n1,test\n")


def test_somebody_unknown_is_told_by_the_line_and_not_by_name(study: Study) -> None:
    with pytest.raises(ConfigError, match=r"release\.splits\.lists: line 3: no person") as refused:
        listed(study, "person_id,split\np1,test\nNovak Djokovic,train\n")
    assert "Djokovic" not in str(refused.value)
    with pytest.raises(ConfigError, match=r"release\.splits\.leave_out\[1\]: no person") as refused:
        fixed_splits(with_splits(study, leave_out=["p1", "Novak Djokovic"]))
    assert "Djokovic" not in str(refused.value)


def test_one_person_under_two_names_is_refused(study: Study) -> None:
    imported(study, "smg", ["8"], kind="smg")
    with pytest.raises(ConfigError, match="under two names"):
        listed(study, "person_id,split\n8,test\nsmg:8,train\n")


def test_whoever_is_left_out_is_in_test_and_everybody_else_in_train(study: Study) -> None:
    imported(study, "smg", ["8"], kind="smg")
    assert fixed_splits(with_splits(study, leave_out=["p2"])) == {
        of_player(study, "p1"): "train",
        of_player(study, "p2"): "test",
        of_player(study, "7"): "train",
        of_import("smg", "8"): "train",
    }


def test_imigue_s_split_goes_by_the_numbers_of_its_own_people(study: Study) -> None:
    imported(study, "licensed-copy", ["01", "2", "73", "guest"])
    imported(study, "smg", ["1", "2"], kind="smg", import_id="i2")
    assert fixed_splits(with_splits(study, lists="imigue-cross-subject")) == {
        of_player(study, "7"): "test",
        of_import("licensed-copy", "01"): "test",
        of_import("licensed-copy", "2"): "train",
    }


def test_imigue_s_split_of_other_people_is_refused(study: Study) -> None:
    (study.layout.private / "players.csv").write_text("person_id,name\np1,Jannik Sinner\n")
    with pytest.raises(ConfigError, match=r"ids 1 to 72"):
        fixed_splits(with_splits(study, lists="imigue-cross-subject"))


def test_both_players_press_conferences_have_their_match_in_common(study: Study) -> None:
    (study.layout.private / "results.csv").write_text(RESULTS)
    path = study.layout.root / "study.toml"
    path.write_text(path.read_text() + '\n[[matches]]\npath = "private/results.csv"\n')
    titles = {"va": "Jannik Sinner", "vb": "Carlos Alcaraz", "vc": "Iga Swiatek"}
    unknown = dict.fromkeys(SOURCES.schema.names)
    told = {"platform": "site", "location": "https://site.example/1", "uploaded_on": "2023-07-14"}
    rows = [
        unknown
        | told
        | {
            "source_id": f"l{name}",
            "video_id": name,
            "native_id": name,
            "title": f"{title} semi-final press conference | Wimbledon",
        }
        for name, title in titles.items()
    ]
    opened = open_study(study.layout.root)
    opened.store.append(SOURCES, table_of(SOURCES, rows))
    matches = matches_of(opened)
    assert {row["video_id"] for row in identity_rows(opened) if row["match_row"]} == {"va", "vb"}
    assert matches.keys() == {"va", "vb"}
    assert matches["va"] == matches["vb"]
    assert matches["va"].startswith("m")
    assert "results" not in matches["va"]


def test_copies_and_events_are_told_apart_poorer_first(study: Study) -> None:
    assert copies_and_events(study) == ([], [])
    same = {"score": 1.0, "offset_ns": 0, "speed": 1.0}
    rows = [
        {"video_id": "v3", "kept_video_id": "v1", "link": "copy"} | same,
        {"video_id": "v2", "kept_video_id": "v1", "link": "copy"} | same,
        {"video_id": "v9", "kept_video_id": "v1", "link": "same_event"} | same,
    ]
    study.store.write_part(DUPLICATES, "study", "0123456789ab", table_of(DUPLICATES, rows))
    assert copies_and_events(study) == ([("v2", "v1"), ("v3", "v1")], [("v9", "v1")])


def test_declared_attributes_come_under_pseudonyms(study: Study) -> None:
    assert subject_attributes(study) == {
        of_player(study, "p1"): SubjectAttributes(sex="m", birth_year=2001),
        of_player(study, "p2"): SubjectAttributes(sex="f"),
        of_player(study, "7"): SubjectAttributes(birth_year=2003),
    }

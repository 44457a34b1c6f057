"""A study's identities: made once, asked in review.csv, corrected by people, recorded as changes of subject."""

import csv
from pathlib import Path

import pytest
import tomlkit

from flows._identity import declared_people, identify, identity_rows, match_outcomes
from flows._init import init_study
from flows._study import Study, open_study, read_people
from schema.arrow import IDENTITIES, LISTINGS, SOURCES, SUBJECT_CHANGES
from schema.errors import ConfigError
from schema.privacy import make_subject_id
from schema.rows import table_of

PLAYERS = "person_id,name\np1,Jannik Sinner\np2,Carlos Alcaraz\n"
RESULTS = (
    "date,tournament,round,winner,loser,score\n"
    "2023-07-11,Wimbledon,QF,Jannik Sinner,Roman Safiullin,6-4 3-6 6-2 6-2\n"
    "2023-07-14,Wimbledon,SF,Novak Djokovic,Jannik Sinner,6-3 6-4 7-6(4)\n"
    "2023-07-16,Wimbledon,F,Carlos Alcaraz,Novak Djokovic,1-6 7-6(6) 6-1 3-6 6-4\n"
)
TITLES = {
    "va": ("Jannik Sinner quarter-final press conference | Wimbledon", "2023-07-11"),
    "vb": ("Alcaraz vs Sinner press conference", "2023-07-14"),
    "vc": ("Centre Court in the sun", "2023-07-14"),
}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    init_study(tmp_path, name="who")
    path = tmp_path / "study.toml"
    document = tomlkit.parse(path.read_text())
    document["sources"] = tomlkit.aot()
    table = tomlkit.aot()
    table.append(tomlkit.item({"path": "private/results.csv", "licence": "CC BY-NC-SA 4.0"}))
    document["matches"] = table
    path.write_text(tomlkit.dumps(document))
    (tmp_path / "private" / "players.csv").write_text(PLAYERS)
    (tmp_path / "private" / "results.csv").write_text(RESULTS)
    opened = open_study(tmp_path)
    collected(opened, TITLES)
    return opened


def collected(study: Study, titles: dict[str, tuple[str, str]], *, person: str | None = None) -> None:
    rows = [
        {
            "source_id": f"l{video_id}",
            "video_id": video_id,
            "platform": "site",
            "native_id": video_id,
            "location": f"https://site.example/{video_id}",
            "title": title,
            "person_id": person,
            "description": None,
            "channel": "Tennis",
            "uploaded_on": day or None,
            "announced_duration_ns": None,
            "format": None,
            "channel_links": None,
        }
        for video_id, (title, day) in titles.items()
    ]
    study.store.append(SOURCES, table_of(SOURCES, rows))


def told(study: Study) -> dict[str, tuple[str | None, str | None, str | None]]:
    return {r["video_id"]: (r["person_id"], r["decided_by"], r["match_outcome"]) for r in identity_rows(study)}


def answer(study: Study, video_id: str, **answers: str) -> None:
    path = study.layout.private / "review.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if video_id not in {row["video_id"] for row in rows}:
        rows.append(dict.fromkeys(rows[0], "") | {"video_id": video_id})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | answers if row["video_id"] == video_id else row for row in rows)


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted((root / "private").rglob("*")) if p.is_file()}


def test_identities_are_made_once_and_what_is_unsure_is_asked(study: Study):
    first = identify(study)
    assert (first.done, first.rows) == (1, 3)
    assert first.notes == ["1 videos wait for an answer in private/review.csv"]
    assert told(study) == {
        "va": ("p1", "matcher", "win"),
        "vb": (None, None, None),
        "vc": (None, None, None),
    }
    assert declared_people(study) == {"va": "p1"}
    assert {video: (one.outcome, one.licence) for video, one in match_outcomes(study).items()} == {
        "va": ("win", "CC BY-NC-SA 4.0")
    }
    before = files(study.layout.root)
    assert identify(study).done == 0
    assert files(study.layout.root) == before


def test_an_answer_is_read_back_and_a_new_video_does_not_touch_it(study: Study):
    identify(study)
    answer(study, "vb", person_id="p1", outcome="loss")
    assert told(study)["vb"] == ("p1", "person", "loss")  # also before the part is made anew
    assert identify(study).notes == []
    collected(study, {"vd": ("Sinner and Alcaraz press conference", "2023-07-14")})
    assert identify(study).notes == ["1 videos wait for an answer in private/review.csv"]
    with (study.layout.private / "review.csv").open(newline="") as file:
        rows = {row["video_id"]: row for row in csv.DictReader(file)}
    assert (rows["vb"]["person_id"], rows["vb"]["outcome"], rows["vd"]["person_id"]) == ("p1", "loss", "")


def test_every_change_of_subject_is_recorded_once(study: Study):
    identify(study)
    answer(study, "va", person_id="p2")
    identify(study)
    identify(study)
    answer(study, "va", person_id="none")
    identify(study)
    one, two = (make_subject_id(study.key, person) for person in ("p1", "p2"))
    changes = study.store.read(SUBJECT_CHANGES).to_pylist()
    assert [(c["video_id"], c["subject_before"], c["subject_after"], c["decided_by"]) for c in changes] == [
        ("va", None, one, "matcher"),
        ("va", one, two, "person"),
        ("va", two, None, "person"),
    ]


def test_a_corrected_name_keeps_the_subject(study: Study):
    identify(study)
    path = study.layout.private / "players.csv"
    path.write_text(PLAYERS.replace("Jannik Sinner", "Jannik Sinner Junior") + "p3,Jannik Sinner\n")
    identify(study)
    assert told(study)["va"][0] == "p3"  # another row: another person
    path.write_text("person_id,name,aliases\np1,J. Sinner,Jannik Sinner\np2,Carlos Alcaraz,\n")
    identify(study)
    assert told(study)["va"][0] == "p1"
    subjects = {row["subject_after"] for row in study.store.read(SUBJECT_CHANGES).to_pylist()}
    assert subjects == {make_subject_id(study.key, person) for person in ("p1", "p3")}


def test_results_that_arrive_later_are_taken_in(study: Study):
    results = study.layout.private / "results.csv"
    results.write_text(RESULTS.replace("2023-07-11", "2022-07-11"))
    identify(study)
    assert told(study)["va"] == ("p1", "matcher", None)
    results.write_text(RESULTS)
    identify(study)
    assert told(study)["va"] == ("p1", "matcher", "win")


def test_the_studys_own_word_comes_first(study: Study):
    collected(study, {"vb": ("Alcaraz vs Sinner press conference", "2023-07-14")}, person="p1")
    identify(study)
    assert told(study)["vb"][:2] == ("p1", "study")
    collected(study, {"vc": ("Centre Court in the sun", "2023-07-14")}, person="p9")
    with pytest.raises(ConfigError, match=r"person .p9. is no person_id of private/players\.csv"):
        identify(study)


def test_a_title_that_was_edited_since_counts(study: Study):
    edited = {
        "origin_id": "o1",
        "source_id": "lvc",
        "event": "edited",
        "location": "https://site.example/vc",
        "title": "Jannik Sinner semi-final press conference | Wimbledon",
        "channel": None,
        "uploaded_on": None,
        "duration_ns": None,
        "is_live": None,
        "listed_ns": 1,
    }
    study.store.append(LISTINGS, table_of(LISTINGS, [edited]))
    assert told(study)["vc"] == ("p1", "matcher", "loss")


def test_nothing_outside_private_holds_a_name(study: Study):
    identify(study)
    outside = [p for p in study.layout.root.rglob("*") if p.is_file() and study.layout.private not in p.parents]
    assert [p for p in outside if b"inner" in p.read_bytes()] == []
    part = next((study.layout.private / IDENTITIES.name).glob("*.parquet"))
    assert part.is_file()


def test_read_people_gives_names_by_row_id(study: Study):
    assert read_people(study) == {"p1": "Jannik Sinner", "p2": "Carlos Alcaraz"}

"""croissant.json: mlcroissant accepts it without the network, and its records are the rows of the Parquet files."""

import json
import math
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from releases.documents.croissant import croissant_text
from releases.facts import Reidentification, ReleaseFacts, TaskReadiness
from releases.tables.columns import TABLES, schema_of
from tests.releases.handmade_release import CONFIG, PEOPLE, Person, handmade_release, taxonomy

pytestmark = pytest.mark.filterwarnings(
    "ignore:ConjunctiveGraph is deprecated:DeprecationWarning", "ignore:The inplace keyword:DeprecationWarning"
)
"""What mlcroissant 1.1.1 calls in rdflib and pandas."""
ONLY_WARNING = "https://schema.org/datePublished"
"""A release knows no day of its publication: the same inputs give the same bytes on any day."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReleaseFacts]:
    folder, facts, config = handmade_release(tmp_path_factory.mktemp("croissant") / "release")
    text = croissant_text(folder, facts, config=config, taxonomy=taxonomy())
    (folder / "croissant.json").write_text(text, encoding="utf-8")
    return folder, facts


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a local release must be read without the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def opened(folder: Path) -> Any:
    import mlcroissant

    return mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    return found


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """Undo what mlcroissant does to a row: bytes for text, points below their part, ids with the table's name."""
    values: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            values |= flat(value)
        else:
            values[name.partition("/")[2]] = value.decode() if isinstance(value, bytes) else value
    return values


def rows_of(folder: Path, table: str, *, split: str | None = None) -> Iterator[dict[str, Any]]:
    """Read the rows as anybody would, files in the order of their names."""
    for path in sorted((folder / "data").glob(f"{table}-{split or '*'}-*.parquet")):
        for row in pq.read_table(path).to_pylist():
            yield row | {"split": path.name.split("-")[1]}


def test_mlcroissant_finds_no_error_and_misses_nothing_but_the_day(made: tuple[Path, ReleaseFacts]) -> None:
    issues = opened(made[0]).metadata.ctx.issues
    assert not issues.errors
    (warning,) = issues.warnings
    assert ONLY_WARNING in warning


@pytest.mark.parametrize("table", [table for table in TABLES if table != "keypoints"])
def test_the_records_of_a_table_are_its_rows_with_their_nulls(made: tuple[Path, ReleaseFacts], table: str) -> None:
    records = [flat(record) for record in opened(made[0]).records(table)]
    rows = list(rows_of(made[0], table))
    assert records == rows
    nullable = [field.name for field in schema_of(table, profile="identity-free", wide=False) if field.nullable]
    if table == "segments":
        assert {name for row in rows for name in nullable if row[name] is None} >= {"subject_id", "class_id", "side"}


def test_keypoints_are_read_split_by_split_with_every_point(made: tuple[Path, ReleaseFacts]) -> None:
    records = opened(made[0]).records("keypoints", filters={"keypoints/split": "val"})
    read = [flat(record) for record in islice(records, 25)]
    assert read == list(islice(rows_of(made[0], "keypoints", split="val"), 25))
    assert {read[0][name] for name in ("k013_x", "k017_x")} == {None}, "what is not seen stays unseen"


def test_all_record_sets_can_be_read_one_after_the_other(made: tuple[Path, ReleaseFacts]) -> None:
    dataset = opened(made[0])
    counts = {
        each.uuid: sum(1 for _ in islice(dataset.records(each.uuid), 12)) for each in dataset.metadata.record_sets
    }
    rows = {table: min(12, sum(1 for _ in rows_of(made[0], table))) for table in TABLES}
    assert counts == {"splits": 3, "classes": 12, **rows}


def test_classes_and_splits_are_listed(made: tuple[Path, ReleaseFacts]) -> None:
    dataset = opened(made[0])
    assert [(row["splits/name"], row["splits/url"]) for row in dataset.records("splits")] == [
        ("train", "cr:TrainingSplit"),
        ("val", "cr:ValidationSplit"),
        ("test", "cr:TestSplit"),
    ]
    classes = [flat(row) for row in dataset.records("classes")]
    assert {row["class_id"]: row["name"] for row in classes} == {g.class_id: g.name for g in taxonomy()}


@pytest.mark.parametrize("profile", ["identity-free", "research"])
def test_every_column_of_every_table_is_described(tmp_path: Path, profile: Any) -> None:
    folder, facts, config = handmade_release(tmp_path / "release", PEOPLE[:1], profile=profile)
    text = croissant_text(folder, facts, config=config, taxonomy=taxonomy())
    for record_set in json.loads(text)["recordSet"][2:]:
        table = record_set["@id"]
        leaves = [leaf for field in record_set["field"] for leaf in field.get("subField", [field])]
        schema = schema_of(table, profile=profile, wide=False)
        assert {leaf["@id"] for leaf in leaves} == {f"{table}/{name}" for name in {*schema.names, "split"}}
        told = {leaf["@id"].partition("/")[2]: leaf["description"] for leaf in leaves}
        assert {name: told[name] for name in schema.names if name != "split"} == {
            field.name: field.metadata[b"doc"].decode() for field in schema if field.name != "split"
        }


def test_every_file_is_listed_with_its_digest_and_size(made: tuple[Path, ReleaseFacts]) -> None:
    objects = [part for part in document(made[0])["distribution"] if part["@type"] == "cr:FileObject"]
    assert {part["contentUrl"]: (part["sha256"], part["contentSize"]) for part in objects} == {
        f"data/{path.name}": (sha256(path.read_bytes()).hexdigest(), f"{path.stat().st_size} B")
        for path in (made[0] / "data").iterdir()
    }


def test_the_keys_of_segments_lead_to_their_tables(made: tuple[Path, ReleaseFacts]) -> None:
    sets = {each["@id"]: each for each in document(made[0])["recordSet"]}
    fields = {field["@id"]: field for field in sets["segments"]["field"]}
    assert sets["segments"]["key"] == [{"@id": "segments/segment_id"}]
    assert fields["segments/video_id"]["references"] == {
        "fileSet": {"@id": "videos-files"},
        "extract": {"column": "video_id"},
    }
    assert fields["segments/class_id"]["references"] == {"field": {"@id": "classes/class_id"}}
    assert fields["segments/split"]["references"] == {"field": {"@id": "splits/name"}}


def _without_digest(broken: dict[str, Any]) -> None:
    del broken["distribution"][0]["sha256"]


def _without_files(broken: dict[str, Any]) -> None:
    broken["distribution"] = [part for part in broken["distribution"] if part["@id"] != "segments-files"]


def _of_another_format(broken: dict[str, Any]) -> None:
    broken["conformsTo"] = "http://mlcommons.org/croissant/0.1"


def _with_a_source_that_is_nowhere(broken: dict[str, Any]) -> None:
    broken["recordSet"][-1]["field"][0]["source"]["fileSet"]["@id"] = "no-such-files"


@pytest.mark.parametrize("plant", [_without_digest, _without_files, _of_another_format, _with_a_source_that_is_nowhere])
def test_a_planted_error_is_found(made: tuple[Path, ReleaseFacts], plant: Any) -> None:
    import mlcroissant

    broken = document(made[0])
    plant(broken)
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=broken)


def test_a_column_that_is_not_there_is_found_when_it_is_read(made: tuple[Path, ReleaseFacts], tmp_path: Path) -> None:
    import mlcroissant

    text = (made[0] / "croissant.json").read_text(encoding="utf-8")
    shutil.copytree(made[0] / "data", tmp_path / "data")
    (tmp_path / "croissant.json").write_text(text.replace('"column": "recording_id"', '"column": "no_such"'))
    with pytest.raises(mlcroissant.GenerationError):
        list(opened(tmp_path).records("videos"))


def test_the_text_is_the_same_on_another_day_and_points_nowhere_but_to_vocabularies(
    made: tuple[Path, ReleaseFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, facts = made
    monkeypatch.setattr("time.time", lambda: 4e9)
    again = croissant_text(folder, facts, config=CONFIG, taxonomy=taxonomy())
    assert again == (folder / "croissant.json").read_text(encoding="utf-8")
    hosts = {part.split("/")[0] for part in again.replace("http://", "https://").split("https://")[1:]}
    assert hosts == {"schema.org", "mlcommons.org", "purl.org", "creativecommons.org"}
    assert str(folder) not in again


def test_the_citation_and_the_creators_are_those_of_the_study(made: tuple[Path, ReleaseFacts]) -> None:
    folder, facts = made
    assert document(folder)["creator"] == [{"@type": "sc:Organization", "name": "The maintainers of handmade"}]
    config = replace(CONFIG, authors=("Ada Lovelace", "Mary Somerville"))
    named = json.loads(croissant_text(folder, facts, config=config, taxonomy=taxonomy()))
    assert [creator["name"] for creator in named["creator"]] == ["Ada Lovelace", "Mary Somerville"]
    assert "author = {{Ada Lovelace} and {Mary Somerville}}" in named["citeAs"]
    assert named["license"] == "https://creativecommons.org/licenses/by-nc/4.0/"
    assert (named["version"], named["isLiveDataset"]) == ("0.2.0", False)


def test_the_responsible_ai_fields_tell_what_the_study_did(made: tuple[Path, ReleaseFacts]) -> None:
    folder, facts = made
    facts = replace(
        facts,
        scripted_votes=9,
        splits={name: replace(split, scripted_segments=2) for name, split in facts.splits.items()},
        reidentification=Reidentification(
            tested=True,
            why="",
            subjects=30,
            videos=90,
            accuracy=0.05,
            accuracy_low=0.02,
            accuracy_high=0.1,
            chance=0.03,
        ),
        readiness=(
            TaskReadiness(task="supervised", suffices=False, why="no class has 10 segments in each split"),
            TaskReadiness(task="retrieval", suffices=True, why="11 segments with classes"),
        ),
    )
    told = json.loads(croissant_text(folder, facts, config=CONFIG, taxonomy=taxonomy()))
    assert told["rai:annotationsPerItem"].startswith("2.50 counted answers a segment")
    assert "9 of all 27 answers were given by a script" in told["rai:annotationsPerItem"]
    assert told["rai:annotatorDemographics"] == ["Not collected"]
    assert any("contact rules" in tool for tool in told["rai:machineAnnotationTools"])
    assert any("5% of 90 videos" in line for line in told["rai:personalSensitiveInformation"])
    assert "Does not suffice for supervised: no class has 10 segments in each split" in told["rai:dataLimitations"]
    assert "Retrieval: 11 segments with classes" in told["rai:dataUseCases"]
    assert "rai:dataCollectionTimeFrame" not in told


def test_what_was_imported_is_not_told_as_the_study_s_own(made: tuple[Path, ReleaseFacts]) -> None:
    folder, facts = made
    facts = replace(facts, origins={"miga": 11}, origin_licences={"miga": "research agreement"})
    told = json.loads(croissant_text(folder, facts, config=CONFIG, taxonomy=taxonomy()))
    assert told["rai:dataCollection"] == "11 segments were imported from miga (licence: research agreement)."
    assert "rai:dataAnnotationPlatform" not in told
    assert told["rai:annotationsPerItem"] == "Not known: all labels were imported"


def test_a_release_without_a_table_describes_the_others(tmp_path: Path) -> None:
    people = [Person(split="train", videos=((None,),))]
    folder, facts, config = handmade_release(tmp_path / "release", people)
    for table in ("subjects", "unlabelled"):
        (folder / "data" / f"{table}-train-00000-of-00001.parquet").unlink()
    (folder / "croissant.json").write_text(croissant_text(folder, facts, config=config, taxonomy=taxonomy()))
    dataset = opened(folder)
    assert {each.uuid for each in dataset.metadata.record_sets} == {
        "splits", "classes", "segments", "keypoints", "videos", "votes",
    }  # fmt: skip
    (segment,) = (flat(record) for record in dataset.records("segments"))
    assert segment["class_id"] is None
    assert math.isclose(segment["speed"], 1.25)

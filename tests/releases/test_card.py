"""The card: what a user must know before using the data is said in plain words."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from releases.documents.card import read_header, table_under
from releases.documents.card_privacy import classes_hurt_by_profile
from schema.taxonomy import load_taxonomy
from tests.releases.release_data import CONFIG, build, make_inputs, segments_of


def test_the_header_is_what_the_hub_reads(published: Path) -> None:
    header = read_header((published / "README.md").read_text())
    assert header["license"] == "cc-by-nc-4.0"
    configs = header["configs"]
    assert isinstance(configs, list)
    assert [(c["config_name"], c.get("default", False)) for c in configs] == [
        ("segments", True),
        ("keypoints", False),
        ("videos", False),
        ("subjects", False),
        ("votes", False),
        ("unlabelled", False),
    ]
    for config in configs:
        for files in config["data_files"]:
            assert sorted(published.glob(files["path"])), files


def test_scripted_answers_are_stated_and_only_where_there_are_any(published: Path, tmp_path: Path) -> None:
    assert "10 of 30 answers were given by a script, not by a person" in (published / "README.md").read_text()
    people = [replace(segment, scripted=False) for segment in segments_of(0)]
    card = (build(tmp_path / "people", make_inputs(video_subjects=[1], segments=people)) / "README.md").read_text()
    assert "script" not in card.partition("## What it holds")[0]
    scripts = [replace(segment, scripted=True) for segment in segments_of(0)]
    card = (build(tmp_path / "scripts", make_inputs(video_subjects=[1], segments=scripts)) / "README.md").read_text()
    assert read_header(card)["annotations_creators"] == ["machine-generated"]


def test_privacy_is_told_without_promises(published: Path) -> None:
    card = (published / "README.md").read_text()
    for statement in (
        "moved onto one face that is the same for everybody",
        "Whether faces tell people apart was not tested",
        "pseudonymous, not anonymous",
        "no checksum of any video",
        "Pressing lips",
        "Too rare to evaluate",
    ):
        assert statement in card


def test_the_hurt_classes_follow_the_taxonomy() -> None:
    hurt = {gesture.class_id for gesture in classes_hurt_by_profile(load_taxonomy("imigue32"))}
    assert {"pressing_lips", "covering_face", "rubbing_eyes"} <= hurt
    assert not {"folding_arms", "touching_or_scratching_neck", "turtle_neck"} & hurt


def test_the_citation_names_the_licence_and_somebody(published: Path, tmp_path: Path) -> None:
    citation = yaml.safe_load((published / "CITATION.cff").read_text())
    assert citation["license"] == "CC-BY-NC-4.0"
    assert citation["authors"] == [{"name": "The maintainers of test-gestures"}]
    config = replace(CONFIG, authors=("First Team", "Second Team"))
    named = yaml.safe_load((build(tmp_path, make_inputs(video_subjects=[1]), config) / "CITATION.cff").read_text())
    assert [author["name"] for author in named["authors"]] == ["First Team", "Second Team"]


def test_a_table_is_read_back_from_its_heading() -> None:
    card = "---\n---\n## First\n\n| a | b |\n| --- | --- |\n| 1 | x y |\n\n## Second\n\n| c |\n| --- |\n"
    assert table_under(card, "## First") == [{"a": "1", "b": "x y"}]
    assert table_under(card, "## Second") == []
    assert table_under(card, "## Third") == []
    with pytest.raises(ValueError, match="mapping"):
        read_header("---\n- a\n---\n")
    for broken in ("no header", "---\na: [\n---\n"):
        with pytest.raises(ValueError, match="header"):
            read_header(broken)


def test_the_hubs_own_package_takes_the_card(published: Path) -> None:
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(published / "README.md", ignore_metadata_errors=False)
    assert card.data.license == "cc-by-nc-4.0"
    assert card.data.size_categories == ["n<1K"]
    (segments, *others) = card.data.configs
    assert segments["default"] is True
    files = {one["path"] for config in (segments, *others) for one in config["data_files"]}
    assert all(list(published.glob(path)) for path in files), "every path of the header leads to files"

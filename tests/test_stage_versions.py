"""A stage whose code changed must say whether it makes something else now: old parts would pass for new ones."""

import json
from pathlib import Path

import pytest

from flows._stages import STAGE_VERSIONS
from tests import stage_versions
from tests.stage_versions import (
    NO_STAGE,
    ROOT,
    STAGE_CODE,
    decides_nothing,
    differences,
    stage_digest,
    stage_files,
)

PACKAGES = ("media", "perception", "kinematics", "proposals", "annotation", "releases")


def test_code_of_every_stage_is_as_recorded():
    assert differences() == []


def test_every_stage_has_code():
    assert STAGE_CODE.keys() == STAGE_VERSIONS.keys()


def test_every_file_of_the_stages_counts_or_has_a_reason_not_to():
    there = {p.relative_to(ROOT).as_posix() for package in PACKAGES for p in (ROOT / package).rglob("*.py")}
    counted = set().union(*(stage_files(stage) for stage in STAGE_CODE))
    unlisted = {file for file in there - counted if not (file.endswith("__init__.py") or decides_nothing(file))}
    assert unlisted == set(), "add them to STAGE_CODE or NO_STAGE in tests/stage_versions.py"
    assert [entry for entry in NO_STAGE if not (ROOT / entry).exists()] == []


@pytest.fixture
def small_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work.py").write_text('"""Doc."""\n\nLIMIT = 3\n\n\ndef make(x):\n    return x + LIMIT\n')
    monkeypatch.setattr(stage_versions, "ROOT", tmp_path)
    monkeypatch.setattr(stage_versions, "STAGE_CODE", {"work": ("work.py",)})
    monkeypatch.setattr(stage_versions, "STAGE_VERSIONS", {"work": 1})
    monkeypatch.setattr(stage_versions, "RECORD", tmp_path / "record.json")
    (tmp_path / "record.json").write_text(json.dumps(stage_versions.current()))
    return tmp_path / "work.py"


def test_comments_and_docstrings_do_not_count(small_stage: Path):
    text = small_stage.read_text()
    text = text.replace("Doc.", "Other words.").replace("LIMIT = 3", 'LIMIT = 3  # measured\n"""What it is."""')
    small_stage.write_text(text.replace("    return", '    """Add."""\n    return'))
    assert differences() == []


def test_changed_code_without_a_new_version_says_what_to_do(small_stage: Path):
    small_stage.write_text(small_stage.read_text().replace("LIMIT = 3", "LIMIT = 4"))
    (told,) = differences()
    assert "raise STAGE_VERSIONS['work']" in told
    assert "python tests/stage_versions.py --write" in told


def test_a_new_version_is_recorded_too(small_stage: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stage_versions, "STAGE_VERSIONS", {"work": 2})
    assert differences() == ["work: version 1 became 2; run `python tests/stage_versions.py --write`"]


def test_one_function_of_a_file_can_be_named(small_stage: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stage_versions, "STAGE_CODE", {"work": ("work.py::make",)})
    before = stage_digest("work")
    small_stage.write_text(small_stage.read_text().replace("LIMIT = 3", "LIMIT = 4"))
    assert stage_digest("work") == before
    small_stage.write_text(small_stage.read_text().replace("x + LIMIT", "x - LIMIT"))
    assert stage_digest("work") != before


def test_a_function_that_is_gone_is_told(small_stage: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stage_versions, "STAGE_CODE", {"work": ("work.py::lost",)})
    with pytest.raises(LookupError, match=r"work\.py has no lost"):
        stage_digest("work")

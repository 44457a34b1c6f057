"""Match outcomes in a release: on the right video, null where unknown, and with the licence that binds them."""

from dataclasses import replace
from pathlib import Path

import pytest

from releases.documents.licences import outcome_licence_line
from releases.inputs import MatchOutcome
from releases.validation.validate import validate_release
from tests.releases.release_data import build, files_of, make_inputs, read, resign, video

LICENCE = "CC BY-NC-SA 4.0"
OUTCOMES = {video(0): MatchOutcome(outcome="win", licence=LICENCE), video(1): MatchOutcome(outcome="loss")}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return build(tmp_path, make_inputs(match_outcomes=OUTCOMES))


def test_each_video_has_its_own_outcome_or_none(release: Path):
    rows = {row["video_id"]: row["match_outcome"] for row in read(release, "videos").to_pylist()}
    assert {v: o for v, o in rows.items() if o} == {video(0): "win", video(1): "loss"}
    assert rows[video(2)] is None
    assert validate_release(release) == []


def test_card_licence_and_manifest_repeat_what_binds_the_labels(release: Path):
    line = outcome_licence_line(LICENCE)
    assert LICENCE in line
    for name in ("README.md", "LICENSE"):
        assert line in (release / name).read_text()
    assert "1 loss, 1 win" in (release / "README.md").read_text()


def test_a_licence_whose_labels_are_not_in_the_release_is_not_named(tmp_path: Path):
    others = {video(99): MatchOutcome(outcome="win", licence=LICENCE), video(1): MatchOutcome(outcome="loss")}
    release = build(tmp_path, make_inputs(match_outcomes=others))
    assert not [name for name, content in files_of(release).items() if LICENCE.encode() in content]
    plain = build(tmp_path / "plain")
    assert "match_outcome` in" not in (plain / "README.md").read_text()


def test_validation_misses_a_licence_that_was_left_out(release: Path):
    card = release / "README.md"
    card.write_text(card.read_text().replace(outcome_licence_line(LICENCE), ""))
    resign(release)
    assert "it does not name the licence of the match outcomes" in {f.detail for f in validate_release(release)}


def test_validation_finds_outcomes_that_the_manifest_does_not_count(release: Path):
    manifest = release / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"win": 1', '"win": 2'))
    resign(release)
    assert "its match outcomes are not those of the videos" in {f.detail for f in validate_release(release)}


def test_a_licence_of_many_lines_stays_one_line(tmp_path: Path):
    outcome = replace(OUTCOMES[video(0)], licence="CC BY-NC-SA\n 4.0")
    release = build(tmp_path, make_inputs(match_outcomes={video(0): outcome}))
    assert outcome_licence_line(LICENCE) in (release / "README.md").read_text()

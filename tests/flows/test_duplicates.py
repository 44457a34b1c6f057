"""A study's copies: fingerprinted once, linked to the best, left out of perception, kept on one side of the split."""

from pathlib import Path

import pytest

from flows._collection import GOT, collect_source, newest_attempts, to_collect
from flows._duplicates import (
    find_study_duplicates,
    fingerprint_video,
    has_current_duplicates,
    linked_videos,
    poorer_copies,
    to_fingerprint,
)
from flows._plan import study_videos, to_perceive
from flows._study import Study, open_study
from media.store import MediaStore
from schema.arrow import DUPLICATES, FINGERPRINTS, IDENTITIES, RUNS, SOURCES
from schema.errors import DropReason
from schema.records import VideoId
from schema.rows import table_of
from tests.collectors.moving_rooms import Take, write_take
from tests.studies import make_study, set_keys

SECONDS = 12.0


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    whole = Take(seconds=SECONDS)
    write_take(folder / "press.mp4", room=1, speaker=0, take=whole)
    write_take(folder / "mirror.mp4", room=1, speaker=0, take=Take(seconds=SECONDS, height=72, quality_crf=30))
    write_take(folder / "rival.mp4", room=1, speaker=1, take=whole)
    return folder


@pytest.fixture
def study(tmp_path: Path, films: Path) -> Study:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for film in films.iterdir():
        (recordings / film.name).hardlink_to(film)
    opened = make_study(tmp_path)
    for entry in to_collect(opened):
        collect_source(opened, entry)
    return opened


def ids(study: Study) -> dict[str, VideoId]:
    """The video ids by file name."""
    return {Path(row["location"]).stem: VideoId(row["video_id"]) for row in study.store.read(SOURCES).to_pylist()}


def fingerprint_all(study: Study) -> None:
    for video in to_fingerprint(study):
        assert fingerprint_video(study, video).done == 1


def duplicates(study: Study) -> list[dict[str, object]]:
    (name,) = study.store.parts(DUPLICATES)
    return study.store.read_part(DUPLICATES, name.key, name.digest).to_pylist()


def test_the_better_copy_is_kept_and_the_poorer_not_perceived(study):
    assert not has_current_duplicates(study)
    fingerprint_all(study)
    assert not has_current_duplicates(study)
    outcome = find_study_duplicates(study)
    assert has_current_duplicates(study)
    names = ids(study)
    assert poorer_copies(study) == {names["mirror"]}
    assert linked_videos(study) == [(names["mirror"], names["press"])]
    (row,) = duplicates(study)
    assert (row["link"], row["kept_video_id"], row["speed"]) == ("copy", names["press"], pytest.approx(1.0, abs=0.01))
    assert "1 video is a copy" in outcome.notes[0]
    waiting = {video.video_id for video in to_perceive(study, study_videos(study))}
    assert waiting == {names["press"], names["rival"]}
    outcomes = sorted(attempt.outcome for attempt in newest_attempts(study).values())
    assert outcomes == [DropReason.DUPLICATE, GOT, GOT]
    assert to_collect(study) == []


def test_a_study_may_ask_for_its_poorer_copies(study):
    fingerprint_all(study)
    find_study_duplicates(study)
    set_keys(study.layout.root, duplicates={"skip_poorer": False})
    asked = open_study(study.layout.root)
    assert len(to_perceive(asked, study_videos(asked))) == 3
    assert has_current_duplicates(asked)


def test_a_second_run_makes_nothing(study):
    fingerprint_all(study)
    find_study_duplicates(study)
    runs = study.store.read(RUNS).num_rows
    assert to_fingerprint(study) == []
    assert [fingerprint_video(study, video).done for video in study_videos(study)] == [0, 0, 0]
    assert find_study_duplicates(study).done == 0
    assert study.store.read(RUNS).num_rows == runs


def test_fingerprints_and_links_are_the_same_bytes_when_made_again(study):
    def content() -> dict[str, bytes]:
        tables = (FINGERPRINTS, DUPLICATES)
        return {p.name: p.read_bytes() for spec in tables for p in study.layout.table(spec).glob("*.parquet")}

    fingerprint_all(study)
    find_study_duplicates(study)
    before = content()
    assert len(before) == 4
    for spec in (FINGERPRINTS, DUPLICATES):
        for path in study.layout.table(spec).glob("*.parquet"):
            path.unlink()
    fingerprint_all(study)
    find_study_duplicates(study)
    assert content() == before


def write_identities(study: Study, about: dict[str, dict[str, str]]) -> None:
    names = ids(study)
    unknown = dict.fromkeys(IDENTITIES.schema.names)
    fixed = {"score": 1.0, "runner_up_score": 0.0, "needs_review": False, "evidence": ""}
    rows = [unknown | fixed | {"video_id": names[name]} | facts for name, facts in about.items()]
    study.store.write_part(IDENTITIES, "study", "0123456789ab", table_of(IDENTITIES, rows))


def test_two_recordings_of_one_match_are_one_event(study):
    fingerprint_all(study)
    names = ids(study)
    one_match = {"person_id": "p1", "tournament": "Wimbledon", "match_row": "results.csv:7"}
    write_identities(study, {"press": one_match, "rival": one_match, "mirror": {}})
    assert not has_current_duplicates(study)
    find_study_duplicates(study)
    assert sorted((row["link"], row["video_id"] == names["mirror"]) for row in duplicates(study)) == [
        ("copy", True),
        ("same_event", False),
    ]
    assert {video_id for link in linked_videos(study) for video_id in link} == set(names.values())
    assert poorer_copies(study) == {names["mirror"]}


def test_an_empty_study_has_nothing_to_compare(tmp_path):
    assert has_current_duplicates(make_study(tmp_path))


def test_a_new_copy_is_found_beside_the_old_ones(study, tmp_path):
    fingerprint_all(study)
    find_study_duplicates(study)
    film = tmp_path / "recordings" / "better.mp4"
    write_take(film, room=1, speaker=0, take=Take(seconds=SECONDS, height=144))
    for entry in to_collect(study):
        collect_source(study, entry)
    assert not has_current_duplicates(study)
    assert len(to_fingerprint(study)) == 1
    fingerprint_all(study)
    find_study_duplicates(study)
    names = ids(study)
    assert poorer_copies(study) == {names["mirror"], names["press"]}
    assert {kept for _, kept in linked_videos(study)} == {names["better"]}


def test_a_file_that_does_not_decode_has_an_empty_fingerprint_and_stops_nobody(study):
    names = ids(study)
    (broken,) = [video for video in study_videos(study) if video.video_id == names["rival"]]
    path = MediaStore(study.layout).path_of(broken.sha256)
    path.unlink()  # a hard link to the film of all tests
    path.write_bytes(b"not a video")
    outcome = fingerprint_video(study, broken)
    assert [lost.item_id for lost in outcome.dropped] == [names["rival"]]
    fingerprint_all(study)
    find_study_duplicates(study)
    assert has_current_duplicates(study)
    assert poorer_copies(study) == {names["mirror"]}

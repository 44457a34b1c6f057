"""Withdrawal: what names or shows a video goes and all else stays; the same study, killed anywhere, ends the same."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from flows._cli import app
from flows._duplicates import find_study_duplicates, fingerprint_video, to_fingerprint
from flows._identity import REVIEW_FILE
from flows._leases import lease
from flows._plan import study_videos
from flows._runner import run_stage
from flows._study import Study, open_study
from flows._withdraw import withdraw_on_request
from flows._withdrawals import DONE, begin, tombstones, unfinished, withdrawn_segments, withdrawn_videos
from media.store import MediaStore
from releases.errata import ERRATA_FILE, read_errata
from schema.arrow import DUPLICATES, IMPORTED_SOURCES, IMPORTED_VIDEOS, SOURCES, TASKS, VIDEOS, WITHDRAWALS
from schema.errors import LeaseHeldError, UsageError
from schema.files import replace_text
from schema.privacy import make_subject_id
from schema.rows import table_of
from schema.tables import STUDY_KEY
from tests.answered_study import answered_study
from tests.collectors.moving_rooms import Take, write_take
from tests.kills import killed_at
from tests.studies import DERIVED, RECORDED, digests, make_study
from tests.traces import traces

WHY = "asked to be left out"
KEPT = ("withdrawals/", "releases/", "recordings/")
"""Where a withdrawn video may be named, and the user's own files."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two videos with candidates, questions and answers; the first has a clip and is in two releases."""
    root = tmp_path_factory.mktemp("answered") / "study"
    with pytest.MonkeyPatch.context() as patch:
        study = answered_study(root, patch)
    first, second = study_videos(study)
    for version, counts in {"1.0.0": (1, 1), "1.1.0": (3, 1)}.items():
        data = root / "releases" / f"painted-{version}" / "data"
        data.mkdir(parents=True)
        owners = [first.video_id] * counts[0] + [second.video_id] * counts[1]
        rows = {"segment_id": [f"g{n:020d}" for n in range(len(owners))], "video_id": owners}
        pq.write_table(pa.table(rows), data / "segments-train-00000-of-00001.parquet")
    (root / "served" / "clips").mkdir(parents=True)
    for task in study.store.read(TASKS).to_pylist():
        for name in (f"{task['candidate_id']}-0123456789ab.mp4", f"{task['candidate_id']}-0123456789ab.slow.mp4"):
            (root / "served" / "clips" / name).write_bytes(b"film")
    for video in (first, second):
        (root / "previews").mkdir(exist_ok=True)
        (root / "previews" / f"{video.video_id}-black.mp4").write_bytes(b"film")
        (root / "work" / f"{video.video_id}.log").write_text("a traceback")
    replace_text(root / "private" / REVIEW_FILE, review_rows(first.video_id, second.video_id))
    return root


def review_rows(*video_ids: str) -> str:
    rows = "".join(f"{video_id},Painted Player talks,p1,win\n" for video_id in video_ids)
    return f"video_id,title,person_id,outcome\n{rows}"


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "study"))


def words_of(study: Study, video_id: str) -> set[str]:
    """Everything by which the study names a video: ids, digest, place, title, questions."""
    (source,) = [row for row in study.store.read(SOURCES).to_pylist() if row["video_id"] == video_id]
    tasks = [row for row in study.store.read(TASKS).to_pylist() if row["video_id"] == video_id]
    names = {source[name] for name in ("source_id", "native_id", "location", "title")}
    return {video_id, *names, *(task["candidate_id"] for task in tasks)}


def withdraw_first(root: Path) -> str:
    video_id = study_videos(open_study(root))[0].video_id
    withdraw_on_request(open_study(root), video=video_id, subject=None, reason=WHY)
    return video_id


def test_all_that_names_or_shows_the_video_goes_and_nothing_of_the_others(root: Path) -> None:
    study = open_study(root)
    first, second = (video.video_id for video in study_videos(study))
    words, other_words = words_of(study, first), words_of(study, second)
    assert len({trace.split("/")[0] for trace in traces(root, words, but=KEPT)}) >= 15, "the test is about something"
    others = {path: digest for path, digest in digests(root).items() if second in path}
    other_rows = {name: rows_of(root, name, second) for name in RECORDED}
    assert len(others) > 8
    assert sum(map(len, other_rows.values())) > 4

    withdraw_first(root)
    assert traces(root, words, but=KEPT) == []
    assert digests(root) == others
    assert {name: rows_of(root, name, second) for name in RECORDED} == other_rows
    assert len({trace.split(": ")[1] for trace in traces(root, other_words, but=KEPT)}) == len(other_words)
    assert [video.video_id for video in study_videos(open_study(root))] == [second]
    assert (root / "recordings" / "v0.mp4").exists(), "a recording of one's own is its owner's business"


def rows_of(root: Path, table: str, video_id: str) -> list[str]:
    files = sorted((root / table).glob("*.parquet"))
    rows = [row for path in files for row in pq.read_table(path).to_pylist()]
    return [repr(row) for row in rows if row["video_id"] == video_id]


def test_the_tombstone_can_be_joined_to_nothing_without_the_key(root: Path) -> None:
    study = open_study(root)
    words = words_of(study, study_videos(study)[0].video_id)
    video_id = withdraw_first(root)
    stone = tombstones(open_study(root))[video_id]
    assert (stone.state, stone.cause, stone.reason) == (DONE, "requested", WHY)
    ids = {video_id, *(stone.source_ids or ())}
    assert {trace.split(": ")[1] for trace in traces(root / "withdrawals", words)} == ids & words


def test_releases_stay_as_they_are_and_each_gets_one_line(root: Path) -> None:
    before = digests(root, ("releases/painted-1.0.0/data", "releases/painted-1.1.0/data"))
    video_id = withdraw_first(root)
    study = open_study(root)
    assert digests(root, ("releases/painted-1.0.0/data", "releases/painted-1.1.0/data")) == before
    errata = read_errata(root / "releases" / ERRATA_FILE)
    assert [(e.release, e.version, len(e.segment_ids), e.video_ids, e.category) for e in errata] == [
        ("painted", "1.0.0", 1, (video_id,), "requested"),
        ("painted", "1.1.0", 3, (video_id,), "requested"),
    ]
    assert withdrawn_segments(study) == 3, "of the release that has most of them"
    withdraw_on_request(study, video=video_id, subject=None, reason=WHY)
    assert read_errata(root / "releases" / ERRATA_FILE) == errata
    assert withdrawn_segments(open_study(root)) == 3


def test_what_came_back_from_a_backup_is_erased_once_more(root: Path, made: Path) -> None:
    video_id = withdraw_first(root)
    shutil.copytree(made / "keypoints", root / "keypoints", dirs_exist_ok=True)
    shutil.rmtree(root / "private" / "sources")
    shutil.copytree(made / "private" / "sources", root / "private" / "sources")
    assert traces(root, [video_id], but=KEPT)
    done = withdraw_on_request(open_study(root), video=video_id, subject=None, reason=WHY)
    assert (done.erased.files["keypoints"], done.erased.rows["sources"]) == (1, 1)
    assert traces(root, [video_id], but=KEPT) == []


def test_a_file_that_another_video_shares_stays(root: Path) -> None:
    study = open_study(root)
    video = study.store.read(VIDEOS).to_pylist()[0]
    study.store.append(VIDEOS, table_of(VIDEOS, [video | {"video_id": "v-of-another-link"}]))
    withdraw_on_request(study, video=video["video_id"], subject=None, reason=WHY)
    assert video["sha256"] in MediaStore(study.layout).digests()
    withdraw_on_request(open_study(root), video="v-of-another-link", subject=None, reason=WHY)
    assert video["sha256"] not in MediaStore(study.layout).digests()


def test_a_person_goes_with_all_videos_imported_ones_too(root: Path) -> None:
    study = open_study(root)
    subject = make_subject_id(study.key, "p1")
    facts = {"import_id": "i1", "origin": "club-tapes", "video_id": "v-imported", "subject_id": subject}
    numbers = {"frame_count": 9, "rate_numerator": 25, "rate_denominator": 1, "layout": "miga35"}
    row = dict.fromkeys(IMPORTED_VIDEOS.schema.names) | facts | numbers
    study.store.append(IMPORTED_VIDEOS, table_of(IMPORTED_VIDEOS, [row]))
    named = {"import_id": "i1", "video_id": "v-imported", "native_id": "tape-0007", "location": "/tapes/0007.csv"}
    row = dict.fromkeys(IMPORTED_SOURCES.schema.names) | named
    study.store.append(IMPORTED_SOURCES, table_of(IMPORTED_SOURCES, [row]))
    ids = [video.video_id for video in study_videos(study)]
    done = withdraw_on_request(study, video=None, subject=subject, reason=WHY)
    assert done.video_ids == sorted([*ids, "v-imported"])
    assert traces(root, [*ids, "v-imported", "tape-0007", subject], but=KEPT) == []
    assert any("opt-out list" in words for words in done.stays)
    with pytest.raises(UsageError, match="has no video of a subject"):
        withdraw_on_request(open_study(root), video=None, subject=subject, reason=WHY)


def test_copies_go_along_and_an_event_holds_together_without_its_first_video(root: Path) -> None:
    study = open_study(root)
    first, second = (video.video_id for video in study_videos(study))
    base = {"score": 1.0, "offset_ns": 0, "speed": 1.0}
    rows = [{"video_id": second, "kept_video_id": first, "link": "copy"}]
    rows += [{"video_id": v, "kept_video_id": first, "link": "event"} for v in ("v-b", "v-c", "v-d")]
    rows += [{"video_id": "v-y", "kept_video_id": "v-x", "link": "event"}]
    table = table_of(DUPLICATES, [row | base for row in rows])
    study.store.write_part(DUPLICATES, STUDY_KEY, "0" * 12, table)
    done = withdraw_on_request(study, video=second, subject=None, reason=WHY)
    assert done.video_ids == sorted([first, second])
    left = study.store.read_part(DUPLICATES, STUDY_KEY, "0" * 12).to_pylist()
    assert [(row["video_id"], row["kept_video_id"]) for row in left] == [("v-c", "v-b"), ("v-d", "v-b"), ("v-y", "v-x")]


def test_rows_of_a_version_that_only_hid_videos_are_completed(root: Path) -> None:
    study = open_study(root)
    video_id = study_videos(study)[0].video_id
    words = words_of(study, video_id)
    row = dict.fromkeys(WITHDRAWALS.schema.names) | {"video_id": video_id, "cause": "vanished", "withdrawn_ns": 1}
    study.store.append(WITHDRAWALS, table_of(WITHDRAWALS, [row]))
    run_stage(open_study(root), "propose")
    stone = tombstones(open_study(root))[video_id]
    assert (stone.state, stone.cause) == (DONE, "vanished")
    assert stone.source_ids
    assert traces(root, words, but=KEPT) == []


def test_a_video_in_another_runners_hands_waits_and_the_next_command_goes_on(root: Path) -> None:
    study = open_study(root)
    video_id = study_videos(study)[0].video_id
    with lease(study.layout, "perceive", video_id), pytest.raises(LeaseHeldError) as told:
        withdraw_on_request(study, video=video_id, subject=None, reason=WHY)
    assert "\n" not in str(told.value)
    assert len(unfinished(open_study(root))) == 1
    assert video_id not in {video.video_id for video in study_videos(open_study(root))}, "it takes no part any more"
    outcome = run_stage(open_study(root), "propose")
    assert "1 withdrawals that were begun are done" in outcome.notes
    assert traces(root, [video_id], but=KEPT) == []


def run(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["withdraw", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--video", "v123", "--reason", WHY], "the study has no video 'v123'"),
        (["--subject", "s123", "--reason", WHY], "the study has no video of a subject 's123'"),
        (["--reason", WHY], "name one of the two: --video ID or --subject ID"),
        (["--video", "v1", "--subject", "s1", "--reason", WHY], "name one of the two"),
        (["--video", "v1", "--reason", "  "], "--reason: say why"),
        (["--video", "v1", "--reason", "Painted Player asked"], "--reason holds a name"),
        (["--video", "v1", "--reason", "mail of Player"], "--reason holds a part of a name"),
        (["--video", "v1", "--reason", "see https://mail.example.org/7"], "--reason holds a link"),
        (["--video", "v1", "--reason", "asked by me@example.org"], "--reason holds a e-mail address"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_and_nothing_is_withdrawn(made: Path, arguments: list[str], said: str) -> None:
    before = digests(made, (*DERIVED, *RECORDED, "withdrawals"))
    status, output = run(made, *arguments)
    assert status == 2
    assert said in output
    assert len(output.strip().splitlines()) == 1
    secrets = ("Painted Player asked", "mail of Player", "mail.example.org", "me@example.org")
    assert not any(secret in output for secret in secrets), "what must not be kept is not repeated"
    assert digests(made, (*DERIVED, *RECORDED, "withdrawals")) == before


def test_the_command_tells_what_went_and_what_stays(root: Path) -> None:
    video_id = study_videos(open_study(root))[0].video_id
    status, output = run(root, "--video", video_id, "--reason", WHY, "--json")
    assert status == 0, output
    told = json.loads(output)
    assert told["videos"] == [video_id]
    assert told["files"]["media"] == told["files"]["previews"] == 1
    assert told["files"]["served"] == 2
    assert told["bytes"] > 10_000
    assert (told["rows"]["tasks"], told["rows"]["annotations"], told["rows"]["review.csv"]) == (1, 3, 1)
    assert told["errata"] == ["painted-1.0.0", "painted-1.1.0"]
    stays = " ".join(told["stays"])
    assert all(words in stays for words in ("sources[0].path", "1 recordings of your own", "backups"))
    status, output = run(root, "--video", video_id, "--reason", WHY)
    assert status == 0
    assert f"withdrawn: {video_id}" in output


def withdrawal(root: Path, video_id: str) -> Callable[[], object]:
    study = open_study(root)
    return lambda: withdraw_on_request(study, video=video_id, subject=None, reason=WHY)


def moments() -> Iterator[int]:
    """Every moment of the tombstone and of the first deletions, then every ninth of some 100."""
    yield from range(1, 8)
    yield from range(8, 400, 9)


@pytest.mark.timeout(240)
def test_a_withdrawal_that_is_killed_at_any_moment_is_finished_by_the_next_command(made: Path, tmp_path: Path) -> None:
    study = open_study(made)
    video_id = study_videos(study)[0].video_id
    words = words_of(study, video_id)
    whole = tmp_path / "whole"
    shutil.copytree(made, whole)
    withdraw_on_request(open_study(whole), video=video_id, subject=None, reason=WHY)
    tables = (*DERIVED, *RECORDED, "private/sources")
    ended = 0
    for moment in moments():
        root = tmp_path / str(moment)
        shutil.copytree(made, root)
        if not killed_at(moment, partial(withdrawal, root, video_id)):
            break
        is_begun = video_id in withdrawn_videos(open_study(root))
        if is_begun:
            run_stage(open_study(root), "propose")
        else:
            assert {**digests(root, tables)} == digests(made, tables), "nothing goes before the tombstone stands"
            withdraw_on_request(open_study(root), video=video_id, subject=None, reason=WHY)
        assert traces(root, words, but=KEPT) == [], moment
        assert digests(root, tables) == digests(whole, tables)
        assert read_errata(root / "releases" / ERRATA_FILE) == read_errata(whole / "releases" / ERRATA_FILE)
        assert not unfinished(open_study(root))
        ended += is_begun
        shutil.rmtree(root)
    else:
        pytest.fail("a withdrawal has fewer moments")
    assert ended > 10


def test_a_copy_that_comes_by_another_way_later_is_withdrawn_too(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    write_take(recordings / "press.mp4", room=1, speaker=0, take=Take(seconds=12.0))
    write_take(recordings / "rival.mp4", room=1, speaker=1, take=Take(seconds=12.0))
    study = make_study(tmp_path)
    run_collect(study)
    compare(study)
    (pressed,) = [row["video_id"] for row in study.store.read(SOURCES).to_pylist() if "press" in row["location"]]
    withdraw_on_request(study, video=pressed, subject=None, reason=WHY)

    write_take(recordings / "mirror.mp4", room=1, speaker=0, take=Take(seconds=12.0, height=72, quality_crf=30))
    study = open_study(tmp_path)
    run_collect(study)
    (mirror,) = [row["video_id"] for row in study.store.read(SOURCES).to_pylist() if "mirror" in row["location"]]
    assert mirror != pressed
    assert any("copies of withdrawn ones" in note for note in compare(study))
    run_stage(open_study(tmp_path), "propose")
    assert tombstones(open_study(tmp_path))[mirror].cause == "copy"
    assert traces(tmp_path, [mirror, pressed], but=KEPT) == []
    assert len(study_videos(open_study(tmp_path))) == 1, "the other speaker in the room stays"


def run_collect(study: Study) -> None:
    from flows._collection import collect_source, to_collect

    for entry in to_collect(study):
        collect_source(study, entry)


def compare(study: Study) -> list[str]:
    for video in to_fingerprint(study):
        fingerprint_video(study, video)
    return find_study_duplicates(study).notes


def test_tombstones_of_many_videos_are_one_batch(root: Path) -> None:
    study = open_study(root)
    ids = [video.video_id for video in study_videos(study)]
    assert begin(study, ids, cause="requested", reason=WHY) == sorted(ids)
    assert begin(study, ids, cause="requested", reason=WHY) == []
    assert len(list((root / "withdrawals").glob("*.parquet"))) == 1

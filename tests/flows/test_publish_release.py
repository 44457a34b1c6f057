"""``pressroom publish`` as a stranger tries it: twice, at once, killed, elsewhere, with more people, odd settings."""

import gc
import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows._publication import publish, study_releases
from flows._study import open_study
from releases import build as release_build
from releases.diff import diff_lines, diff_releases
from releases.documents import stats as stats_page
from releases.splits.lock import read_splits_lock
from releases.validation.validate import validate_release
from schema.arrow import DUPLICATES
from schema.errors import InvalidReleaseError, RunError, StoreFullError
from schema.privacy import make_subject_id
from schema.rows import table_of
from tests.answered_study import ask_and_answer, perceive_here
from tests.published_study import (
    PEOPLE,
    PUBLISH,
    answer_again,
    declare,
    files_of,
    left_in,
    paint_person,
    published_study,
    publisher,
    table,
    video_of,
)
from tests.studies import DERIVED, run_to_candidates, set_keys

NAME = "painted-0.1.0"
SPLITS = ("train", "val", "test")
DIES_BEFORE_THE_CARD = f"""
import os, signal
from releases import build
build.card_text = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
{PUBLISH}"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with its first release; copied by the tests, never changed."""
    root = tmp_path_factory.mktemp("published") / "study"
    with pytest.MonkeyPatch.context() as patch:
        publish(published_study(root, patch))
    return root


@pytest.fixture
def released(published: Path, tmp_path: Path) -> Path:
    """A copy of the study and its release."""
    return Path(shutil.copytree(published, tmp_path / "study"))


@pytest.fixture
def fresh(released: Path) -> Path:
    """A copy of the study without a release, whose plots are left out: drawing them is most of a build."""
    shutil.rmtree(released / "releases")
    return released


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats_page, "plots_of", lambda _: {})


def manifest_of(release: Path) -> dict:
    return json.loads((release / "manifest.json").read_text())


def newest(root: Path) -> Path:
    return study_releases(open_study(root))[-1]


def refused(root: Path) -> str:
    """Publish what must be refused; returns the one line."""
    before = left_in(root)
    with pytest.raises(RunError) as caught:
        publish(open_study(root))
    assert "\n" not in str(caught.value)
    assert left_in(root) == before, "nothing new is left"
    return str(caught.value)


def test_the_second_time_nothing_is_done(released: Path) -> None:
    before = files_of(released / "releases" / NAME)
    outcome = publish(open_study(released))
    assert (outcome.done, outcome.notes) == (0, [f"{released / 'releases' / NAME} holds just this already"])
    assert left_in(released) == [NAME]
    assert files_of(released / "releases" / NAME) == before
    assert validate_release(released / "releases" / NAME) == []


def test_elsewhere_later_with_more_workers_and_all_parts_anew_it_is_the_same_to_the_byte(
    published: Path, tmp_path: Path
) -> None:
    again = tmp_path / "an other place" / "study"
    left_behind = ("releases", "work", "leases", "served", *DERIVED)
    shutil.copytree(published, again, ignore=shutil.ignore_patterns(*left_behind))
    set_keys(again, run={"workers": 3})
    later = "import time\nago = time.time\ntime.time = lambda: ago() + 40 * 86400\n"
    later += "ago_ns = time.time_ns\ntime.time_ns = lambda: ago_ns() + 40 * 86400 * 10**9\n"
    process = publisher(again, later + PUBLISH, PYTHONHASHSEED="7", TZ="Pacific/Auckland", COLUMNS="40")
    out, err = process.communicate(timeout=55)
    assert process.returncode == 0, err
    assert out.strip() == str(again / "releases" / NAME)
    assert files_of(again / "releases" / NAME) == files_of(published / "releases" / NAME)


def test_a_killed_build_leaves_nothing_that_counts_and_two_at_once_make_one_release(
    fresh: Path, published: Path
) -> None:
    process = publisher(fresh, DIES_BEFORE_THE_CARD)
    process.communicate(timeout=55)
    assert process.returncode == -signal.SIGKILL
    (leftover,) = left_in(fresh)
    assert leftover.startswith(".building-")
    (fresh / "releases" / leftover).rename(fresh / "releases" / leftover.replace(NAME, "painted-7.0.0"))
    both = [publisher(fresh) for _ in range(2)]
    told = [process.communicate(timeout=55) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    place = str(fresh / "releases" / NAME)
    assert sorted(out.strip() for out, _ in told) == [place, f"{place} holds just this already"]
    assert left_in(fresh) == [NAME], "leftovers of any version are gone"
    assert files_of(fresh / "releases" / NAME) == files_of(published / "releases" / NAME)


@pytest.mark.usefixtures("quick")
def test_a_reviewers_words_win_and_those_of_the_template_stay_beside(released: Path) -> None:
    study = open_study(released)
    words = "The right hand rests on the neck and leaves it again."
    answer_again(study, "p1", 1, description=words)
    publish(study)
    release = newest(released)
    rows = table(release, "segments").filter(video_id=video_of(study, "p1")).to_dicts()
    (row,) = [row for row in rows if row["description"] == words]
    assert row["description_by"] == "person"
    assert row["template_description"] not in ("", words)
    before = table(released / "releases" / NAME, "segments").filter(segment_id=row["segment_id"]).to_dicts()
    assert row["template_description"] == before[0]["description"]
    assert manifest_of(release)["descriptions"]["by_person"] == 1
    assert validate_release(release) == []
    assert any("description" in line for line in diff_lines(diff_releases(released / "releases" / NAME, release)))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "leak",
    ["Zoe Quux", "Mr Blorf", "https://example.org/watch?v=abc", "wibble@example.org", "@quux_zoe", "example.com/p1"],
)
def test_a_leak_in_a_reviewers_words_refuses_the_build_and_is_not_repeated(fresh: Path, leak: str) -> None:
    answer_again(open_study(fresh), "p1", 1, description=f"A hand goes to the neck, says {leak} here.")
    said = refused(fresh)
    assert "identity leak" in said
    assert "column description" in said
    assert leak not in said
    assert left_in(fresh) == []


@pytest.mark.usefixtures("quick")
def test_strangers_are_left_out_and_counted_or_in_train_with_no_window_of_theirs(released: Path) -> None:
    first, study = newest(released), open_study(released)
    stranger = video_of(study, "stranger")
    assert stranger not in table(first, "videos")["video_id"].to_list()
    assert manifest_of(first)["left_out"]["segments"]["unknown_subject"] > 0
    wide = {"window_seconds": 0.4, "min_quality": 0.0, "slowest": 0.0, "fastest": 1e6}
    set_keys(released, release={"unknown_subjects": "train", "unlabelled": wide})
    publish(open_study(released))
    second = newest(released)
    segments = table(second, "segments").filter(video_id=stranger)
    assert set(segments["split"]) == {"train"}
    assert segments["subject_id"].null_count() == segments.height > 0
    windows = table(second, "unlabelled")
    assert windows.height > 0
    assert windows["subject_id"].null_count() == 0
    assert stranger not in windows["video_id"].to_list()
    assert validate_release(second) == []
    assert read_splits_lock(second / "splits.lock") == read_splits_lock(first / "splits.lock")


@pytest.mark.usefixtures("quick")
def test_a_study_in_which_nobody_is_declared_is_told_what_to_do(fresh: Path) -> None:
    declare(fresh, (), *PEOPLE)
    said = refused(fresh)
    assert "6 unknown_subject" in said
    assert "review.csv" in said
    assert "unknown_subjects" in said


@pytest.mark.usefixtures("quick")
def test_new_people_and_answers_come_in_the_next_version_and_nobody_moves(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = newest(released)
    before = files_of(first)
    paint_person(released, "p6", 7)
    declare(released, (*PEOPLE, "p6"))
    perceive_here(monkeypatch)
    study = open_study(released)
    run_to_candidates(study)
    ask_and_answer(study)
    publish(study)
    second = newest(released)
    assert second.name == "painted-0.2.0"
    assert files_of(first) == before
    old, new = (read_splits_lock(release / "splits.lock") for release in (first, second))
    assert old.items() < new.items()
    assert set(new) - set(old) == {make_subject_id(study.key, "p6")}
    changes = diff_releases(first, second)
    assert (changes.subjects_added, changes.subjects_removed) == (tuple(sorted(set(new) - set(old))), ())
    assert changes.segments_added
    assert not changes.segments_removed
    assert not changes.subjects_moved
    assert "subjects: 1 new, 0 gone" in diff_lines(changes)
    assert validate_release(second) == []
    assert set(manifest_of(first)["earlier_releases"].values()) == {""}
    assert "" not in manifest_of(second)["earlier_releases"].values(), "they are inputs too"
    assert "## 0.2.0" in (second / "CHANGELOG.md").read_text()
    assert (first / "CHANGELOG.md").read_text().removeprefix("# Changelog\n") in (second / "CHANGELOG.md").read_text()


@pytest.mark.usefixtures("quick")
def test_each_changed_setting_is_a_version_and_only_a_new_split_moves_people(released: Path) -> None:
    first = newest(released)
    locked = read_splits_lock(first / "splits.lock")
    set_keys(released, release={"profile": "research"})
    publish(open_study(released))
    changes = diff_releases(first, newest(released))
    assert changes.settings["config.profile"] == ("identity-free", "research")
    assert "keypoints.k050_x" in changes.columns_added
    assert not changes.subjects_moved
    shares = {"train_share": 0.2, "val_share": 0.0, "test_share": 0.8}
    set_keys(released, release={"profile": "identity-free", "splits": shares})
    publish(open_study(released))
    assert newest(released).name == "painted-0.3.0"
    assert read_splits_lock(newest(released) / "splits.lock") == locked, "whoever was published stays"
    set_keys(released, release={"splits": shares | {"re_split": True}})
    publish(open_study(released))
    anew = newest(released)
    moved = read_splits_lock(anew / "splits.lock")
    assert anew.name == "painted-0.4.0"
    assert moved != locked
    assert moved.keys() == locked.keys()
    assert "val" not in moved.values()
    count = sum(moved[subject] != split for subject, split in locked.items())
    for document in ("README.md", "CHANGELOG.md"):
        assert f"{count} subject(s) are in another split than in earlier releases" in (anew / document).read_text()
    assert "The study asks for no val." in (anew / "README.md").read_text()
    assert "moved from" in "\n".join(diff_lines(diff_releases(first, anew)))
    assert publish(open_study(released)).done == 0
    set_keys(released, release={"splits": {"train_share": 0.7, "val_share": 0.15, "test_share": 0.15}})
    publish(open_study(released))  # as 0.1.0 was made, but for those who have moved since
    back = newest(released)
    assert back.name == "painted-0.5.0"
    assert read_splits_lock(back / "splits.lock") == moved
    assert all(validate_release(release) == [] for release in study_releases(open_study(released)))


@pytest.mark.usefixtures("quick")
def test_a_copy_found_after_the_split_is_left_out_and_told_and_nobody_moves(released: Path) -> None:
    study = open_study(released)
    locked = read_splits_lock(newest(released) / "splits.lock")
    by_split = {locked[make_subject_id(study.key, person)]: person for person in PEOPLE}
    poorer, better = video_of(study, by_split["test"]), video_of(study, by_split["train"])
    link = {"video_id": poorer, "kept_video_id": better, "link": "copy", "score": 0.9, "offset_ns": 0, "speed": 1.0}
    row = dict.fromkeys(DUPLICATES.schema.names) | link
    study.store.write_part(DUPLICATES, "study", "0" * 12, table_of(DUPLICATES, [row]))
    publish(study)
    release = newest(released)
    assert release.name == "painted-0.2.0"
    videos = table(release, "videos")["video_id"].to_list()
    assert (poorer in videos, better in videos) == (False, True)
    assert set(read_splits_lock(release / "splits.lock").items()) <= set(locked.items())
    report = json.loads((release / "leak-report.json").read_text())
    assert report["copies_left_out"] == 1
    assert manifest_of(release)["left_out"]["segments"]["copy_in_another_split"] > 0
    assert "copy" in (release / "README.md").read_text()
    assert validate_release(release) == []


@pytest.mark.usefixtures("quick")
def test_attributes_that_single_somebody_out_are_counted_and_gone(released: Path) -> None:
    cells = {"p1": ",f,1990", "p2": ",m,1985", "p3": ",m,1986", "p4": ",,", "p5": ",m,1971"}
    declare(released, PEOPLE, columns=",sex,birth_year", cells=cells)
    set_keys(released, release={"min_subjects_an_attribute": 2})
    publish(open_study(released))
    release = newest(released)
    people = table(release, "subjects")
    groups = people.group_by("sex", "birth_years").len()
    assert groups["len"].min() >= 2
    told = {one["name"]: one for one in manifest_of(release)["attributes"]}
    assert told["sex"]["declared"] == 4
    assert told["sex"]["nulled"] + told["sex"]["published"] == 4
    assert told["sex"]["nulled"] > 0
    assert told["birth_years"]["nulled"] > 0
    card = (release / "README.md").read_text()
    assert "fewer than 2" in card or "2 people" in card
    assert validate_release(release) == []


def test_what_is_not_told_of_people_can_not_be_tried_out_with_the_manifest(released: Path) -> None:
    """Who knows the ids could try every sex and year of a few people against a plain digest."""
    from flows._release_inputs import input_digests
    from flows._split_inputs import subject_attributes
    from schema.files import digest_of

    study = open_study(released)
    plain = {subject: [one.sex, one.birth_year] for subject, one in subject_attributes(study).items()}
    assert digest_of(dict(sorted(plain.items()))) not in json.dumps(input_digests(study))


@pytest.mark.usefixtures("quick")
def test_gated_links_lie_beside_for_the_owner_alone_also_after_a_kill(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(released)
    links = {video_of(study, person): f"https://videos.example/watch/{person}" for person in PEOPLE}
    monkeypatch.setattr("flows._release_inputs._links", lambda _: links)
    set_keys(released, release={"gated_links": True})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(release_build, "_put_in_place", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(open_study(released))
    assert [release.name for release in study_releases(study)] == [NAME]
    publish(open_study(released))
    release, part = released / "releases" / "painted-0.2.0", released / "releases" / "painted-0.2.0-links"
    assert left_in(released) == [NAME, release.name, part.name]
    assert stat.S_IMODE(part.stat().st_mode) == 0o700
    rows = pq.read_table(part / "links.parquet").to_pylist()
    assert {row["video_id"]: row["url"] for row in rows} == links
    assert not [name for name, content in files_of(release).items() if b"videos.example" in content]
    assert validate_release(release) == []
    assert publish(open_study(released)).done == 0
    with pytest.raises(InvalidReleaseError, match="identifies people"):
        validate_release(part)


@pytest.mark.usefixtures("quick")
def test_a_release_that_was_altered_is_told_and_nothing_is_built_on_it(released: Path) -> None:
    release = newest(released)
    kept = files_of(release)

    def altered(name: str, content: bytes | None) -> str:
        if content is None:
            (release / name).unlink()
        else:
            (release / name).write_bytes(content)
        said = refused(released)
        assert files_of(release) == {n: b for n, b in (kept | {name: content}).items() if b is not None}, "not mended"
        (release / name).write_bytes(kept[name])
        return said

    shard = next(name for name in kept if name.startswith("data/segments-"))
    assert shard in altered(shard, kept[shard][:-1] + b"x")
    assert "can't be read" in altered("manifest.json", b"{no")
    assert "no mapping" in altered("manifest.json", b"[]")
    answer_again(open_study(released), "p1", 2)
    moved = kept["splits.lock"].replace(b" test", b" train")
    assert "splits.lock" in altered("splits.lock", moved), "a later release would put people elsewhere"
    assert "splits.lock" in altered("splits.lock", None)
    assert "CHANGELOG.md" in altered("CHANGELOG.md", None)
    publish(open_study(released))
    assert newest(released).name == "painted-0.2.0"


@pytest.fixture
def mounted(fresh: Path) -> Iterator[Path]:
    """The releases folder on a file system of its own, too small for a release."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = fresh / "releases"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)


@pytest.mark.usefixtures("quick")
def test_a_full_disk_and_a_read_only_folder_are_one_line_each_and_it_goes_on_after(mounted: Path) -> None:
    root = mounted.parent
    with pytest.raises(StoreFullError) as full:
        publish(open_study(root))
    assert "\n" not in str(full.value)
    assert left_in(root) == []
    del full  # its traceback holds a half-written file open
    gc.collect()
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    assert "can't be written" in refused(root)
    subprocess.run(["mount", "-o", "remount,rw,size=64m", mounted], check=True)
    publish(open_study(root))
    assert left_in(root) == [NAME]
    assert validate_release(mounted / NAME) == []

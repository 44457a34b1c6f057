"""Which files go when, that nothing breaks afterwards, and that a deletion that was killed is finished."""

import json
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from flows import _retention
from flows._clips import write_review_clip
from flows._collection import to_collect
from flows._duplicates import find_study_duplicates, fingerprint_video, to_fingerprint
from flows._facts import plan_facts, status_facts
from flows._plan import current_candidates, disposed_videos, explain, study_videos, to_perceive, to_propose, to_push
from flows._preview import preview_video
from flows._publication import publish, published_release
from flows._report import tell_explanation, tell_plan, tell_status
from flows._retention import apply_retention, cannot_be_redone
from flows._study import Study, open_study
from media.store import MediaStore
from releases.documents import stats as stats_page
from schema.arrow import DISPOSALS, DUPLICATES, VIDEOS
from schema.errors import UsageError
from schema.rows import table_of
from tests.answered_study import answered_study, ask_and_answer, perceive_here
from tests.studies import digests, paint_video, run_to_candidates, set_keys

RULES = ("until_release", "features_only")


def with_rule(study: Study, rule: str) -> Study:
    set_keys(study.layout.root, collect={"retain": rule})
    return open_study(study.layout.root)


def compare(study: Study) -> None:
    for video in to_fingerprint(study):
        fingerprint_video(study, video)
    find_study_duplicates(study)


def pictures(study: Study) -> dict[str, int]:
    """Count the files that show a person."""
    root = study.layout.root
    patterns = ("media/*", "proxies/*.mp4", "served/clips/*.mp4", "previews/*-picture.*", "recordings/*")
    return {pattern.partition("/")[0]: len(list(root.glob(pattern))) for pattern in patterns}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos with candidates that were asked and answered, their clips, and a preview of each."""
    with pytest.MonkeyPatch.context() as patch:
        study = answered_study(tmp_path_factory.mktemp("made") / "study", patch)
    compare(study)
    for video, candidate in current_candidates(study, study_videos(study)):
        write_review_clip(study, video, candidate)
    study.layout.previews.mkdir()
    for video in study_videos(study):
        Image.new("RGB", (4, 4)).save(study.layout.previews / f"{video.video_id}-picture.png")
        Image.new("RGB", (4, 4)).save(study.layout.previews / f"{video.video_id}-black.png")
    return study.layout.root


@pytest.fixture
def study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A copy of that study to change, whose releases have no plots: drawing them is most of a build."""
    perceive_here(monkeypatch)
    monkeypatch.setattr(stats_page, "plots_of", lambda _: {})
    return open_study(shutil.copytree(made, tmp_path / "study"))


def test_forever_deletes_nothing(study: Study) -> None:
    before = pictures(study)
    publish(study)
    assert apply_retention(study) == 0
    assert pictures(study) == before
    assert before["media"] == before["proxies"] == before["recordings"] == 2
    assert before["served"] >= 2


def test_until_release_waits_for_one_that_was_built_from_the_video(study: Study) -> None:
    study = with_rule(study, "until_release")
    assert apply_retention(study) == 0
    time.sleep(0.01)
    publish(study)
    root = study.layout.root
    # one more arrives, so that the release is not the newest that could be built; it is not in it
    paint_video(root / "recordings" / "late.mp4", color=2, seconds=3, touch_s=(1.0, 2.0))
    run_to_candidates(study)
    ask_and_answer(study)
    compare(study)
    assert published_release(study) is None
    taken = sum(path.stat().st_size for path in root.rglob("*.mp4"))
    freed = apply_retention(study)
    late = {video.video_id for video in study_videos(study)} - disposed_videos(study)
    assert len(late) == 1
    assert freed >= taken - sum(path.stat().st_size for path in root.rglob("*.mp4")) > 0
    rows = study.store.read(DISPOSALS).to_pylist()
    assert {row["video_id"] for row in rows} == disposed_videos(study)
    assert {row["rule"] for row in rows} == {"until_release"}
    left = pictures(study)
    assert (left["media"], left["proxies"], left["previews"], left["recordings"]) == (1, 1, 0, 3)
    assert left["served"] == 0, "the clips of answered questions went, the late one's were not cut"
    assert len(list(study.layout.previews.glob("*-black.png"))) == 2
    assert apply_retention(study) == 0


def test_features_only_does_not_wait_for_a_release_but_for_the_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.answered_study.ask_and_answer", lambda study: None)
    study = with_rule(answered_study(tmp_path / "study", monkeypatch), "features_only")
    assert apply_retention(study) == 0, "copies were not looked for yet"
    compare(study)
    assert apply_retention(study) == 0, "its candidates are not on the page"
    clips = [write_review_clip(study, video, candidate).path for video, candidate in to_push(study)]
    ask_and_answer(study)
    assert apply_retention(study) > 0
    assert pictures(study)["media"] == pictures(study)["proxies"] == 0
    assert all(clip.exists() for clip in clips), "no release has had the answers yet"
    publish(study)
    assert apply_retention(study) > 0
    assert not any(clip.exists() for clip in clips)


@pytest.mark.parametrize("rule", RULES)
def test_nothing_breaks_without_the_files(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rule: str
) -> None:
    study = with_rule(study, rule)
    publish(study)
    apply_retention(study)
    videos = study_videos(study)
    assert len(disposed_videos(study)) == len(videos) == 2
    made = digests(study.layout.root)
    assert (to_perceive(study, videos), to_propose(study, videos), to_push(study)) == ([], [], [])
    assert (to_fingerprint(study), to_collect(study), cannot_be_redone(study)) == ([], [], [])
    assert all(row.current for video in videos for row in explain(study, video.video_id))
    facts = status_facts(study)
    assert (facts["disposed"], facts["gigabytes_to_dispose"], facts["waiting"]["perceive"]) == (2, 0.0, 0)
    for as_json in (False, True):
        tell_status(study, as_json=as_json)
        tell_plan(study, as_json=as_json)
        tell_explanation(study, videos[0].video_id, as_json=as_json)
    assert capsys.readouterr().err == ""
    release = published_release(study)
    assert release is not None
    publish(study)
    assert published_release(study) == release
    run_to_candidates(study)
    assert digests(study.layout.root) == {p: d for p, d in made.items() if not p.endswith(".mp4")}
    with pytest.raises(UsageError, match=r"can't be drawn: its video file was deleted \(collect.retain\)"):
        preview_video(study, videos[0].video_id, background="picture")
    film, _ = preview_video(study, videos[0].video_id, background="black")
    assert film.stat().st_size > 0, "skeletons are drawn from the tables alone"


def test_a_setting_that_would_need_the_files_is_told_in_one_line(study: Study) -> None:
    study = with_rule(study, "features_only")
    publish(study)
    apply_retention(study)
    set_keys(study.layout.root, shots={"min_seconds": 0.3})
    changed = open_study(study.layout.root)
    videos = study_videos(changed)
    assert to_perceive(changed, videos) == []
    assert len(cannot_be_redone(changed)) == plan_facts(changed)["videos_without_file_to_perceive"] == 2
    shots, candidates = (
        next(row for row in explain(changed, videos[0].video_id) if row.table == table)
        for table in ("shots", "candidates")
    )
    assert shots.why.endswith("; it can't be made anew: the video file was deleted (collect.retain)")
    assert "deleted" not in candidates.why
    with pytest.raises(UsageError, match=r"their files were deleted \(collect.retain\): set back what") as caught:
        publish(changed)
    assert "\n" not in str(caught.value)
    set_keys(study.layout.root, proposals={"max_per_track_minute": 5.0}, shots={"min_seconds": 0.5})
    default = open_study(study.layout.root)
    if not cannot_be_redone(default):
        assert len(to_propose(default, videos)) == 2, "candidates are made of keypoints, which are there"


def test_a_file_that_is_put_back_can_be_worked_on_and_goes_again(study: Study) -> None:
    study = with_rule(study, "features_only")
    kept = {path.name: path.read_bytes() for path in study.layout.media.iterdir()}
    publish(study)
    apply_retention(study)
    set_keys(study.layout.root, shots={"min_seconds": 0.3})
    study = open_study(study.layout.root)
    for name, content in kept.items():
        (study.layout.media / name).write_bytes(content)
    assert len(to_perceive(study, study_videos(study))) == 2
    run_to_candidates(study)
    ask_and_answer(study)
    compare(study)
    assert apply_retention(study) > 0
    assert pictures(study)["media"] == pictures(study)["proxies"] == 0
    assert study.store.read(DISPOSALS).num_rows == 2, "each deletion is told once"
    publish(study)


@pytest.mark.parametrize("moment", ["after the rows", "between two videos", "before the browser copies"])
def test_a_deletion_that_was_killed_is_finished(study: Study, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    study = with_rule(study, "features_only")
    publish(study)
    removed: list[str] = []
    remove = MediaStore.remove

    def killed(store: MediaStore, sha256: str) -> int:
        if moment == "after the rows" or (moment == "between two videos" and removed):
            raise KeyboardInterrupt
        removed.append(sha256)
        return remove(store, sha256)

    def no_pictures(*_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(MediaStore, "remove", killed)
        if moment == "before the browser copies":
            killing.setattr(_retention, "_pictures", no_pictures)
        with pytest.raises(KeyboardInterrupt):
            apply_retention(study)
    assert study.store.read(DISPOSALS).num_rows == 2
    again = open_study(study.layout.root)
    assert len(disposed_videos(again)) == len(removed)
    status_facts(again)
    assert to_perceive(again, study_videos(again)) == []
    assert apply_retention(again) > 0
    assert pictures(again)["media"] == pictures(again)["proxies"] == 0
    assert again.store.read(DISPOSALS).num_rows == 2


def test_a_poorer_copy_goes_before_it_is_perceived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    perceive_here(monkeypatch)
    study = with_rule(answered_study(tmp_path / "study", monkeypatch), "until_release")
    paint_video(study.layout.root / "recordings" / "copy.mp4", color=2, seconds=3, touch_s=(1.0, 2.0))
    before = {video.video_id for video in study_videos(study)}
    from flows._collection import collect_source

    for entry in to_collect(study):
        collect_source(study, entry)
    (copy,) = {video.video_id for video in study_videos(study)} - before
    compare(study)
    (part,) = study.store.parts(DUPLICATES)
    row = {"video_id": copy, "kept_video_id": min(before), "link": "copy", "score": 1.0, "offset_ns": 0, "speed": 1.0}
    study.store.write_part(DUPLICATES, part.key, part.digest, table_of(DUPLICATES, [row]))
    assert [v.video_id for v in to_perceive(study, study_videos(study))] == []
    apply_retention(study)
    assert disposed_videos(study) == {copy}
    assert plan_facts(study)["videos_without_file_to_perceive"] == 0
    assert study.store.read(VIDEOS).num_rows == 3


def test_what_the_rule_frees_is_forecast(study: Study) -> None:
    root = study.layout.root
    forever, rule = plan_facts(study), with_rule(study, "features_only")
    assert forever["gigabytes_to_dispose"] == 0
    folders = (root / "media", root / "proxies")
    there = sum(path.stat().st_size for folder in folders for path in folder.glob("*.mp4"))
    assert plan_facts(rule)["gigabytes_to_dispose"] == pytest.approx(there / 1e9, abs=1e-3)
    assert json.dumps(status_facts(rule)["gigabytes_left"])

"""Answers are tied to content: whatever is redone, they stay with the person and the moment that were judged."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import polars
import pyarrow as pa
import pytest

from flows import _videos
from flows._clips import ReviewClip
from flows._isolation import Finished, Limits, Report
from flows._outcome import Outcome
from flows._plan import current_candidates, explain, study_videos, to_push
from flows._publication import adjudicate, publish, study_releases
from flows._push import review_task
from flows._questions import Waiting
from flows._stages import segments_part, video_parts
from flows._study import Study, open_study
from flows._videos import read_video_part
from kinematics import stretches
from media.clips import write_clip
from proposals.propose import propose_candidates
from releases.documents import stats as stats_page
from releases.validation.validate import validate_release
from schema.answer_rows import annotations_to_rows, tasks_from_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, CANDIDATES, KEYPOINTS, TASKS, TRACKS
from schema.errors import DropReason, UsageError
from schema.matching import box_iou
from schema.questions import QuestionKind
from schema.records import Candidate, Dropped, KeypointSequence, ReviewTask, Track, Verdict, VerifiedSegment
from schema.rows import candidates_from_rows, keypoints_from_rows, segments_from_rows, tracks_from_rows
from schema.timespan import NS_PER_SECOND
from tests.factories import make_annotation
from tests.puppets import in_stretches
from tests.studies import DERIVED, RECORDED, digests, make_study, run_to_candidates, set_keys
from tests.synthetic_people import PaintedPerson, hand_way, paint

MODERATOR_XYXY, PLAYER_XYXY = (5, 70, 95, 236), (130, 30, 290, 238)
MODERATOR_TOUCH_S, PLAYER_TOUCH_S = (0.6, 1.6), (3.0, 4.2)
FLASH_FRAMES = range(20, 26)
"""Frames with another background: a shot of its own, unless shots must be longer."""


def panel_pictures() -> Iterator[object]:
    """Paint a moderator and a player beside each other, each of whom touches the neck once, and a flash between."""
    for number in range(50):
        people = [
            PaintedPerson(color=color, box_xyxy=box, hand_at_neck=hand_way(number / 10, (touch_s,)))
            for color, box, touch_s in ((1, MODERATOR_XYXY, MODERATOR_TOUCH_S), (0, PLAYER_XYXY, PLAYER_TOUCH_S))
        ]
        yield paint(people, background=int(number in FLASH_FRAMES))


def stranger_pictures() -> Iterator[object]:
    for number in range(40):
        yield paint([PaintedPerson(color=2, hand_at_neck=hand_way(number / 10, ((1.5, 3.0),)))])


def perceived_here(entry: str, arguments: tuple[str, str], *, limits: Limits, log: Path, report: Report) -> Finished:
    """Perceive without a process of its own, which takes seconds to start."""
    module, _, function = entry.partition(":")
    getattr(import_module(module), function)(report, *arguments)
    return Finished()


@pytest.fixture(autouse=True, scope="module")
def _perceiving_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_videos, "run_isolated", perceived_here)
        yield


def ask_all(study: Study) -> list[ReviewTask]:
    """Record every new candidate as put on the page of a server that does not exist."""
    clip = ReviewClip(
        path=Path("clip.mp4"), first_frame=0, end_frame=1, asked_first_frame=0, asked_end_frame=1, frame_rate=10
    )
    known = study.store.read(TASKS).num_rows
    tasks = [
        review_task(
            study,
            Waiting(kind=QuestionKind.VERDICT, video=video, shown=candidate),
            clip=clip,
            server_id="server",
            place=(1, number),
        )
        for number, (video, candidate) in enumerate(to_push(study), start=known + 1)
    ]
    study.store.append(TASKS, tasks_to_rows(tasks))
    return tasks


def answer(study: Study, task: ReviewTask, *, number: int, scripted: bool = True) -> None:
    """Record that one annotator accepts the candidate."""
    given = make_annotation(
        number,
        annotation_id=f"a{task.candidate_id[1:17]}{number:04d}",
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        taxonomy=task.taxonomy,
        question=task.question,
        proposed_class_id=task.class_id,
        scripted=scripted,
        verdict=Verdict.ACCEPT,
        class_id=task.class_id,
    )
    study.store.append(ANNOTATIONS, annotations_to_rows([given]))


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose candidates were all asked, and whose touches two scripts have accepted."""
    root = tmp_path_factory.mktemp("answered") / "study"
    (root / "recordings").mkdir(parents=True)
    write_clip(panel_pictures(), root / "recordings" / "panel.mp4", frame_rate=10)
    write_clip(stranger_pictures(), root / "recordings" / "stranger.mp4", frame_rate=10)
    make_study(root)
    set_keys(root, players={"keep": "everyone"})
    text = (root / "study.toml").read_text()
    text = text.replace('kind = "folder"\npath = "recordings"\nperson = "p1"', 'kind = "list"\npath = "private/l.csv"')
    (root / "study.toml").write_text(text)
    (root / "private" / "l.csv").write_text(
        "location,person\n../recordings/panel.mp4,p1\n../recordings/stranger.mp4,\n"
    )
    study = open_study(root)
    run_to_candidates(study)
    for task in ask_all(study):
        if task.proposer == "contact":
            answer(study, task, number=1)
            answer(study, task, number=2)
    return root


@pytest.fixture
def root(answered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that study to change, whose releases have no plots: drawing them is most of a build."""
    monkeypatch.setattr(stats_page, "plots_of", lambda _: {})
    return Path(shutil.copytree(answered, tmp_path / "study"))


def touch_of(study: Study, box_xyxy: tuple[int, int, int, int]) -> ReviewTask:
    """Return the question about the touch of the person painted there."""
    tasks = [t for t in tasks_from_rows(study.store.read(TASKS)) if t.proposer == "contact"]
    return max(tasks, key=lambda task: box_iou(task.anchor.box_xyxy, box_xyxy))


def verified(study: Study) -> tuple[dict[str, VerifiedSegment], dict[str, Dropped]]:
    """Adjudicate; return segments and what was dropped, by candidate."""
    adjudicate(study)
    part = segments_part(study, study_videos(study))
    segments = segments_from_rows(study.store.read_part(part.spec, part.key, part.digest))
    dropped = study.store.summary(part.spec, part.key, part.digest).dropped
    return {s.candidate_id: s for s in segments}, {d.item_id: d for d in dropped}


def tracks_in(study: Study, video_id: str) -> dict[int, Track]:
    video = next(v for v in study_videos(study) if v.video_id == video_id)
    return {t.track_number: t for t in tracks_from_rows(read_video_part(study, video, TRACKS))}


def file_bytes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def delete_derived(root: Path) -> None:
    for table in DERIVED:
        shutil.rmtree(root / table, ignore_errors=True)


def test_the_answers_become_segments_of_the_people_who_were_judged(root: Path) -> None:
    study = open_study(root)
    segments, dropped = verified(study)
    assert dropped == {}
    assert len(segments) == 3
    for box_xyxy in (MODERATOR_XYXY, PLAYER_XYXY):
        segment = segments[touch_of(study, box_xyxy).candidate_id]
        box = tracks_in(study, segment.video_id)[segment.track_number].box_at(segment.span.middle_ns)
        assert box_iou(box, box_xyxy) > 0.8


def test_an_answer_stays_on_its_person_when_track_numbers_shift(root: Path) -> None:
    before = verified(open_study(root))[0]
    set_keys(root, shots={"min_seconds": 1.0})  # the flash is no shot any more, so the player is followed once less
    study = open_study(root)
    run_to_candidates(study)
    after, dropped = verified(study)
    player = touch_of(study, PLAYER_XYXY).candidate_id
    assert (before[player].track_number, after[player].track_number) == (5, 3)
    assert dropped == {}
    for candidate_id, segment in after.items():
        assert replace(segment, track_number=before[candidate_id].track_number) == before[candidate_id]
        box = tracks_in(study, segment.video_id)[segment.track_number].box_at(segment.span.middle_ns)
        task = next(t for t in tasks_from_rows(study.store.read(TASKS)) if t.candidate_id == candidate_id)
        assert box_iou(box, task.anchor.box_xyxy) > 0.8


def test_an_answer_about_somebody_who_is_followed_no_more_is_orphaned_and_moves_to_nobody(root: Path) -> None:
    set_keys(root, back_ends={"tracks_settings": {"min_side_px": 120}})  # the moderator is 90 pixels wide
    study = open_study(root)
    run_to_candidates(study)
    segments, dropped = verified(study)
    moderator, player = (touch_of(study, box).candidate_id for box in (MODERATOR_XYXY, PLAYER_XYXY))
    assert {d.reason for d in dropped.values()} == {DropReason.ORPHANED}
    assert moderator in dropped
    assert player in segments
    middle_ns = touch_of(study, MODERATOR_XYXY).anchor.span.middle_ns
    others = tracks_in(study, segments[player].video_id)
    assert len(others) == 3
    assert any(t.times_ns[0] <= middle_ns <= t.times_ns[-1] for t in others.values())
    outcome = publish(study)
    assert sorted(d.item_id for d in outcome.dropped) == sorted(dropped)
    manifest = json.loads((study_releases(study)[-1] / "manifest.json").read_text())
    assert manifest["dropped_before"] == {"orphaned": len(dropped)}


@pytest.mark.parametrize(
    "sections",
    [
        {"shots": {"min_seconds": 1.0}},
        {"back_ends": {"tracks_settings": {"min_side_px": 120}}},
        {"proposals": {"contact": {"near": 0.6}}},
        {"adjudicate": {"min_answers": 3}},
    ],
    ids=["shots", "tracks", "proposals", "adjudicate"],
)
def test_no_redo_touches_a_recorded_table(root: Path, sections: dict[str, dict[str, object]]) -> None:
    before = digests(root, RECORDED)
    assert {path.split("/")[0] for path in before} == set(RECORDED)
    set_keys(root, **sections)
    study = open_study(root)
    run_to_candidates(study)
    adjudicate(study)
    assert digests(root, RECORDED) == before


def test_a_setting_that_no_segment_rests_on_does_not_hold_a_release_up(root: Path) -> None:
    set_keys(root, proxies={"key_frame_every": 10})
    assert publish(open_study(root)).done == 1


def test_answers_wait_for_perception_that_was_not_redone_yet(root: Path) -> None:
    kept = set(verified(open_study(root))[0])
    set_keys(root, shots={"min_seconds": 1.0})
    study = open_study(root)
    with pytest.raises(UsageError, match=r"pressroom perceive"):
        publish(study)
    assert study_releases(study) == []
    run_to_candidates(study)
    segments, dropped = verified(study)
    assert (set(segments), dropped) == (kept, {})
    assert publish(study).done == 1


def test_a_release_waits_for_keypoints_that_were_not_redone_yet(root: Path) -> None:
    publish(open_study(root))
    set_keys(root, back_ends={"keypoints_settings": {"score": 0.8}})
    study = open_study(root)
    with pytest.raises(UsageError, match=r"pressroom perceive"):
        publish(study)
    run_to_candidates(study)
    publish(study)
    assert len(study_releases(study)) == 2


def proposed_anew(study: Study) -> list[Candidate]:
    """Propose as if nothing had been asked before."""
    found: list[Candidate] = []
    for video in study_videos(study):
        tracks = {t.track_number: t for t in tracks_from_rows(read_video_part(study, video, TRACKS))}
        sequences = keypoints_from_rows(read_video_part(study, video, KEYPOINTS))
        people = [in_stretches((tracks[sequence.track_number], sequence)) for sequence in sequences]
        proposed = propose_candidates(
            people, sha256=video.sha256, taxonomy=study.taxonomy, config=study.config.proposals
        )
        found += [item for item in proposed if isinstance(item, Candidate)]
    return found


def test_a_track_that_is_read_in_stretches_gives_the_same_candidates(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(root)
    monkeypatch.setattr(stretches, "LONGEST_NS", NS_PER_SECOND)
    monkeypatch.setattr(stretches, "MARGIN_NS", 3 * NS_PER_SECOND // 2)
    found = []
    for video in study_videos(study):
        frame_counts = [len(track.times_ns) for track in _videos.kept_tracks_of(study, video)]
        read_lengths: list[int] = []
        monkeypatch.setattr(_videos, "keypoints_from_rows", counting(read_lengths))
        found += [(c.video_id, c.span, c.evidence) for c in candidates_from_rows(_videos._candidates(study, video)[0])]
        assert len(read_lengths) > len(frame_counts)
    today = current_candidates(study, study_videos(study))
    assert sorted(found) == sorted((video.video_id, c.span, c.evidence) for video, c in today)


def counting(lengths: list[int]) -> Callable[[pa.Table], list[KeypointSequence]]:
    """Read keypoints, and keep how many frames were read at once."""

    def read(rows: pa.Table) -> list[KeypointSequence]:
        lengths.append(rows.num_rows)
        return keypoints_from_rows(rows)

    return read


def test_a_later_candidate_that_asks_the_same_inherits_its_id(root: Path) -> None:
    study = open_study(root)
    asked = {t.candidate_id: t for t in tasks_from_rows(study.store.read(TASKS)) if t.proposer == "contact"}
    set_keys(root, proposals={"contact": {"near": 0.6}})
    study = open_study(root)
    run_to_candidates(study)
    own = {c.candidate_id for c in proposed_anew(study) if c.proposer == "contact"}
    assert len(own) >= 2
    assert not own & asked.keys()  # longer spans, so other ids of their own
    now = {c.candidate_id: c for _, c in current_candidates(study, study_videos(study)) if c.proposer == "contact"}
    assert len(now) == len(own)
    assert now.keys() <= asked.keys()
    for candidate_id, candidate in now.items():
        anchor = asked[candidate_id].anchor
        assert candidate.video_id == anchor.video_id
        assert 0.7 <= candidate.span.temporal_iou(anchor.span) < 1
    assert not [c for _, c in to_push(study) if c.proposer == "contact"]
    ask_all(study)  # the questions that are new in this round
    assert to_push(study) == []
    before = digests(root, (CANDIDATES.name,))
    shutil.rmtree(root / CANDIDATES.name)
    run_to_candidates(open_study(root))
    assert digests(root, (CANDIDATES.name,)) == before


def test_the_segment_keeps_the_span_that_was_judged_when_the_candidate_gets_another(root: Path) -> None:
    before = verified(open_study(root))[0]
    set_keys(root, proposals={"contact": {"near": 0.6}})
    study = open_study(root)
    run_to_candidates(study)
    assert verified(study)[0] == before


def test_people_whom_nobody_declared_are_left_out_and_counted(root: Path) -> None:
    study = open_study(root)
    publish(study)
    (release,) = study_releases(study)
    assert validate_release(release) == []
    segments = polars.read_parquet(f"{release}/data/segments-*.parquet")
    player = touch_of(study, PLAYER_XYXY)
    assert segments["segment_id"].to_list() == ["g" + player.candidate_id[1:]]
    assert segments["video_id"].to_list() == [player.anchor.video_id]
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["left_out"]["segments"] == {"unknown_subject": 2}  # the moderator and the stranger
    assert manifest["left_out"]["votes"] == {"segment_left_out": 4}
    assert "2" in next(line for line in (release / "README.md").read_text().splitlines() if "unknown_subject" in line)


def test_each_change_is_a_version_of_its_own_and_none_changes_another(root: Path) -> None:
    study = open_study(root)
    first = publish(study)
    assert (first.done, [f.name for f in study_releases(study)]) == (1, ["painted-0.1.0"])
    as_published = file_bytes(root / "releases" / "painted-0.1.0")
    recorded = digests(root, ("runs",))

    def notes_of(outcome: Outcome) -> list[str]:
        assert outcome.done == 0
        return outcome.notes

    (note,) = notes_of(publish(open_study(root)))
    assert note == f"{root / 'releases' / 'painted-0.1.0'} holds just this already"
    assert digests(root, ("runs",)) == recorded

    answer(study, touch_of(study, PLAYER_XYXY), number=3, scripted=False)
    assert publish(open_study(root)).done == 1
    older, newer = study_releases(study)
    assert (older.name, newer.name) == ("painted-0.1.0", "painted-0.2.0")
    assert file_bytes(older) == as_published
    assert validate_release(newer) == []
    assert polars.read_parquet(f"{newer}/data/segments-*.parquet")["scripted"].to_list() == [False]
    assert [line for line in (newer / "CHANGELOG.md").read_text().splitlines() if "0.1.0" in line]
    (note,) = notes_of(publish(open_study(root)))
    assert note.startswith(str(newer))


def test_the_release_and_every_part_come_back_byte_for_byte(answered: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(answered, tmp_path / "study"))  # of this one, the plots too
    study = open_study(root)
    publish(study)
    again = tmp_path / "moved" / "study"
    shutil.copytree(root, again, ignore=shutil.ignore_patterns("releases", "served", "work", "leases", *DERIVED))
    assert not (again / TRACKS.name).exists()
    study = open_study(again)
    run_to_candidates(study)
    publish(study)
    assert file_bytes(again / "releases") == file_bytes(root / "releases")
    assert digests(again) == digests(root)


def test_the_same_answers_in_another_order_of_batches_give_the_same_release(root: Path) -> None:
    publish(open_study(root))
    published = file_bytes(root / "releases" / "painted-0.1.0" / "data")
    shutil.rmtree(root / "releases")
    delete_derived(root)
    study = open_study(root)
    rows = study.store.read(ANNOTATIONS)
    shutil.rmtree(root / ANNOTATIONS.name)
    register = root / "RECORDED"
    register.write_text(register.read_text().replace(f"{ANNOTATIONS.name}\n", ""))
    for number in reversed(range(rows.num_rows)):
        study.store.append(ANNOTATIONS, rows.slice(number, 1))
    run_to_candidates(study)
    publish(study)
    assert file_bytes(root / "releases" / "painted-0.1.0" / "data") == published


def test_explain_tells_which_setting_makes_the_segments_anew(root: Path) -> None:
    adjudicate(open_study(root))
    assert [row.current for row in explain(open_study(root), "study")] == [True]
    set_keys(root, adjudicate={"min_answers": 3})
    (row,) = explain(open_study(root), "study")
    assert not row.current
    assert "settings.min_answers was 2, is 3" in row.why
    assert all(
        row.current
        for video in study_videos(open_study(root))
        for row in explain(open_study(root), video.video_id)
        if row.table in video_parts(open_study(root), video)
    )

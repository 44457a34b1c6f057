"""What a model learns from: settled answers and nothing else, each once, on today's tracks, read when it is needed."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows._imported import imported_inputs
from flows._init import init_study
from flows._plan import study_videos
from flows._publication import adjudicate, publish
from flows._study import Study, open_study
from flows._training_data import TrainingData, collect_training_data
from flows._videos import read_video_part
from flows._withdrawals import begin
from releases.documents import stats as stats_page
from schema.answer_rows import annotations_to_rows, known_answers_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, DUPLICATES, KEYPOINTS, KNOWN_ANSWERS, SMOOTHED, TASKS
from schema.errors import InvalidReleaseError, UsageError
from schema.privacy import make_subject_id
from schema.questions import KnownAnswer, Mark, QuestionKind
from schema.records import Verdict
from schema.rows import keypoints_from_rows, table_of
from schema.tables import STUDY_KEY
from schema.timespan import TimeSpan
from tests.answered_study import perceive_here
from tests.factories import make_annotation
from tests.imported_study import import_miga
from tests.miga_files import miga_recordings
from tests.published_study import PEOPLE, answer_again, published_study, table, touch_task, video_of
from tests.studies import run_to_candidates, set_keys

TOUCH = "touching_or_scratching_neck"
MS = 1_000_000


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five known people and a stranger, a touch of each, accepted by three; copied by the tests, never changed."""
    root = tmp_path_factory.mktemp("answered") / "study"
    with pytest.MonkeyPatch.context() as patch:
        published_study(root, patch)
    return root


@pytest.fixture
def study(answered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    perceive_here(monkeypatch)
    return open_study(Path(shutil.copytree(answered, tmp_path / "study")))


def collected(study: Study, **options: Any) -> TrainingData:
    adjudicate(study)
    return collect_training_data(study, **options)


def known_of(data: TrainingData, video_id: str):
    (found,) = [one for one in data.unlabelled.known if one.video_id == video_id]
    return found


def ms(*spans: TimeSpan) -> list[tuple[int, int]]:
    return [(span.start_ns // MS, span.end_ns // MS) for span in spans]


def ask(study: Study, person: str, kind: QuestionKind, question_id: str, span_ms: tuple[int, int], *, about: str = ""):
    """Record a question about the person's video."""
    task = touch_task(study, person)
    span = TimeSpan(start_ns=span_ms[0] * MS, end_ns=span_ms[1] * MS)
    asked = replace(task, candidate_id=question_id, kind=kind, about=about, anchor=replace(task.anchor, span=span))
    study.store.append(TASKS, tasks_to_rows([asked]))
    return asked


def answer(study: Study, task, number: int, verdict: Verdict, **changes: Any) -> None:
    given = make_annotation(
        number,
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        kind=task.kind,
        about=task.about,
        verdict=verdict,
        proposed_class_id=task.class_id,
        annotator_id=f"r{number % 3:020d}",
        **{"class_id": task.class_id if verdict is Verdict.ACCEPT else None} | changes,
    )
    study.store.append(ANNOTATIONS, annotations_to_rows([given]))


def test_verified_segments_are_gestures_of_the_declared_people_on_todays_tracks(study: Study) -> None:
    data = collected(study)
    assert len(data.labelled) == 6
    assert data.class_counts == {TOUCH: 6}
    assert data.subjects == tuple(sorted(make_subject_id(study.key, person) for person in PEOPLE))
    assert data.known_count == 5, "the stranger's touch can be learned from, and never held out"
    first = data.labelled.read(f"{video_of(study, 'p1')}/0")
    assert first.poses.subject_id == make_subject_id(study.key, "p1")
    assert ms(*(gesture.span for gesture in first.gestures)) == [(1000, 1900)]
    assert ms(*first.judged) == [(1000, 1900)], "nobody looked at the rest"
    (video,) = [v for v in study_videos(study) if v.video_id == video_of(study, "p1")]
    (points,) = keypoints_from_rows(read_video_part(study, video, KEYPOINTS))
    np.testing.assert_array_equal(first.poses.positions, points.keypoints_xy)
    np.testing.assert_array_equal(first.poses.times_ns, points.times_ns)
    assert known_of(data, video_of(study, "stranger")).subject_id is None


def test_a_refused_candidate_is_judged_time_without_a_gesture(study: Study) -> None:
    task = ask(study, "p1", QuestionKind.VERDICT, "c" + "1" * 20, (2200, 2800))
    for number in range(3):
        answer(study, task, 100 + number, Verdict.REJECT)
    known = known_of(collected(study), video_of(study, "p1"))
    assert ms(*(g.span for g in known.gestures)) == [(1000, 1900)]
    assert ms(*known.judged) == [(1000, 1900), (2200, 2800)]


def test_what_people_differ_about_is_an_example_of_nothing(study: Study) -> None:
    window = ask(study, "p1", QuestionKind.AUDIT, "c" + "2" * 20, (0, 3000))
    for number in range(2):
        answer(study, window, 200 + number, Verdict.NOTHING)
    task = ask(study, "p1", QuestionKind.VERDICT, "c" + "3" * 20, (2200, 2800))
    answer(study, task, 300, Verdict.ACCEPT, class_id=TOUCH)
    answer(study, task, 301, Verdict.REJECT)
    answer(study, task, 302, Verdict.UNSURE)
    known = known_of(collected(study), video_of(study, "p1"))
    assert ms(*known.judged) == [(0, 2200), (2800, 3000)]


def test_a_movement_that_no_class_names_is_neither_a_gesture_nor_nothing(study: Study) -> None:
    task = ask(study, "p1", QuestionKind.VERDICT, "c" + "4" * 20, (2200, 2800))
    unnamed = replace(task, class_id=None)
    study.store.append(TASKS, tasks_to_rows([unnamed]))
    for number in range(3):
        answer(study, unnamed, 400 + number, Verdict.ACCEPT)
    known = known_of(collected(study), video_of(study, "p1"))
    assert (len(known.gestures), ms(*known.judged)) == (1, [(1000, 1900)])


def test_a_window_counts_once_enough_people_searched_it(study: Study) -> None:
    window = ask(study, "p2", QuestionKind.AUDIT, "c" + "5" * 20, (1800, 3000))
    mark = Mark(span=TimeSpan(start_ns=2000 * MS, end_ns=2500 * MS), class_id=TOUCH, first_frame=20, end_frame=25)
    answer(study, window, 500, Verdict.MARKED, marks=(mark,))
    alone = known_of(collected(study), video_of(study, "p2"))
    answer(study, window, 501, Verdict.MARKED, marks=(mark,))
    both = known_of(collected(study), video_of(study, "p2"))
    assert (1900, 3000) not in [(start, end) for start, end in ms(*alone.judged)]
    assert ms(*(g.span for g in both.gestures)) == [(1000, 1900), (2000, 2500)]
    assert ms(*both.judged) == [(1000, 3000)]


def test_a_hidden_item_teaches_nothing(study: Study) -> None:
    about = touch_task(study, "p3").candidate_id
    before = collected(study).digest
    hidden = ask(study, "p3", QuestionKind.KNOWN, "c" + "6" * 20, (2000, 2900), about=about)
    truth = KnownAnswer(
        question_id=hidden.candidate_id,
        variant="negative",
        exists=False,
        class_id=None,
        span=hidden.anchor.span,
        source="people",
    )
    study.store.append(KNOWN_ANSWERS, known_answers_to_rows([truth]))
    for number in range(3):
        answer(study, hidden, 600 + number, Verdict.REJECT)
    assert collected(study).digest == before


def test_points_are_those_that_proposals_read(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    before = collected(study)
    set_keys(study.layout.root, smoothing={"method": "savitzky_golay"})
    smoothing = open_study(study.layout.root)
    assert len(collected(smoothing).unlabelled) == 0, "they are not there yet"
    run_to_candidates(smoothing)
    data = collected(smoothing)
    assert (data.digest == before.digest, data.class_counts) == (False, before.class_counts)
    video_id = video_of(smoothing, "p1")
    (video,) = [v for v in study_videos(smoothing) if v.video_id == video_id]
    (smoothed,) = keypoints_from_rows(read_video_part(smoothing, video, SMOOTHED))
    np.testing.assert_array_equal(data.labelled.read(f"{video_id}/0").poses.positions, smoothed.keypoints_xy)


def test_withdrawn_videos_and_second_copies_are_out(study: Study) -> None:
    withdrawn, poorer, better = (video_of(study, person) for person in ("p1", "p2", "p3"))
    begin(study, [withdrawn], cause="requested", reason="asked to be left out")
    row = {"video_id": poorer, "kept_video_id": better, "link": "copy", "score": 1.0, "offset_ns": 0, "speed": 1.0}
    study.store.write_part(DUPLICATES, STUDY_KEY, "0" * 12, table_of(DUPLICATES, [row]))
    videos = set(collected(study).video_ids)
    assert videos == {video_of(study, person) for person in ("p3", "p4", "p5", "stranger")}


def test_the_digest_is_of_what_is_known_and_of_nothing_else(study: Study) -> None:
    before = collected(study).digest
    answer_again(study, "p4", 1, annotator_id="r" + "7" * 20)
    assert collected(open_study(study.layout.root)).digest == before, "one more accept changes no label"
    task = ask(study, "p4", QuestionKind.VERDICT, "c" + "8" * 20, (2200, 2800))
    for number in range(3):
        answer(study, task, 800 + number, Verdict.REJECT)
    assert collected(study).digest != before


def test_points_are_read_when_they_are_asked_for_and_a_recording_at_a_time(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import _training_data

    read: list[str] = []
    real = _training_data.read_video_part
    monkeypatch.setattr(
        _training_data, "read_video_part", lambda s, video, spec: read.append(video.video_id) or real(s, video, spec)
    )
    data = collected(study)
    some = data.unlabelled[2:4]
    assert (len(some), some.sequence_ids, read) == (2, data.unlabelled.sequence_ids[2:4], [])
    frames = [poses.times_ns.shape[0] for poses in data.unlabelled]
    assert frames == [one.frame_count for one in data.unlabelled.known]
    assert read == list(data.video_ids)


def imported_study(tmp_path: Path, **options: Any) -> Study:
    init_study(tmp_path / "study", name="importing")
    return import_miga(open_study(tmp_path / "study"), tmp_path, miga_recordings(**options))


def test_imported_recordings_are_judged_from_end_to_end(tmp_path: Path) -> None:
    study = imported_study(tmp_path, subjects=3, recordings=4, segments=12, frames=600)
    data = collected(study)
    inputs = imported_inputs(study)
    assert inputs is not None
    assert {one.origin for one in data.labelled.known} == {"miga"}
    assert data.class_counts.total() == inputs.segments.num_rows == 12
    assert len(data.subjects) == 3
    assert [ms(*one.judged) for one in data.labelled.known] == [[(0, 6000)]] * 4
    assert [one.poses.positions.shape[0] for one in data.labelled] == [150] * 4


def test_a_recording_without_any_label_is_unlabelled(tmp_path: Path) -> None:
    """A data set may keep the labels of its test split to itself."""
    recordings = list(miga_recordings(subjects=2, recordings=2, segments=6, frames=300))
    bare = replace(recordings[1], labels=())
    init_study(tmp_path / "study", name="importing")
    data = collected(import_miga(open_study(tmp_path / "study"), tmp_path, iter([recordings[0], bare])))
    assert (len(data.labelled), len(data.unlabelled)) == (1, 2)


@pytest.fixture
def released(study: Study, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stats_page, "plots_of", lambda _: {})
    task = ask(study, "p1", QuestionKind.VERDICT, "c" + "1" * 20, (2200, 2800))
    for number in range(3):
        answer(study, task, 100 + number, Verdict.REJECT)
    return Path(publish(study).notes[-1])


def test_a_release_teaches_what_its_train_and_val_people_did(study: Study, released: Path) -> None:
    data = collected(study, on=released)
    segments = table(released, "segments")
    held_out = set(segments.filter(segments["split"] == "test")["subject_id"].to_list())
    assert held_out, "the test is about something"
    of_release = [one for one in data.labelled.known if one.origin == released.name]
    assert {one.subject_id for one in of_release} == set(segments["subject_id"].to_list()) - held_out
    assert not held_out & {one.subject_id for one in data.unlabelled.known}, "not in pre-training, either"
    assert len(data.labelled) == len({one.video_id for one in data.labelled.known}) == 6 - len(held_out)
    example = data.labelled.read(of_release[0].sequence_id)
    assert example.poses.layout == "wholebody133"
    own = collected(study).labelled.read(of_release[0].sequence_id)
    body = slice(5, 17)  # the face is neutral in a release without identities
    np.testing.assert_array_equal(example.poses.positions[:, body], own.poses.positions[:, body])
    assert example.gestures == own.gestures


def test_a_release_of_another_study_tells_by_its_votes_what_was_refused(
    study: Study, released: Path, tmp_path: Path
) -> None:
    init_study(tmp_path / "other", name="other")
    data = collected(open_study(tmp_path / "other"), on=released)
    judged = {one.video_id: ms(*one.judged) for one in data.labelled.known}
    own = collected(study)
    for video_id, spans in judged.items():
        assert spans == ms(*known_of(own, video_id).judged)
    assert any(len(spans) == 2 for spans in judged.values()) or video_of(study, "p1") not in judged


def test_a_release_of_other_classes_is_refused_in_a_line(study: Study, released: Path, tmp_path: Path) -> None:
    init_study(tmp_path / "other", name="other")
    set_keys(tmp_path / "other", study={"taxonomy": "smg17"})
    with pytest.raises(UsageError, match=r"has the classes of imigue32, and the study's are those of smg17") as refused:
        collected(open_study(tmp_path / "other"), on=released)
    assert "\n" not in str(refused.value)
    with pytest.raises(InvalidReleaseError, match="is not a release"):
        collected(study, on=tmp_path)


def test_what_was_withdrawn_of_a_release_is_not_learned_from(study: Study, released: Path) -> None:
    before = collected(study, on=released)
    gone = next(one.video_id for one in before.labelled.known if one.origin == released.name)
    begin(study, [gone], cause="requested", reason="asked to be left out")
    assert set(collected(study, on=released).video_ids) == set(before.video_ids) - {gone}

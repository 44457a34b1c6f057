"""Review clips of a painted study: which frames they show, and that a changed question gets another file."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows._clips import ClipWish, VideoClips, clip_files, write_review_clip
from flows._plan import current_candidates, study_videos
from flows._study import Study
from media.frames import VideoFrame, decode_frames, read_frame_times
from schema.records import Candidate, FrameTimes, VideoRecord
from schema.timespan import NS_PER_SECOND
from tests.answered_study import perceive_here
from tests.factories import VIDEO_ID
from tests.studies import make_study, paint_video, run_to_candidates


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, VideoRecord, Candidate]:
    root = tmp_path_factory.mktemp("clips") / "study"
    paint_video(root / "recordings" / "v.mp4", seconds=6, touch_s=(2.0, 3.5))
    study = make_study(root)
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        run_to_candidates(study)
    video, candidate = next(
        (video, candidate)
        for video, candidate in current_candidates(study, study_videos(study))
        if candidate.evidence == "hand_on_neck"
    )
    return study, video, candidate


def with_settings(study: Study, **changes: Any) -> Study:
    return replace(study, config=replace(study.config, annotate=replace(study.config.annotate, **changes)))


def pictures_of(path: Path) -> list[np.ndarray]:
    times, _ = read_frame_times(path, video_id=VIDEO_ID, sha256="0" * 64)
    return [frame.image_rgb for frame in decode_frames(path, times)]


def test_a_clip_shows_one_frame_for_each_source_frame_with_a_second_before_and_after(
    asked: tuple[Study, VideoRecord, Candidate],
) -> None:
    study, video, candidate = asked
    clip = write_review_clip(study, video, candidate)
    pictures = pictures_of(clip.path)
    assert len(pictures) == clip.end_frame - clip.first_frame
    first, end = clip.asked_in_clip
    assert (clip.frame_rate, first, len(pictures) - end) == (10, 10, 10)
    assert (clip.asked_first_frame, clip.asked_end_frame) == (
        round(candidate.span.start_ns / NS_PER_SECOND * 10),
        round(candidate.span.end_ns / NS_PER_SECOND * 10),
    )
    assert clip.served_name == f"clips/{clip.path.name}"


def test_what_is_shown_otherwise_has_another_name_and_what_is_there_is_kept(
    asked: tuple[Study, VideoRecord, Candidate],
) -> None:
    study, video, candidate = asked
    clip = write_review_clip(study, video, candidate)
    written = clip.path.stat().st_mtime_ns
    moved = replace(candidate, span=replace(candidate.span, end_ns=candidate.span.end_ns - 200_000_000))
    others = [
        write_review_clip(study, video, moved),
        write_review_clip(with_settings(study, blur_faces=True), video, candidate),
        write_review_clip(with_settings(study, clip_background="black"), video, candidate),
    ]
    assert len({clip.path, *(other.path for other in others)}) == 4
    assert write_review_clip(study, video, candidate) == clip
    assert clip.path.stat().st_mtime_ns == written
    assert len(clip_files(study, candidate.candidate_id)) == 8, "each with its slow copy"


def test_a_clip_that_must_not_hint_is_the_same_whatever_was_proposed(
    asked: tuple[Study, VideoRecord, Candidate],
) -> None:
    study, video, candidate = asked
    clips = VideoClips(study, video)
    wish = ClipWish.of_candidate(candidate, context_seconds=1.0)
    blind = [
        clips.write(replace(wish, question_id=f"b{number:020d}", evidence=evidence, hints=False))
        for number, evidence in enumerate(("hand_on_neck", "moving_head"))
    ]
    hinting = clips.write(wish)
    first, second = (clip.path.read_bytes() for clip in blind)
    assert first == second
    plain, marked = pictures_of(blind[0].path)[0], pictures_of(hinting.path)[0]
    assert plain.shape[0] < marked.shape[0], "no curve of the part that was proposed"
    assert np.ptp(plain[-6:-2].astype(int), axis=1).max() < 30, "nothing is marked on the bar"


def test_black_clips_hold_no_pixel_of_the_picture(asked: tuple[Study, VideoRecord, Candidate]) -> None:
    study, video, candidate = asked
    clip = write_review_clip(with_settings(study, clip_background="black"), video, candidate)
    corner = pictures_of(clip.path)[0][:20, :20]
    assert corner.max() < 20


def noisy_frames(path: Path, times: FrameTimes, *, first_frame: int, end_frame: int) -> Iterator[VideoFrame]:
    """The painted person is of one colour: noise in its place shows what is blurred."""
    del path
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    for frame in range(first_frame, end_frame):
        yield VideoFrame(frame_index=frame, time_ns=int(times.times_ns[frame]), image_rgb=pixels)


def test_the_face_is_blurred_in_every_frame_and_the_rest_is_not(
    asked: tuple[Study, VideoRecord, Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, video, candidate = asked
    monkeypatch.setattr("flows._clips.decode_frames", noisy_frames)
    drawn: list[list[np.ndarray]] = []
    monkeypatch.setattr("flows._clips.write_clip", lambda images, *_, **__: drawn.append(list(images)))
    monkeypatch.setattr("flows._clips.write_slow_copy", lambda *_: None)
    for blur_faces in (False, True):
        wish = replace(
            ClipWish.of_candidate(candidate, context_seconds=1.0), question_id=f"x{int(blur_faces):020d}", hints=False
        )
        VideoClips(with_settings(study, blur_faces=blur_faces), video).write(wish)
    sharp, blurred = drawn
    assert len(sharp) == len(blurred) > 30
    for one, other in zip(sharp, blurred, strict=True):
        changed = (one != other).any(axis=2)
        assert 0.01 < changed.mean() < 0.4
        assert not changed[changed.shape[0] * 2 // 3 :].any(), "a face is in the upper part of a person"

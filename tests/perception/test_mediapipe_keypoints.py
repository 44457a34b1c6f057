"""The embedded estimator on real people: what is in the picture is found, what is not is not invented."""

import gc
import json
import threading
import time
from functools import cache

import numpy as np
import psutil
import pytest

from media.frames import VideoFrame, decode_frames, read_frame_times
from perception.backends.mediapipe.keypoints import MediapipeKeypointEstimator, MediapipeKeypointsConfig
from perception.keypoints import BoxedFrame
from schema.errors import DropReason, ItemError
from schema.records import PART_SLICES, Part, VideoId
from schema.skeleton import FLIP_PERMUTATION


@cache
def estimator():
    return MediapipeKeypointEstimator(MediapipeKeypointsConfig())


def people_in(path, *, first_frame=0, end_frame=None):
    """Estimate the one person of a clip, in the whole picture."""
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    frames = decode_frames(path, times, first_frame=first_frame, end_frame=end_frame)
    people = [person for (person,) in estimator().estimate(boxed(frames))]
    return np.stack([p.keypoints_xy for p in people]), np.stack([p.parts_seen for p in people])


def boxed(frames, box=None):
    """Frames with one person in the box, or in the whole picture."""
    for frame in frames:
        height, width = frame.image_rgb.shape[:2]
        whole = (0.0, 0.0, float(width), float(height))
        yield BoxedFrame(frame=frame, track_numbers=(0,), boxes_xyxy=(box or whole,))


def person_in(image_rgb, box, *, by=None):
    """Estimate one person in one picture."""
    frame = VideoFrame(frame_index=0, time_ns=0, image_rgb=image_rgb)
    ((person,),) = (by or estimator()).estimate(boxed([frame], box))
    return person


def test_hands_that_are_never_in_the_picture_are_never_seen(sample_clip):
    keypoints, parts = people_in(sample_clip, end_frame=60)
    assert parts[:, Part.BODY].all()
    assert parts[:, Part.FACE].all()
    assert not parts[:, [Part.LEFT_HAND, Part.RIGHT_HAND, Part.FEET]].any()
    assert np.isnan(keypoints[:, 9:17]).all(), "wrists, hips and legs are below the picture"


def test_hand_at_the_neck_is_found_and_is_the_left_one(shared_media):
    keypoints, parts = people_in(shared_media / "videos" / "imigue_scratching-neck.mp4", end_frame=26)
    assert parts[11:20, Part.LEFT_HAND].mean() >= 0.8
    neck = np.nanmean(keypoints[11:20, [5, 6]], axis=1)
    shoulders = np.linalg.norm(keypoints[11:20, 5] - keypoints[11:20, 6], axis=1)
    tips = keypoints[11:20, [99, 103, 107, 111]]
    nearest = np.nanmin(np.linalg.norm(tips - neck[:, None], axis=2), axis=1) / shoulders
    assert np.nanmedian(nearest) < 0.5
    assert parts[11:20, Part.RIGHT_HAND].mean() >= 0.8, "its upper half shows at the picture's lower edge"


def test_folded_arms_show_one_hand_and_hide_the_other(shared_media):
    _, parts = people_in(shared_media / "videos" / "imigue_folding-arms.mp4")
    assert parts[:, Part.LEFT_HAND].mean() >= 0.9
    assert parts[:13, Part.RIGHT_HAND].mean() >= 0.9
    assert not parts[20:, Part.RIGHT_HAND].any(), "it is under the left arm"


def test_fingers_at_the_mouth_are_found_with_the_wrist_outside_the_picture(shared_media):
    _, parts = people_in(shared_media / "videos" / "pyfeat_WolfgangLanger_Pexels.mp4", first_frame=40, end_frame=100)
    assert not parts[:15, [Part.LEFT_HAND, Part.RIGHT_HAND]].any()
    assert parts[22:, Part.RIGHT_HAND].mean() >= 0.8
    assert not parts[:, Part.LEFT_HAND].any()


def test_pixelated_face_is_not_seen_but_the_body_is(shared_media):
    path = shared_media / "videos" / "ma52_A3_sitting-straightly_0020_01_0008.mp4"
    _, parts = people_in(path, end_frame=20)
    assert parts[:, [Part.BODY, Part.FEET]].all()
    assert not parts[:, Part.FACE].any()


def test_back_of_a_head_has_no_nose(shared_media):
    path = shared_media / "videos" / "intel_one-by-one-person-detection.mp4"
    keypoints, parts = people_in(path, first_frame=285, end_frame=300)
    assert parts[:, Part.BODY].all()
    assert not parts[:, Part.FACE].any()
    assert np.isnan(keypoints[:, :3]).all()


def test_still_shoulders_do_not_tremble(shared_media):
    keypoints, _ = people_in(shared_media / "videos" / "imigue_folding-arms.mp4", first_frame=20)
    shoulders = keypoints[5:, [5, 6]]
    trembling = shoulders[2:] - 2 * shoulders[1:-1] + shoulders[:-2]
    width = np.nanmedian(np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=1))
    assert np.nanmedian(np.linalg.norm(trembling, axis=2)) < 0.02 * width


def test_sides_and_face_order_agree_with_people_marked_by_hand(shared_media):
    import cv2

    folder = shared_media / "wholebody"
    document = json.loads((folder / "test_coco_wholebody.json").read_text())
    files = {image["id"]: image["file_name"] for image in document["images"]}
    errors: dict[Part, list[tuple[float, float]]] = {Part.BODY: [], Part.FEET: [], Part.FACE: []}
    for person in document["annotations"]:
        parts = ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
        rows = [number for part in parts for number in person[part]]
        truth = np.array(rows, np.float32).reshape(133, 3)
        x, y, width, height = person["bbox"]
        image = np.ascontiguousarray(cv2.imread(str(folder / files[person["image_id"]]))[:, :, ::-1])
        found = person_in(image, (x, y, x + width, y + height))
        flipped = truth[list(FLIP_PERMUTATION)]
        for part, pairs in errors.items():
            points = PART_SLICES[part]
            both = (truth[points, 2] > 0) & (flipped[points, 2] > 0) & (found.scores[points] > 0)
            if both.sum() >= 3:
                right, wrong = (
                    float(np.median(np.linalg.norm(found.keypoints_xy[points] - t[points, :2], axis=1)[both]))
                    for t in (truth, flipped)
                )
                pairs.append((right, wrong))
    for part, pairs in errors.items():
        assert pairs, part
        assert all(right < wrong for right, wrong in pairs), (part, pairs)


def test_a_gap_in_the_track_is_a_new_beginning(sample_clip):
    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)
    first, last = (frame for frame in decode_frames(sample_clip, times) if frame.frame_index in (0, 100))
    _, (late,) = estimator().estimate(boxed([first, last]))
    fresh = person_in(last.image_rgb, (0.0, 0.0, 176.0, 144.0))
    assert late.keypoints_xy.tobytes() == fresh.keypoints_xy.tobytes()


@pytest.mark.parametrize("field", ["min_body_score", "min_face_score"])
def test_a_higher_bar_shows_less(sample_clip, field):
    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)
    image = next(iter(decode_frames(sample_clip, times, end_frame=1))).image_rgb
    strict = MediapipeKeypointEstimator(MediapipeKeypointsConfig(**{field: 1.1}))
    box = (0.0, 0.0, 176.0, 144.0)
    assert (person_in(image, box, by=strict).scores > 0).sum() < (person_in(image, box).scores > 0).sum()


def threads_at_work():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("bodies", "hands"))]


def test_slow_pictures_change_nothing(sample_clip):
    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)

    def slow():
        for frame in decode_frames(sample_clip, times, end_frame=12):
            time.sleep(0.03 * (frame.frame_index % 3))
            yield frame

    at_once = list(estimator().estimate(boxed(list(decode_frames(sample_clip, times, end_frame=12)))))
    one_by_one = list(estimator().estimate(boxed(slow())))
    assert len(at_once) == 12
    for (fast,), (late,) in zip(at_once, one_by_one, strict=True):
        assert fast.keypoints_xy.tobytes() == late.keypoints_xy.tobytes()
        assert fast.scores.tobytes() == late.scores.tobytes()


def test_threads_end_with_the_run_even_when_it_is_left_early(sample_clip):
    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)
    people = estimator().estimate(boxed(decode_frames(sample_clip, times)))
    next(people)
    assert threads_at_work()
    people.close()
    assert not threads_at_work()


def test_a_picture_that_can_not_be_read_ends_the_run(sample_clip):
    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)

    def broken():
        yield from decode_frames(sample_clip, times, end_frame=3)
        raise ItemError(DropReason.UNREADABLE, "frame 3 is not there")

    with pytest.raises(ItemError, match="frame 3"):
        list(estimator().estimate(boxed(broken())))
    assert not threads_at_work()


def test_estimators_that_are_dropped_leave_no_threads_behind(sample_clip):
    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)
    image = next(iter(decode_frames(sample_clip, times, end_frame=1))).image_rgb
    counts = []
    for _ in range(3):
        person_in(image, (0.0, 0.0, 176.0, 144.0), by=MediapipeKeypointEstimator(MediapipeKeypointsConfig()))
        gc.collect()
        counts.append(psutil.Process().num_threads())
    assert counts[2] <= counts[0], "each graph that is not closed keeps its threads and its memory"

"""Graphs of the embedded back ends: pruned models find what whole ones do, and nothing is left behind or to chance."""

import gc
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from media.frames import decode_frames, read_frame_times
from perception.backends.mediapipe.faces import MediapipeFaceFinder, MediapipeFacesConfig
from perception.backends.mediapipe.graphs import MODEL_FILES, Detector, PoseModel, TensorModel, weights_folder
from perception.backends.mediapipe.pruning import model_with_outputs
from perception.backends.mediapipe.regions import Region, region_of_pose
from perception.backends.mediapipe.tracker import MediapipeTracker, MediapipeTrackerConfig
from schema.errors import DropReason, ItemError
from schema.records import VideoId

WHOLE_POSE = """
num_threads: 1
input_stream: "image" input_stream: "region" input_side_packet: "model_complexity"
output_stream: "landmarks" output_stream: "auxiliary"
node { calculator: "PoseLandmarkByRoiCpu" input_stream: "IMAGE:image" input_stream: "ROI:region"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  output_stream: "LANDMARKS:landmarks" output_stream: "AUXILIARY_LANDMARKS:auxiliary" }
"""
"""The wheel's own graph, with all outputs of its model."""


def frames_of(path, *, end_frame):
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    return decode_frames(path, times, end_frame=end_frame)


def rows(landmarks, size):
    return [(p.x * size[0], p.y * size[1], p.visibility, p.presence) for p in landmarks.landmark]


@pytest.mark.filterwarnings("ignore:label:DeprecationWarning")
def test_pose_is_that_of_the_whole_model_bit_by_bit(sample_clip):
    from mediapipe.framework.formats import rect_pb2
    from mediapipe.python.solution_base import SolutionBase

    pose, people = PoseModel(), Detector("pose", min_score=0.4)
    with SolutionBase(graph_config=WHOLE_POSE, side_inputs={"model_complexity": 1}) as whole:
        for number, frame in enumerate(frames_of(sample_clip, end_frame=4)):
            height, width = frame.image_rgb.shape[:2]
            region = replace(region_of_pose(people.run(frame.image_rgb)[0].points_xy), angle_rad=0.1 * number)
            rectangle = rect_pb2.NormalizedRect(
                x_center=region.center_x / width,
                y_center=region.center_y / height,
                width=region.side_px / width,
                height=region.side_px / height,
                rotation=region.angle_rad,
            )
            expected = whole.process({"image": frame.image_rgb, "region": rectangle})
            points, alignment = pose.run(frame.image_rgb, region)
            assert points.tobytes() == np.array(rows(expected.landmarks, (width, height)), np.float32).tobytes()
            auxiliary = np.array(rows(expected.auxiliary, (width, height)), np.float32)[:, :2]
            assert alignment.tobytes() == auxiliary.tobytes()


def test_nobody_in_the_region_is_no_pose():
    grey = np.full((144, 176, 3), 110, np.uint8)
    assert PoseModel().run(grey, Region(center_x=88.0, center_y=72.0, side_px=140.0, angle_rad=0.0)) is None


def test_pruned_model_is_smaller_by_what_only_the_outline_needs():
    from mediapipe.tasks.metadata.schema_py_generated import Model

    path = weights_folder() / MODEL_FILES["pose"]
    whole, pruned = (Model.GetRootAs(content, 0).Subgraphs(0) for content in (path.read_bytes(), _pruned(path)))
    shapes = [pruned.Tensors(pruned.Outputs(k)).ShapeAsNumpy().tolist() for k in range(pruned.OutputsLength())]
    assert shapes == [[1, 195], [1, 1], [1, 64, 64, 39]]
    assert pruned.OperatorsLength() < whole.OperatorsLength()


def _pruned(path):
    return model_with_outputs(path, (0, 1, 3))


def test_two_threads_that_share_a_model_see_what_one_sees(sample_clip):
    image = next(iter(frames_of(sample_clip, end_frame=1))).image_rgb
    hands = TensorModel("hand", side=224, outputs=4, copies=2)
    regions = [Region(center_x=80.0 + k, center_y=90.0, side_px=70.0, angle_rad=0.0) for k in range(12)]
    alone = [hands.run(image, region)[0].tobytes() for region in regions]
    seen: dict[int, bytes] = {}

    def look(numbers):
        for number in numbers:
            seen[number] = hands.run(image, regions[number])[0].tobytes()

    threads = [threading.Thread(target=look, args=(range(first, 12, 3),)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen[number] for number in range(12)] == alone


def tracked(frames):
    return list(MediapipeTracker(MediapipeTrackerConfig()).track(frames))


def tracker_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("looks", "searches"))]


def test_slow_pictures_do_not_change_who_is_followed(sample_clip):
    def slow():
        for frame in frames_of(sample_clip, end_frame=24):
            time.sleep(0.02 * (frame.frame_index % 4))
            yield frame

    assert tracked(slow()) == tracked(list(frames_of(sample_clip, end_frame=24)))
    assert not tracker_threads()


def test_a_picture_that_can_not_be_read_ends_the_tracking(sample_clip):
    def broken():
        yield from frames_of(sample_clip, end_frame=8)
        raise ItemError(DropReason.UNREADABLE, "frame 8 is not there")

    with pytest.raises(ItemError, match="frame 8"):
        tracked(broken())
    assert not tracker_threads()


def test_trackers_and_face_finders_that_are_dropped_leave_no_threads_behind(sample_clip):
    frames = list(frames_of(sample_clip, end_frame=2))
    counts = []
    for _ in range(3):
        tracked(frames)
        finder = MediapipeFaceFinder(MediapipeFacesConfig())
        assert finder.find_faces(frames[0].image_rgb, (0.0, 0.0, 176.0, 144.0))
        del finder
        gc.collect()
        counts.append(psutil.Process().num_threads())
    assert counts[2] <= counts[0], "each graph that is not closed keeps its threads and its memory"

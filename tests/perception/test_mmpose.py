"""The mmpose back end gives what mmpose gives, reads checkpoints as mmengine writes them, and runs no stranger."""

import json
import os
import pickle
import sys
import threading
import warnings
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

from flows._config import check_settings
from media.frames import VideoFrame, decode_frames, read_frame_times
from perception.backends.mmpose.checkpoints import read_weights
from perception.backends.mmpose.compat import import_mmpose
from perception.backends.mmpose.configs import known_models
from perception.backends.mmpose.estimator import MmposeKeypointEstimator, MmposeKeypointsConfig
from perception.backends.mmpose.export import export_network
from perception.backends.mmpose.onnx import OnnxKeypointEstimator, OnnxKeypointsConfig
from perception.backends.mmpose.runtimes import Runtime
from perception.keypoints import BoxedFrame
from schema.errors import ConfigError, MissingPartError
from schema.records import VideoId
from tests.pose_networks import mmpose_that_sees_paintings, random_network, write_checkpoint_as_runner, write_config
from tests.synthetic_people import PaintedPerson, paint

FAMILIES = ("rtmpose", "rtmw")


@cache
def network(family, folder):
    """A small random network: mmpose's own object, and our settings that name its files."""
    import_mmpose()
    import torch
    from mmpose.apis import init_model

    torch.set_num_threads(1)
    config = write_config(folder, family)
    checkpoint = folder / f"{family}.pth"
    torch.save({"state_dict": random_network(config).state_dict()}, checkpoint)
    # mmpose warns that it takes the description of COCO-WholeBody from its own wheel
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = init_model(str(config), None, "cpu")
    theirs.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    return theirs, MmposeKeypointsConfig(config=str(config), checkpoint=str(checkpoint), min_score=0.0, batch_size=5)


@cache
def ways(family, folder):
    """The same network by every way that it can be asked: in torch, and exported in both libraries that run that."""
    _, settings = network(family, folder)
    model = folder / f"{family}.onnx"
    export_network(Path(settings.config), Path(settings.checkpoint), model)
    exported = OnnxKeypointsConfig(model=str(model), min_score=0.0, batch_size=5)
    runtimes = [runtime for runtime in get_args(Runtime) if find_spec(runtime)]
    return [MmposeKeypointEstimator(settings)] + [
        OnnxKeypointEstimator(replace(exported, runtime=runtime)) for runtime in runtimes
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


def as_boxed(pictures):
    for k, (image, boxes) in enumerate(pictures):
        frame = VideoFrame(frame_index=k, time_ns=k * 40_000_000, image_rgb=image)
        yield BoxedFrame(frame=frame, track_numbers=tuple(range(len(boxes))), boxes_xyxy=tuple(boxes))


def estimated(settings, pictures):
    return list(MmposeKeypointEstimator(settings).estimate(as_boxed(pictures)))


def check_equal_to_mmpose(theirs, estimator, pictures):
    """Compare every point of every person; mmpose puts those without a score, and some others, outside the picture."""
    compared = 0
    people_of_pictures = estimator.estimate(as_boxed(pictures))
    for samples, (image, _), people in zip(theirs, pictures, people_of_pictures, strict=True):
        for sample, person in zip(samples, people, strict=True):
            points = sample.pred_instances.keypoints[0]
            scores = sample.pred_instances.keypoint_scores[0]
            inside = ((points >= 0) & (points < image.shape[1::-1])).all(axis=1)
            expected = inside & (scores > 0)
            assert np.array_equal(np.isfinite(person.keypoints_xy[:, 0]), expected)
            assert np.abs(person.keypoints_xy[expected] - points[expected]).max(initial=0) <= 0.05
            assert np.allclose(person.scores[expected], np.minimum(scores[expected], 1), atol=1e-3)
            compared += int(expected.sum())
    return compared


def found_by_mmpose(model, pictures):
    from mmpose.apis import inference_topdown

    return [inference_topdown(model, np.ascontiguousarray(image[..., ::-1]), np.array(b)) for image, b in pictures]


def frames_of(path, *, step, most=10**9):
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    frames = (f.image_rgb for f in decode_frames(path, times) if f.frame_index % step == 0)
    return [frame for frame, _ in zip(frames, range(most), strict=False)]


def odd_boxes(image, random):
    """Boxes of fractional pixels inside the picture, wide ones and high ones, and one that leaves it."""
    height, width = image.shape[:2]
    x1, y1 = random.uniform(0, 0.4) * width, random.uniform(0, 0.4) * height
    inside = (x1, y1, x1 + random.uniform(0.2, 0.6) * width, y1 + random.uniform(0.2, 0.6) * height)
    return [inside, (-0.1 * width, 0.3 * height, 0.4 * width, 1.2 * height)]


@pytest.mark.parametrize("family", FAMILIES)
def test_result_is_mmposes_own(family, folder, sample_clip):
    random = np.random.default_rng(1)
    pictures = [(image, odd_boxes(image, random)) for image in frames_of(sample_clip, step=20)]
    theirs = found_by_mmpose(network(family, folder)[0], pictures)
    for way in ways(family, folder):
        assert check_equal_to_mmpose(theirs, way, pictures) > 300


@pytest.mark.parametrize("family", FAMILIES)
def test_result_is_mmposes_own_on_real_people(family, folder, shared_media):
    document = json.loads((shared_media / "wholebody" / "test_coco_wholebody.json").read_text())
    names = {image["id"]: image["file_name"] for image in document["images"]}
    pictures = []
    for image_id, name in names.items():
        image = cv2.imread(str(shared_media / "wholebody" / name))[..., ::-1]
        corners = [a["bbox"] for a in document["annotations"] if a["image_id"] == image_id]
        pictures.append((image, [(x, y, x + w, y + h) for x, y, w, h in corners]))
    random = np.random.default_rng(2)
    for clip in sorted((shared_media / "videos").glob("[ims]*.mp4")):
        pictures += [(image, odd_boxes(image, random)) for image in frames_of(clip, step=15, most=4)]
    assert sum(len(boxes) for _, boxes in pictures) > 60
    theirs = found_by_mmpose(network(family, folder)[0], pictures)
    for way in ways(family, folder):
        assert check_equal_to_mmpose(theirs, way, pictures) > 3000


def test_mirrored_pictures_are_averaged_as_mmpose_does(folder, sample_clip):
    theirs, settings = network("rtmw", folder)
    pictures = [(image, odd_boxes(image, np.random.default_rng(3))) for image in frames_of(sample_clip, step=40)]
    theirs.test_cfg["flip_test"] = True
    try:
        mirrored = MmposeKeypointEstimator(replace(settings, flip_test=True))
        assert check_equal_to_mmpose(found_by_mmpose(theirs, pictures), mirrored, pictures) > 100
    finally:
        theirs.test_cfg["flip_test"] = False


def test_half_precision_stays_near(folder, sample_clip):
    _, settings = network("rtmpose", folder)
    pictures = [(image, odd_boxes(image, np.random.default_rng(4))[:1]) for image in frames_of(sample_clip, step=20)]
    full = np.stack([p.keypoints_xy for people in estimated(settings, pictures) for p in people])
    half_settings = replace(settings, precision="bf16")
    half = np.stack([p.keypoints_xy for people in estimated(half_settings, pictures) for p in people])
    both = np.isfinite(full) & np.isfinite(half)
    assert both.sum() > 0.9 * np.isfinite(full).sum()
    # a random network's classes are nearly level: most strongest ones stay, some move far
    assert np.median(np.abs(full - half)[both]) <= 1.0


@pytest.mark.gpu
def test_gpu_gives_what_the_cpu_gives():
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    settings = mmpose_that_sees_paintings()
    pictures = [(paint([PaintedPerson(box_xyxy=(100 + k, 40, 200 + k, 236))]), [(100, 40, 214, 236)]) for k in range(9)]
    cpu = np.stack([people[0].keypoints_xy for people in estimated(settings, pictures)])
    for precision in ("fp32", "fp16", "bf16"):
        there = replace(settings, device="cuda:0", precision=precision)
        gpu = np.stack([people[0].keypoints_xy for people in estimated(there, pictures)])
        assert np.nanmedian(np.abs(cpu - gpu)) <= 1.0
        again = np.stack([people[0].keypoints_xy for people in estimated(there, pictures)])
        assert np.array_equal(gpu, again, equal_nan=True)


def test_batch_size_changes_no_point(folder, sample_clip):
    _, settings = network("rtmw", folder)
    random = np.random.default_rng(5)
    pictures = [(image, odd_boxes(image, random)) for image in frames_of(sample_clip, step=15)]
    one, many = (
        np.stack([p.keypoints_xy for people in estimated(replace(settings, batch_size=b), pictures) for p in people])
        for b in (1, 7)
    )
    assert np.array_equal(one, many, equal_nan=True)


def test_checkpoint_of_mmengines_runner_is_read_as_it_was_written(folder, tmp_path):
    import_mmpose()
    import torch

    model = random_network(write_config(tmp_path, "rtmpose"), seed=7)
    written = {name: value.clone() for name, value in model.state_dict().items()}
    checkpoint = write_checkpoint_as_runner(tmp_path, model)
    with pytest.raises(pickle.UnpicklingError, match=r"HistoryBuffer|multiarray|getattr"):
        torch.load(checkpoint, weights_only=True)
    read = read_weights(checkpoint)
    weights = [name for name in written if "running" not in name and "num_batches" not in name]
    assert set(read) == set(written)
    assert all(torch.equal(read[name], written[name]) for name in weights)


class Calls:
    """An object whose pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("function", [os.mkdir, eval])
def test_strangers_pickle_is_refused_in_one_line_and_nothing_of_it_runs(tmp_path, function, wrapped):
    import torch

    target = tmp_path / "made_by_the_stranger"
    strange = Calls(function, str(target) if function is os.mkdir else f"__import__('os').mkdir({str(target)!r})")
    checkpoint = tmp_path / "stranger.pth"
    torch.save({"state_dict": {}, "meta": strange} if wrapped else strange, checkpoint)
    with pytest.raises(ConfigError, match=rf"stranger\.pth: refused, .*\b{function.__name__}, which") as caught:
        read_weights(checkpoint)
    assert "\n" not in str(caught.value)
    assert not target.exists()


def test_names_on_the_list_do_nothing_either(tmp_path):
    """`getattr` is on the list, for mmengine's averages, and so are numpy's classes: none is the real one."""
    import torch

    checkpoint = tmp_path / "reach.pth"
    got = {"method": Calls(getattr, np.ndarray, "tofile"), "number": np.float64(2)}
    torch.save({"state_dict": {"a": torch.ones(1)}, "meta": got}, checkpoint)
    assert read_weights(checkpoint) == {"a": torch.ones(1)}
    torch.save({"state_dict": {"a": Calls(getattr, np.ndarray, "tofile")}}, checkpoint)
    with pytest.raises(ConfigError, match="holds no `state_dict` of tensors"):
        read_weights(checkpoint)


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 half a zip file"])
def test_damaged_checkpoint_is_one_line(tmp_path, content):
    checkpoint = tmp_path / "damaged.pth"
    checkpoint.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^checkpoint damaged\.pth: [^\n]*$"):
        read_weights(checkpoint)


def test_checkpoint_of_another_network_is_refused(folder, sample_clip):
    _, rtmpose = network("rtmpose", folder)
    _, rtmw = network("rtmw", folder)
    wrong = replace(rtmw, checkpoint=rtmpose.checkpoint)
    with pytest.raises(ConfigError, match=r"rtmpose\.pth does not fit the config small_rtmw: \d+ of \d+ weights"):
        estimated(wrong, [])


def test_body_network_is_no_whole_body_network(folder, tmp_path):
    _, settings = network("rtmpose", folder)
    text = Path(settings.config).read_text(encoding="utf-8").replace("out_channels=133", "out_channels=17")
    config = tmp_path / "body.py"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="config body: no whole-body network"):
        estimated(replace(settings, config=str(config)), [])


def test_missing_weights_are_one_line_with_where_they_go_and_come_from(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path / "weights"))
    with pytest.raises(MissingPartError) as caught:
        _ = MmposeKeypointEstimator(MmposeKeypointsConfig()).weights_digest
    line = str(caught.value)
    assert str(tmp_path / "weights" / "rtmw-dw-x-l_simcc-cocktail14_270e-384x288-20231122.pth") in line
    assert "https://download.openmmlab.com/" in line
    assert "Apache-2.0" in line
    assert "\n" not in line


def test_unknown_config_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'rtmw-m_8xb1024-270e_cocktail14-256x192'"):
        _ = MmposeKeypointEstimator(MmposeKeypointsConfig(config="rtmw-m_256x192")).weights_digest


def test_config_that_names_no_weights_asks_for_a_checkpoint():
    unpublished = next(model.name for model in known_models() if not model.checkpoint)
    with pytest.raises(ConfigError, match="mmpose names no weights"):
        _ = MmposeKeypointEstimator(MmposeKeypointsConfig(config=unpublished)).weights_digest


def test_digest_tells_weights_and_configs_apart(folder, tmp_path):
    _, settings = network("rtmpose", folder)
    digests = {MmposeKeypointEstimator(settings).weights_digest}
    for kind, key in (("config", "config"), ("checkpoint", "checkpoint")):
        copy = tmp_path / f"other_{kind}{Path(getattr(settings, key)).suffix}"
        copy.write_bytes(Path(getattr(settings, key)).read_bytes() + b"\n")
        digests.add(MmposeKeypointEstimator(replace(settings, **{key: str(copy)})).weights_digest)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 0}, "batch_size must lie between 1 and 64"),
        ({"device": "gpu"}, "device must be 'cpu' or a GPU"),
        ({"precision": "fp8"}, "precision"),
        ({"min_score": 2.0}, "min_score"),
        ({"threads": 0}, "threads"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        check_settings(settings, MmposeKeypointsConfig, prefix="back_ends.keypoints_settings.")


def test_missing_gpu_is_said(folder):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    _, settings = network("rtmpose", folder)
    with pytest.raises(MissingPartError, match="device 'cuda:0': torch finds no GPU"):
        estimated(replace(settings, device="cuda:0"), [])


def test_nothing_is_left_running_when_the_reader_stops_early(folder, sample_clip):
    _, settings = network("rtmpose", folder)
    before = threading.active_count()
    people = MmposeKeypointEstimator(settings).estimate(
        as_boxed((image, odd_boxes(image, np.random.default_rng(6))) for image in frames_of(sample_clip, step=4))
    )
    next(people)
    people.close()
    assert threading.active_count() == before


def test_error_of_the_frames_reaches_the_caller(folder):
    _, settings = network("rtmpose", folder)

    def broken():
        yield from as_boxed([(np.zeros((40, 40, 3), np.uint8), [(0.0, 0.0, 20.0, 30.0)])] * 3)
        raise ValueError("the file breaks off")

    with pytest.raises(ValueError, match="the file breaks off"):
        list(MmposeKeypointEstimator(settings).estimate(broken()))


def test_import_leaves_no_false_modules_behind():
    import_mmpose()
    assert not {"mmdet", "mmdet.utils", "mmcv.ops"} & set(sys.modules)

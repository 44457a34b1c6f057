"""Small whole-body networks of mmpose for tests: configs, random weights, checkpoints written by mmengine's Runner."""

import atexit
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from perception.backends.mmpose.compat import import_mmpose
from perception.backends.mmpose.crops import CropShape, cut_crop, place_crop
from perception.backends.mmpose.estimator import MmposeKeypointsConfig
from perception.backends.mmpose.export import export_network
from perception.backends.mmpose.onnx import OnnxKeypointsConfig
from perception.backends.synthetic import SyntheticKeypointsConfig, SyntheticTrackEstimator
from tests.synthetic_people import PaintedPerson, paint

WIDTH_PX, HEIGHT_PX = 96, 128
_COMMON = """
codec = dict(
    type="SimCCLabel", input_size=({width}, {height}), sigma=(2.45, 2.83), simcc_split_ratio=2.0, normalize=False,
    use_dark=False, decode_visibility={decode_visibility})
backbone = dict(
    type="CSPNeXt", arch="P5", expand_ratio=0.5, deepen_factor=0.167, widen_factor=0.125, channel_attention=True,
    norm_cfg=dict(type="BN"), act_cfg=dict(type="SiLU"),
    init_cfg=dict(type="Pretrained", prefix="backbone.", checkpoint="https://weights.invalid/start.pth"){outputs})
gau = dict(
    hidden_dims=512, s=64, expansion_factor=2, dropout_rate=0.0, drop_path=0.0, act_fn="SiLU", use_rel_bias=False,
    pos_enc=False)
head = dict(
    type="{head}", in_channels=128, out_channels=133, input_size=codec["input_size"],
    in_featuremap_size=({width} // 32, {height} // 32), simcc_split_ratio=2.0, final_layer_kernel_size=7,
    gau_cfg=gau, loss=dict(type="KLDiscretLoss", use_target_weight=True), decoder=codec)
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(
        type="PoseDataPreprocessor", mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True),
    backbone=backbone{neck}, head=head, test_cfg=dict(flip_test=False))
default_scope = "mmpose"
val_pipeline = [
    dict(type="LoadImage"), dict(type="GetBBoxCenterScale"), dict(type="TopdownAffine", input_size=codec["input_size"]),
    dict(type="PackPoseInputs")]
test_dataloader = dict(dataset=dict(type="CocoWholeBodyDataset", data_mode="topdown", pipeline=val_pipeline))
train_dataloader = test_dataloader
"""
_NECK = """,
    neck=dict(
        type="CSPNeXtPAFPN", in_channels=[32, 64, 128], out_channels=None, out_indices=(1, 2), num_csp_blocks=1,
        expand_ratio=0.5, norm_cfg=dict(type="SyncBN"), act_cfg=dict(type="SiLU", inplace=True))"""
CONFIGS = {
    "rtmpose": {"head": "RTMCCHead", "neck": "", "outputs": "", "decode_visibility": False},
    "rtmw": {"head": "RTMWHead", "neck": _NECK, "outputs": ", out_indices=(2, 3, 4)", "decode_visibility": True},
}


def write_config(folder: Path, family: str) -> Path:
    """Write the config of a small network; its start weights lie nowhere, so that a download would fail."""
    path = folder / f"small_{family}.py"
    path.write_text(_COMMON.format(width=WIDTH_PX, height=HEIGHT_PX, **CONFIGS[family]), encoding="utf-8")
    return path


@cache
def _folder() -> Path:
    """Return a folder for the files that several test modules share; it is deleted when Python ends."""
    folder = TemporaryDirectory(prefix="pressroom-networks-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@cache
def mmpose_that_sees_paintings() -> MmposeKeypointsConfig:
    """Write a small RTMPose that sees painted people; the settings that name it."""
    import_mmpose()
    import torch

    torch.set_num_threads(1)
    config = write_config(_folder(), "rtmpose")
    model = random_network(config)
    fit_to_paintings(model)
    checkpoint = _folder() / "paintings.pth"
    torch.save({"state_dict": model.state_dict()}, checkpoint)
    # an empty picture gets scores of up to 0.42
    return MmposeKeypointsConfig(config=str(config), checkpoint=str(checkpoint), batch_size=8, min_score=0.5)


@cache
def onnx_that_sees_paintings() -> OnnxKeypointsConfig:
    """Export the same network; the settings that name it, for ONNX Runtime."""
    settings = mmpose_that_sees_paintings()
    model = _folder() / "paintings.onnx"
    export_network(Path(settings.config), Path(settings.checkpoint), model)
    return OnnxKeypointsConfig(model=str(model), batch_size=8, min_score=settings.min_score)


@cache
def openvino_that_sees_paintings() -> OnnxKeypointsConfig:
    """Return the settings of the same file for OpenVINO."""
    return replace(onnx_that_sees_paintings(), runtime="openvino")


def random_network(config: Path, *, seed: int = 0):
    """Build the network of a config with random weights, batch norms that are not the identity, ready to be asked."""
    import torch
    from mmengine.config import Config
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import DefaultScope
    from mmpose.models.builder import build_pose_estimator

    document = Config.fromfile(config)
    document.model.backbone.init_cfg = None
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        with DefaultScope.overwrite_default_scope("mmpose"):
            model = revert_sync_batchnorm(build_pose_estimator(document.model))
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.kaiming_normal_(parameter)
        for layer in model.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 1.5)
    return model.eval()


def write_checkpoint_as_runner(folder: Path, model) -> Path:
    """Have mmengine's own Runner train a step and save: meta, message hub with HistoryBuffers, optimizer, schedule."""
    import torch
    from mmengine.dataset import DefaultSampler
    from mmengine.model import BaseModel
    from mmengine.runner import Runner
    from torch.utils.data import DataLoader

    class Trained(BaseModel):
        """Trains every weight towards nothing, at a rate of 0: the checkpoint holds the weights as they were."""

        def __init__(self):
            super().__init__()
            for name, child in model.named_children():
                if name != "data_preprocessor":
                    self.add_module(name, child)

        def init_weights(self):
            """Leave the weights as they are."""

        def forward(self, inputs, data_samples=None, mode="loss"):
            return {"loss_keypoints": sum((p**2).sum() for p in self.parameters()) + inputs.sum() * 0}

    numbers = torch.zeros(4, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runner = Runner(
            model=Trained(),
            work_dir=str(folder / "runner"),
            train_dataloader=DataLoader(
                numbers, sampler=DefaultSampler(numbers), collate_fn=lambda rows: {"inputs": torch.stack(rows)}
            ),
            optim_wrapper={"optimizer": {"type": "AdamW", "lr": 0.0, "weight_decay": 0.0}},
            param_scheduler={"type": "LinearLR", "start_factor": 0.5, "by_epoch": False},
            train_cfg={"by_epoch": True, "max_epochs": 1},
            default_hooks={"logger": {"type": "LoggerHook", "interval": 1}},
            experiment_name=f"small-{folder.name}",
            log_level="ERROR",
        )
        runner.message_hub.update_info("best_score", np.float64(0.5))
        runner.message_hub.update_info("sigmas", np.arange(4, dtype=np.float32))
        runner.train()
    return folder / "runner" / "epoch_1.pth"


def fit_to_paintings(model, *, examples: int = 24) -> None:
    """Set the last layers so that the network sees the people of painted pictures, and nobody in an empty one.

    The layers before stay random: what they make of a picture is mapped to the right classes by least squares.
    """
    import torch

    crops, rows_x, rows_y = _painted_examples(examples)
    features = []
    hook = model.head.cls_x.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    with torch.inference_mode():
        pictures = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
        model.head.forward(model.extract_feat((pictures - mean) / std))
    hook.remove()
    inputs = features[0].flatten(0, 1).double().numpy()
    scale = np.square(inputs).sum() / inputs.shape[1]
    gram = inputs.T @ inputs + 1e-11 * scale * np.eye(inputs.shape[1])
    for layer, rows in ((model.head.cls_x, rows_x), (model.head.cls_y, rows_y)):
        weights = np.linalg.solve(gram, inputs.T @ rows.reshape(len(inputs), -1))
        layer.weight.data = torch.from_numpy(weights.T.astype(np.float32))


def _painted_examples(count: int):
    """Return cuts of painted people and of empty pictures, with the rows of classes that a network should give."""
    random = np.random.default_rng(0)
    shape = CropShape(width_px=WIDTH_PX, height_px=HEIGHT_PX, padding=1.25)
    crops = np.zeros((2 * count, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    rows = {axis: np.zeros((2 * count, 133, 2 * size)) for axis, size in ((0, WIDTH_PX), (1, HEIGHT_PX))}
    sees = SyntheticTrackEstimator(SyntheticKeypointsConfig())
    for k in range(count):
        shift = random.integers(-8, 16)
        painted = paint([PaintedPerson(box_xyxy=(100 + shift, 40, 200 + shift, 236))])
        box = tuple(float(v) for v in np.array((100, 40, 214, 236)) + random.integers(-6, 7, 4))
        place = place_crop(box, shape, frame_size_xy=painted.shape[1::-1])
        for row, image in ((k, painted), (count + k, np.full_like(painted, 20))):
            cut_crop(image, place, crops[row])
        points = sees.estimate(painted, box, 0).keypoints_xy
        shares = (points - place.center_xy) / place.size_xy + 0.5
        for axis, size in ((0, WIDTH_PX), (1, HEIGHT_PX)):
            apart = np.arange(2 * size) - 2 * size * shares[:, axis, None]
            rows[axis][k] = np.nan_to_num(np.exp(-(apart**2) / 72))
    return crops, rows[0], rows[1]

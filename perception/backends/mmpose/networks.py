"""mmpose's own networks in torch: built from a config, filled with a checkpoint, asked for many people at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from perception.backends.mmpose.checkpoints import read_weights
from perception.backends.mmpose.compat import import_mmpose
from perception.backends.mmpose.crops import CropShape, InputFacts
from perception.backends.mmpose.simcc import strongest_classes
from schema.errors import ConfigError, MissingPartError
from schema.records import KEYPOINT_COUNT
from schema.skeleton import FLIP_PERMUTATION

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "fp16", "bf16"]


def read_network(config_path: Path, checkpoint_path: Path, *, padding: float) -> "tuple[torch.nn.Module, InputFacts]":
    """Build a whole-body network with its weights, batch norms fused into them, on the CPU, ready to be asked.

    Args:
        config_path: mmpose's config; its Python is run, as mmpose itself does.
        checkpoint_path: The weights; nothing in the file is run.
        padding: As ``CropShape.padding``; 0 takes what the config says.

    Raises:
        ConfigError: The config is no whole-body SimCC network, or the checkpoint does not fit it.
        MissingPartError: mmpose is not installed.
    """
    import_mmpose()
    from mmengine.config import Config
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import DefaultScope
    from mmpose.models.builder import build_pose_estimator

    config = Config.fromfile(config_path)
    # The config's own start weights would be downloaded.
    config.model.backbone.init_cfg = None
    config.model.train_cfg = None
    _leave_out_scopes(config.model)
    with DefaultScope.overwrite_default_scope(config.get("default_scope", "mmpose")):
        model = revert_sync_batchnorm(build_pose_estimator(config.model))
    facts = _input_facts(config, model, padding=padding, name=config_path.stem)
    _fill(model, read_weights(checkpoint_path), config_name=config_path.stem, checkpoint_name=checkpoint_path.name)
    return _fused(model.eval().requires_grad_(False)), facts


def _leave_out_scopes(part: Any) -> None:  # noqa: ANN401  a config's tables and lists
    """Have every layer built from mmpose's registry: RTMPose configs name mmdet's, where the same CSPNeXt lies."""
    if isinstance(part, dict):
        part.pop("_scope_", None)
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list | tuple):
            _leave_out_scopes(inner)


def _input_facts(config: Any, model: Any, *, padding: float, name: str) -> InputFacts:  # noqa: ANN401  mmengine's
    decoder: Any = getattr(model.head, "decoder", None)
    if type(decoder).__name__ != "SimCCLabel" or decoder.use_dark or model.head.out_channels != KEYPOINT_COUNT:
        raise ConfigError(
            f"config {name}: no whole-body network with SimCC classes and {KEYPOINT_COUNT} points; "
            "`pressroom models list` has those that can be used"
        )
    steps = {step["type"]: step for step in config.test_dataloader.dataset.pipeline}
    preprocessor = config.model.data_preprocessor
    if not preprocessor.get("bgr_to_rgb") or steps["TopdownAffine"].get("use_udp"):
        raise ConfigError(f"config {name}: only networks of RGB pictures without UDP can be used")
    width, height = decoder.input_size
    default_padding = steps["GetBBoxCenterScale"].get("padding", 1.25)
    return InputFacts(
        shape=CropShape(width_px=width, height_px=height, padding=padding or default_padding),
        mean_rgb=tuple(preprocessor.mean),
        std_rgb=tuple(preprocessor.std),
        split_ratio=decoder.simcc_split_ratio,
    )


def _fill(
    model: "torch.nn.Module", weights: "dict[str, torch.Tensor]", *, config_name: str, checkpoint_name: str
) -> None:
    wanted = model.state_dict()
    missing = [name for name in wanted if name not in weights and not name.startswith("data_preprocessor.")]
    shapes = [name for name in wanted if name in weights and weights[name].shape != wanted[name].shape]
    if missing or shapes:
        first = (missing or shapes)[0]
        raise ConfigError(
            f"checkpoint {checkpoint_name} does not fit the config {config_name}: {len(missing)} of "
            f"{len(wanted)} weights are missing and {len(shapes)} have another shape, such as {first}"
        )
    model.load_state_dict(weights, strict=False)


def _fused(model: Any) -> Any:  # noqa: ANN401  mmcv has no types
    from mmcv.cnn.utils.fuse_conv_bn import fuse_conv_bn

    return fuse_conv_bn(model)


class TorchNetwork:
    """A network in torch, on a CPU or a GPU."""

    def __init__(
        self,
        model: "torch.nn.Module",
        facts: InputFacts,
        *,
        batch_size: int,
        device: str,
        precision: Precision,
        flip_test: bool,
    ) -> None:
        import torch

        self.shape, self.batch_size = facts.shape, batch_size
        self._device, self._flip_test, self._split_ratio = torch.device(device), flip_test, facts.split_ratio
        self._dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise MissingPartError(
                f"device {device!r}: torch finds no GPU; install its CUDA build, or set device = 'cpu'"
            )
        # On a CPU this order takes a twentieth less time than the other, on a GPU half precision asks for it.
        model = _in_precision(model, self._dtype).to(memory_format=torch.channels_last)
        self._model: Any = model.to(self._device)
        self._mean = torch.tensor(facts.mean_rgb, device=self._device).view(3, 1, 1)
        self._std = torch.tensor(facts.std_rgb, device=self._device).view(3, 1, 1)
        self._flip = torch.tensor(FLIP_PERMUTATION, device=self._device)

    def new_batch(self) -> npt.NDArray[np.uint8]:
        """Return room for a batch; where a GPU fetches it from, in memory that is never paged out."""
        import torch

        size = (self.batch_size, self.shape.height_px, self.shape.width_px, 3)
        room = torch.zeros(size, dtype=torch.uint8, pin_memory=self._device.type == "cuda")
        return np.asarray(room.numpy(), dtype=np.uint8)

    def find(self, crops_rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return points in pixels of the cuts and their scores."""
        import torch

        # Byte-identical tables need the same algorithm every time; fp32 means fp32, not TF32.
        with torch.inference_mode(), torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False):
            crops = torch.from_numpy(crops_rgb).to(self._device, non_blocking=True)
            pictures = ((crops.permute(0, 3, 1, 2).float() - self._mean) / self._std).to(self._dtype)
            rows_x, rows_y = self._classes(pictures)
            if self._device.type == "cpu":
                classes, scores = strongest_classes(rows_x.numpy(), rows_y.numpy())
            else:
                classes, scores = _strongest_on_device(rows_x, rows_y)
        return classes / np.float32(self._split_ratio), scores

    def _classes(self, pictures: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor]":
        rows_x, rows_y = self._model.head.forward(self._model.extract_feat(pictures))
        if self._flip_test:
            flipped_x, flipped_y = self._model.head.forward(self._model.extract_feat(pictures.flip(-1)))
            rows_x = (rows_x + flipped_x[:, self._flip].flip(-1)) * 0.5
            rows_y = (rows_y + flipped_y[:, self._flip]) * 0.5
        return rows_x, rows_y


def _in_precision(model: Any, dtype: "torch.dtype") -> Any:  # noqa: ANN401  a network with a head
    """Return the network in half precision, the last layers left in fp32.

    The last layers give the classes: bf16 has 8 bits, so that the strongest class and its neighbours were the same.
    """
    import torch

    if dtype == torch.float32:
        return model
    model = model.to(dtype)
    for layer in (model.head.cls_x, model.head.cls_y):
        layer.float().register_forward_pre_hook(lambda _, inputs: tuple(value.float() for value in inputs))
    return model


def _strongest_on_device(
    rows_x: "torch.Tensor", rows_y: "torch.Tensor"
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Do what ``strongest_classes`` does where the rows are: only its answer is fetched."""
    import torch

    (score_x, best_x), (score_y, best_y) = rows_x.float().max(dim=-1), rows_y.float().max(dim=-1)
    found = torch.stack([best_x.float(), best_y.float(), torch.minimum(score_x, score_y)], dim=-1).cpu().numpy()
    return found[..., :2], found[..., 2]

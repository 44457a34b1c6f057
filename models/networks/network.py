"""The whole network of a seed model, and how it is built from a configuration."""

from dataclasses import dataclass

from torch import nn

from models.config import NetworkConfig
from models.inputs.outputs import Outputs
from models.inputs.skeletons import Skeleton
from models.networks.detector import Detector
from models.networks.encoder import Encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Everything that the names and sizes of the weights follow from."""

    skeleton: Skeleton
    dimensions: int
    rate_hz: float
    outputs: Outputs
    network: NetworkConfig


class SeedNetwork(nn.Module):
    """Encoder and detector; the names of the weights begin with ``encoder.`` and ``detector.``."""

    def __init__(self, shape: Shape) -> None:
        """Make a network with weights drawn from torch's generator."""
        super().__init__()
        size = shape.network
        self.shape = shape
        self.encoder = Encoder(
            shape.skeleton,
            dimensions=shape.dimensions,
            rate_hz=shape.rate_hz,
            width=size.width,
            layers=size.layers,
            dropout=size.dropout,
        )
        self.detector = Detector(
            width=size.width, levels=size.levels, outputs=shape.outputs.count, dropout=size.dropout
        )

    @property
    def step(self) -> int:
        """Frames of a window must be a multiple of this: the coarsest scale's step."""
        return int(2**self.shape.network.levels)

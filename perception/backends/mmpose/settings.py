"""What the settings of the back ends ``mmpose`` and ``onnx`` have in common."""

import re

from perception.backends.mmpose.batches import MOST_CROPS

SAME_NUMBERS = {"in_digest": False}
"""Metadata of a setting that leaves every number as it is: changing it redoes nothing. A file's content is in the
digest of the weights, whatever its name."""


def check_settings_of_batches(
    *, device: str, batch_size: int, threads: int, crop_threads: int, padding: float, min_score: float
) -> None:
    """Refuse settings that can't be (``ValueError``)."""
    if not 1 <= batch_size <= MOST_CROPS:
        raise ValueError(f"batch_size must lie between 1 and {MOST_CROPS}, got {batch_size}")
    if min(threads, crop_threads) < 1:
        raise ValueError("threads and crop_threads must be at least 1")
    if device != "cpu" and not re.fullmatch(r"cuda:\d+", device):
        raise ValueError(f"device must be 'cpu' or a GPU such as 'cuda:0', got {device!r}")
    if padding < 0 or not 0 <= min_score <= 1:
        raise ValueError("padding must be at least 0, and min_score must lie between 0 and 1")

"""The settings of the ultralytics back end."""

from dataclasses import dataclass
from typing import Literal

from schema.errors import ConfigError

SETTINGS = "back_ends.tracks_settings"
_SHARES = (
    "min_score", "iou", "track_high_thresh", "track_low_thresh", "new_track_thresh", "sure_score", "match_thresh"
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class UltralyticsTrackerConfig:
    """Settings of the ultralytics tracker; those of ByteTrack and BoT-SORT have ultralytics' own names."""

    weights: str = "yolo11n.pt"
    """Detector: a name in the weights folder or a path, in any format that ultralytics loads."""
    person_class: str = "person"
    """What the detector calls people; its other classes are left out."""
    image_size: int = 0
    """Pictures are scaled to this longer side, pixels; 0 is what the weights were exported for, or 640 for a .pt."""
    min_score: float = 0.1
    """Detections below it are not looked at: ByteTrack uses weak ones to hold on to people it follows already."""
    iou: float = 0.5
    """Of two boxes that overlap more than this (intersection over union), the weaker one is left out.

    At ultralytics' 0.7 somebody behind a table came out twice: down to the table, and with the legs below it.
    """
    detection_stride: int = 1
    """Every so many frames are looked at, and the last one; the boxes between are interpolated."""
    tracker: Literal["bytetrack", "botsort"] = "bytetrack"
    """`bytetrack`, or `botsort`, which also estimates how the camera moves."""
    track_high_thresh: float = 0.25
    """Detections from this score on are matched first."""
    track_low_thresh: float = 0.1
    """Weaker detections, down to this score, may go on with somebody who is followed, and begin nobody."""
    new_track_thresh: float = 0.25
    """A detection that belongs to nobody begins a new person from this score on."""
    sure_score: float = 0.65
    """Somebody whose best detection in a shot stays below it is left out.

    On real clips a driving mirror reached 0.60 and a plant 0.35; every person reached 0.82.
    """
    track_buffer_seconds: float = 1.0
    """Somebody who is not detected is waited for so long (ultralytics counts it in frames: track_buffer)."""
    match_thresh: float = 0.8
    """How far a detection may be from where somebody is expected: 1 minus their overlap, weighted with the score."""
    fuse_score: bool = True
    """Weight the overlap with the detection's score."""
    gmc_method: Literal["sparseOptFlow", "orb", "sift", "ecc", "none"] = "sparseOptFlow"
    """How `botsort` estimates the camera's motion; `none` for a camera that stands still."""
    boxes: Literal["detected", "filtered"] = "detected"
    """Boxes as detected, or as the tracker's Kalman filter has them: smoother, and late when somebody moves."""
    device: str = "cpu"
    """`cpu`, or `cuda:0`; `intel:gpu` and the like for OpenVINO weights."""
    half: bool = False
    """Compute in half precision, on a GPU alone."""
    threads: int = 1
    """Processor cores for a .pt, .onnx or OpenVINO network; 0 is the library's own choice."""
    batch_frames: int = 16
    """Frames that are detected together, and held in memory."""

    def __post_init__(self) -> None:
        """Refuse settings that can't be meant (``ConfigError``)."""
        least = {"image_size": 0, "detection_stride": 1, "threads": 0, "batch_frames": 1}
        for key, low in least.items():
            if getattr(self, key) < low:
                raise ConfigError(f"{SETTINGS}.{key}: at least {low} is needed, got {getattr(self, key)}")
        for key in _SHARES:
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"{SETTINGS}.{key}: a share from 0 to 1 is needed, got {getattr(self, key)}")
        if self.track_buffer_seconds < 0:
            raise ConfigError(f"{SETTINGS}.track_buffer_seconds: at least 0 is needed, got {self.track_buffer_seconds}")

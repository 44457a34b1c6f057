"""Every number of training, with its unit and where it comes from; ``[train]`` of a study file."""

from dataclasses import dataclass, field

from schema.errors import ConfigError

METHODS = ("masked", "decorrelation", "none")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputConfig:
    """How sequences are put to one form."""

    rate_hz: float = 12.5
    """Frames per second that the networks see; the shortest annotated micro-gestures have four of them."""
    longest_gap_s: float = 0.4
    """Points that are not seen for longer are masked, not interpolated."""
    fewest_seen: float = 0.02
    """Points that are seen in a smaller share of the training frames are left out: legs behind a desk."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense (``ConfigError``)."""
        _check(
            self,
            "train.input",
            rate_hz=(2, 60),
            longest_gap_s=(0, 10),
            fewest_seen=(0, 1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Small changes that keep a micro-gesture what it is; 0 switches one off."""

    jitter: float = 0.01
    """Standard deviation of noise on each point, shoulder widths."""
    shear: float = 0.1
    """Greatest shear of the picture plane (and turn towards the camera)."""
    scale: float = 0.1
    """Greatest change of size."""
    turn_degrees: float = 30.0
    """Greatest turn about the upright axis; of three-dimensional poses alone."""
    resample: float = 0.15
    """Greatest change of speed."""
    crop: float = 0.1
    """Greatest share that is cut off at the ends of a window."""
    repeat: float = 0.2
    """Chance that a short motion is played once more: micro-gestures repeat themselves (arXiv 2405.13206)."""
    part_mask: float = 0.2
    """Chance that a hand, both, or the face goes unseen for a while: whole hands are missing in real clips."""
    flip: float = 0.5
    """Chance that left and right are exchanged, labels too where they name a side."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense (``ConfigError``)."""
        _check(
            self,
            "train.augment",
            jitter=(0, 1),
            shear=(0, 1),
            scale=(0, 0.9),
            turn_degrees=(0, 180),
            resample=(0, 0.9),
            crop=(0, 0.9),
            repeat=(0, 1),
            part_mask=(0, 1),
            flip=(0, 1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig:
    """Self-supervised pre-training on windows without labels."""

    method: str = "decorrelation"
    """decorrelation: two balanced streams; masked: masked motion modelling; none."""
    window_seconds: float = 5.0
    """Length of a window."""
    steps: int = 400
    """Updates of the weights."""
    batch: int = 24
    """Windows an update: 400 updates take some 15 s on one core."""
    learning_rate: float = 2e-3
    """Greatest learning rate."""
    most_per_subject: int = 2000
    """Windows of one person at most."""
    most_windows: int = 20_000
    """Windows in all at most: they are held in memory, some 40 kB each."""
    min_quality: float = 0.3
    """Mean score of the upper body's and the hands' points in a window, 0..1."""
    slowest: float = 0.0
    """Median speed of the fastest part, shoulder widths a second: windows below it are not drawn."""
    fastest: float = 6.0
    """The same, from above: people who walk through the picture."""
    balanced: bool = True
    """Of decorrelation: weigh the spatial and the temporal stream by a learned gate; False: their plain sum."""

    def __post_init__(self) -> None:
        """Refuse an unknown method and numbers that make no sense (``ConfigError``)."""
        if self.method not in METHODS:
            raise ConfigError(f"train.pretrain.method: {self.method!r} must be one of {', '.join(METHODS)}")
        _check(
            self,
            "train.pretrain",
            window_seconds=(0.5, 120),
            steps=(0, 10_000_000),
            batch=(2, 65_536),
            learning_rate=(0, 1),
            most_per_subject=(1, 10_000_000),
            most_windows=(1, 10_000_000),
            min_quality=(0, 1),
            slowest=(0, 1_000),
            fastest=(self.slowest, 1_000),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """The size of the networks."""

    width: int = 96
    """Channels of the encoder."""
    layers: int = 4
    """Temporal blocks of the encoder; each doubles the time between the frames it looks at."""
    levels: int = 5
    """Scales of the detector; each halves the frame rate."""
    dropout: float = 0.2
    """Share of channels that are dropped in training."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense (``ConfigError``)."""
        _check(
            self,
            "train.network",
            width=(8, 4096),
            layers=(1, 12),
            levels=(1, 10),
            dropout=(0, 0.9),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectConfig:
    """How detections are read off the detector's outputs."""

    floor: float = 0.3
    """Calibrated probability below which a class is not named: "unclassified movement"."""
    least: float = 0.05
    """Detections below this are left out."""
    most_per_minute: float = 30.0
    """Detections kept for each minute of a sequence."""
    snap_s: float = 0.3
    """Edges move by at most so many seconds, rounded to frames, to the nearest minimum of the moving limb's energy; 0:
    never."""
    nms_sigma: float = 0.3
    """Soft suppression of overlapping detections: scores fall by ``exp(-iou^2 / sigma)`` (Bodla et al. 2017)."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense (``ConfigError``)."""
        _check(
            self,
            "train.detect",
            floor=(0, 1),
            least=(0, 1),
            most_per_minute=(0.1, 10_000),
            snap_s=(0, 10),
            nms_sigma=(0.001, 100),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How a seed model is trained."""

    seed: int = 0
    """The same seed gives the same weights on one CPU thread."""
    device: str = "auto"
    """auto (a GPU where there is one), cpu or cuda."""
    threads: int = 1
    """CPU threads; with more than one the weights are not promised to be the same."""
    steps: int = 300
    """Updates of the weights on labelled windows, at least."""
    windows_per_gesture: float = 2.0
    """More updates where so many windows for each labelled gesture need them: 300 updates would leave out most of a
    data set of thousands."""
    batch: int = 16
    """Windows an update."""
    window_seconds: float = 7.68
    """Length of a labelled window."""
    learning_rate: float = 3e-3
    """Greatest learning rate."""
    weight_decay: float = 0.05
    """Decay of the weights (AdamW)."""
    unjudged_weight: float = 0.1
    """What a frame that nobody judged weighs as background, beside 1 of a judged one."""
    balance: float = 0.5
    """0: classes count as often as they come; 1: all alike; between: by the power of their share."""
    fewest_examples: int = 10
    """Classes with fewer examples are proposed by their group alone."""
    folds: int = 3
    """Parts of the people for cross-validation and calibration."""
    checkpoint_seconds: float = 30.0
    """A killed training goes on from the last checkpoint."""
    input: InputConfig = field(default_factory=InputConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    detect: DetectConfig = field(default_factory=DetectConfig)

    def __post_init__(self) -> None:
        """Refuse an unknown device and numbers that make no sense (``ConfigError``)."""
        if self.device not in DEVICES:
            raise ConfigError(f"train.device: {self.device!r} must be one of {', '.join(DEVICES)}")
        _check(
            self,
            "train",
            seed=(0, 2**62),
            threads=(1, 1_024),
            steps=(1, 10_000_000),
            windows_per_gesture=(0, 10_000),
            batch=(1, 65_536),
            window_seconds=(0.5, 300),
            learning_rate=(0, 1),
            weight_decay=(0, 10),
            unjudged_weight=(0, 1),
            balance=(0, 1),
            fewest_examples=(0, 1_000_000),
            folds=(1, 1_000),
            checkpoint_seconds=(0, 86_400),
        )


def _check(section: object, name: str, **bounds: tuple[float, float]) -> None:
    for setting, (low, high) in bounds.items():
        value = getattr(section, setting)
        if not low <= value <= high:
            raise ConfigError(f"{name}.{setting}: {value} must lie between {low} and {high}")

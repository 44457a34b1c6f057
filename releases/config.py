"""How a release is named, licensed, split and cut into files; light enough to import when the command starts."""

import re
from dataclasses import dataclass, field
from typing import Literal

from releases.documents.licences import licence_of
from releases.splits.config import SplitsConfig
from schema.errors import ConfigError

Profile = Literal["identity-free", "research"]
"""``identity-free`` keeps 8 neutralised of the 68 face points, ``research`` all; neither holds a pixel."""
ATTRIBUTES = ("sex", "birth_years")
"""Attributes of people that a release can hold."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlabelledConfig:
    """The ``[release.unlabelled]`` section: which windows without a segment are listed for training without labels."""

    window_seconds: float = 2.56
    """Length of a window: 64 frames at 25 frames/s, about the mean length of iMiGUE's clips (2.5 s)."""
    most_per_subject: int = 200
    """Windows of one person at most, shared out evenly among the person's videos; 0 lists none."""
    min_quality: float = 0.4
    """Mean score of the upper body's and the hands' points from which on a window counts, unseen ones as 0."""
    slowest: float = 0.02
    """Median speed of the fastest part, shoulder widths a second, from which on something moves."""
    fastest: float = 2.0
    """Above this speed it is walking about or waving, no micro-gesture."""
    seed: int = 0
    """Which windows are drawn, where there are more than wanted."""

    def __post_init__(self) -> None:
        """Refuse windows without length and bounds that exclude everything (``ConfigError``)."""
        if not 0.2 <= self.window_seconds <= 60:
            raise ConfigError(f"release.unlabelled.window_seconds: {self.window_seconds} must lie between 0.2 and 60")
        if self.most_per_subject < 0 or not 0 <= self.min_quality < 1:
            raise ConfigError("release.unlabelled: most_per_subject must be 0 or more, min_quality in [0, 1)")
        if not 0 <= self.slowest < self.fastest:
            raise ConfigError("release.unlabelled: slowest must be 0 or more, and less than fastest")


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionsConfig:
    """The ``[release.descriptions]`` section: an OpenAI-compatible endpoint that words the measured fields."""

    endpoint: str = ""
    """Base address such as http://localhost:8000/v1; empty: sentences are made from templates alone."""
    model: str = ""
    """Model name, as the endpoint calls it."""
    api_key_variable: str = "PRESSROOM_DESCRIPTIONS_KEY"
    """Environment variable that holds the endpoint's key; where it is not set none is sent."""
    timeout_seconds: float = 30.0
    """How long one answer may take."""

    def __post_init__(self) -> None:
        """Refuse an endpoint without a model, and the reverse (``ConfigError``)."""
        if bool(self.endpoint) != bool(self.model):
            raise ConfigError("release.descriptions: endpoint and model go together")
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise ConfigError("release.descriptions.endpoint: must begin with http:// or https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseConfig:
    """The ``[release]`` section of a study."""

    name: str = ""
    """Small letters, digits and single hyphens; the folder is ``<name>-<version>``. Empty: the study's name."""
    version: str = "0.1.0"
    """MAJOR.MINOR.PATCH; a version that was built once never changes."""
    title: str = "Micro-gestures in press conferences"
    """Heading of the data card and of the citation."""
    license_id: str = "CC-BY-NC-4.0"
    """SPDX id of the licence of the annotations (``releases.documents.licences.LICENCES``)."""
    authors: tuple[str, ...] = ()
    """Who is cited; empty names the maintainers as a group."""
    profile: Profile = "identity-free"
    """What of a person is published: ``identity-free`` has a few neutralised face points, ``research`` all 68."""
    gated_links: bool = False
    """Also build ``<name>-<version>-links``, which joins video ids to public links; share it under agreement only."""
    subject_attributes: tuple[str, ...] = ("sex", "birth_years")
    """Which declared attributes of the people are published, of sex and birth_years."""
    min_subjects_an_attribute: int = 5
    """People (k) who must share the attributes of a person; else they are generalised, then left out."""
    imported: Literal["exclude", "include"] = "exclude"
    """What becomes of imported data sets: their licences may forbid to publish them again."""
    unknown_subjects: Literal["exclude", "train"] = "exclude"
    """What becomes of people whom nobody declared: left out and counted, or put in train; never in val or test."""
    row_group_rows: int = 8192
    """Rows a Parquet row group: what one random access reads and decodes; fewer make larger files and footers."""
    shard_rows: int = 65_536
    """Rows a Parquet file, rounded down to whole row groups: a reader holds its footer, some MB for 8 row groups."""
    splits: SplitsConfig = field(default_factory=SplitsConfig)
    """Shares of train, val and test."""
    unlabelled: UnlabelledConfig = field(default_factory=UnlabelledConfig)
    """Windows for training without labels."""
    descriptions: DescriptionsConfig = field(default_factory=DescriptionsConfig)
    """A language model that rewrites descriptions; none by default."""

    def __post_init__(self) -> None:
        """Refuse what can't name a folder or bound a file, and unknown licences (``ConfigError``)."""
        if self.name and not _NAME.fullmatch(self.name):
            raise ConfigError(f"release.name: {self.name!r} must be small letters, digits and single hyphens")
        if not _VERSION.fullmatch(self.version):
            raise ConfigError(f"release.version: {self.version!r} must be three numbers such as 0.1.0")
        if not 0 < self.row_group_rows <= 65_536:
            raise ConfigError(f"release.row_group_rows: {self.row_group_rows} must lie between 1 and 65536")
        if self.shard_rows < self.row_group_rows:
            raise ConfigError(f"release.shard_rows: {self.shard_rows} is less than one row group")
        strange = sorted(set(self.subject_attributes) - set(ATTRIBUTES))
        if strange:
            raise ConfigError(f"release.subject_attributes: {strange[0]!r} is none of {', '.join(ATTRIBUTES)}")
        if self.min_subjects_an_attribute < 2:
            raise ConfigError(
                f"release.min_subjects_an_attribute: at least 2 are needed, got {self.min_subjects_an_attribute}"
            )
        licence_of(self.license_id)

    @property
    def folder_name(self) -> str:
        """Return ``<name>-<version>``."""
        return f"{self.name}-{self.version}"

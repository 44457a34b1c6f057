"""How a release is named, licensed, split and cut into files; light enough to import when the command starts."""

import re
from dataclasses import dataclass, field
from typing import Literal

from releases.licences import licence_of
from releases.splits import SplitsConfig
from schema.errors import ConfigError

Profile = Literal["identity-free", "research"]
"""``identity-free`` leaves the 68 face points out, ``research`` keeps them; neither holds a pixel."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


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
    """SPDX id of the licence of the annotations (``releases.licences.LICENCES``)."""
    authors: tuple[str, ...] = ()
    """Who is cited; empty names the maintainers as a group."""
    profile: Profile = "identity-free"
    """What of a person is published: ``identity-free`` has no face points, ``research`` has them."""
    unknown_subjects: Literal["exclude", "train"] = "exclude"
    """What becomes of people whom nobody declared: left out and counted, or put in train; never in val or test."""
    row_group_rows: int = 4096
    """Rows a Parquet row group: what one random access reads and decodes; fewer make larger files and footers."""
    shard_rows: int = 262_144
    """Rows a Parquet file, rounded down to whole row groups."""
    splits: SplitsConfig = field(default_factory=SplitsConfig)
    """Shares of train, val and test."""

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
        licence_of(self.license_id)

    @property
    def folder_name(self) -> str:
        """Return ``<name>-<version>``."""
        return f"{self.name}-{self.version}"

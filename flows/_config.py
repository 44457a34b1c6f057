"""study.toml -> StudyConfig: every section is the dataclass beside its stage, and a misspelt key is an error."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from annotation.answers.adjudicate import AdjudicateConfig
from annotation.config import AnnotateConfig
from annotation.studio.service import ReviewServerConfig
from collectors.base import CollectConfig
from collectors.catalogue.config import IdentifyConfig, MatchesConfig
from collectors.duplicates import DuplicatesConfig
from collectors.manners import HostConfig, MannersConfig
from collectors.sources import SourceConfig
from flows._schedules import SchedulesConfig
from media.proxies import ProxyConfig
from models.config import TrainConfig
from perception.keypoints import KeypointsConfig
from perception.players import PlayersConfig
from perception.quality import QualityConfig
from perception.shots import ShotsConfig
from perception.smoothing import SmoothingConfig
from perception.tracks import TracksConfig
from proposals.config import ProposalsConfig
from releases.config import ReleaseConfig
from schema.errors import ConfigError
from schema.taxonomy import load_taxonomy

if TYPE_CHECKING:
    from pydantic import TypeAdapter

STUDY_FILE = "study.toml"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
Section = TypeVar("Section")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySection:
    """What the study is called and which classes it uses."""

    name: str
    """Short name, used for releases: lower-case letters, digits and hyphens."""
    taxonomy: str = "imigue32"
    """Class list: imigue32, ma52 or smg17."""
    players: str = "private/players.csv"
    """People by row id (columns person_id,name), relative to the study's folder."""

    def __post_init__(self) -> None:
        """Refuse a name that no release could have (``ConfigError``), before anybody has answered anything."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"study.name: {self.name!r} must be small letters, digits and single hyphens")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSection:
    """How runs use the machine, and what counts as a failed run."""

    workers: int = 1
    """Videos that are perceived at the same time."""
    downloads: int = 2
    """Sources that are fetched at the same time."""
    memory_limit_gib: float = 4.0
    """Memory that the work on one video may use."""
    time_limit_minutes: float = 240.0
    """Time that the work on one video may take."""
    tolerated_drops: int = 0
    """Sources and videos that may be dropped before a command ends with status 1."""

    def __post_init__(self) -> None:
        """Refuse a run without anybody at work (``ConfigError``)."""
        for key in ("workers", "downloads"):
            if getattr(self, key) < 1:
                raise ConfigError(f"run.{key}: at least 1 is needed, got {getattr(self, key)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackEndsSection:
    """Which back ends perceive, and their own settings; one is never swapped for another silently."""

    shots: str = "scenedetect"
    """Shot detector."""
    tracks: str = "mediapipe"
    """People tracker."""
    faces: str = "mediapipe"
    """Face finder: who faces the camera. `none` looks for no faces."""
    keypoints: str = "mediapipe"
    """Keypoint estimator."""
    shots_settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the shot detector: the fields of its config class (docs/back-ends.md)."""
    tracks_settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the tracker."""
    faces_settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the face finder."""
    keypoints_settings: dict[str, Any] = field(default_factory=dict)
    """Settings of the keypoint estimator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyConfig:
    """A whole study file, checked."""

    study: StudySection
    sources: tuple[SourceConfig, ...] = ()
    matches: tuple[MatchesConfig, ...] = ()
    identify: IdentifyConfig = field(default_factory=IdentifyConfig)
    run: RunSection = field(default_factory=RunSection)
    collect: CollectConfig = field(default_factory=CollectConfig)
    manners: MannersConfig = field(default_factory=MannersConfig)
    hosts: tuple[HostConfig, ...] = ()
    duplicates: DuplicatesConfig = field(default_factory=DuplicatesConfig)
    back_ends: BackEndsSection = field(default_factory=BackEndsSection)
    shots: ShotsConfig = field(default_factory=ShotsConfig)
    tracks: TracksConfig = field(default_factory=TracksConfig)
    keypoints: KeypointsConfig = field(default_factory=KeypointsConfig)
    players: PlayersConfig = field(default_factory=PlayersConfig)
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    proxies: ProxyConfig = field(default_factory=ProxyConfig)
    proposals: ProposalsConfig = field(default_factory=ProposalsConfig)
    annotate: AnnotateConfig = field(default_factory=AnnotateConfig)
    server: ReviewServerConfig = field(default_factory=ReviewServerConfig)
    adjudicate: AdjudicateConfig = field(default_factory=AdjudicateConfig)
    release: ReleaseConfig = field(default_factory=ReleaseConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    schedules: SchedulesConfig = field(default_factory=SchedulesConfig)


def load_config(path: Path) -> StudyConfig:
    """Read and check a study file; raises ``ConfigError`` naming the key's path and the nearest valid one."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such study file; `pressroom init DIR` makes one to start from") from error
    except OSError as error:
        raise ConfigError(f"{path}: the study file can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from error
    try:
        config = check_settings(document, StudyConfig, prefix="")
        _check_taxonomy(config.study.taxonomy)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return config


def _check_taxonomy(name: str) -> None:
    try:
        load_taxonomy(name)
    except ConfigError as error:
        raise ConfigError(f"study.taxonomy: {error}") from error


def check_settings(settings: Mapping[str, Any], section: type[Section], *, prefix: str) -> Section:
    """Turn a table of settings into its dataclass; raises ``ConfigError`` naming the key's path."""
    unknown = next(_unknown_keys(settings, section, prefix), None)
    if unknown:
        raise ConfigError(unknown)
    return _checked(settings, section, prefix)


def _unknown_keys(document: Mapping[str, Any], section: type, prefix: str) -> Iterator[str]:
    hints = get_type_hints(section)
    for key, value in document.items():
        if key not in hints:
            near = get_close_matches(key, hints, n=1, cutoff=0.0)
            nearest = f"nearest is {prefix}{near[0]}" if near else f"{prefix.rstrip('.')} takes none"
            yield f"unknown key {prefix}{key!s}; {nearest}"
        elif is_dataclass(hints[key]) and isinstance(value, dict):
            yield from _unknown_keys(value, hints[key], f"{prefix}{key}.")
        elif isinstance(value, list):
            inner = next((a for a in getattr(hints[key], "__args__", ()) if is_dataclass(a)), None)
            for number, row in enumerate(value if isinstance(inner, type) else ()):
                if isinstance(row, dict) and isinstance(inner, type):
                    yield from _unknown_keys(row, inner, f"{prefix}{key}[{number}].")


def _checked(settings: Mapping[str, Any], section: type[Section], prefix: str) -> Section:
    from pydantic import ValidationError

    # Only pydantic's rules for JSON take a list for a tuple and a table for a dataclass, yet "2" for no number.
    document = json.dumps(settings, default=str)
    dataclass_type: type = section  # mypy holds type[Section] to be unhashable
    rules: TypeAdapter[Section] = _rules(dataclass_type)
    try:
        return rules.validate_json(document, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = prefix + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"]).lstrip(".")
        if first["type"] == "value_error":
            raise ConfigError(f"{where}: {first['ctx']['error']}") from error
        given = "" if first["type"] == "missing" else f", got {first['input']!r}"
        raise ConfigError(f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}{given}") from error


@cache
def _rules(section: type) -> "TypeAdapter[Any]":
    """Work out pydantic's rules for a section, once: for all sections that takes longer than reading a study file."""
    from pydantic import TypeAdapter

    return TypeAdapter(section)


def setting_lines(section: type) -> Iterator[str]:
    """Write a section's settings as commented TOML lines with their defaults: the study file that ``init`` makes."""
    docs = field_docs(section)
    for setting in fields(section):
        default = setting.default if setting.default is not MISSING else None
        if setting.default_factory is not MISSING:
            default = setting.default_factory()
        if is_dataclass(default):
            continue
        yield f"# {docs.get(setting.name, '')}"
        yield f"# {setting.name} = {_toml(default)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def field_docs(section: type) -> dict[str, str]:
    """Read the strings under a dataclass's fields."""
    import ast
    import inspect
    import textwrap

    body = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0]
    found: dict[str, str] = {}
    name = ""
    for node in body.body if isinstance(body, ast.ClassDef) else ():
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)):
                continue
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[name] = " ".join(text.split())
                name = ""
    return found

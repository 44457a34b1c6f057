"""The releases of a study, as they lie in its folder."""

import re
from dataclasses import replace
from pathlib import Path

from flows._study import Study
from releases.config import ReleaseConfig
from schema.errors import InvalidReleaseError

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def study_releases(study: Study) -> list[Path]:
    """List the study's releases, oldest version first."""
    name = release_config(study).name
    found = [p for p in study.layout.releases.glob(f"{name}-*") if _VERSION.fullmatch(p.name[len(name) + 1 :])]
    return sorted(found, key=lambda p: version_of(p.name[len(name) + 1 :]))


def version_of(text: str) -> tuple[int, ...]:
    """Return the three numbers of a version."""
    return tuple(int(number) for number in text.split("."))


def release_config(study: Study) -> ReleaseConfig:
    """Return the settings of the study's releases, with the name that they have."""
    return replace(study.config.release, name=study.config.release.name or study.config.study.name)


def newest_release(study: Study) -> Path:
    """Return the newest release; raises ``InvalidReleaseError`` where there is none."""
    found = study_releases(study)
    if not found:
        raise InvalidReleaseError(f"{study.layout.releases}: no release yet; `pressroom publish` makes one")
    return found[-1]

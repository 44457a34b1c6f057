"""A release that was built once, and copies of it to damage."""

import shutil
from pathlib import Path

import pytest

from tests.releases.release_data import build


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of eight people in three splits; not to be changed."""
    return build(tmp_path_factory.mktemp("published"))


@pytest.fixture
def release(published: Path, tmp_path: Path) -> Path:
    """A copy of ``published`` that a test may change."""
    return Path(shutil.copytree(published, tmp_path / published.name))

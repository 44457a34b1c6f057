"""One real Label Studio for a whole test session: import the fixture where tests need it."""

from collections.abc import Iterator

import pytest

from annotation.studio import service
from annotation.studio.installation import ensure_label_studio
from annotation.studio.service import ReviewServer, ReviewServerConfig
from schema.layout import StudyLayout


@pytest.fixture(scope="session")
def review_layout(tmp_path_factory: pytest.TempPathFactory) -> StudyLayout:
    return StudyLayout.at(tmp_path_factory.mktemp("reviewed"))


@pytest.fixture(scope="session")
def review_server(review_layout: StudyLayout) -> Iterator[ReviewServer]:
    """Start the real server on a study of its own; a machine's first time installs it: up to two minutes."""
    yield service.start(review_layout, ensure_label_studio(), config=ReviewServerConfig())
    service.stop(review_layout)

"""What tests of models share."""

import pytest

from models.inputs.windows import LabelledFrames
from models.training.lessons import prepare
from tests.made_motions import TINY, made_people, made_taxonomy


@pytest.fixture(scope="module")
def made_people_frames() -> list[LabelledFrames]:
    """Made-up people, normalised, with labels in frames."""
    lessons = prepare(made_people(2, seconds=30), [], taxonomy=made_taxonomy(), config=TINY)
    return [one.placed for one in lessons.labelled]

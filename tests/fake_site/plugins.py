"""Makes the site's extractors known to yt-dlp in this process."""

import importlib
import sys
from pathlib import Path

PLUGIN_FOLDER = Path(__file__).parent / "plugin"
"""For PYTHONPATH of another process."""


def load_extractors() -> None:
    """Make yt-dlp load the site's extractors, whether or not it has looked for plugins before."""
    from yt_dlp.globals import extractors
    from yt_dlp.plugins import load_all_plugins

    if str(PLUGIN_FOLDER) not in sys.path:
        sys.path.append(str(PLUGIN_FOLDER))
    import yt_dlp.extractor  # noqa: F401  registers where extractors go

    if "FakeSiteIE" not in extractors.value:
        importlib.invalidate_caches()
        load_all_plugins()

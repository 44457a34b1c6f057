"""The formats that a release can be exported to, by name; a format's module is imported when it is asked for."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from releases.exports.base import Exported, ExportOptions, ReleaseSource
from schema.errors import UsageError

EXPORTS: dict[str, str] = {
    "pyskl": "releases.exports.pyskl:export_pyskl",
    "activitynet": "releases.exports.activitynet:export_activitynet",
    "miga": "releases.exports.miga:export_miga",
    "elan": "releases.exports.elan:export_elan",
    "boris": "releases.exports.boris:export_boris",
    "coco": "releases.exports.coco:export_coco",
    "webdataset": "releases.exports.webdataset:export_webdataset",
}
"""The function of each format, as ``module:function``."""
OPTIONS: dict[str, tuple[str, ...]] = {"layout": ("pyskl",), "xsub": ("pyskl",), "every": ("coco",)}
"""Which formats take each option."""

Export = Callable[[ReleaseSource, Path, ExportOptions], Exported]


def export_release(folder: Path, format_name: str, target: Path, options: ExportOptions) -> Exported:
    """Write a release's segments in another tool's format.

    Args:
        folder: The release's folder; nothing in it is changed.
        format_name: One of ``EXPORTS``.
        target: The file or folder to write; it must not exist, or be an empty folder where a folder is written.
        options: What to write; an option that the format does not take is refused.

    Raises:
        UsageError: Unknown format, split or option, a target that is there, or a taxonomy the format can't hold.
        InvalidReleaseError: The folder is no release, or its tables can't be read.
        StoreFullError: The disk is full; nothing is left behind.
    """
    export = _export_of(format_name)
    for option, formats in OPTIONS.items():
        if getattr(options, option) and format_name not in formats:
            raise UsageError(f"--{option} is for {', '.join(formats)}; {format_name} has no such option")
    source = ReleaseSource.opened(folder, splits=options.splits)
    if target.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{target} lies in the release, which must stay as it is: choose a path outside of it")
    return export(source, target, options)


def _export_of(format_name: str) -> Export:
    if format_name not in EXPORTS:
        near = get_close_matches(format_name, EXPORTS, n=1, cutoff=0.0)
        raise UsageError(f"no format {format_name!r}; there are {', '.join(EXPORTS)}; nearest is {near[0]!r}")
    module, _, function = EXPORTS[format_name].partition(":")
    found: Export = getattr(import_module(module), function)
    return found

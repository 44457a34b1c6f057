"""The formats that can be imported, by name; a format's module is imported when it is asked for."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from releases.imports.base import ImportOptions, OpenedImport
from schema.errors import UsageError

IMPORTS: dict[str, str] = {
    "miga": "releases.imports.miga:open_miga",
    "smg": "releases.imports.smg:open_smg",
    "ma52": "releases.imports.ma52:open_ma52",
    "pyskl": "releases.imports.pyskl:open_pyskl",
    "label-studio": "releases.imports.label_studio:open_label_studio",
}
"""The function that opens a data set of each format, as ``module:function``."""
OPTIONS: dict[str, tuple[str, ...]] = {
    "rate": ("miga", "smg", "ma52", "pyskl", "label-studio"),
    "size": ("miga", "ma52", "pyskl"),
    "layout": ("ma52", "pyskl"),
    "class_of_label": ("pyskl",),
    "subjects": ("miga", "smg", "ma52", "pyskl"),
}
"""Which formats take each option."""
VERSION = 1
"""Raised when the same files give other rows than before: they are imported anew."""


def check_format(format_name: str) -> None:
    """Raise ``UsageError`` with the nearest name where there is no such format."""
    if format_name not in IMPORTS:
        near = get_close_matches(format_name, IMPORTS, n=1, cutoff=0.0)
        raise UsageError(f"no format {format_name!r}; there are {', '.join(IMPORTS)}; nearest is {near[0]!r}")


def open_import(format_name: str, path: Path, options: ImportOptions) -> OpenedImport:
    """List the files of a data set.

    Raises:
        UsageError: Unknown format, nothing there that it could read, an option that it does not take, or another
            taxonomy than the study's.
    """
    check_format(format_name)
    for option, formats in OPTIONS.items():
        if getattr(options, option) and format_name not in formats:
            words = {"class_of_label": "labels"}.get(option, option)
            raise UsageError(f"--{words} is for {', '.join(formats)}; {format_name} has no such option")
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    module, _, function = IMPORTS[format_name].partition(":")
    opened: Callable[[Path, ImportOptions], OpenedImport] = getattr(import_module(module), function)
    return opened(path, options)

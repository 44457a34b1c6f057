"""Turn the name of a back end, as a study writes it, into its class."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from schema.errors import ConfigError, MissingPartError


def load_back_end(table: Mapping[str, str], name: str, *, key: str) -> type[Any]:
    """Import the class that ``table`` lists under ``name``.

    Args:
        table: Names and ``module:Class`` paths, such as ``perception.tracks.PERSON_TRACKERS``.
        name: The name that the study gives, or the ``module:Class`` path of a back end of its own.
        key: The key of study.toml that held the name, for the message.

    Returns:
        The class; its ``config_type`` is the dataclass that its constructor takes.

    Raises:
        ConfigError: No back end has that name.
        MissingPartError: The library behind the back end is not installed.
    """
    if name not in table and ":" not in name:
        nearest = difflib.get_close_matches(name, table, n=1, cutoff=0.0)
        raise ConfigError(f"{key}: there is no back end {name!r}; did you mean {nearest[0]!r}? ({', '.join(table)})")
    module_name, _, class_name = table.get(name, name).partition(":")
    try:
        back_end: type[Any] = getattr(importlib.import_module(module_name), class_name)
    except AttributeError as error:
        raise ConfigError(f"{key}: the module {module_name} has no {class_name!r}") from error
    except ModuleNotFoundError as error:
        raise MissingPartError(f"{key}: {name} needs the package {error.name}, which is not installed") from error
    return back_end

"""The whole-body networks that mmpose's wheel describes: found by name, listed with their published accuracy."""

import ast
import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from perception.backends.mmpose.compat import require_mmpose
from schema.errors import ConfigError, MissingPartError

DEFAULT_CONFIG = "rtmw-l_8xb320-270e_cocktail14-384x288"
"""The most accurate for its cost: hands 0.663 AP for 17.7 GFLOPs (mmpose's rtmw_cocktail14.md)."""
WEIGHTS_LICENCE = "Apache-2.0 by OpenMMLab; most data that it learned from allows research only"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A network that mmpose's wheel describes."""

    name: str
    """Name of the config, and of its file without ``.py``."""
    config_path: Path
    whole_ap: float | None = None
    """Published average precision on COCO-WholeBody of all 133 points, with flip test; none where none is given."""
    hand_ap: float | None = None
    """The same of the hands."""
    checkpoint: str = ""
    """File name of the published weights; empty where the wheel names none."""
    url: str = ""
    """Where the weights can be had."""


def known_models() -> tuple[KnownModel, ...]:
    """List the RTMPose and RTMW whole-body networks of the installed mmpose, best hands first.

    Raises ``MissingPartError`` where mmpose is not installed.
    """
    folder = _configs_folder()
    published = dict(_published(folder))
    models = [
        published.get(path.stem) or KnownModel(name=path.stem, config_path=path)
        for path in sorted(folder.rglob("rtm*_*.py"))
    ]
    return tuple(sorted(models, key=lambda model: (-(model.hand_ap or 0.0), model.name)))


def find_config(name: str) -> Path:
    """Return the file of a config that a study names: by its name in mmpose's wheel, or by the path of a ``.py``.

    Raises ``ConfigError`` where there is none, and ``MissingPartError`` where mmpose is not installed.
    """
    if name.endswith(".py"):
        path = Path(name).expanduser()
        if path.is_file():
            return path
        raise ConfigError(f"config: there is no file {path}")
    models = {model.name: model.config_path for model in known_models()}
    if name not in models:
        nearest = difflib.get_close_matches(name, models, n=1, cutoff=0.0)
        raise ConfigError(
            f"config: mmpose describes no whole-body network {name!r}; did you mean {nearest[0]!r}? "
            "(`pressroom models list` has all)"
        )
    return models[name]


def published_model(config: str) -> KnownModel | None:
    """Return what mmpose's wheel says of a config of its own; none for the path of a config."""
    return next((model for model in known_models() if model.name == config), None)


def digest_of_config(path: Path) -> str:
    """Return a digest of a config file and of the files that it is based on."""
    digest = hashlib.sha256()
    for file in _with_bases(path):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _with_bases(path: Path) -> Iterator[Path]:
    yield path
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "_base_" for t in node.targets):
            named = ast.literal_eval(node.value)
            for base in [named] if isinstance(named, str) else named:
                yield from _with_bases(path.parent / base)


def _configs_folder() -> Path:
    require_mmpose()
    spec = find_spec("mmpose")
    places = spec.submodule_search_locations if spec else None
    folder = Path(places[0] if places else "") / ".mim" / "configs" / "wholebody_2d_keypoint" / "rtmpose"
    if not folder.is_dir():
        raise MissingPartError("the installed mmpose has no folder .mim/configs: install it from its wheel on PyPI")
    return folder


def _published(folder: Path) -> Iterator[tuple[str, KnownModel]]:
    import yaml

    for page in sorted(folder.rglob("*.yml")):
        for entry in yaml.safe_load(page.read_text(encoding="utf-8"))["Models"]:
            metrics = entry["Results"][0]["Metrics"]
            name, url = Path(entry["Config"]).stem, entry["Weights"]
            yield (
                name,
                KnownModel(
                    name=name,
                    config_path=page.parent / Path(entry["Config"]).name,
                    whole_ap=metrics["Whole AP"],
                    hand_ap=metrics["Hand AP"],
                    checkpoint=url.rpartition("/")[2],
                    url=url,
                ),
            )

"""The walls of the house: who may import what, how light the command starts, and what every file must have."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: tuple[str, ...] = tuple(PROJECT["tool"]["mypy"]["packages"])
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]

OWNERS = {
    "prefect": ("flows/",),
    "yt_dlp": ("collectors/ytdlp/",),
    "av": ("media/",),
    "ffmpeg": ("media/",),
    "mediapipe": ("perception/backends/mediapipe/",),
    "scenedetect": ("perception/backends/scenedetect.py",),
    "ultralytics": ("perception/backends/ultralytics/",),
    "mmpose": ("perception/backends/mmpose/",),
    "mmengine": ("perception/backends/mmpose/",),
    "label_studio_sdk": ("annotation/studio/server.py",),
    "skvideo": (),
}
"""The only files that may import a library, as the beginnings of their paths."""

LIGHT = {
    "annotated_doc",
    "attr",
    "linkify_it",
    "markdown_it",
    "mdurl",
    "org",
    "pygments",
    "rich",
    "shellingham",
    "typer",
}
"""What the command may import before it knows what is asked of it: typer, rich, and what these try to import."""

MOST_LINES = 400
IN_ONE_FILE = {"releases/reader.py": 640}
"""Files that must be one, and how long they may be: the reader travels with every release."""
BAD_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "core"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def libraries_of(path: Path) -> set[str]:
    """Every top-level name that a file imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_no_other_distribution_ships_one_of_our_packages():
    shipped = packages_distributions()
    assert {p: set(shipped.get(p, ())) - {"pressroom"} for p in PACKAGES} == {p: set() for p in PACKAGES}


def test_every_package_on_disk_is_checked_and_has_its_layer():
    on_disk = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert on_disk == set(PACKAGES)
    rules = PROJECT["tool"]["importlinter"]
    assert set(rules["root_packages"]) == on_disk
    layers = next(contract["layers"] for contract in rules["contracts"] if contract["type"] == "layers")
    assert {name for layer in layers for name in re.split(r"\W+", layer)} == on_disk


def test_every_package_is_installed():
    folders = {p.parent for package in PACKAGES for p in (ROOT / package).rglob("__init__.py")}
    dotted = {folder.relative_to(ROOT).as_posix().replace("/", ".") for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == dotted


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owner_alone(library: str):
    importers = [name_of(path) for path in FILES if library in libraries_of(path)]
    assert [name for name in importers if not name.startswith(OWNERS[library])] == []


def imported_by(*arguments: str) -> set[str]:
    """Every module that a Python process imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=50,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_help_imports_nothing_heavy():
    imported = imported_by("-m", "flows._cli", "--help") - imported_by("-c", "pass")
    own = {name for name in imported if name.partition(".")[0] in PACKAGES}
    assert own == {
        "flows",
        "flows._cli_groups",
        "flows._cli_options",
        "flows._cli_simulate",
        "schema",
        "schema.errors",
    }
    libraries = {name.partition(".")[0] for name in imported} - set(PACKAGES) - sys.stdlib_module_names
    assert "typer" in libraries
    assert libraries - LIGHT == set()


def test_no_file_is_longer_than_a_reader_can_hold():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > IN_ONE_FILE.get(name, MOST_LINES)} == {}


def test_no_module_has_a_name_that_says_nothing():
    assert [name_of(p) for p in FILES if {*p.parent.parts[len(ROOT.parts) :], p.stem.strip("_")} & BAD_NAMES] == []


def test_imports_are_absolute_and_no_global_is_rebound():
    nodes = [(name_of(path), node) for path in FILES for node in ast.walk(tree_of(path))]
    assert [name for name, node in nodes if isinstance(node, ast.ImportFrom) and node.level] == []
    assert [name for name, node in nodes if isinstance(node, ast.Global)] == []


def test_a_package_begins_with_one_sentence_and_nothing_else():
    trees = {name_of(path): tree_of(path) for path in FILES if path.name == "__init__.py"}
    texts = {name: ast.get_docstring(tree) or "" for name, tree in trees.items()}
    assert {name for name, tree in trees.items() if len(tree.body) != 1 or not texts[name].endswith(".")} == set()


def public_things(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Every public function, class and method."""
    for child in getattr(node, "body", ()):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield f"{prefix}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public_things(child, f"{prefix}{child.name}.")


def test_everything_public_says_what_it_is():
    assert [name_of(path) for path in FILES if not ast.get_docstring(tree_of(path))] == []
    things = [thing for path in FILES for thing in public_things(tree_of(path), f"{name_of(path)}: ")]
    assert [name for name, node in things if not ast.get_docstring(node)] == []


def test_deployments_are_those_of_the_command():
    from flows._runner import STAGES
    from flows._schedules import FLOWS

    assert {d["name"]: d["entrypoint"] for d in DEPLOYMENTS} == FLOWS
    assert {name: stage.flow for name, stage in STAGES.items() if name in FLOWS}.items() <= FLOWS.items()


def test_deployments_run_when_the_study_file_says_by_default():
    from flows._schedules import SchedulesConfig

    schedules = SchedulesConfig()
    found = {d["name"]: [(s["cron"], s["timezone"]) for s in d["schedules"]] for d in DEPLOYMENTS if d["schedules"]}
    assert found == {name: [(line, schedules.timezone)] for name, line in schedules.lines().items()}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["name"])
def test_a_deployment_loads_by_module_path(deployment: dict):
    """The form with a file's path loads a second copy of the module; the default hides errors of the import."""
    assert re.fullmatch(r"flows\.\w+:\w+_flow", deployment["entrypoint"])
    from prefect.flows import load_flow_from_entrypoint

    flow = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    module, _, function = deployment["entrypoint"].partition(":")
    assert flow is getattr(sys.modules[module], function)
    assert flow.name == deployment["name"]
    assert set(inspect.signature(flow.fn).parameters) == set(deployment["parameters"])
    assert deployment["work_pool"]["name"] == "pressroom"
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}

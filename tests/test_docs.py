"""What the documents say is there: commands, files, targets, settings, packages."""

import importlib.util
import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

from flows._backends import BACK_ENDS
from flows._cli import app
from flows._config import BackEndsSection, StudyConfig, load_config
from flows._init import init_study, study_template

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GENERATED = {"schema.md"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_of(page: Path) -> str:
    """What a page shows as code: blocks and `spans`, a line each."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *spans])


def commands_of(group: object, prefix: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every command as its words; a group is none."""
    if not hasattr(group, "commands"):
        return {prefix}
    return {words for name, command in group.commands.items() for words in commands_of(command, (*prefix, name))}


COMMANDS = commands_of(typer.main.get_command(app))


def test_every_command_is_in_the_documents():
    code = "\n".join(code_of(page) for page in PAGES)
    assert [words for words in sorted(COMMANDS) if not re.search(rf"pressroom {' '.join(words)}\b", code)] == []


def test_every_command_in_the_documents_is_there():
    said = {(name_of(p), found) for p in PAGES for found in re.findall(r"\bpressroom ([a-z]+(?: [a-z]+)?)", code_of(p))}
    unknown = {(page, found) for page, found in said if not is_command(tuple(found.split()))}
    assert unknown == set()


def is_command(words: tuple[str, ...]) -> bool:
    """Tell whether words begin with a command: its arguments may be lower-case words too."""
    return words[:1] in COMMANDS or words in COMMANDS


def test_every_linked_file_exists():
    links = [(p, to) for p in PAGES for to in re.findall(r"\]\(([^)\s]+)\)", p.read_text(encoding="utf-8"))]
    local = [(p, to.partition("#")[0]) for p, to in links if not re.match(r"[a-z]+:|#", to)]
    assert local
    assert [(name_of(p), to) for p, to in local if not (p.parent / to).exists()] == []


def test_every_make_target_in_the_documents_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = {(name_of(p), target) for p in PAGES for target in re.findall(r"\bmake ([a-z-]+)", code_of(p))}
    assert {target for _, target in said} >= {"demo", "test", "check"}
    assert {(page, target) for page, target in said if target not in targets} == set()


def test_the_page_of_tables_is_current():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / "schema.md").read_text(encoding="utf-8") == generate.schema_page(), "run `make docs`"


def settings_of(section: type, prefix: str = "") -> set[str]:
    """Every setting as its path in study.toml."""
    hints = get_type_hints(section)
    found = set()
    for field in fields(section):
        hint = hints[field.name]
        inner = isinstance(hint, type) and is_dataclass(hint)
        found |= settings_of(hint, f"{prefix}{field.name}.") if inner else {f"{prefix}{field.name}"}
    return found


SETTINGS = settings_of(StudyConfig)


def test_every_setting_in_the_documents_exists():
    sections = {field.name for field in fields(StudyConfig)} - {"study"}
    dotted = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)(?: = [^`]+)?`")
    said = {(name_of(p), s) for p in PAGES for s in dotted.findall(p.read_text(encoding="utf-8"))}
    said = {(page, s) for page, s in said if s.rpartition(".")[2] not in {"csv", "log", "md", "py", "toml"}}
    known = SETTINGS | {setting.rpartition(".")[0] for setting in SETTINGS}
    assert {(page, s) for page, s in said if s.partition(".")[0] in sections and s not in known} == set()


def test_the_study_file_that_init_makes_shows_the_defaults(tmp_path: Path):
    init_study(tmp_path / "study")
    as_made = load_config(tmp_path / "study" / "study.toml")
    lines = study_template("study").splitlines()
    opened = [line.removeprefix("# ") if is_setting(line) else line for line in lines]
    assert opened != lines
    everything = tmp_path / "study.toml"
    everything.write_text("\n".join(opened), encoding="utf-8")
    assert load_config(everything) == as_made


def is_setting(line: str) -> bool:
    if not re.match(r"# [a-z_]+ = ", line):
        return False
    try:
        tomllib.loads(line.removeprefix("# "))
    except tomllib.TOMLDecodeError:
        return False
    return True


def test_the_study_file_that_init_makes_explains_every_setting(tmp_path: Path):
    lines = study_template("study").splitlines()
    shown = [number for number, line in enumerate(lines) if is_setting(line)]
    top = {s.rpartition(".")[2] for s in SETTINGS if s.count(".") == 1} - {"name", "taxonomy"}
    assert {lines[number].split()[1] for number in shown} >= top - {"sources"}
    assert [lines[number] for number in shown if len(lines[number - 1]) < len("# words")] == []


@pytest.mark.parametrize("stage", BACK_ENDS)
def test_every_back_end_is_on_its_page(stage: str):
    page = (ROOT / "docs" / "back-ends.md").read_text(encoding="utf-8")
    for name, place in BACK_ENDS[stage].items():
        row = next(line for line in page.splitlines() if line.startswith("|") and stage in line and f"`{name}`" in line)
        assert f"{place.partition(':')[0].replace('.', '/')}.py" in row
    assert getattr(BackEndsSection(), stage) in BACK_ENDS[stage]


def test_every_direct_dependency_has_its_licence():
    named = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    named += [line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra]
    rows = [line for line in (ROOT / "LICENSES.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    listed = {name for row in rows for name in re.split(r",\s*", row.split("|")[1].strip())}
    assert {re.match(r"[\w-]+", line)[0] for line in named} - listed == set()


def test_the_changelog_tells_what_changes_the_data():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{PROJECT['project']['version']}]" in text
    assert "### Data" in text


def test_the_licence_is_the_one_that_is_declared():
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["project"]["license"] == "Apache-2.0"

"""A new study: its folder, a commented study.toml, and an empty list of players."""

import re
import shlex
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

from flows._config import STUDY_FILE, StudyConfig, setting_lines
from schema.errors import UsageError

HEAD = """# A pressroom study. Every setting that is commented out shows its default.
# A misspelt key is an error that names the nearest valid one.

[study]
name = "{name}"
{study_settings}

# Where the videos come from; repeat the table for each source (docs/collect.md).
#   kind = "link"      url = "https://..."            one video
#   kind = "file"      path = "recordings/one.mp4"    a local file, relative to this folder
#   kind = "folder"    path = "recordings"            every video in a folder
#   kind = "list"      path = "private/sources.csv"   a CSV with the header location,person, or one link or path a line
#   kind = "channel"   url = "https://..."            a channel's tab; playlist and feed alike
#   kind = "search"    query = "press conference"     the first results of a search
# Filters of a source: include = ["press conference"]  exclude = ["highlights"]  min_seconds  max_seconds
#   uploaded_from = "2024-01-01"  uploaded_until  min_height_px  languages = ["en"]  not_live
# person = "..." (or the list's second column) is a row id of private/players.csv: who is filmed. Who nobody declares is
# looked for in titles. A segment of an unknown person is never published, because its split could not be proven
# subject-disjoint.
[[sources]]
kind = "list"
path = "private/sources.csv"

# Match results, from which win or loss is told (docs/identify.md); one table [[matches]] for each file:
#   path = "private/atp_matches_2024.csv"  layout = "sackmann"  licence = "CC BY-NC-SA 4.0"
# Manners toward one host that differ from those of the section manners; one table [[hosts]] for each:
#   name = "example.org"  videos_per_minute = 60
"""


def study_template(name: str) -> str:
    """Write the study file that shows every setting with its default and its meaning."""
    sections = get_type_hints(StudyConfig)
    text = HEAD.format(name=name, study_settings="\n".join(list(setting_lines(sections["study"]))[2:]))
    for section in fields(StudyConfig):
        if section.default_factory is not MISSING and isinstance(sections[section.name], type):
            text += _section_text(section.name, sections[section.name])
    return text


def _section_text(path: str, section: type) -> str:
    """Write a section and those within it, such as ``release`` and ``release.splits``."""
    text = f"\n[{path}]\n" + "\n".join(setting_lines(section)) + "\n"
    hints = get_type_hints(section)
    inner = [field.name for field in fields(section) if is_dataclass(hints[field.name])]
    return text + "".join(_section_text(f"{path}.{name}", hints[name]) for name in inner)


def init_study(folder: Path, *, name: str | None = None) -> str:
    """Make a study's folder; raises ``UsageError`` where there is a study already."""
    target = folder / STUDY_FILE
    if target.exists():
        raise UsageError(f"{target} exists already; edit it, or choose another folder")
    private = folder / "private"
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    plain = re.sub(r"[^a-z0-9]+", "-", (name or folder.resolve().name).lower()).strip("-")
    target.write_text(study_template(plain or "study"), encoding="utf-8")
    for file, header in (("sources.csv", "location,person\n"), ("players.csv", "person_id,name\n")):
        if not (private / file).exists():
            (private / file).write_text(header, encoding="utf-8")
    return (
        f"{target} is ready. Next:\n"
        f"  1. list your videos in {private / 'sources.csv'} and the people in {private / 'players.csv'}\n"
        f"  2. pressroom plan {shlex.quote(str(folder))}\n"
        f"  3. pressroom run {shlex.quote(str(folder))}"
    )

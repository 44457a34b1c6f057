"""Checking a release as an outsider would: from its folder alone."""

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from releases.build import FORMAT, file_sha256, release_files
from releases.documents.card import CLASSES_HEADING, HOLDS_HEADING, read_header, table_under
from releases.documents.licences import LICENCES, outcome_licence_line
from releases.facts import TaskReadiness
from releases.privacy.links import is_links_part
from releases.privacy.linter import ForbiddenStrings, Leak, find_leaks
from releases.reader import open_release
from releases.splits.config import SPLITS
from releases.splits.lock import read_splits_lock
from releases.tables.columns import SCHEMA_VERSION, TABLES
from releases.validation.checks import (
    Finding,
    SplitContents,
    check_joins,
    check_keys,
    check_shards,
    check_spans,
    check_splits,
    counts_of,
    read_split,
    shards_in,
)
from releases.validation.croissant import check_croissant
from releases.validation.promises import check_promises
from schema.errors import InvalidReleaseError

__all__ = ["Finding", "read_readiness", "validate_release"]

REQUIRED_FILES = (
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "README.md",
    "SHA256SUMS",
    "croissant.json",
    "leak-report.json",
    "manifest.json",
    "reader.py",
    "splits.lock",
    "stats/index.html",
)
READER_IMPORTS = {"numpy", "pyarrow"}
"""What the reader may need beside the standard library."""
READER_EXTRAS = {"torch"}
"""What its functions may import when they are called."""
_CHECKSUM_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<path>[\w./-]+)")


def validate_release(folder: Path, *, forbidden: ForbiddenStrings | None = None) -> list[Finding]:
    """Check a release and return what is wrong with it; an empty list means that it is valid.

    Files whose checksums are wrong are not opened: then the findings are about the files alone.

    Args:
        folder: The release.
        forbidden: Private strings to look for, for whoever has them; links, handles and e-mail addresses are always
            looked for.

    Raises:
        InvalidReleaseError: The folder is no release at all: it has no SHA256SUMS.
    """
    if not (folder / "SHA256SUMS").is_file():
        raise InvalidReleaseError(f"{folder} is not a release: it has no SHA256SUMS")
    if is_links_part(folder):
        raise InvalidReleaseError(
            f"{folder} is the part that joins ids to links, no release: it identifies people; share it under "
            "agreement alone"
        )
    made_by = _schema_version(folder)
    if made_by is not None and made_by != SCHEMA_VERSION:
        detail = f"its schema_version is {made_by}, not {SCHEMA_VERSION}: use the pressroom that made it"
        return [Finding(check="manifest", file="manifest.json", detail=detail)]
    findings = list(_check_files(folder))
    if findings:
        return findings
    manifest, findings = _read_manifest(folder)
    findings += _check_reader(folder / "reader.py")
    findings += _check_licence(folder, manifest)
    findings += [
        Finding(check="leaks", file=leak.file, detail=f"{leak.place} holds a {leak.kind}")
        for leak in _leaks(folder, forbidden or ForbiddenStrings())
    ]
    findings += _check_tables(folder, manifest)
    return list(dict.fromkeys(findings))


def read_readiness(folder: Path) -> list[TaskReadiness]:
    """Return for which tasks a valid release suffices, and why not, from its manifest."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return [TaskReadiness(**one) for one in manifest["readiness"]]


def _check_files(folder: Path) -> Iterator[Finding]:
    listed: dict[str, str] = {}
    text = (folder / "SHA256SUMS").read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        match = _CHECKSUM_LINE.fullmatch(line)
        if match is None or match["path"] in listed:
            yield Finding(check="checksums", file="SHA256SUMS", detail=f"line {number} can't be read or comes twice")
        else:
            listed[match["path"]] = match["digest"]
    if not text.endswith("\n"):
        yield Finding(check="checksums", file="SHA256SUMS", detail="the last line is cut off")
    there = {p.relative_to(folder).as_posix(): p for p in release_files(folder)}
    for name in sorted({*REQUIRED_FILES, *listed} - there.keys()):
        yield Finding(check="files", file=name, detail="it is missing")
    for name, path in there.items():
        if path.is_symlink():
            yield Finding(check="files", file=name, detail="it is a link")
        elif name != "SHA256SUMS" and name not in listed:
            yield Finding(check="files", file=name, detail="it is not listed in SHA256SUMS")
        elif name in listed and file_sha256(path) != listed[name]:
            yield Finding(check="checksums", file=name, detail="its bytes are not those that were published")


def _schema_version(folder: Path) -> int | None:
    """Return the version of the columns that a release of pressroom says it has, None where it says none."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        version = manifest["schema_version"] if manifest["format"] == FORMAT else None
    except (OSError, ValueError, TypeError, KeyError):
        return None  # the other checks tell why
    return version if isinstance(version, int) else None


def _read_manifest(folder: Path) -> tuple[dict[str, Any], list[Finding]]:
    def wrong(detail: str) -> tuple[dict[str, Any], list[Finding]]:
        return {}, [Finding(check="manifest", file="manifest.json", detail=detail)]

    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except ValueError:
        return wrong("it can't be read")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        return wrong(f"its format is not {FORMAT}")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        return wrong(f"schema_version is not {SCHEMA_VERSION}: use the pressroom that made it")
    if manifest.get("profile") not in ("identity-free", "research"):
        return wrong("the profile is unknown")
    return manifest, []


def _check_reader(path: Path) -> Iterator[Finding]:
    def wrong(detail: str) -> Finding:
        return Finding(check="reader", file="reader.py", detail=detail)

    # it is parsed, not run: the release may come from anybody
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        yield wrong("it is not Python")
        return
    later = {inner for node in ast.walk(tree) if _is_run_later(node) for inner in ast.walk(node)}
    at_once = _modules(node for node in ast.walk(tree) if node not in later)
    strange = (at_once - READER_IMPORTS) | (_modules(later) - READER_IMPORTS - READER_EXTRAS)
    if strange:
        yield wrong(f"it needs more than numpy and pyarrow: {', '.join(sorted(strange))}")
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "open_release" not in defined:
        yield wrong("it has no function open_release")


def _is_run_later(node: ast.AST) -> bool:
    """Tell whether a node's imports are made when a function is called, or by type checkers alone."""
    for_types = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return for_types or isinstance(node, ast.FunctionDef)


def _modules(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the packages outside the standard library that the nodes import."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def _check_licence(folder: Path, manifest: dict[str, Any]) -> Iterator[Finding]:
    licence = LICENCES.get(str(manifest.get("license")))
    if licence is None:
        yield Finding(check="licence", file="manifest.json", detail="it names no known licence")
        return
    text = (folder / "LICENSE").read_text(encoding="utf-8", errors="replace")
    card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    for name in manifest.get("outcome_licences", []):
        for file, words in (("LICENSE", text), ("README.md", card)):
            if outcome_licence_line(str(name)) not in words:
                yield Finding(check="licence", file=file, detail="it does not name the licence of the match outcomes")
    if licence.spdx not in text or licence.url not in text:
        yield Finding(check="licence", file="LICENSE", detail=f"it does not name {licence.spdx} and where its text is")
    try:
        citation = yaml.safe_load((folder / "CITATION.cff").read_text(encoding="utf-8", errors="replace"))
    except yaml.YAMLError:
        citation = None
    told = {key: citation.get(key) for key in ("license", "version")} if isinstance(citation, dict) else {}
    if told != {"license": licence.spdx, "version": manifest["version"]} or not citation.get("authors"):
        detail = "it can't be read, or its licence, version or authors are wrong"
        yield Finding(check="citation", file="CITATION.cff", detail=detail)
    changes = (folder / "CHANGELOG.md").read_text(encoding="utf-8", errors="replace")
    if f"## {manifest['version']}\n" not in changes:
        yield Finding(check="changelog", file="CHANGELOG.md", detail="it has no entry of this version")


def _leaks(folder: Path, forbidden: ForbiddenStrings) -> list[Leak]:
    try:
        return list(find_leaks(folder, forbidden=forbidden))
    except (OSError, pa.ArrowException):
        return []  # a table that can't be read is told by the check of the tables


def _check_tables(folder: Path, manifest: dict[str, Any]) -> list[Finding]:
    shards, findings = shards_in(folder)
    if not manifest or findings:
        return findings
    try:
        for table in TABLES:
            for split in shards:
                findings += check_shards(shards[split][table], table=table, profile=manifest["profile"])
        if findings:
            return findings
        contents = [read_split(shards[split], split) for split in sorted(shards, key=_split_order)]
    except (OSError, pa.ArrowException) as error:
        return [
            *findings,
            Finding(check="schema", file="data", detail=f"a table can't be read ({type(error).__name__})"),
        ]
    findings += _check_contents(folder, contents, manifest)
    return findings


def _split_order(split: str) -> tuple[int, str]:
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def _check_contents(folder: Path, contents: list[SplitContents], manifest: dict[str, Any]) -> Iterator[Finding]:
    for one in contents:
        if one.split not in SPLITS:
            yield Finding(check="splits", file=one.segments_file, detail="it is not a split")
        yield from check_joins(one)
        yield from check_spans(one)
    yield from check_keys(contents)
    try:
        yield from check_splits(contents, locked=read_splits_lock(folder / "splits.lock"))
    except InvalidReleaseError:
        yield Finding(check="splits", file="splits.lock", detail="it can't be read")
    counted = counts_of(contents)
    counts = {split: asdict(told) for split, told in counted["counts"].items()}
    if manifest.get("counts") != counts or manifest.get("class_counts") != counted["class_counts"]:
        yield Finding(check="counts", file="manifest.json", detail="its counts are not those of the tables")
    outcomes = Counter(row["match_outcome"] for one in contents for row in one.videos if row["match_outcome"])
    if manifest.get("match_outcomes") != dict(outcomes):
        yield Finding(check="counts", file="manifest.json", detail="its match outcomes are not those of the videos")
    yield from _check_card(folder, contents, manifest, counted)
    yield from check_promises(folder, contents, manifest)
    yield from check_croissant(folder, manifest)
    yield from _check_reading(folder, contents)


def _check_card(
    folder: Path, contents: list[SplitContents], manifest: dict[str, Any], counted: dict[str, Any]
) -> Iterator[Finding]:
    def wrong(detail: str) -> Finding:
        return Finding(check="card", file="README.md", detail=detail)

    card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    try:
        header = read_header(card)
    except ValueError as error:
        yield wrong(str(error))
        return
    licence = LICENCES.get(str(manifest.get("license")))
    if licence is None or header.get("license") != licence.hub_id:
        yield wrong("the header's licence is not the manifest's")
    splits = [one.split for one in contents]
    wanted = {(t, s): f"data/{t}-{s}-*.parquet" for t in TABLES for s in splits}
    if _paths_by_config(header) != wanted:
        yield wrong("the header's configs do not name each table and split with its files")
    told = {row["split"]: tuple(row.values())[1:] for row in table_under(card, HOLDS_HEADING)}
    if told != {split: tuple(map(str, asdict(facts).values())) for split, facts in counted["counts"].items()}:
        yield wrong(f"the numbers under '{HOLDS_HEADING}' are not those of the tables")
    classes = {row["class_id"]: tuple(row.values())[2:] for row in table_under(card, CLASSES_HEADING)}
    numbers = {name: (*map(str, by.values()), str(sum(by.values()))) for name, by in counted["class_counts"].items()}
    if classes != numbers:
        yield wrong(f"the numbers under '{CLASSES_HEADING}' are not those of the tables")
    if any(vote["scripted"] for one in contents for vote in one.votes) and "## Scripted answers\n" not in card:
        yield wrong("it does not say that answers were given by a script")
    if splits == ["train"] and "There is one split" not in card:
        yield wrong("it does not say that there is one split only")


def _paths_by_config(header: Mapping[str, object]) -> dict[tuple[str, str], str]:
    paths: dict[tuple[str, str], str] = {}
    configs = header.get("configs")
    for config in configs if isinstance(configs, list) else []:
        files = config.get("data_files") if isinstance(config, dict) else None
        for one in files if isinstance(files, list) else []:
            if isinstance(one, dict):
                paths[str(config.get("config_name")), str(one.get("split"))] = str(one.get("path"))
    return paths


def _check_reading(folder: Path, contents: list[SplitContents]) -> Iterator[Finding]:
    """Open the release as its users do and read one segment of each split."""
    release = open_release(folder)
    for one in contents:
        segment = next(iter((*one.segments, *one.unlabelled)), None)
        if segment is None:
            yield Finding(check="files", file=one.segments_file, detail="the split holds no segment and no window")
            continue
        try:
            frames = release.keypoints(segment).frame_indices
        except (IndexError, KeyError, ValueError):
            yield Finding(check="reader", file=one.segments_file, detail="the reader can't read the first segment")
            continue
        if frames.size != segment["keypoints_row_count"]:
            yield Finding(check="reader", file=one.segments_file, detail="the reader gives too few frames")

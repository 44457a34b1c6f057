"""What a release promises of itself: no leak between splits, nobody singled out, true words, honest documents."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from releases.descriptions.fields import DescriptionFields
from releases.descriptions.sentences import template_description
from releases.documents.card import TASKS_HEADING, table_under
from releases.facts import LeakCheck
from releases.readiness import readiness_of
from releases.splits.leaks import LEAK_REPORT_FORMAT, QUESTIONS, find_leaks_in_rows
from releases.tables.columns import DESCRIPTION_FIELDS
from releases.tables.video import BY_MODEL, BY_PERSON, BY_TEMPLATE
from releases.validation.checks import Finding, SplitContents
from schema.errors import ConfigError
from schema.taxonomy import Taxonomy, load_taxonomy

Manifest = Mapping[str, Any]


def check_promises(folder: Path, contents: list[SplitContents], manifest: Manifest) -> Iterator[Finding]:
    """Check what the documents promise against the tables."""
    yield from _check_leak_report(folder, contents)
    yield from _check_attributes(contents, manifest)
    yield from _check_readiness(folder, contents, manifest)
    yield from _check_descriptions(contents, manifest)
    yield from _check_origins(contents, manifest)


def _check_leak_report(folder: Path, contents: list[SplitContents]) -> Iterator[Finding]:
    def wrong(detail: str) -> Finding:
        return Finding(check="leak_report", file="leak-report.json", detail=detail)

    try:
        report = json.loads((folder / "leak-report.json").read_text(encoding="utf-8"))
        told = {check["name"]: (check["checked"], check["found"]) for check in report["checks"]}
    except (OSError, ValueError, TypeError, KeyError):
        yield wrong("it can't be read")
        return
    if report.get("format") != LEAK_REPORT_FORMAT or told.keys() != QUESTIONS.keys():
        yield wrong("it does not tell each check of the splits")
        return
    rows = {
        name: [row for one in contents for row in getattr(one, name)] for name in ("segments", "unlabelled", "videos")
    }
    counted: tuple[LeakCheck, ...] = find_leaks_in_rows(**rows)
    for check in counted:
        if told[check.name] != (check.checked, check.found):
            yield wrong(f"its numbers of the check {check.name!r} are not those of the tables")
    if any(found for name, (_, found) in told.items() if name != "match"):
        yield wrong("it tells of a leak")


def _check_attributes(contents: list[SplitContents], manifest: Manifest) -> Iterator[Finding]:
    people = [row for one in contents for row in one.subjects]
    fewest = _config(manifest).get("min_subjects_an_attribute", 2)
    groups = Counter((row["sex"], row["birth_years"]) for row in people)
    if set(groups) != {(None, None)} and any(count < fewest for count in groups.values()):
        detail = f"people share their attributes with fewer than {fewest}"
        yield Finding(check="attributes", file="data/subjects", detail=detail)


def _check_readiness(folder: Path, contents: list[SplitContents], manifest: Manifest) -> Iterator[Finding]:
    by_split = {one.split: one for one in contents}
    judged = readiness_of(
        {split: one.segments for split, one in by_split.items()},
        {split: one.unlabelled for split, one in by_split.items()},
        {split: one.videos for split, one in by_split.items()},
        splits=by_split,
    )
    if manifest.get("readiness") != [asdict(one) for one in judged]:
        detail = "what it says of the tasks is not what the tables suffice for"
        yield Finding(check="readiness", file="manifest.json", detail=detail)
    card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    told = {row["task"]: row["suffices"] for row in table_under(card, TASKS_HEADING)}
    if told != {one.task: "yes" if one.suffices else "no" for one in judged}:
        detail = "what it says of the tasks is not what the tables suffice for"
        yield Finding(check="readiness", file="README.md", detail=detail)


def _check_descriptions(contents: list[SplitContents], manifest: Manifest) -> Iterator[Finding]:
    """Write each description again from its fields."""
    try:
        taxonomy = load_taxonomy(str(manifest.get("recipe", {}).get("taxonomy")))
    except ConfigError:
        yield Finding(check="descriptions", file="manifest.json", detail="it names no taxonomy that pressroom knows")
        return
    writers: Counter[str] = Counter()
    for one in contents:
        wrong: Counter[str] = Counter()
        for row in one.segments:
            writers[row["description_by"]] += 1
            wrong.update(_description_faults(row, taxonomy))
        for detail, count in sorted(wrong.items()):
            yield Finding(check="descriptions", file=one.segments_file, detail=f"{count} {detail}")
    told = manifest.get("descriptions", {})
    counted = {f"by_{name}": writers[name] for name in (BY_PERSON, BY_TEMPLATE, BY_MODEL)}
    if {name: told.get(name) for name in counted} != counted:
        yield Finding(check="counts", file="manifest.json", detail="its numbers of descriptions are not the table's")


def _description_faults(row: Mapping[str, Any], taxonomy: Taxonomy) -> Iterator[str]:
    known = {gesture.class_id: gesture for gesture in taxonomy}
    if row["class_id"] is not None and row["class_id"] not in known:
        yield "are of a class that the taxonomy does not have"
        return
    gesture = known.get(row["class_id"])
    if gesture and (row["class_number"], row["class_name"], row["group"]) != (
        gesture.number,
        gesture.name,
        gesture.group,
    ):
        yield "have a number, name or group that is not their class's"
    fields = DescriptionFields(**{column.name: row[column.name] for column in DESCRIPTION_FIELDS})
    if row["template_description"] != template_description(gesture, fields, variety_key=row["segment_id"]):
        yield "have a template description that their fields do not give"
    if row["description_by"] == BY_TEMPLATE and row["description"] != row["template_description"]:
        yield "have a description that is not the template's, whose it is said to be"
    if row["description_by"] not in (BY_PERSON, BY_TEMPLATE, BY_MODEL) or not row["description"].strip():
        yield "have no description, or it is not said who wrote it"


def _check_origins(contents: list[SplitContents], manifest: Manifest) -> Iterator[Finding]:
    counts = Counter(row["origin"] for one in contents for row in one.segments)
    if manifest.get("origins") != dict(counts):
        yield Finding(check="counts", file="manifest.json", detail="its origins are not those of the segments")


def _config(manifest: Manifest) -> Mapping[str, Any]:
    found = manifest.get("recipe", {}).get("config", {})
    return found if isinstance(found, dict) else {}

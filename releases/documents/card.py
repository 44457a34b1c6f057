"""The documents of a release: data card with the Hub's header, citation and changelog."""

import re
from collections.abc import Mapping

import yaml

from releases.config import ReleaseConfig
from releases.documents.card_privacy import privacy_section
from releases.documents.citation import yaml_text
from releases.documents.licences import licence_of, origin_licence_line, outcome_licence_line
from releases.documents.markdown import table
from releases.facts import ReleaseFacts
from releases.splits.config import SPLITS
from releases.tables.columns import TABLES
from schema.taxonomy import Taxonomy

RARE_CLASS_SEGMENTS = 10
"""A class with fewer segments is named as too rare to evaluate."""
HOLDS_HEADING = "## What it holds"
CLASSES_HEADING = "## Classes"
TASKS_HEADING = "## What it suffices for"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The Hub's size categories (huggingface.co/docs/hub/datasets-cards), by number of segments."""


def card_text(facts: ReleaseFacts, *, config: ReleaseConfig, taxonomy: Taxonomy) -> str:
    """Write README.md: the Hub's YAML header and the sections that a user reads before using the data."""
    sections = (
        f"# {config.title}, version {config.version}\n\n"
        f"Micro-gestures of people who speak to the press, as keypoints with labels: {facts.segments} segments of "
        f"{facts.subjects} known subject(s). Classes: {taxonomy.title} ({taxonomy.source}). No pixels, names or links.",
        _scripted_section(facts),
        _holds_section(facts),
        _splits_section(facts, config),
        _classes_section(facts, config, taxonomy),
        _tasks_section(facts),
        _people_section(facts, config),
        _descriptions_section(facts, config),
        _left_out_section(facts),
        _reading_section(config),
        privacy_section(facts, config, taxonomy),
        _licence_section(facts, config),
    )
    return _header(facts, config) + "\n" + "\n\n".join(section for section in sections if section) + "\n"


def _header(facts: ReleaseFacts, config: ReleaseConfig) -> str:
    size = next((name for bound, name in _SIZES if facts.segments < bound), "n>1M")
    header: dict[str, object] = {
        "license": licence_of(config.license_id).hub_id,
        "pretty_name": config.title,
        "annotations_creators": ["machine-generated" if facts.scripted_votes == facts.votes > 0 else "other"],
        "task_categories": ["other"],
        "tags": ["micro-gesture", "skeleton", "keypoints", "press-conference"],
        "size_categories": [size],
        "configs": [
            {
                "config_name": table,
                **({"default": True} if table == TABLES[0] else {}),
                "data_files": [{"split": split, "path": f"data/{table}-{split}-*.parquet"} for split in facts.splits],
            }
            for table in TABLES
        ],
    }
    return f"---\n{yaml_text(header)}---\n"


def _scripted_section(facts: ReleaseFacts) -> str:
    if not facts.scripted_votes:
        return ""
    return (
        "## Scripted answers\n\n"
        f"**{facts.scripted_votes} of {facts.votes} answers were given by a script, not by a person, and "
        f"{facts.scripted_segments} of {facts.segments} segments rest on such answers alone.** They show that the "
        "pipeline works; they say nothing about what is to be seen. The column `scripted` of *segments* and *votes* "
        "marks each one: leave them out of any training or evaluation."
    )


def _holds_section(facts: ReleaseFacts) -> str:
    rows: list[tuple[object, ...]] = [
        (name, s.subjects, s.videos, s.segments, s.scripted_segments, s.votes, s.keypoint_rows, s.unlabelled)
        for name, s in facts.splits.items()
    ]
    head = ("split", "subjects", "videos", "segments", "scripted segments", "votes", "keypoint rows", "windows")
    text = (
        f"{HOLDS_HEADING}\n\n{table(head, rows)}\n\n"
        "*segments* are spans in which people agreed on a micro-gesture, *keypoints* one row a frame of each person "
        "who has segments or windows, *votes* every answer behind them, *videos* sizes, rates and lengths, *subjects* "
        "people under pseudonyms, *unlabelled* the windows: good pieces without a segment, for training without "
        "labels. Times are nanoseconds since the first displayed frame, spans half-open. Every column is described in "
        "its file's field metadata and in croissant.json; stats/index.html shows it all in pictures."
    )
    return text + _origins_text(facts) + _outcomes_text(facts)


def _origins_text(facts: ReleaseFacts) -> str:
    if not facts.origin_licences:
        return ""
    told = "; ".join(f"{count} from {origin}" for origin, count in facts.origins.items())
    return (
        f"\n\nThe segments come from several data sets ({told}; column `origin`). What an imported one does not tell, "
        "such as the edges of a gesture where whole clips are labelled, is null."
    )


def _outcomes_text(facts: ReleaseFacts) -> str:
    if not facts.outcome_counts:
        return ""
    told = ", ".join(f"{count} {outcome}" for outcome, count in facts.outcome_counts.items())
    return (
        f"\n\n`match_outcome` in *videos* tells how the match before a press conference ended for its player ({told}); "
        "it is null where that is not sure. It is worked out from titles, dates and results tables, or answered by a "
        "person; it says nothing about what the player felt."
    )


def _why_train_alone(facts: ReleaseFacts, config: ReleaseConfig) -> str:
    if config.splits.shares["train"] == 1 or config.splits.lists:
        return "the study asks for no other"
    if facts.subjects <= 1:
        return "there is at most one known subject"
    return "there is nobody who appears in no recording with the others, or who was in no earlier release"


def _missing(facts: ReleaseFacts, config: ReleaseConfig) -> str:
    """Say which splits are not there, and why: not wanted, or not to be had."""
    missing = [split for split in SPLITS if split not in facts.splits]
    wanted = config.splits.shares if not (config.splits.leave_out or config.splits.lists) else {}
    lacking = [split for split in missing if wanted.get(split)]
    told = f" There were too few subjects or segments for: {', '.join(lacking)}." if lacking else ""
    unwanted = [split for split in missing if split not in lacking]
    return told + (f" The study asks for no {' and no '.join(unwanted)}." if unwanted else "")


def _splits_section(facts: ReleaseFacts, config: ReleaseConfig) -> str:
    if list(facts.splits) == ["train"]:
        told = (
            f"There is one split, `train`, because {_why_train_alone(facts, config)}: nothing is held out that would "
            "say how a model does on a person it has not seen. A random cut of the segments would not."
        )
    else:
        told = (
            "Splits are disjoint by subject and by video: no person and no recording is in two of them. A subject "
            "keeps its side in later releases (`splits.lock`). leak-report.json tells what was checked."
        )
        told += "".join(
            f" Of {check.checked} matches whose two players are both here, {check.found} have them in different splits."
            for check in facts.leak_report.checks
            if check.name == "match" and check.checked
        )
        told += _missing(facts, config)
    told += "".join(f" {note[0].upper()}{note[1:]}." for note in facts.leak_report.notes)
    if facts.moved_subjects:
        told += (
            f" {facts.moved_subjects} subject(s) are in another split than in earlier releases: do not test on this "
            "release what was trained on one of those."
        )
    unknown = (
        "left out and counted below"
        if config.unknown_subjects == "exclude"
        else "in `train` with a null `subject_id`, unless their video is held out"
    )
    return f"## Splits\n\n{told} People whom nobody declared are never in `val` or `test`: they are {unknown}."


def _classes_section(facts: ReleaseFacts, config: ReleaseConfig, taxonomy: Taxonomy) -> str:
    rows: list[tuple[object, ...]] = []
    rare: list[str] = []
    for class_id, counts in facts.class_counts.items():
        name = taxonomy.by_id(class_id).name if class_id else "unclassified movement"
        total = sum(counts.values())
        rows.append((class_id, name, *counts.values(), total))
        if total < RARE_CLASS_SEGMENTS:
            rare.append(f"{name} ({total})")
    text = f"{CLASSES_HEADING}\n\n{table(('class_id', 'class_name', *facts.splits, 'all'), rows)}"
    if rare:
        text += f"\n\nToo rare to evaluate (fewer than {RARE_CLASS_SEGMENTS} segments): {'; '.join(rare)}."
    absent = sum(g.class_id not in facts.class_counts for g in taxonomy)
    return text + f"\n\n{absent} of the {len(taxonomy.classes)} classes of {taxonomy.title} do not occur."


def _tasks_section(facts: ReleaseFacts) -> str:
    rows: list[tuple[object, ...]] = [
        (ready.task, "yes" if ready.suffices else "no", ready.why) for ready in facts.readiness
    ]
    return f"{TASKS_HEADING}\n\n{table(('task', 'suffices', 'why'), rows)}"


def _people_section(facts: ReleaseFacts, config: ReleaseConfig) -> str:
    found = facts.annotation
    agreement = "" if found.mean_agreement is None else f", with a mean agreement of {found.mean_agreement:.2f}"
    seconds = "" if found.median_seconds is None else f" An answer took {found.median_seconds:g} s (median)."
    text = (
        f"## How it was annotated\n\n{found.annotators} annotator(s) answered on the review page, "
        f"{found.mean_answers:.1f} counted answers a segment{agreement}.{seconds} `posterior` is how likely class and "
        "existence are, given all answers and the skill of those who gave them; `votes` holds every single answer."
    )
    for one in (one for one in facts.attributes if one.declared):
        text += (
            f"\n\n`{one.name}` in *subjects*: declared of {one.declared}, published of {one.published} "
            f"({one.generalised} generalised), left out of {one.nulled}, because fewer than "
            f"{config.min_subjects_an_attribute} people would share it."
        )
    return text


def _descriptions_section(facts: ReleaseFacts, config: ReleaseConfig) -> str:
    told = facts.descriptions
    text = (
        f"## Descriptions\n\n{told.by_person} written by reviewers, {told.by_template} made from measured fields, "
        f"{told.by_model} worded by a language model from those fields alone (column `description_by`); what was "
        "made of the fields is kept beside each in `template_description`. The fields (body part, side, contact, "
        "movement, repetitions, speed, extent) are measured from keypoints, as well as these were seen."
    )
    if config.descriptions.model:
        text += (
            f" Model: {config.descriptions.model}; {told.refused} of its answers said more than the fields and were "
            f"refused, {told.unanswered} were not to be had."
        )
    return text


def _left_out_section(facts: ReleaseFacts) -> str:
    counted = (
        ("segments", facts.left_out_segments),
        ("votes", facts.left_out_votes),
        ("items of earlier stages", facts.dropped_counts),
    )
    rows: list[tuple[object, ...]] = [
        (what, reason, count) for what, counts in counted for reason, count in counts.items()
    ]
    text = table(("what", "reason", "count"), rows) if rows else "Nothing."
    if facts.withdrawn_segments:
        text += f"\n\n{facts.withdrawn_segments} segment(s) of earlier releases were withdrawn and are not here."
    if facts.shortened_segments:
        text += f"\n\n{facts.shortened_segments} span(s) reached beyond the person's track and were cut to it."
    return f"## What was left out\n\n{text}"


def _reading_section(config: ReleaseConfig) -> str:
    return f"""## Reading it

With the Hub's library, or any Parquet reader:

```python
import datasets, polars

datasets.load_dataset("./{config.folder_name}")  # segments; name="keypoints" and so on for the other tables
polars.read_parquet("{config.folder_name}/data/segments-*.parquet")
```

Keypoint columns `k000_x`, `k000_y`, `k000_score` ... follow COCO-WholeBody's numbers; positions are sixteenths of a
pixel (null: not seen), scores 1/255. A segment's keypoints are `keypoints_row_count` rows from `keypoints_first_row` on
in *keypoints* of the same split. `reader.py` (numpy and pyarrow) gives them as arrays:

```python
from reader import open_release

release = open_release("{config.folder_name}")
segment = release.segments("train").to_pylist()[0]
release.keypoints(segment).values  # (frames, points, 3): x px, y px, score
```

`sha256sum -c SHA256SUMS` checks the files."""


def _licence_section(facts: ReleaseFacts, config: ReleaseConfig) -> str:
    licence = licence_of(config.license_id)
    lines = [outcome_licence_line(name) for name in facts.outcome_licences]
    lines += [origin_licence_line(*pair) for pair in sorted(facts.origin_licences.items())]
    bound = "".join(f"\n- {line}" for line in lines)
    return (
        f"## Licence and citation\n\nAnnotations and keypoints: [{licence.spdx}]({licence.url}), see LICENSE. The "
        "videos are not part of this release. How to cite: CITATION.cff. What changed: CHANGELOG.md."
    ) + (f"\n{bound}" if bound else "")


def table_under(card: str, heading: str) -> list[dict[str, str]]:
    """Read the first table under a heading of a card back, one dict a row; empty where there is none."""
    _, found, rest = card.partition(f"\n{heading}\n")
    section = re.split(r"\n## ", rest)[0] if found else ""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(cells[0], row, strict=False)) for row in cells[2:]] if cells else []


def read_header(card: str) -> Mapping[str, object]:
    """Read the YAML header of a card; raises ``ValueError`` where there is none that can be read."""
    match = re.match(r"---\n(.*?\n)---\n", card, re.DOTALL)
    if match is None:
        raise ValueError("the card does not begin with a YAML header between two lines of ---")
    try:
        header = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise ValueError("the card's YAML header can't be read") from error
    if not isinstance(header, dict):
        raise ValueError("the card's YAML header is not a mapping")
    return header

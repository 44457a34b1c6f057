"""How a release is cited, and what changed from one to the next."""

import yaml

from releases.config import ReleaseConfig
from releases.facts import ReleaseFacts


def citation_text(config: ReleaseConfig) -> str:
    """Write CITATION.cff (format 1.2.0)."""
    authors = config.authors or (f"The maintainers of {config.name}",)
    document: dict[str, object] = {
        "cff-version": "1.2.0",
        "message": "If you use this data set, please cite it as below.",
        "type": "dataset",
        "title": config.title,
        "version": config.version,
        "license": config.license_id,
        "authors": [{"name": author} for author in authors],
    }
    return yaml_text(document)


def changelog_text(facts: ReleaseFacts, *, config: ReleaseConfig, earlier: str) -> str:
    """Write CHANGELOG.md: this version's numbers above the entries of the versions before."""
    heading = "# Changelog\n"
    numbers = ", ".join(f"{name} {split.segments}" for name, split in facts.splits.items())
    entry = (
        f"\n## {config.version}\n\n- {facts.segments} segments ({numbers}) of {facts.subjects} known subject(s), "
        f"{facts.votes} votes, {facts.keypoint_rows} keypoint rows; profile {config.profile}.\n"
    )
    if facts.withdrawn_segments:
        entry += f"- {facts.withdrawn_segments} segment(s) of earlier releases were withdrawn.\n"
    if facts.moved_subjects:
        entry += f"- Split anew: {facts.moved_subjects} subject(s) are in another split than in earlier releases.\n"
    return heading + entry + earlier.removeprefix(heading)


def yaml_text(document: dict[str, object]) -> str:
    """Write YAML with the keys in their order, one line a value."""
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))

"""Building a release: written beside, checked for leaks, then put in place at once."""

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

from releases import reader
from releases.config import ReleaseConfig
from releases.documents.card import card_text
from releases.documents.citation import changelog_text, citation_text
from releases.documents.croissant import croissant_text
from releases.documents.licences import licence_of, licence_text
from releases.documents.stats import write_stats
from releases.facts import ReleaseFacts
from releases.inputs import ReleaseInputs
from releases.privacy.links import build_links_part, links_folder
from releases.privacy.linter import check_leaks, words_of
from releases.splits.leaks import leak_report_text
from releases.splits.lock import splits_lock_text
from releases.tables.columns import SCHEMA_VERSION, TABLES, schema_of
from releases.tables.write import write_contents
from schema.errors import ConfigError, InvalidReleaseError, RunError, StoreFullError
from schema.files import digest_of
from schema.taxonomy import EVIDENCE, Taxonomy

_READER_BYTECODE = re.compile(r"__pycache__/reader\.[\w-]+\.pyc")

__all__ = ["ReleaseConfig", "ReleaseInputs", "build_release", "check_unaltered", "is_current"]

FORMAT = "pressroom-release"


def build_release(inputs: ReleaseInputs, *, releases_folder: Path, config: ReleaseConfig) -> Path:
    """Build a release, or find that just this one is there already.

    The same inputs give the same bytes. Everything is written in a hidden folder beside the release, which is renamed
    when it is whole and free of leaks. The caller holds the study's lease: leftovers of killed builds are removed.

    Returns:
        ``<releases_folder>/<name>-<version>``.

    Raises:
        InvalidReleaseError: There is nothing to publish, a person or a recording would be on two sides, something
            private was found, or this version is there with other content.
        DamagedTableError: An input table does not hold what its schema says.
        StoreFullError: The disk is full; nothing is left behind.
    """
    if not config.name:
        raise ConfigError("release.name is empty: give the release or the study a name")
    target = releases_folder / config.folder_name
    with _folder_beside(target) as folder:
        facts, assignment = write_contents(inputs, folder / "data", config=config)
        _write_documents(facts, assignment, inputs, folder, config)
        (folder / "SHA256SUMS").write_text(checksums_text(folder), encoding="utf-8")
        private = inputs.forbidden
        digests = private.native_ids | frozenset(inputs.videos["sha256"].to_pylist())
        check_leaks(folder, forbidden=replace(private, native_ids=digests), vocabulary=_vocabulary(inputs.taxonomy))
        if config.gated_links:
            _put_links_beside(inputs, folder, target, config)
        _put_in_place(folder, target)
    return target


def is_current(
    releases_folder: Path, *, config: ReleaseConfig, taxonomy: str, input_digests: Mapping[str, str]
) -> bool:
    """Tell from the manifest alone whether this release was built from these inputs with this configuration."""
    path = releases_folder / config.folder_name / "manifest.json"
    if not path.exists():
        return False
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidReleaseError(f"{path} can't be read: restore the release, or delete its folder") from error
    if not isinstance(manifest, dict):
        raise InvalidReleaseError(f"{path} holds no mapping: restore the release, or delete its folder")
    return bool(manifest.get("recipe") == _recipe(config, taxonomy, input_digests))


def check_unaltered(folder: Path, names: Iterable[str] | None = None) -> None:
    """Raise ``InvalidReleaseError`` where a release no longer holds the bytes that were published.

    Args:
        folder: The release.
        names: Files to look at, by path; all if not given.
    """
    try:
        lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidReleaseError(f"{folder}: SHA256SUMS can't be read: restore the release from a copy") from error
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {path.relative_to(folder).as_posix(): path for path in release_files(folder)}
    wanted = sorted({*listed, *found} - {"SHA256SUMS"}) if names is None else sorted(names)
    for name in wanted:
        if name not in found or file_sha256(found[name]) != listed.get(name):
            raise InvalidReleaseError(
                f"{folder} was altered after it was published ({name}): restore it from a copy; later releases go by it"
            )


def checksums_text(folder: Path) -> str:
    """Write SHA256SUMS as ``sha256sum -c`` reads it: every file but itself, by path."""
    paths = (p for p in release_files(folder) if p != folder / "SHA256SUMS")
    return "".join(f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths)


def release_files(folder: Path) -> list[Path]:
    """List a release's files and links, sorted; the bytecode that Python leaves when reader.py is imported is none."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() or p.is_symlink())
    return [p for p in found if not _READER_BYTECODE.fullmatch(p.relative_to(folder).as_posix())]


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 digest of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _recipe(config: ReleaseConfig, taxonomy: str, input_digests: Mapping[str, str]) -> dict[str, Any]:
    document = {
        "schema_version": SCHEMA_VERSION,
        "config": asdict(config),
        "taxonomy": taxonomy,
        "input_digests": dict(sorted(input_digests.items())),
    }
    plain: dict[str, Any] = json.loads(json.dumps(document))  # as it comes back from the file: tuples are lists
    return plain


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    folder = target.with_name(f".building-{target.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in target.parent.glob(".building-*"):
            shutil.rmtree(leftover)
        (folder / "data").mkdir(parents=True)
        yield folder
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise RunError(
                f"{target.parent}: {target.name} can't be written there ({error.strerror}); nothing was published: "
                "give write access to the folder and run the same command again"
            ) from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreFullError(
            f"{target.parent}: the disk is full while building {target.name}; nothing was published or damaged: "
            f"make room and run the same command again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_links_beside(inputs: ReleaseInputs, folder: Path, target: Path, config: ReleaseConfig) -> None:
    """Write the part with the links before its release is in place: no release is there whose part is still to come."""
    part = links_folder(target)
    if not target.exists() and part.exists():  # of a build that was killed between the two
        shutil.rmtree(part)
    build_links_part(
        inputs.links,
        videos=_released_videos(folder),
        folder=target.parent,
        release_name=config.name,
        version=config.version,
    )


def _put_in_place(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    else:
        return
    listed = target / "SHA256SUMS"
    if not listed.exists() or listed.read_bytes() != (folder / "SHA256SUMS").read_bytes():
        raise InvalidReleaseError(
            f"{target} is there already and differs from what would be published now: raise release.version"
        )
    if checksums_text(target).encode() != listed.read_bytes():
        raise InvalidReleaseError(f"{target} was altered after it was published: delete it and publish again")


def _write_documents(
    facts: ReleaseFacts, assignment: dict[str, str], inputs: ReleaseInputs, folder: Path, config: ReleaseConfig
) -> None:
    texts = {
        "README.md": card_text(facts, config=config, taxonomy=inputs.taxonomy),
        "LICENSE": licence_text(
            licence_of(config.license_id),
            title=config.title,
            outcome_licences=facts.outcome_licences,
            origin_licences=facts.origin_licences,
        ),
        "CITATION.cff": citation_text(config),
        "CHANGELOG.md": changelog_text(facts, config=config, earlier=inputs.earlier_changelog),
        "splits.lock": splits_lock_text(assignment),
        "leak-report.json": leak_report_text(facts.leak_report),
        "manifest.json": _manifest_text(facts, inputs, config),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(Path(reader.__file__), folder / "reader.py")
    write_stats(folder, facts, config=config, taxonomy=inputs.taxonomy)
    croissant = croissant_text(folder, facts, config=config, taxonomy=inputs.taxonomy)
    (folder / "croissant.json").write_text(croissant, encoding="utf-8")


def _released_videos(release: Path) -> list[str]:
    opened = reader.open_release(release)
    return sorted(video_id for split in opened.splits for video_id in opened.videos(split)["video_id"].to_pylist())


def _manifest_text(facts: ReleaseFacts, inputs: ReleaseInputs, config: ReleaseConfig) -> str:
    manifest = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "name": config.name,
        "version": config.version,
        "profile": config.profile,
        "license": config.license_id,
        "recipe": _recipe(config, inputs.taxonomy.name, inputs.input_digests),
        "earlier_releases": {
            "splits": digest_of(dict(inputs.earlier_splits)) if inputs.earlier_splits else "",
            "changelog": digest_of(inputs.earlier_changelog) if inputs.earlier_changelog else "",
        },
        "counts": {split: asdict(counted) for split, counted in facts.splits.items()},
        "class_counts": facts.class_counts,
        "left_out": {"segments": facts.left_out_segments, "votes": facts.left_out_votes},
        "shortened_segments": facts.shortened_segments,
        "dropped_before": facts.dropped_counts,
        "match_outcomes": facts.outcome_counts,
        "outcome_licences": list(facts.outcome_licences),
        "origins": facts.origins,
        "origin_licences": facts.origin_licences,
        "descriptions": asdict(facts.descriptions),
        "attributes": [asdict(one) for one in facts.attributes],
        "annotation": asdict(facts.annotation),
        "reidentification": asdict(facts.reidentification),
        "readiness": [asdict(one) for one in facts.readiness],
        "withdrawn_segments": facts.withdrawn_segments,
        "moved_subjects": facts.moved_subjects,
    }
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def _vocabulary(taxonomy: Taxonomy) -> frozenset[str]:
    """Collect the words that pressroom itself puts into tables, which are no leak though a person is called so."""
    texts = [text for g in taxonomy for text in (g.class_id, g.name, g.group, g.definition, g.question, g.phrase)]
    texts += [*EVIDENCE, *EVIDENCE.values(), *TABLES]
    for schema in (schema_of(table, profile="research", wide=False) for table in TABLES):
        texts += [*schema.names, *(f.metadata[b"doc"].decode() for f in schema)]
    return words_of("\n".join(texts))

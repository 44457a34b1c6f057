"""A model on disk: a folder of numbers and texts that is whole or not there, and that nobody changed."""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.card import card_files
from models.documents import CONFIG, DATA, METRICS, TAXONOMY, check_version, documents_of, facts_of, shapes_of
from models.facts import ModelFacts, Temperatures, TrainedOn, check_facts, identity_of
from models.metrics import ModelMetrics
from schema.errors import BadModelError, MissingPartError, RunError, StoreFullError, UsageError
from schema.files import digest_of

__all__ = [
    "ModelFacts",
    "ModelMetrics",
    "StoredModel",
    "Temperatures",
    "TrainedOn",
    "digest_of_folder",
    "digest_of_model",
    "identity_of",
    "is_model",
    "read_facts",
    "read_model",
    "write_model",
]

Weights = npt.NDArray[Any]
WEIGHTS, SUMS, README, PAGE, PLOTS = "weights.safetensors", "SHA256SUMS", "README.md", "card.html", "plots"
DIGESTED = (WEIGHTS, CONFIG, TAXONOMY)
"""What the digest is of: all that changes what a model says, nothing that is told about it."""
TOLD = (CONFIG, TAXONOMY, DATA, METRICS)
NEEDED = (WEIGHTS, *TOLD, README, PAGE)
PLOT = re.compile(rf"{PLOTS}/[a-z_]+\.png")
PICKLES = re.compile(r".*\.(pkl|pickle|pt|pth|ckpt|bin|joblib|npy|npz)", re.IGNORECASE)
_PICKLE_START = re.compile(rb"\x80[\x02-\x05]|PK\x03\x04")
"""How pickles of protocol 2 and later, and torch's archives of pickles, begin."""
_SUM = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^\n]+)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredModel:
    """A model as it was read: checked, and in memory."""

    facts: ModelFacts
    weights: Mapping[str, Weights]
    digest: str
    """12 hex digits over weights, config and taxonomy."""

    @property
    def identity(self) -> str:
        """Return what candidates, predictions and votes hold as proposer: ``seed-1@0123456789ab``."""
        return identity_of(self.facts.name, self.digest)


def write_model(folder: Path, weights: Mapping[str, Weights], facts: ModelFacts) -> str:
    """Write a model with its card beside its place, and rename it when it is whole.

    The same weights and facts give the same bytes. What a killed writer of the same model left is removed: the caller
    holds the lease on the model's name.

    Args:
        folder: The model's folder; not there yet, or empty.
        weights: Arrays by name, of any shape, all numbers finite.
        facts: All else.

    Returns:
        The model's digest.

    Raises:
        UsageError: Something is there already.
        BadModelError: The weights are no numbers, or the facts contradict each other.
        MissingPartError: safetensors is not installed.
        StoreFullError: The disk is full; nothing is left behind.
    """
    files = _digested_files(weights, facts)
    digest = _digest({name: sha256(data).hexdigest() for name, data in files.items()})
    files |= documents_of(facts, shapes_of(weights)) | card_files(facts, digest=digest)
    files[SUMS] = _sums_text({name: sha256(data).hexdigest() for name, data in files.items()}).encode()
    with _written_beside(folder) as beside:
        for name, data in sorted(files.items()):
            _write_through(beside / name, data)
    return digest


def read_model(folder: Path) -> StoredModel:
    """Read a model and check every byte of its folder.

    Raises:
        BadModelError: It is no model, or not as it was written; one line says what is wrong with which file.
        MissingPartError: safetensors is not installed.
    """
    sums = _checked_sums(folder)
    held = {name: _read(folder, name) for name in sums}
    _compare(folder, sums, {name: sha256(data).hexdigest() for name, data in held.items()})
    facts, shapes = facts_of(folder.name, held)
    weights = _loaded(folder, held[WEIGHTS])
    found = shapes_of(weights)
    for name in sorted({*shapes, *found}):
        if shapes.get(name) != found.get(name):
            raise BadModelError(
                f"{folder.name}: {CONFIG} wants {_array(shapes, name)} as {name!r}, {WEIGHTS} holds "
                f"{_array(found, name)}: restore the folder from a copy, or train the model anew"
            )
    _check_finite(folder.name, weights)
    return StoredModel(facts=facts, weights=weights, digest=_digest(sums))


def read_facts(folder: Path) -> ModelFacts:
    """Read what is told of a model, without its weights; needs no library for them.

    What is read is checked against its sums; ``read_model`` checks the weights, the card and the plots too.

    Raises:
        BadModelError: It is no model, or not as it was written.
    """
    sums = _checked_sums(folder)
    held = {name: _read(folder, name) for name in TOLD}
    _compare(folder, sums, {name: sha256(data).hexdigest() for name, data in held.items()})
    return facts_of(folder.name, held)[0]


def digest_of_model(weights: Mapping[str, Weights], facts: ModelFacts) -> str:
    """Return the digest that a model in memory has, and will have on disk: over weights, config and taxonomy.

    Raises ``BadModelError`` and ``MissingPartError`` as ``write_model`` does.
    """
    return _digest({name: sha256(data).hexdigest() for name, data in _digested_files(weights, facts).items()})


def digest_of_folder(folder: Path) -> str:
    """Return a stored model's digest from its listed sums alone; raises ``BadModelError`` where it is no model."""
    return _digest(_checked_sums(folder))


def is_model(folder: Path) -> bool:
    """Tell whether a folder looks like a model, whole or damaged; one in the making, whose name is hidden, does not."""
    return (
        not folder.name.startswith(".")
        and folder.is_dir()
        and (folder / CONFIG).is_file()
        and (folder / SUMS).is_file()
    )


def _digested_files(weights: Mapping[str, Weights], facts: ModelFacts) -> dict[str, bytes]:
    check_facts(facts, told_as=facts.name)
    if not weights:
        raise BadModelError(f"{facts.name}: a model without weights can't be written")
    _check_finite(facts.name, weights)
    documents = documents_of(facts, shapes_of(weights))
    saved = _safetensors().save({name: np.asarray(value, order="C") for name, value in weights.items()})
    return {WEIGHTS: saved} | {name: documents[name] for name in DIGESTED if name in documents}


def _digest(sums: Mapping[str, str]) -> str:
    return digest_of({name: sums[name] for name in DIGESTED})


def _safetensors() -> Any:  # noqa: ANN401 - the module; the library is an extra and may be missing
    try:
        from safetensors import numpy as library
    except ImportError as error:
        raise MissingPartError(
            "a model's weights need the package safetensors, which is not installed; `uv sync --extra train` brings it"
        ) from error
    return library


def _loaded(folder: Path, data: bytes) -> dict[str, Weights]:
    library = _safetensors()
    from safetensors import SafetensorError

    try:
        loaded = library.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise BadModelError(
            f"{folder.name}: {WEIGHTS} is no safetensors file, and nothing else is read: train the model anew"
        ) from error
    return dict(sorted(loaded.items()))


def _check_finite(name: str, weights: Mapping[str, Weights]) -> None:
    for key, value in weights.items():
        if not np.all(np.isfinite(value)):
            raise BadModelError(
                f"{name}: the weights {key!r} hold values that are no numbers: training diverged; train anew with a "
                "smaller train.learning_rate"
            )


def _array(shapes: Mapping[str, tuple[str, tuple[int, ...]]], name: str) -> str:
    if name not in shapes:
        return "nothing"
    kind, shape = shapes[name]
    return f"{kind} {' x '.join(map(str, shape)) or 'single number'}"


def _listed(folder: Path) -> list[str]:
    """List a model's files by path and refuse what is none: links, pickles, files of others, a file that is missing."""
    try:
        found = sorted(folder.rglob("*"))
        kinds = {path.relative_to(folder).as_posix(): path.lstat().st_mode for path in found}
    except OSError as error:
        raise BadModelError(f"{folder.name}: the folder can't be read ({error.strerror})") from error
    for name, mode in kinds.items():
        if stat.S_ISLNK(mode):
            raise BadModelError(f"{folder.name}: {name} is a link, and a model holds none: copy the file itself")
        if stat.S_ISREG(mode) and (PICKLES.fullmatch(name) or _begins_as_pickle(folder / name)):
            raise BadModelError(
                f"{folder.name}: {name} may be a pickle, which runs what it holds: delete it; a model's weights are "
                f"{WEIGHTS} alone"
            )
        is_right_kind = stat.S_ISDIR(mode) if name == PLOTS else stat.S_ISREG(mode)
        if not is_right_kind or not (name in (*NEEDED, SUMS, PLOTS) or PLOT.fullmatch(name)):
            raise BadModelError(f"{folder.name}: {name} is no part of a model: move it out of the folder")
    missing = next((name for name in (*NEEDED, SUMS) if name not in kinds), None)
    if missing:
        raise BadModelError(f"{folder.name}: {missing} is missing: restore the folder from a copy")
    return [name for name, mode in kinds.items() if stat.S_ISREG(mode)]


def _begins_as_pickle(path: Path) -> bool:
    if path.name == WEIGHTS:  # its first bytes are the header's length, which may be any number
        return False
    with path.open("rb") as file:
        return bool(_PICKLE_START.match(file.read(4)))


def _checked_sums(folder: Path) -> dict[str, str]:
    """Read the sums of a folder that holds the right files; the digests by file."""
    if not folder.is_dir():
        raise BadModelError(f"{folder}: there is no such model")
    if not any((folder / name).is_file() for name in (SUMS, CONFIG, WEIGHTS)):
        raise BadModelError(f"{folder} is no model: it has neither {CONFIG} nor {WEIGHTS}")
    if (folder / CONFIG).is_file():
        check_version(folder.name, _read(folder, CONFIG))
    files = _listed(folder)
    lines = _read(folder, SUMS).decode("utf-8", errors="replace").split("\n")
    found = [match for match in map(_SUM.fullmatch, lines) if match]
    sums = {match["name"]: match["digest"] for match in found}
    if len(found) != len(lines) - 1 or lines[-1] or sorted(sums) != sorted(set(files) - {SUMS}):
        strange = sorted(set(sums) ^ (set(files) - {SUMS}))
        about = f" ({strange[0]})" if strange else ""
        raise BadModelError(f"{folder.name}: {SUMS} does not fit the files{about}: restore the folder from a copy")
    return sums


def _compare(folder: Path, sums: Mapping[str, str], found: Mapping[str, str]) -> None:
    for name, digest in sorted(found.items()):
        if sums[name] != digest:
            raise BadModelError(
                f"{folder.name}: {name} is not as it was written (its SHA-256 differs): restore it from a copy"
            )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BadModelError(f"{folder.name}: {name} can't be read ({error.strerror})") from error


def _sums_text(digests: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


@contextmanager
def _written_beside(target: Path) -> Iterator[Path]:
    prefix = f".writing-{target.name}."
    beside = target.with_name(f"{prefix}{os.getpid()}.{secrets.token_hex(4)}")
    taken = UsageError(f"{target} is there already: give the model another name")
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise taken
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in target.parent.glob(f"{prefix}*"):
            shutil.rmtree(leftover)
        (beside / PLOTS).mkdir(parents=True)
        yield beside
        beside.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise taken from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFullError(
                f"{target.parent}: the disk is full while writing {target.name}; nothing is left of it: make room and "
                "run the same command again"
            ) from error
        raise RunError(f"{target.parent}: {target.name} can't be written there ({error.strerror})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())

"""The study's seed models: folders below ``models/``, by name."""

import re
from pathlib import Path

from flows._study import Study
from models.facts import NAME, ModelFacts, identity_of
from models.folder import digest_of_folder, is_model, read_facts
from schema.errors import BadModelError, UsageError

NO_MODEL = "none"
"""What is given in place of a model's name to propose without one."""
PREFIX = "seed"
"""Models that nobody names are ``seed-1``, ``seed-2`` and so on."""


def seed_models(study: Study) -> list[Path]:
    """List the folders of the study's models, whole or damaged, ``seed-2`` before ``seed-10``."""
    folder = study.layout.models
    found = [path for path in folder.iterdir() if is_model(path)] if folder.is_dir() else []
    return sorted(found, key=_in_order)


def _in_order(path: Path) -> list[tuple[int, str]]:
    return [(int(word), "") if word.isdigit() else (0, word) for word in re.split(r"(\d+)", path.name)]


def find_model(study: Study, name: str) -> Path:
    """Return a model's folder by its name in the study, by its identity, or by its path.

    Raises ``UsageError`` for an unknown one, and where the study's model of that name has another digest.
    """
    plain, _, digest = name.partition("@")
    own = study.layout.models / plain
    if NAME.fullmatch(plain) and is_model(own):
        if digest and digest != digest_of_folder(own):
            raise UsageError(f"the study's model {plain} is {plain}@{digest_of_folder(own)}, not {name}")
        return own
    path = Path(name)
    if path.is_dir() and is_model(path):
        return path
    there = ", ".join(one.name for one in seed_models(study)) or "none yet; `pressroom train` makes one"
    raise UsageError(f"no model {name!r}: neither one of the study nor a model's folder; there are {there}")


def new_name(study: Study, wanted: str = "") -> str:
    """Return the name that the next model gets; raises ``UsageError`` for one that no model can have, or that is taken.

    A model is never replaced: candidates and votes say by its name what proposed them.
    """
    if not wanted:
        folder = study.layout.models
        taken = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        numbers = [int(name.rpartition("-")[2]) for name in taken if re.fullmatch(rf"{PREFIX}-\d+", name)]
        return f"{PREFIX}-{max(numbers, default=0) + 1}"
    if not NAME.fullmatch(wanted):
        raise UsageError(
            f"--name {wanted}: a model's name is small letters and digits, with single hyphens, dots or underscores "
            "between them"
        )
    if wanted == NO_MODEL:
        raise UsageError(
            f"--name {wanted}: `pressroom propose --model {NO_MODEL}` proposes without a model, so no model can be "
            "called that: name another"
        )
    if (study.layout.models / wanted).exists():
        raise UsageError(f"the study has a model {wanted} already, and a model is never replaced: name another")
    return wanted


def identity(folder: Path) -> str:
    """Return what a stored model is called in candidates and votes; raises ``BadModelError`` where it is none."""
    return identity_of(folder.name, digest_of_folder(folder))


def readable_facts(study: Study) -> dict[Path, ModelFacts]:
    """Read what is told of each model of the study; those that are damaged are left out."""
    found = {}
    for folder in seed_models(study):
        try:
            found[folder] = read_facts(folder)
        except BadModelError:
            continue
    return found


def model_facts(study: Study) -> dict[str, str]:
    """Tell of each model of the study what it was trained on, for the status."""
    told = {}
    for folder in seed_models(study):
        try:
            facts = read_facts(folder)
        except BadModelError:
            told[folder.name] = f"damaged; `pressroom models show {folder.name}` tells more"
            continue
        examples, people = sum(facts.class_counts.values()), len(facts.data.subject_gestures)
        told[folder.name] = f"{len(facts.classes)} classes from {examples} segments of {people} people"
    return told

"""Taxonomies as data: class lists with stable ids, body-part groups, and the wording that reviewers see."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from schema.errors import ConfigError

TAXONOMIES_FOLDER = Path(__file__).with_name("taxonomies")

EVIDENCE: dict[str, str] = {
    "hand_on_scalp": "a hand at the top or back of the head",
    "hand_on_forehead": "a hand at the forehead",
    "hand_on_eye": "a hand at an eye",
    "hand_on_nose": "a hand at the nose",
    "hand_on_mouth": "a hand at the mouth",
    "hand_on_cheek": "a hand at a cheek",
    "hand_on_ear": "a hand at an ear",
    "hand_on_jaw": "a hand at the jaw or chin",
    "hands_on_face": "both hands over the face",
    "hand_on_neck": "a hand at the side or back of the neck",
    "hand_on_throat": "a hand at the throat, where the collarbones meet",
    "hand_on_shoulder": "a hand at a shoulder",
    "hand_on_chest": "a hand at the chest",
    "hand_on_arm": "a hand at the other arm",
    "hands_together": "the hands touch each other",
    "arms_folded": "each hand at the other arm",
    "hand_on_hip": "a hand at the hip",
    "hand_at_head": "a hand at the head or the face",
    "hand_at_body": "a hand at the neck or the trunk",
    "moving_head": "the head moves",
    "moving_shoulders": "the shoulders move",
    "moving_torso": "the upper body moves",
    "moving_arm": "an arm moves",
    "moving_hand": "fingers move",
    "moving_mouth": "the mouth moves",
    "moving_leg": "a leg moves",
}
"""What a proposer can measure; a class of a taxonomy names the evidence that speaks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GestureClass:
    """One class of a taxonomy."""

    class_id: str
    """Stable id, unique within the taxonomy: what tables and releases hold."""
    number: int
    """The number that the published data set uses for it."""
    name: str
    group: str
    """Body-part group."""
    definition: str
    """What counts, as the reviewer reads it."""
    question: str
    """What the reviewer is asked of a candidate of this class."""
    phrase: str
    """Third person, for descriptions: "touches the neck"."""
    micro_gesture: bool
    evidence: tuple[str, ...]
    """The measured evidence that proposes this class (``EVIDENCE``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """A list of classes that a study names by ``name``."""

    name: str
    title: str
    source: str
    """The paper or repository that defines the classes."""
    classes: tuple[GestureClass, ...]

    def __iter__(self) -> Iterator[GestureClass]:
        """Go through the classes in their published order."""
        return iter(self.classes)

    def by_id(self, class_id: str) -> GestureClass:
        """Return a class; raises ``ConfigError`` with the nearest id where there is none."""
        for gesture in self.classes:
            if gesture.class_id == class_id:
                return gesture
        near = get_close_matches(class_id, [g.class_id for g in self.classes], n=1)
        hint = f"; nearest is {near[0]!r}" if near else ""
        raise ConfigError(f"taxonomy {self.name} has no class {class_id!r}{hint}")

    def class_for(self, evidence: str) -> GestureClass | None:
        """Return the class that this evidence speaks for, or None: then it is an unclassified movement."""
        return next((g for g in self.classes if evidence in g.evidence), None)

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the body-part groups in order of first appearance."""
        return tuple(dict.fromkeys(g.group for g in self.classes))


def taxonomy_names() -> list[str]:
    """List the taxonomies that pressroom ships."""
    return sorted(path.stem for path in TAXONOMIES_FOLDER.glob("*.toml"))


def load_taxonomy(name: str) -> Taxonomy:
    """Read a taxonomy; raises ``ConfigError`` for an unknown name, with the nearest one."""
    names = taxonomy_names()
    if name not in names:
        near = get_close_matches(name, names, n=1, cutoff=0.0)
        raise ConfigError(f"no taxonomy {name!r}; there are {', '.join(names)}; nearest is {near[0]!r}")
    return parse_taxonomy(tomllib.loads((TAXONOMIES_FOLDER / f"{name}.toml").read_text(encoding="utf-8")))


def parse_taxonomy(document: dict[str, Any]) -> Taxonomy:
    """Check a taxonomy document; raises ``ConfigError`` for a repeated id or number, or unknown or doubled evidence."""
    classes = tuple(
        GestureClass(
            class_id=row["class_id"],
            number=row["number"],
            name=row["name"],
            group=row["group"],
            definition=row["definition"],
            question=row["question"],
            phrase=row["phrase"],
            micro_gesture=row.get("micro_gesture", True),
            evidence=tuple(row.get("evidence", ())),
        )
        for row in document["classes"]
    )
    for what, values in (
        ("class_id", [g.class_id for g in classes]),
        ("number", [str(g.number) for g in classes]),
        ("evidence", [e for g in classes for e in g.evidence]),
    ):
        repeated = sorted({v for v in values if values.count(v) > 1})
        if repeated:
            raise ConfigError(f"taxonomy {document['name']}: {what} given twice: {', '.join(repeated)}")
    unknown = sorted({e for g in classes for e in g.evidence} - EVIDENCE.keys())
    if unknown:
        raise ConfigError(f"taxonomy {document['name']}: unknown evidence {', '.join(unknown)}")
    return Taxonomy(name=document["name"], title=document["title"], source=document["source"], classes=classes)

"""Made fields of descriptions, and the rows of a release that they stand in."""

from dataclasses import asdict
from typing import Any

from hypothesis import strategies as st

from releases.descriptions.contact import PLACES
from releases.descriptions.fields import DescriptionFields
from releases.descriptions.parts import PLURALS, wanted_of
from releases.descriptions.sentences import template_description
from schema.taxonomy import GestureClass, Taxonomy, load_taxonomy, taxonomy_names

TAXONOMIES: dict[str, Taxonomy] = {name: load_taxonomy(name) for name in taxonomy_names()}
CLASSES: list[GestureClass | None] = [gesture for taxonomy in TAXONOMIES.values() for gesture in taxonomy]
SIDED = ("hand", "arm", "leg", "shoulders")
numbers = st.none() | st.floats(0, 60, width=32)


@st.composite
def described(draw: st.DrawFn) -> tuple[GestureClass | None, DescriptionFields]:
    """Draw a class of any taxonomy, or none, and fields that can be measured of it."""
    gesture = draw(st.sampled_from([*CLASSES, None]))
    wanted = wanted_of(gesture, draw(st.sampled_from(["", "drawn", "moving_head", "hand_on_nose", "arms_folded"])))
    side = draw(st.sampled_from([None, "left", "right", "both"])) if wanted.part in SIDED else None
    plural = wanted.part in PLURALS and (side == "both" or (side is None and wanted.plural))
    movement = draw(st.sampled_from(["still", "once", "back_and_forth", "repeated", "irregular", "unknown"]))
    counted = {"still": 0, "once": 0, "back_and_forth": 1, "unknown": None}
    return gesture, DescriptionFields(
        body_part=PLURALS[wanted.part] if plural else wanted.part,
        side=side,
        contact_target=draw(st.none() | st.sampled_from(PLACES)),
        movement=movement,
        repetitions=counted[movement] if movement in counted else draw(st.integers(2, 40)),
        speed=draw(numbers),
        extent=draw(numbers),
        duration_seconds=draw(numbers),
        co_occurring=draw(st.sampled_from(["", "head_up", "head_up touching_jaw"])),
    )


def row_of(gesture: GestureClass | None, fields: DescriptionFields, *, segment_id: str = "g0") -> dict[str, Any]:
    """Put fields into a row of *segments*, with ids that nobody may be asked about."""
    return asdict(fields) | {
        "segment_id": segment_id,
        "video_id": "v00000000000000000042",
        "subject_id": "s00000000000000000042",
        "class_id": None if gesture is None else gesture.class_id,
        "class_name": None if gesture is None else gesture.name,
        "group": None if gesture is None else gesture.group,
        "evidence": "hand_on_neck",
        "proposer": "contact",
        "template_description": template_description(gesture, fields, variety_key=segment_id),
        "description_by": "template",
    }


def neck_fields(**changes: Any) -> DescriptionFields:
    """A right hand that goes back and forth three times at the neck."""
    return DescriptionFields(
        **{
            "body_part": "hand",
            "side": "right",
            "contact_target": "neck",
            "movement": "repeated",
            "repetitions": 3,
            "speed": 0.63,
            "extent": 0.12,
            "duration_seconds": 1.4,
            "co_occurring": "",
        }
        | changes
    )

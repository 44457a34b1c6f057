"""The reviewing page: the labelling config filled with a taxonomy, and answers in the form that the page sends them."""

from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from annotation.answers.regions import region_item
from schema.records import Verdict
from schema.taxonomy import GestureClass, Taxonomy

PAGE_TEMPLATE = Path(__file__).with_name("verdict.xml")
PLAYER = "player"
VERDICT_CONTROL = "verdict"
CLASS_CONTROL = "gesture"
COMMENT_CONTROL = "comment"
DESCRIPTION_CONTROL = "description"
EDGES_CONTROL = "edges"
"""The timeline on which the edges are moved; its one region is the proposed span, as it was left."""
EDGES_VIDEO = "clip"
EDGES_LABEL = "Gesture"
SPEED_CONTROL = "speed"
"""Whether the clip played at half speed; no part of the answer."""
MORE_CONTROL = "more"
"""Whether the timeline was opened beside the list of classes: only then are its edges part of the answer."""
VERSION_DIGITS = 8
FIRST_UNTYPABLE_KEY = 0xE000
"""First code point of Unicode's private use area."""
KEYS = (
    ("a", "Accept", "the answer to the question is yes, for the person in the clip, where the bar is green"),
    ("d", "Adjust", "yes, but it begins or ends elsewhere; drag the ends of the green bar on the timeline"),
    (
        "e",
        "Relabel",
        "another class happens; choose it from the list (<b>f</b>, type a part of its name, <b>Tab</b>, <b>Space</b> "
        "takes the first; <b>m</b> moves the edges too)",
    ),
    ("r", "Reject", "nothing of the kind happens"),
    ("n", "Unsure", "the clip does not show it well enough to say"),
    ("s", "Half speed", "once more goes back to full speed"),
)
"""Keys of the page, what they choose, and what that means."""


def verdict_page(taxonomy: Taxonomy) -> str:
    """Fill the page's template with the classes of a taxonomy, by group, and return Label Studio's labelling config.

    A class is shown by its name, explained by its definition under the pointer, and answered with its id.
    """
    page = ElementTree.parse(PAGE_TEMPLATE).getroot()
    classes = page.find(f".//Choices[@name='{CLASS_CONTROL}']")
    if classes is None:
        raise ValueError(f"{PAGE_TEMPLATE.name} has no Choices named {CLASS_CONTROL}")
    keys = {gesture.class_id: chr(FIRST_UNTYPABLE_KEY + i) for i, gesture in enumerate(taxonomy)}
    for group in taxonomy.groups:
        box = ElementTree.SubElement(classes, "View", {"className": "group"})
        title = ElementTree.SubElement(box, "View", {"className": "title"})
        ElementTree.SubElement(title, "Header", {"value": group, "size": "6"})
        for gesture in taxonomy:
            if gesture.group == group:
                ElementTree.SubElement(box, "Choice", _choice(gesture, keys[gesture.class_id]))
    return ElementTree.tostring(page, encoding="unicode")


def page_version(name: str, xml: str) -> str:
    """Name what people saw: the page's name and a digest of its labelling config, ``verdict-1a2b3c4d``."""
    return f"{name}-{sha256(xml.encode()).hexdigest()[:VERSION_DIGITS]}"


def _choice(gesture: GestureClass, untypable_key: str) -> dict[str, str]:
    # A choice without a hotkey is given one by Label Studio 1.23.2, from the digits and letters, that works even
    # while the list is hidden: pressing "1" after "a" picked the first class unseen. A key that no keyboard has
    # leaves the verdict keys alone.
    return {
        "value": gesture.name,
        "alias": gesture.class_id,
        "hint": gesture.definition,
        "hotkey": untypable_key,
    }


def instructions(taxonomy: Taxonomy) -> str:
    """Write what the page shows under "Instructions": the keys, what each verdict means, and the classes."""
    keys = "".join(f"<li><b>{key}</b> {name}: {meaning}.</li>" for key, name, meaning in KEYS)
    classes = "".join(
        f"<li><b>{escape(gesture.name)}</b> ({escape(gesture.group)}): {escape(gesture.definition)}</li>"
        for gesture in taxonomy
    )
    return (
        "<p>Watch the clip; it starts over by itself. Judge what you see, not what you think the person feels. "
        "A movement that shows, counts or underlines what is being said is no micro-gesture.</p>"
        f"<ul>{keys}</ul><p><b>Ctrl+Enter</b> sends the answer and brings the next clip.</p>"
        "<p>The sentence below the verdict describes the gesture: correct it where it is wrong.</p>"
        f"<p>Classes of {escape(taxonomy.title)}:</p><ul>{classes}</ul>"
    )


def answer_result(
    verdict: Verdict,
    *,
    class_id: str | None = None,
    edges_in_clip: tuple[int, int] | None = None,
    description: str | None = None,
    comment: str = "",
) -> list[dict[str, Any]]:
    """Build the answer that the page would send: what scripted reviewers submit.

    Args:
        verdict: What is answered.
        class_id: The class, with ``relabel`` and only then.
        edges_in_clip: Frames of the clip ``[first, end)``, counted from 0: with ``adjust``, and if wanted ``relabel``.
        description: The sentence as it was left; None leaves it out, as an emptied field does.
        comment: Left out when empty, as the page does.

    Raises:
        ValueError: ``relabel`` without a class, ``adjust`` without edges, either of them with another verdict, a
            verdict of another page, or no frame between the edges.
    """
    if verdict in (Verdict.MARKED, Verdict.NOTHING):
        raise ValueError(f"{verdict} is no verdict of this page")
    if (verdict is Verdict.RELABEL) != (class_id is not None):
        raise ValueError(f"{verdict} with class {class_id!r}: a class belongs to relabel, and to nothing else")
    if edges_in_clip is None and verdict is Verdict.ADJUST:
        raise ValueError("adjust without edges")
    if edges_in_clip is not None and verdict not in (Verdict.ADJUST, Verdict.RELABEL):
        raise ValueError(f"{verdict} with edges: they belong to adjust and relabel, and to nothing else")
    result = [_item(VERDICT_CONTROL, "choices", [verdict.value])]
    if class_id is not None:
        result.append(_item(CLASS_CONTROL, "choices", [class_id]))
    if edges_in_clip is not None:
        more = [_item(MORE_CONTROL, "choices", [EDGES_CONTROL])] if verdict is Verdict.RELABEL else []
        result += [*more, edges_item(edges_in_clip)]
    if description:
        result.append(_item(DESCRIPTION_CONTROL, "textarea", [description]))
    if comment:
        result.append(_item(COMMENT_CONTROL, "textarea", [comment]))
    return result


def edges_item(edges_in_clip: tuple[int, int]) -> dict[str, Any]:
    """Build the region on the page's timeline, as a prediction or an answer holds it.

    ``edges_in_clip`` are frames of the clip ``[first, end)``, counted from 0. Raises ``ValueError`` for none.
    """
    first, end = edges_in_clip
    return region_item(
        EDGES_CONTROL,
        EDGES_VIDEO,
        first_frame_in_clip=first,
        end_frame_in_clip=end,
        labels=[EDGES_LABEL],
        name=EDGES_CONTROL,
    )


def _item(control: str, kind: str, values: list[str]) -> dict[str, Any]:
    field = "text" if kind == "textarea" else kind
    item = {"id": control, "from_name": control, "to_name": PLAYER, "type": kind, "origin": "manual"}
    return item | {"value": {field: values}}

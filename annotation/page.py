"""The reviewing page: the labelling config filled with a taxonomy, and answers in the form that the page sends them."""

from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from schema.records import Verdict
from schema.taxonomy import GestureClass, Taxonomy

PAGE_TEMPLATE = Path(__file__).with_name("pages") / "verdict.xml"
PLAYER = "player"
VERDICT_CONTROL = "verdict"
CLASS_CONTROL = "gesture"
COMMENT_CONTROL = "comment"
FIRST_UNTYPABLE_KEY = 0xE000
"""First code point of Unicode's private use area."""


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
    verdicts = (
        ("a", "Accept", "the answer to the question is yes, for the person in the clip, somewhere in the clip"),
        ("r", "Reject", "nothing of the kind happens"),
        (
            "e",
            "Relabel",
            "another class happens; choose it from the list (f searches it, Enter takes the first; then click Submit)",
        ),
        ("n", "Unsure", "the clip does not show it well enough to say"),
    )
    keys = "".join(f"<li><b>{key}</b> {name}: {meaning}.</li>" for key, name, meaning in verdicts)
    classes = "".join(
        f"<li><b>{escape(gesture.name)}</b> ({escape(gesture.group)}): {escape(gesture.definition)}</li>"
        for gesture in taxonomy
    )
    return (
        "<p>Watch the clip; it starts over by itself. Judge what you see, not what you think the person feels. "
        "The player's menu (three dots) has slower speeds.</p>"
        f"<ul>{keys}</ul><p><b>Ctrl+Enter</b> sends the answer and brings the next clip.</p>"
        f"<p>Classes of {escape(taxonomy.title)}:</p><ul>{classes}</ul>"
    )


def answer_result(verdict: Verdict, *, class_id: str | None = None, comment: str = "") -> list[dict[str, Any]]:
    """Build the answer that the page would send: what scripted reviewers submit.

    Args:
        verdict: What is answered.
        class_id: The class, with ``relabel`` and only then.
        comment: Left out when empty, as the page does.

    Raises:
        ValueError: ``relabel`` without a class, or a class with another verdict.
    """
    if (verdict is Verdict.RELABEL) != (class_id is not None):
        raise ValueError(f"{verdict} with class {class_id!r}: a class belongs to relabel, and to nothing else")
    result = [_item(VERDICT_CONTROL, "choices", [verdict.value])]
    if class_id is not None:
        result.append(_item(CLASS_CONTROL, "choices", [class_id]))
    if comment:
        result.append(_item(COMMENT_CONTROL, "textarea", [comment]))
    return result


def _item(control: str, kind: str, values: list[str]) -> dict[str, Any]:
    field = "text" if kind == "textarea" else kind
    item = {"id": control, "from_name": control, "to_name": PLAYER, "type": kind, "origin": "manual"}
    return item | {"value": {field: values}}

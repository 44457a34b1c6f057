"""The window page: a stretch of video on a timeline, where people mark what happens, from when to when."""

from collections.abc import Sequence
from fractions import Fraction
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from annotation.answers.regions import region_item
from annotation.answers.verdicts import MARKS_CONTROL, UNCLASSIFIED_LABEL, VERDICT_CONTROL
from annotation.pages.tasks import CLIPS_FOLDER
from schema.questions import Mark
from schema.records import Verdict
from schema.taxonomy import GestureClass, Taxonomy

WINDOW_TEMPLATE = Path(__file__).with_name("window.xml")
VIDEO = "video"
COMMENT_CONTROL = "comment"
WINDOW_QUESTION = "Does a micro-gesture happen here? Mark which, from when to when."
SUGGESTIONS = "suggestions"
"""``model_version`` of what is shown: a project shows predictions of one version, and takes the one that all have."""
FIRST_UNTYPABLE_KEY = 0xE000
"""First code point of Unicode's private use area."""
GROUP_COLOURS = ("#4e79a7", "#e08214", "#3a9e4c", "#c94f6d", "#7b5ea7", "#8a6d3b", "#2a9d9d", "#7f7f7f")
"""One a body-part group, and one for movements that no class names; they go round in a taxonomy of more groups."""


def window_page(taxonomy: Taxonomy) -> str:
    """Fill the page's template with the classes of a taxonomy, by group, and return Label Studio's labelling config.

    A class is shown by its name and answered with its id; the last label is for a movement that no class names.
    """
    page = ElementTree.parse(WINDOW_TEMPLATE).getroot()
    marks = page.find(f".//TimelineLabels[@name='{MARKS_CONTROL}']")
    if marks is None:
        raise ValueError(f"{WINDOW_TEMPLATE.name} has no TimelineLabels named {MARKS_CONTROL}")
    for number, group in enumerate(taxonomy.groups):
        box = _group(marks, group)
        for gesture in taxonomy:
            if gesture.group == group:
                ElementTree.SubElement(box, "Label", _label(gesture, number))
    other = {"value": "Another micro-gesture", "alias": UNCLASSIFIED_LABEL, "hint": "A movement that no class names"}
    ElementTree.SubElement(_group(marks, "None of these"), "Label", other | {"background": GROUP_COLOURS[-1]})
    for number, label in enumerate(marks.iter("Label")):
        # A label without a hotkey is given one by Label Studio 1.23.2, from the digits and letters, and a person who
        # types would pick classes unseen. A key that no keyboard has leaves the page's own keys alone.
        label.set("hotkey", chr(FIRST_UNTYPABLE_KEY + number))
    return ElementTree.tostring(page, encoding="unicode")


def _group(marks: ElementTree.Element, name: str) -> ElementTree.Element:
    box = ElementTree.SubElement(marks, "View", {"className": "group"})
    title = ElementTree.SubElement(box, "View", {"className": "title"})
    ElementTree.SubElement(title, "Header", {"value": name, "size": "6"})
    return box


def _label(gesture: GestureClass, group_number: int) -> dict[str, str]:
    colour = GROUP_COLOURS[group_number % (len(GROUP_COLOURS) - 1)]
    shown = {"value": gesture.name, "alias": gesture.class_id, "hint": gesture.definition}
    return shown | {"background": colour}


def window_instructions(taxonomy: Taxonomy) -> str:
    """Write what the page shows under "Instructions": how to mark a span, the keys, and the classes."""
    classes = "".join(
        f"<li><b>{escape(gesture.name)}</b> ({escape(gesture.group)}): {escape(gesture.definition)}</li>"
        for gesture in taxonomy
    )
    return (
        "<p>Watch the whole window. Mark every micro-gesture of the person in the middle of the picture, from the "
        "first frame of the movement to the last.</p>"
        "<ul><li><b>Ctrl+Alt+Space</b> plays and pauses; a click on the timeline goes to a frame.</li>"
        "<li><b>f</b> searches the classes, <b>Enter</b> takes the first, <b>Tab</b> leaves the search. "
        "A click takes a class too.</li>"
        "<li>With a class taken, draw its span on the free row of the timeline. <b>Escape</b> lets go of it: a class "
        "that is taken before changes the class of the span.</li>"
        "<li>Click a span to choose it, then drag its ends; <b>Backspace</b> deletes it.</li>"
        "<li><b>0</b> Nothing happens: there is no micro-gesture in the whole window. Delete spans that were "
        "suggested.</li>"
        "<li><b>n</b> Unsure: the window does not show it well enough to say.</li></ul>"
        "<p><b>Ctrl+Enter</b> sends the answer and brings the next window. Spans are an answer by themselves; "
        "spans together with <i>Nothing happens</i> contradict each other and don't count.</p>"
        f"<p>Classes of {escape(taxonomy.title)}:</p><ul>{classes}</ul>"
    )


def window_document(
    question_id: str,
    *,
    clip: str,
    frame_rate: Fraction | int,
    clip_first_frame: int = 0,
    suggestions: Sequence[Mark] = (),
) -> dict[str, Any]:
    """Build the task for a blind or audit window, as Label Studio imports it.

    Nothing in it names a video, a person or a source, and without suggestions no class either.

    Args:
        question_id: The question's id.
        clip: The clip's path below the served folder, with ``/``: ``clips/<name>.mp4``.
        frame_rate: Frames per second of the clip's file: Label Studio does not read it.
        clip_first_frame: First frame of the source video that the clip shows.
        suggestions: Spans that are shown and can be dragged, in frames of the source video; never for a blind
            question. The project must be one that shows predictions.

    Raises:
        ValueError: The clip does not lie in the clips folder, the rate is below 1, or a suggestion begins before the
            clip.
    """
    path = PurePosixPath(clip)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or path.parts[0] != CLIPS_FOLDER:
        raise ValueError(f"a clip lies below {CLIPS_FOLDER}/ in the served folder, got {clip!r}")
    if frame_rate < 1:  # Label Studio takes a rate below 1 for its inverse
        raise ValueError(f"a clip has at least one frame per second, got {frame_rate}")
    data = {
        "candidate_id": question_id,
        "video": f"/data/local-files/?d={quote(str(path))}",
        "frame_rate": str(float(frame_rate)),
        "question": WINDOW_QUESTION,
    }
    shown = _regions(suggestions, clip_first_frame)
    # No empty prediction: an answer that began as a copy of one would say that a suggestion was shown.
    predictions = [{"result": shown, "score": 0.0, "model_version": SUGGESTIONS}] if shown else []
    return {"data": data, "predictions": predictions}


def window_result(
    verdict: Verdict, *, marks: Sequence[Mark] = (), clip_first_frame: int = 0, comment: str = ""
) -> list[dict[str, Any]]:
    """Build the answer that the page would send: what scripted reviewers submit.

    Args:
        verdict: ``marked``, ``nothing`` or ``unsure``.
        marks: What is drawn, with ``marked`` and only then; in frames of the source video.
        clip_first_frame: First frame of the source video that the clip shows.
        comment: Left out when empty, as the page does.

    Raises:
        ValueError: ``marked`` without marks, marks with another verdict, or a verdict that the page does not have.
    """
    if verdict not in (Verdict.MARKED, Verdict.NOTHING, Verdict.UNSURE):
        raise ValueError(f"{verdict} is no answer to a window")
    if (verdict is Verdict.MARKED) != bool(marks):
        raise ValueError(f"{verdict} with {len(marks)} marks: marks belong to marked, and to nothing else")
    result = _regions(marks, clip_first_frame)
    if verdict is not Verdict.MARKED:
        result.append(_item(VERDICT_CONTROL, "choices", {"choices": [verdict.value]}))
    if comment:
        result.append(_item(COMMENT_CONTROL, "textarea", {"text": [comment]}))
    return result


def _regions(marks: Sequence[Mark], clip_first_frame: int) -> list[dict[str, Any]]:
    return [
        region_item(
            MARKS_CONTROL,
            VIDEO,
            first_frame_in_clip=mark.first_frame - clip_first_frame,
            end_frame_in_clip=mark.end_frame - clip_first_frame,
            labels=[UNCLASSIFIED_LABEL if mark.class_id is None else mark.class_id],
            name=f"{MARKS_CONTROL}{number}",
        )
        for number, mark in enumerate(marks)
    ]


def _item(control: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": control, "from_name": control, "to_name": VIDEO, "type": kind, "origin": "manual", "value": value}

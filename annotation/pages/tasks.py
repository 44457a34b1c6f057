"""Questions for people: the wording of a candidate, and the task that Label Studio shows for it."""

from html import escape
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from annotation.describe import describe
from annotation.pages.verdict_page import edges_item
from schema.records import Candidate
from schema.taxonomy import EVIDENCE, GestureClass, Taxonomy

CLIPS_FOLDER = "clips"
"""Folder under the study's served files that holds the clips: the review server refuses to serve its root itself."""
SHOWN_VERSION = "proposals"
"""One for all predictions: of a project's, Label Studio 1.23.2 shows those of one version alone, and orders by their
scores. So a prediction names its proposer, with its own score, in its region's note; so does the table of tasks."""
ILLUSTRATIVE = "illustrative"
"""How the ids of the classes begin that illustrate speech, in every taxonomy that has one."""
UNCLASSIFIED_DEFINITION = (
    "A movement stood out, but nothing speaks for a class. Accept a micro-gesture that no class of the list names; "
    "relabel it where a class fits; reject speech, a change of posture, or a movement of the camera."
)
"""What stands where a class would have its definition."""


def question_for(candidate: Candidate, taxonomy: Taxonomy) -> str:
    """Word the question that a candidate puts; the same candidate and taxonomy always give the same words.

    Raises:
        ConfigError: The candidate's class is not one of the taxonomy.
    """
    if candidate.class_id is not None:
        return taxonomy.by_id(candidate.class_id).question
    seen = EVIDENCE.get(candidate.evidence, "a part of the body moves")
    return f"Is this a micro-gesture: {seen}?"


def task_document(
    candidate: Candidate, *, taxonomy: Taxonomy, clip: str, asked_in_clip: tuple[int, int], frame_rate: int
) -> dict[str, Any]:
    """Build the task for a candidate, as Label Studio imports it.

    Nothing in it names a video, a person or a source: the candidate's id joins it to the recorded tasks. Its prediction
    holds the proposed edges, so that they can be dragged, with a note who proposes them, and nothing else: no verdict
    is preselected. The score orders the queue.

    Args:
        candidate: What is asked.
        taxonomy: The study's classes.
        clip: The clip's path below the served folder, with ``/``: ``clips/<name>.mp4``; its slow copy lies beside it
            (``slow_name``).
        asked_in_clip: Frames of the clip ``[first, end)`` that the candidate spans, counted from 0.
        frame_rate: Frames a second at which the clip plays.

    Raises:
        ConfigError: The candidate's class is not one of the taxonomy.
        ValueError: The clip does not lie in the clips folder, the score is not in 0..1, or no frame is asked about.
    """
    if not 0.0 <= candidate.score <= 1.0:
        raise ValueError(f"{candidate.candidate_id}: a score lies in 0..1, got {candidate.score}")
    gesture = None if candidate.class_id is None else taxonomy.by_id(candidate.class_id)
    source, slow_source = _address(clip), _address(slow_name(clip))
    return {
        "data": {
            "candidate_id": candidate.candidate_id,
            "html": _player(source, css_class="full") + _player(slow_source, css_class="slow"),
            "clip": source,
            "frame_rate": frame_rate,
            "question": question_for(candidate, taxonomy),
            "class_name": "Unclassified movement" if gesture is None else f"{gesture.name} ({gesture.group})",
            "definition": UNCLASSIFIED_DEFINITION if gesture is None else gesture.definition,
            "is_not": what_it_is_not(gesture, taxonomy),
            "reason": f"Proposed because: {candidate.reason}",
            "description": describe(gesture, candidate.span, evidence=candidate.evidence),
            "score": candidate.score,
            "proposer": candidate.proposer,
        },
        "predictions": [
            {
                "result": [edges_item(asked_in_clip) | {"meta": {"text": [proposed_by(candidate)]}}],
                "score": candidate.score,
                "model_version": SHOWN_VERSION,
            }
        ],
    }


def proposed_by(candidate: Candidate) -> str:
    """Name who proposes a candidate, a model with its digest, and how sure: "seed-1@0123456789ab 0.64"."""
    return f"{candidate.proposer} {candidate.score:.2f}"


def what_it_is_not(gesture: GestureClass | None, taxonomy: Taxonomy) -> str:
    """Say what is most often taken for a micro-gesture: gestures that illustrate speech (31 % of iMiGUE's clips)."""
    if gesture is not None and gesture.class_id.startswith(ILLUSTRATIVE):
        return "Not this: a hand that touches the body or an object while the person speaks."
    named = next((g.name for g in taxonomy if g.class_id.startswith(ILLUSTRATIVE)), None)
    instead = f"; relabel it as \u201c{named}\u201d" if named else ""
    return f"Not this: a movement that shows, counts or underlines what is being said{instead}."


def slow_name(clip: str) -> str:
    """Return the name or path of a clip's copy at half speed."""
    path = PurePosixPath(clip)
    return str(path.with_name(f"{path.stem}-slow{path.suffix}"))


def _address(clip: str) -> str:
    path = PurePosixPath(clip)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or path.parts[0] != CLIPS_FOLDER:
        raise ValueError(f"a clip lies below {CLIPS_FOLDER}/ in the served folder, got {clip!r}")
    return f"/data/local-files/?d={quote(str(path))}"


def _player(source: str, *, css_class: str) -> str:
    return f'<video class="{css_class}" src="{escape(source, quote=True)}" autoplay loop muted playsinline></video>'

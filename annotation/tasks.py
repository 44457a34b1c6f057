"""Questions for people: the wording of a candidate, and the task that Label Studio shows for it."""

from html import escape
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from schema.records import Candidate
from schema.taxonomy import EVIDENCE, Taxonomy

CLIPS_FOLDER = "clips"
"""Folder under the study's served files that holds the clips: the review server refuses to serve its root itself."""
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


def task_document(candidate: Candidate, *, taxonomy: Taxonomy, clip: str) -> dict[str, Any]:
    """Build the task for a candidate, as Label Studio imports it.

    Nothing in it names a video, a person or a source: the candidate's id joins it to the recorded tasks. It carries a
    prediction with an empty result, so that nothing is preselected and the queue can be ordered by score.

    Args:
        candidate: What is asked.
        taxonomy: The study's classes.
        clip: The clip's path below the served folder, with ``/``: ``clips/<name>.mp4``.

    Raises:
        ConfigError: The candidate's class is not one of the taxonomy.
        ValueError: The clip does not lie in the clips folder, or the score is not in 0..1.
    """
    if not 0.0 <= candidate.score <= 1.0:
        raise ValueError(f"{candidate.candidate_id}: a score lies in 0..1, got {candidate.score}")
    gesture = None if candidate.class_id is None else taxonomy.by_id(candidate.class_id)
    return {
        "data": {
            "candidate_id": candidate.candidate_id,
            "html": _player(clip),
            "question": question_for(candidate, taxonomy),
            "class_name": "Unclassified movement" if gesture is None else gesture.name,
            "definition": UNCLASSIFIED_DEFINITION if gesture is None else gesture.definition,
            "reason": f"Proposed because: {candidate.reason}",
            "score": candidate.score,
        },
        "predictions": [{"result": [], "score": candidate.score, "model_version": candidate.proposer}],
    }


def _player(clip: str) -> str:
    path = PurePosixPath(clip)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or path.parts[0] != CLIPS_FOLDER:
        raise ValueError(f"a clip lies below {CLIPS_FOLDER}/ in the served folder, got {clip!r}")
    source = escape(f"/data/local-files/?d={quote(str(path))}", quote=True)
    return f'<video src="{source}" autoplay loop muted playsinline controls></video>'

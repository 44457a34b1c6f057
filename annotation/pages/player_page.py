"""The page of "which one is the player?": its labelling config, its instructions, and answers as it sends them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from annotation.pages.player_questions import NOBODY, NOBODY_KEY, UNSURE, UNSURE_KEY

PAGE_FILE = Path(__file__).with_name("player.xml")
PICTURE = "picture"
PLAYER_CONTROL = "player"


def player_page() -> str:
    """Return Label Studio's labelling config; the letters to choose from come with each task."""
    return PAGE_FILE.read_text(encoding="utf-8")


def player_instructions() -> str:
    """Write what the page shows under "Instructions"."""
    return (
        "<p>The picture shows moments of one video; the same letter is the same person. Below them, everybody is "
        "shown once more.</p>"
        "<p>Choose the player: who sits or stands there to be interviewed, not who asks, interprets or passes by. "
        "Choose several letters where several players are interviewed together.</p>"
        "<ul><li><b>a, b, c ...</b> the person with that letter; once more takes it back.</li>"
        f"<li><b>{NOBODY_KEY}</b> Nobody shown: the player is not among them.</li>"
        f"<li><b>{UNSURE_KEY}</b> Unsure: the picture does not show it well enough to say.</li></ul>"
        "<p><b>Ctrl+Enter</b> sends the answer and brings the next picture.</p>"
    )


def player_answer_result(chosen: Iterable[str] | None) -> list[dict[str, Any]]:
    """Build the answer that the page would send: what scripted reviewers submit.

    Args:
        chosen: Letters of the players; none is "nobody shown", None is "unsure".
    """
    choices = [UNSURE] if chosen is None else sorted(chosen) or [NOBODY]
    item = {"id": PLAYER_CONTROL, "from_name": PLAYER_CONTROL, "to_name": PICTURE, "type": "choices"}
    return [item | {"origin": "manual", "value": {"choices": choices}}]

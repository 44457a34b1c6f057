"""The back ends that a study names: built with their settings, and described for the digests of parts."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from flows._config import BackEndsSection, check_settings
from perception.backends.loading import load_back_end
from perception.faces import FACE_FINDERS
from perception.keypoints import KEYPOINT_ESTIMATORS
from perception.shots import SHOT_DETECTORS
from perception.tracks import PERSON_TRACKERS

BACK_ENDS: Mapping[str, Mapping[str, str]] = {
    "shots": SHOT_DETECTORS,
    "tracks": PERSON_TRACKERS,
    "faces": FACE_FINDERS,
    "keypoints": KEYPOINT_ESTIMATORS,
}
"""The table of each stage that has back ends."""


def build_back_end(chosen: BackEndsSection, stage: str) -> Any:  # noqa: ANN401  four protocols share the section
    """Build the back end that the study names for a stage.

    Raises ``ConfigError`` for an unknown name or setting and ``MissingPartError`` where its library is not installed.
    """
    back_end, config = _chosen(chosen, stage)
    return back_end(config)


def back_end_document(chosen: BackEndsSection, stage: str) -> dict[str, Any]:
    """Say with which back end, settings and weights a part is made.

    Settings that change no number are left out: their fields say so (``metadata={"in_digest": False}``).
    """
    back_end, config = _chosen(chosen, stage)
    unseen = {one.name for one in fields(config) if not one.metadata.get("in_digest", True)}
    return {
        "name": getattr(chosen, stage),
        "settings": {name: value for name, value in asdict(config).items() if name not in unseen},
        "weights": back_end(config).weights_digest,
    }


def _chosen(chosen: BackEndsSection, stage: str) -> tuple[Callable[[Any], Any], Any]:
    back_end = load_back_end(BACK_ENDS[stage], getattr(chosen, stage), key=f"back_ends.{stage}")
    settings = getattr(chosen, f"{stage}_settings")
    return back_end, check_settings(settings, back_end.config_type, prefix=f"back_ends.{stage}_settings.")

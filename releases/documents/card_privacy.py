"""The card's section on privacy: what a profile holds, what it costs, and what could still identify someone."""

import re

from releases.config import ReleaseConfig
from releases.facts import ReleaseFacts
from schema.taxonomy import GestureClass, Taxonomy

_FACE_WORDS = re.compile(r"\b(face|facial|mouth|lips?|cheeks?|eyes?|brows?|nose|jaw|chin|teeth|nails)\b", re.I)


def classes_hurt_by_profile(taxonomy: Taxonomy) -> list[GestureClass]:
    """Return the classes whose name speaks of a part of the face: coarse points show or place them less well."""
    return [g for g in taxonomy if _FACE_WORDS.search(g.name)]


def privacy_section(facts: ReleaseFacts, config: ReleaseConfig, taxonomy: Taxonomy) -> str:
    """Write the section."""
    return f"""## Privacy

{_held(config, taxonomy)}

{_tested(facts)} Ids are keyed hashes: without the study's key they can't be joined to names. Of the answers, comments
and clock times are left out: votes hold whole seconds and the week of the study. There is no checksum of any video: a
digest of a public file is the same for everybody who holds it, and so would lead straight to its source.

What could still identify someone:

- **The skeleton itself.** Posture, build, gait and habits of the hands differ between people, and whoever has the
  source video can run a pose estimator and find the same movement. This data is pseudonymous, not anonymous.
- **Length, frame count, picture size and rate** of a video narrow down the recordings it can be.
- **Outcome and order**: how a match ended, to somebody who knows when the press conference was.
- **Rare gestures and exact times**, to somebody who remembers the occasion.

Do not try to find out who the people are."""


def _held(config: ReleaseConfig, taxonomy: Taxonomy) -> str:
    if config.profile == "research":
        return (
            "Profile `research`: all 133 points, the 68 of the face included. Face shape is biometric data: share this "
            "profile under agreement only."
        )
    held = (
        "Profile `identity-free`: no pixels. Body, feet and hands are kept. Of the face there are the corners and the "
        "middles of the lips, chin, tip of the nose and brows; with the eyes and ears they are moved onto one face "
        "that is the same for everybody, and their movement on it is rounded coarsely."
    )
    hurt = "; ".join(g.name for g in classes_hurt_by_profile(taxonomy))
    return held + (f" These classes suffer from it: {hurt}." if hurt else "")


def _tested(facts: ReleaseFacts) -> str:
    found = facts.reidentification
    if not found.tested:
        return f"Whether faces tell people apart was not tested: {found.why}."
    return (
        f"Re-identification by the published face points: the nearest neighbour of {found.accuracy:.0%} of the "
        f"{found.videos} videos of {found.subjects} people is of the same person (95 % interval "
        f"{found.accuracy_low:.0%} to {found.accuracy_high:.0%}; guessing gives {found.chance:.0%}, all 68 "
        f"points as estimated {found.accuracy_of_all_points:.0%})."
    )

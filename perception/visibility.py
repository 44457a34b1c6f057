"""In which share of its frames each part of a person was seen: counted on the keypoints."""

from schema.errors import DropReason
from schema.people import Visibility
from schema.records import Dropped, KeypointSequence, Part

STAGE = "visibility"


def measure_visibility(sequence: KeypointSequence) -> Visibility:
    """Count in how many frames of a track body, feet, face and hands were seen."""
    seen = sequence.parts_seen
    left, right = seen[:, Part.LEFT_HAND], seen[:, Part.RIGHT_HAND]
    return Visibility(
        video_id=sequence.video_id,
        track_number=sequence.track_number,
        frame_count=seen.shape[0],
        part_shares=tuple(float(seen[:, part].mean()) for part in Part),
        hands_share=float((left | right).mean()),
        both_hands_share=float((left & right).mean()),
    )


def too_few_hands(visibility: Visibility, *, min_hands_share: float) -> Dropped | None:
    """Say that a track shows its hands too rarely to propose anything; None where it does not."""
    if visibility.hands_share >= min_hands_share:
        return None
    return Dropped(
        stage=STAGE,
        item_id=f"{visibility.video_id}/track{visibility.track_number}",
        reason=DropReason.POOR_QUALITY,
        detail=f"a hand is seen in {visibility.hands_share:.0%} of frames, {min_hands_share:.0%} are needed",
    )

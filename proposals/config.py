"""Every number of the proposal stage, with its unit and where it comes from."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactConfig:
    """When a hand counts as touching something; lengths in head widths, which are about 15 cm."""

    touch: float = 0.1
    """A contact begins when the three nearest points of a hand are this close to a region, on average."""
    near: float = 0.3
    """A contact goes on while they are this close."""
    fewest_finger_ends: float = 3.0
    """Of the ten last joints of the fingers so many are near on average."""
    resting_speed: float = 1.5
    """A hand that goes faster than this (median, head widths a second, against the head) is not at rest there."""
    fewest_moving_finger_ends: float = 7.0
    """Then so many finger joints must be near: 9-10 are in contacts seen so far, scratching or not; 5-7 of a hand that
    waves beside the face and overlaps it."""
    passing_speed: float = 3.0
    """A hand that passes faster than this (head widths a second, against the head) does not begin a contact: a hand
    that waves before the face goes at 6-10, one that scratches a neck at 0.2-2.5."""
    arm_touch: float = 0.35
    """Fingers so close to the middle line of the other arm touch it: half a forearm's width, and some."""
    arm_near: float = 0.5
    """A contact with the other arm goes on while they are this close."""
    forearms_apart: float = 0.6
    """Folded arms have their wrists at least this far from each other; nearer, the hands hold each other."""
    crossing: float = 0.15
    """Folded arms have their wrists exchanged by at least this share of the shoulders' width."""
    frontal_shoulders: float = 1.2
    """Below so many head widths between the shoulders the person stands sideways: arms overlap without touching."""
    shortest_s: float = 0.3
    """Shorter contacts are left out; the shortest annotated micro-gestures last about as long."""
    shortest_arm_s: float = 0.5
    """Shorter contacts of hands or arms with each other are left out: hands that gesture pass each other."""
    bridge_s: float = 0.5
    """Gaps up to this long do not end a contact."""
    unknown_bridge_s: float = 1.5
    """Gaps up to this long do not end a contact when the hand is not seen in them: estimators lose hands that touch."""
    fewest_seen: float = 0.2
    """Share of a contact's frames in which the hand must be seen."""
    shortest_piece_s: float = 1.0
    """A visit of a hand to the head is cut where the touched class changes for at least this long."""
    most_pieces: int = 3
    """A visit becomes at most so many candidates."""
    split_gain_s: float = 0.4
    """A cut must put so many seconds of finger ends under their own class: fingers between two regions never do, and a
    hand that goes to an eye for 1.8 s, and to the mouth before and after, gains 1.6-1.7 with two cuts."""
    longest_s: float = 20.0
    """Of a longer contact the first part is asked about: people judge a gesture, not a way of sitting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionConfig:
    """When a part of the body counts as moving; lengths in head widths."""

    over_s: float = 0.4
    """Movement is the way from before to after, this far apart in time."""
    smooth_s: float = 0.2
    """Positions are means over this time."""
    jitter_factor: float = 5.0
    """A movement is at least so many times what the part's own trembling would show."""
    least: float = 0.03
    """A movement is at least this large, about 5 mm within ``over_s``: a labelled nod measures 0.039."""
    walking: float = 1.0
    """Head or shoulders that go farther than this within ``over_s`` carry the whole person elsewhere: no gesture. Leans
    seen so far go 0.2-0.6, people who walk through the picture 1.3-10."""
    keep_share: float = 0.35
    """A movement lasts while its speed stays above this share of its peak."""
    bridge_s: float = 0.3
    """Shorter rests do not end a movement."""
    shortest_s: float = 0.3
    """Shorter movements are left out."""
    longest_s: float = 4.0
    """Longer movements are cut to this length around their peak."""
    score_half: float = 8.0
    """A movement this many times its threshold scores one half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalsConfig:
    """How candidates are proposed."""

    contact: ContactConfig = field(default_factory=ContactConfig)
    """Hands that touch."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    """Parts that move."""
    max_per_track_minute: float = 6.0
    """Candidates kept for each minute that people are followed in a video; contacts first, then by score."""
    fewest_per_video: int = 4
    """A short video may keep this many."""
    same_movement_iou: float = 0.3
    """Movements of several parts that overlap this much in time are one candidate."""
    contact_margin_s: float = 0.7
    """A movement of the same arm so close to its contact is the way there and back, not another candidate."""

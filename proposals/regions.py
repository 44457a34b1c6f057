"""Which region a hand touches at the head, and where in a long visit this becomes another class."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kinematics.capsules import Capsules, depths
from kinematics.hands import FINGER_ENDS, LEADING_TIPS
from kinematics.pieces import best_pieces
from kinematics.runs import Run
from kinematics.windows import Bools, Floats, Times, frame_ends_ns, seconds_of, window_means
from proposals.config import ContactConfig
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND

Rows = npt.NDArray[np.int64]
FACE = frozenset({"hand_on_eye", "hand_on_nose", "hand_on_mouth", "hand_on_cheek", "hand_on_forehead"})
BOTH_HANDS = "hands_on_face"
"""What two hands touch that are at the face together."""


STEADY_S = 0.2
"""Which region a finger end is in is decided by the means over this long before and after: eyes and nose are 0.2 head
widths wide and close together, and points that tremble by 0.05 leave them from frame to frame."""
CHUNK_FRAMES = 512
"""Distances are worked out for so many frames at a time, so that memory does not grow with a visit."""


def region_names(regions: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the capsules' regions, each once, in order."""
    return tuple(dict.fromkeys(regions))


def finger_votes(deep: Floats, regions: Sequence[str], *, near: float) -> Bools:
    """Tell which region each finger end is nearest to and near, shape ``(m, ends, regions)``.

    Args:
        deep: distances in head widths of the finger ends to the capsules, shape ``(m, ends, capsules)``.
        regions: region of each capsule.
        near: farther finger ends vote for none.
    """
    names = region_names(regions)
    place = np.array([names.index(region) for region in regions])
    which, is_near = place[deep.argmin(axis=2)], deep.min(axis=2) <= near
    return np.asarray((which[..., None] == np.arange(len(names))) & is_near[..., None])


def leading_votes(
    points: Floats, capsules: Capsules, rows: Rows, head_widths: Floats, times_ns: Times, *, near: float
) -> Floats:
    """Return how many tips of index and middle finger are at each region, or ends of all where these two are at none.

    The leading fingers tell what is touched: while they rub an eye, the other eight ends lie on nose, cheek and mouth.

    Args:
        points: one hand in successive frames, shape ``(m, 21, 2)``.
        capsules: the regions of the whole track.
        rows: the rows of the track that the frames are, shape ``(m,)``.
        head_widths: of the whole track, in pixels.
        times_ns: when the frames are shown, shape ``(m,)``.
        near: farther finger ends vote for none, head widths.

    Returns:
        Shape ``(m, regions)``.
    """
    times_s = seconds_of(times_ns)

    def steady(values: Floats) -> Floats:
        return window_means(values, times_s, from_s=-STEADY_S, to_s=STEADY_S)[0]

    ends = np.where(np.isfinite(points[:, FINGER_ENDS]), steady(points[:, FINGER_ENDS]), np.nan)
    starts, stops = steady(capsules.starts[rows]), steady(capsules.ends[rows])
    still = Capsules(starts=starts, ends=stops, radii=capsules.radii, regions=capsules.regions)
    votes = np.zeros((rows.shape[0], len(region_names(capsules.regions))))
    for begin in range(0, rows.shape[0], CHUNK_FRAMES):
        part = np.arange(begin, min(begin + CHUNK_FRAMES, rows.shape[0]))
        deep = depths(ends[part], still, part, head_widths[rows[part]])
        chosen = finger_votes(np.where(np.isfinite(deep), deep, np.inf), capsules.regions, near=near)
        leading = chosen[:, LEADING_TIPS].sum(axis=1)
        votes[part] = np.where(leading.any(axis=1, keepdims=True), leading, chosen.sum(axis=1))
    return votes


def merge_hands(votes: Sequence[Floats], names: Sequence[str]) -> Floats:
    """Add up the hands' votes for regions, each of shape ``(n, regions)``; a last column is for ``BOTH_HANDS``.

    It takes the votes for the face in frames where at least half of each hand's votes are for the face.
    """
    total = np.concatenate([np.sum(votes, axis=0), np.zeros((votes[0].shape[0], 1))], axis=1)
    if len(votes) == 1:
        return total
    face = np.array([name in FACE for name in names])
    on_face = [hand[:, face].sum(axis=1) for hand in votes]
    both = np.all([(at > 0) & (2 * at >= hand.sum(axis=1)) for at, hand in zip(on_face, votes, strict=True)], axis=0)
    total[both, -1] = np.sum(on_face, axis=0)[both]
    total[np.ix_(both, np.append(face, False))] = 0.0
    return np.asarray(total)


def split_by_class(
    votes: Floats, names: Sequence[str], times_ns: Times, *, taxonomy: Taxonomy, config: ContactConfig
) -> list[tuple[Run, str]]:
    """Cut one visit where the class that the touched region stands for changes and stays changed.

    Regions of one class stay together, a region without a class counts as a class of its own.

    Args:
        votes: how many finger ends touch each region, shape ``(n, regions)``; a frame's votes share its time.
        names: the regions, as evidence.
        times_ns: when the visit's frames are shown, shape ``(n,)``.
        taxonomy: the study's classes.
        config: shortest and most pieces, and what a cut must gain.

    Returns:
        Runs of the visit's frames, each with its evidence: the most touched region of the piece's class. None where
        no finger end votes.
    """
    voting = np.flatnonzero(votes.any(axis=1))
    if voting.shape[0] == 0:
        return []
    begins_ns, ends_ns = times_ns[voting], frame_ends_ns(times_ns[voting])
    lasting_s = (ends_ns - begins_ns) / NS_PER_SECOND
    shares_s = votes[voting] / votes[voting].sum(axis=1, keepdims=True) * lasting_s[:, None]
    of_class = [_class_of(name, taxonomy) for name in names]
    classes = list(dict.fromkeys(of_class))
    members = np.array([[own == of_all for of_all in classes] for own in of_class], dtype=np.float64)
    edges_ns = np.concatenate([times_ns[:1], begins_ns[1:], frame_ends_ns(times_ns)[-1:]])
    pieces = best_pieces(
        shares_s @ members,
        (edges_ns - times_ns[0]) / NS_PER_SECOND,
        shortest_s=config.shortest_piece_s,
        most=config.most_pieces,
        cost_s=config.split_gain_s,
    )
    cuts = [0, *(int(voting[first]) for (first, _), _ in pieces[1:]), times_ns.shape[0]]
    touched_s = [np.where(members[:, label] > 0, shares_s[slice(*run)].sum(axis=0), -1.0) for run, label in pieces]
    return [(run, names[int(np.argmax(at))]) for run, at in zip(pairwise(cuts), touched_s, strict=True)]


def _class_of(evidence: str, taxonomy: Taxonomy) -> tuple[str | None, str]:
    gesture = taxonomy.class_for(evidence)
    return (None, evidence) if gesture is None else (gesture.class_id, "")

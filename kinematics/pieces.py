"""Cut a stretch of frames where what holds in them changes and stays changed."""

import numpy as np

from kinematics.runs import Run
from kinematics.windows import Floats


def best_pieces(
    shares_s: Floats, edges_s: Floats, *, shortest_s: float, most: int, cost_s: float
) -> list[tuple[Run, int]]:
    """Return the few long pieces, each with one label, that agree best with what every frame says.

    Of all ways to cut the frames into at most ``most`` pieces of at least ``shortest_s`` seconds the one is found in
    which the labels have the most seconds, less ``cost_s`` for every cut. So a flicker never cuts, a mixture that
    stays alike never cuts, and a boundary lies where one label takes over from the other; only a label that holds for
    little less than ``shortest_s`` takes the rest from its neighbour. A stretch too short for two pieces is one.

    Args:
        shares_s: how many seconds of each frame speak for each label, shape ``(n, labels)``, not negative.
        edges_s: when each frame begins, and when the last one ends, in seconds, shape ``(n + 1,)``.
        shortest_s: shortest piece.
        most: most pieces, 1 or more.
        cost_s: seconds that a cut must gain; above 0, or pieces of the same label may follow each other.

    Returns:
        Runs of frames with the column of their label, in order; together they hold every frame once.
    """
    sums = np.concatenate([np.zeros((1, shares_s.shape[1])), np.cumsum(shares_s, axis=0)])
    fitting = np.searchsorted(edges_s, edges_s - shortest_s + 1e-6, side="right") - 1
    scores = [np.where((fitting >= 0)[:, None], sums, -np.inf)]
    scores[0][-1] = sums[-1]
    cuts = [np.zeros(sums.shape, dtype=np.int64)]
    places = np.arange(sums.shape[0])[:, None]
    for _ in range(most - 1):
        ahead = scores[-1].max(axis=1, keepdims=True) - cost_s - sums
        best = np.maximum.accumulate(ahead, axis=0)
        cut_at = np.maximum.accumulate(np.where(ahead >= best, places, 0), axis=0)
        cuts.append(np.where((fitting >= 0)[:, None], cut_at[fitting], 0))
        scores.append(np.where((fitting >= 0)[:, None], sums + best[fitting], -np.inf))
    count = int(np.argmax([score[-1].max() for score in scores]))
    end, pieces = shares_s.shape[0], []
    for number in range(count, -1, -1):
        label = int(np.argmax(scores[number][end]))
        first = int(cuts[number][end, label])
        pieces.append(((first, end), label))
        end = first
    return pieces[::-1]

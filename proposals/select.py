"""What is asked next: what is uncertain, of a rare class, and unlike what the open queue already holds."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from schema.records import Candidate, VideoId
from schema.timespan import NS_PER_SECOND

LEAST_FACTOR = 0.05
"""No factor is less, so that what is certain, frequent or like others comes late, but comes."""
NEAR_SECONDS = 10.0
"""Candidates of one track closer than this show nearly the same."""

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A candidate with its place in the queue, and the three factors that gave it."""

    candidate: Candidate
    place: int
    """From 0: asked first."""
    uncertainty: float
    """0.05..1: how little the score says."""
    rarity: float
    """0.05..1: 1 for a class that nobody was asked about."""
    diversity: float
    """0.05..1: distance to the nearest candidate that is open or comes before."""

    @property
    def priority(self) -> float:
        """The product of the factors."""
        return self.uncertainty * self.rarity * self.diversity

    @property
    def reason(self) -> str:
        """The factors in words, for people who wonder about the order."""
        return f"uncertainty {self.uncertainty:.2f}, rarity {self.rarity:.2f}, diversity {self.diversity:.2f}"


def select_next(
    candidates: Iterable[Candidate],
    *,
    open_candidates: Iterable[Candidate] = (),
    answered: Mapping[str | None, int] | None = None,
    features: Mapping[str, Vector] | None = None,
    uncertainty: Mapping[str, float] | None = None,
    subject_of: Mapping[VideoId, str] | None = None,
    budget: int,
) -> list[Selected]:
    """Choose and order what is asked next: greatest uncertainty x rarity x diversity first, one after the other.

    Uncertainty is the entropy of the score in bits, unless the caller knows better. Rarity is ``1 / sqrt(1 + n)``,
    where n counts what was answered, is open or was just chosen of the same class (of the same evidence where there is
    no class). Diversity is the distance to the nearest open or chosen candidate (greedy farthest point, the k-center
    rule of Sener and Savarese 2018): between features by cosine where both have some, else the mean of what differs in
    class, evidence, video, subject, time and score.

    Args:
        candidates: What could be asked; those that are open too are left out.
        open_candidates: What the open queue holds.
        answered: Settled questions by class; None as a key counts those without a class.
        features: Vector of an encoder by candidate id, all of one length; candidates without one are compared by the
            rest.
        uncertainty: 0..1 by candidate id, such as one minus a model's margin; the others have their score's entropy.
        subject_of: Who is in a video; a video is a person of its own where it is not given.
        budget: Candidates to choose.

    Returns:
        At most ``budget`` candidates in order; the same for any order of what comes in.
    """
    opened = sorted(open_candidates, key=lambda c: c.candidate_id)
    held = {c.candidate_id for c in opened}
    pool = sorted((c for c in candidates if c.candidate_id not in held), key=lambda c: c.candidate_id)
    if not pool or budget <= 0:
        return []
    space = _Space.of(pool + opened, features=features or {}, subject_of=subject_of or {})
    nearest = np.ones(len(pool))
    for index in range(len(pool), len(pool) + len(opened)):
        np.minimum(nearest, space.distances(index)[: len(pool)], out=nearest)
    counts: Counter[str] = Counter(_kind(c) for c in opened)
    for class_id, count in (answered or {}).items():
        counts["" if class_id is None else class_id] += count
    doubts = np.array([_doubt(c, uncertainty or {}) for c in pool])
    order = _greedy(pool, space, doubts=doubts, nearest=nearest, counts=counts)
    return list(islice(order, budget))


def _greedy(
    pool: Sequence[Candidate],
    space: "_Space",
    *,
    doubts: npt.NDArray[np.float64],
    nearest: npt.NDArray[np.float64],
    counts: Counter[str],
) -> Iterator[Selected]:
    kinds, kind_of = np.unique([_kind(c) for c in pool], return_inverse=True)
    known = np.array([_count(str(kind), counts) for kind in kinds], dtype=np.float64)
    waiting = np.ones(len(pool), dtype=np.bool_)
    for place in range(len(pool)):
        rarities = np.maximum(1 / np.sqrt(1 + known), LEAST_FACTOR)[kind_of]
        diversities = np.maximum(nearest, LEAST_FACTOR)
        priorities = doubts * rarities * diversities
        index = int(np.argmax(np.where(waiting, priorities, -1.0)))  # of equals the one with the smallest id
        yield Selected(
            candidate=pool[index],
            place=place,
            uncertainty=float(doubts[index]),
            rarity=float(rarities[index]),
            diversity=float(diversities[index]),
        )
        waiting[index] = False
        known[kind_of[index]] += 1
        np.minimum(nearest, space.distances(index)[: len(pool)], out=nearest)


def _kind(candidate: Candidate) -> str:
    return f"?{candidate.evidence}" if candidate.class_id is None else candidate.class_id


def _count(kind: str, counts: Counter[str]) -> int:
    """Return how many of a kind are known; what was answered without a class is told by no evidence."""
    return counts[kind] + (counts[""] if kind.startswith("?") else 0)


def _doubt(candidate: Candidate, given: Mapping[str, float]) -> float:
    doubt = given.get(candidate.candidate_id)
    if doubt is None:
        doubt = _entropy(candidate.score)
    return min(max(doubt, LEAST_FACTOR), 1.0)


def worth_of_asking(probability: float, *, uncertainty: float, finding: float) -> float:
    """Weigh what a question teaches against what it finds, 0..1, to be given as ``uncertainty`` to ``select_next``.

    Asking about the least certain alone wastes answers: of ten candidates at 0.5 people refuse five. Our own design.

    Args:
        probability: Calibrated, that there is a gesture, 0..1.
        uncertainty: How little that says, 0..1.
        finding: 0: the uncertainty alone, which teaches most; 1: the probability alone, which finds most.

    Raises:
        ValueError: ``finding`` is not in 0..1.
    """
    if not 0 <= finding <= 1:
        raise ValueError(f"finding must be in 0..1, got {finding}")
    return (1 - finding) * uncertainty + finding * probability


def _entropy(score: float) -> float:
    """Return the entropy of a chance in bits."""
    score = min(max(score, 1e-9), 1 - 1e-9)
    return float(-score * np.log2(score) - (1 - score) * np.log2(1 - score))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Space:
    """Where candidates lie, and how far from each other; arrays of one entry a candidate."""

    labels: npt.NDArray[np.int64]
    """Numbers of class, evidence, video and subject, shape ``(n, 4)``."""
    tracks: npt.NDArray[np.int64]
    middles_s: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float32]
    """Features of length 1, zeros where there are none, shape ``(n, d)``."""
    has_vector: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, items: Sequence[Candidate], *, features: Mapping[str, Vector], subject_of: Mapping[VideoId, str]
    ) -> "_Space":
        """Lay candidates out."""
        columns = (
            [c.class_id or "" for c in items],
            [c.evidence for c in items],
            [c.video_id for c in items],
            [subject_of.get(c.video_id, c.video_id) for c in items],
        )
        labels = np.stack([np.unique(column, return_inverse=True)[1] for column in columns], axis=1)
        size = next((vector.shape[0] for vector in features.values()), 0)
        vectors = np.zeros((len(items), size), dtype=np.float32)
        for row, candidate in enumerate(items):
            vector = features.get(candidate.candidate_id)
            if vector is not None:
                vectors[row] = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return cls(
            labels=labels.astype(np.int64),
            tracks=np.array([c.track_number for c in items], dtype=np.int64),
            middles_s=np.array([c.span.middle_ns / NS_PER_SECOND for c in items]),
            scores=np.array([c.score for c in items]),
            vectors=vectors,
            has_vector=np.array([c.candidate_id in features for c in items]),
        )

    def distances(self, index: int) -> npt.NDArray[np.float64]:
        """Return the distance of every candidate to one, 0..1."""
        differs = (self.labels != self.labels[index]).astype(np.float64)
        same_track = (differs[:, 2] == 0) & (self.tracks == self.tracks[index])
        apart = np.minimum(np.abs(self.middles_s - self.middles_s[index]) / NEAR_SECONDS, 1.0)
        apart = np.where(same_track, apart, 1.0)
        told = (differs.sum(axis=1) + apart + np.abs(self.scores - self.scores[index])) / (differs.shape[1] + 2)
        distances: npt.NDArray[np.float64] = told
        if self.has_vector[index]:
            cosine = (1 - self.vectors @ self.vectors[index]).astype(np.float64) / 2
            distances = np.where(self.has_vector, np.clip(cosine, 0.0, 1.0), told)
        return distances

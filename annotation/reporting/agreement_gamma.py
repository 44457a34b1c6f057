"""Gamma: agreement on where spans lie and what they are, by the best alignment of several people's spans.

Mathet, Widlöcher and Métivier, "The Unified and Holistic Method Gamma", Computational Linguistics 41(3), 2015, as the
library pygamma-agreement computes it. The library is an extra of pressroom: the solver it brings is GPL.
"""

import logging
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from annotation.answers.opinions import UNCLASSIFIED
from annotation.reporting.judgements import Compared
from annotation.reporting.resampling import Estimate, Resampling, share_of
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND

if TYPE_CHECKING:
    from pygamma_agreement import CombinedCategoricalDissimilarity, Continuum

HOW_TO_INSTALL = 'gamma needs a package that is not installed: `pip install "pressroom[agreement]"`'
LONGEST_WINDOW_S = 120.0
"""The alignment's cost grows with the product of what each person saw."""
FEWEST_SPANS = 3
"""In a window, for each person in the mean: chance is sampled from their spread, and one or two spans have none.
Somebody who saw nothing where another saw six gestures stays in: that is what disagreement looks like."""
POSITION_WEIGHT, CATEGORY_WEIGHT = 3.0, 1.0
"""alpha and beta of the combined dissimilarity, as in the library's own examples and the paper's tool."""
SAME_GROUP = 0.5
"""Distance of two classes of one body-part group; that of other classes is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gamma:
    """Gamma over windows; without a figure where it can't be had, and why."""

    estimate: Estimate | None
    window_count: int
    """Windows that were measured."""
    left_out: int
    """Windows that were not, for want of time: a draw by the windows' hash, not the first ones."""
    note: str
    """Why there is no figure; empty where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Up to two minutes that the same people saw: the windows of one video's questions, one after another."""

    name: str
    spans: tuple[tuple[str, str, float, float], ...]
    """Annotator, outcome, start and end in seconds from the window's beginning."""
    annotators: tuple[str, ...]


def measure_gamma(questions: Sequence[Compared], *, taxonomy: Taxonomy, most_windows: int = 40) -> Gamma:
    """Measure gamma on windows of at most two minutes; the mean over windows weighs each by its spans.

    Questions of one video that the same people answered are put one after another until a window is full, since a
    clip of some seconds holds too little to tell agreement from chance. The draw of random spans that chance is
    measured with has a fixed seed, so that the same answers give the same figure.

    Args:
        questions: What ``judgements.compared_questions`` gives.
        taxonomy: Its groups give the distance of two classes.
        most_windows: A study with more windows has that many measured.
    """
    if find_spec("pygamma_agreement") is None:
        return Gamma(estimate=None, window_count=0, left_out=0, note=HOW_TO_INSTALL)
    windows = sorted(windows_of(questions), key=lambda w: sha256(w.name.encode()).digest())
    if not windows:
        note = f"no two people saw {FEWEST_SPANS} gestures each, in the mean, in the same questions of one video"
        return Gamma(estimate=None, window_count=0, left_out=0, note=note)
    chosen = windows[:most_windows]
    dissimilarity = dissimilarity_of(taxonomy)
    found = [(_gamma_of(window, dissimilarity), len(window.spans)) for window in chosen]
    tallies = np.array([(gamma * weight, weight) for gamma, weight in found], dtype=np.float64)
    draw = Resampling(question_count=len(chosen))
    return Gamma(
        estimate=draw.of_sums(range(len(chosen)), tallies, share_of),
        window_count=len(chosen),
        left_out=len(windows) - len(chosen),
        note="",
    )


def windows_of(questions: Sequence[Compared]) -> Iterator[Window]:
    """Put questions of one video that the same people answered one after another, two minutes at most together.

    Windows in which people saw less than ``FEWEST_SPANS`` spans each, in the mean, are left out.
    """
    together: dict[tuple[str, tuple[str, ...]], list[Compared]] = defaultdict(list)
    for question in questions:
        people = tuple(sorted(j.annotation.annotator_id for j in question.judgements))
        together[(question.video_id, people)].append(question)
    for (video_id, people), asked in sorted(together.items()):
        for number, part in enumerate(_parts(sorted(asked, key=lambda q: (q.window, q.question_id)))):
            spans = tuple(_placed(part))
            if len(spans) >= FEWEST_SPANS * len(people):
                yield Window(name=f"{video_id} {' '.join(people)} {number}", spans=spans, annotators=people)


def _parts(asked: Sequence[Compared]) -> Iterator[list[Compared]]:
    part: list[Compared] = []
    length_s = 0.0
    for question in asked:
        if part and length_s + question.window.seconds > LONGEST_WINDOW_S:
            yield part
            part, length_s = [], 0.0
        part.append(question)
        length_s += question.window.seconds
    if part:
        yield part


def _placed(part: Sequence[Compared]) -> Iterator[tuple[str, str, float, float]]:
    before_ns = 0
    for question in part:
        shift_ns = before_ns - question.window.start_ns
        for judgement in question.judgements:
            for seen in judgement.spans:
                start_s, end_s = ((edge + shift_ns) / NS_PER_SECOND for edge in (seen.span.start_ns, seen.span.end_ns))
                yield judgement.annotation.annotator_id, seen.outcome, start_s, end_s
        before_ns += question.window.duration_ns


def dissimilarity_of(taxonomy: Taxonomy) -> "CombinedCategoricalDissimilarity":
    """Return the library's distance of two spans: where they lie, and how far apart their classes are.

    Compiling it takes some 15 s.
    """
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, SyntaxWarning):  # of an escape in one of the library's docstrings
            warnings.simplefilter("ignore", kind)
        from pygamma_agreement.dissimilarity import (
            CombinedCategoricalDissimilarity,
            PrecomputedCategoricalDissimilarity,
            SortedSet,
        )

    groups = {gesture.class_id: gesture.group for gesture in taxonomy} | {UNCLASSIFIED: ""}
    names = sorted(groups)
    distances = np.array(
        [[0 if a == b else SAME_GROUP if groups[a] == groups[b] else 1 for b in names] for a in names],
        dtype=np.float32,
    )
    return CombinedCategoricalDissimilarity(
        alpha=POSITION_WEIGHT,
        beta=CATEGORY_WEIGHT,
        cat_dissim=PrecomputedCategoricalDissimilarity(SortedSet(names), distances),
    )


def continuum_of(window: Window) -> "Continuum":
    """Return a window as the library takes it."""
    from pyannote.core import Segment
    from pygamma_agreement import Continuum

    continuum = Continuum()
    for person in window.annotators:
        continuum.add_annotator(person)
    for person, outcome, start_s, end_s in window.spans:
        continuum.add(person, Segment(start_s, end_s), outcome)
    return continuum


def _gamma_of(window: Window, dissimilarity: "CombinedCategoricalDissimilarity") -> float:
    with _repeatable(int.from_bytes(sha256(window.name.encode()).digest()[:4], "big")):
        return float(continuum_of(window).compute_gamma(dissimilarity).gamma)


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Seed numpy's shared generator, which the library draws from, and keep it from telling its solver each time."""
    state, level = np.random.get_state(), logging.root.manager.disable
    np.random.seed(seed)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
        np.random.set_state(state)

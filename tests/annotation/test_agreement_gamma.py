"""Gamma: the library's own example, what becomes a window, and what is said where the package is missing."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from annotation.answers.opinions import UNCLASSIFIED
from annotation.reporting import agreement_gamma
from annotation.reporting.agreement_gamma import (
    HOW_TO_INSTALL,
    Window,
    continuum_of,
    dissimilarity_of,
    measure_gamma,
    windows_of,
)
from annotation.reporting.judgements import Compared, compared_questions, standing_judgements
from schema.records import CandidateId
from schema.taxonomy import load_taxonomy
from tests.factories import make_anchor, make_annotation, make_span

TAXONOMY = load_taxonomy("imigue32")
installed = pytest.mark.skipif(find_spec("pygamma_agreement") is None, reason="the extra `agreement` is not installed")


def questions(count: int, *, error_s: float = 0.0, seconds: float = 10.0, seed: int = 0) -> list[Compared]:
    """Clips of one video in which two people see the same gesture, one of them some time off."""
    random = np.random.default_rng(seed)
    answers = []
    for number in range(count):
        start_s = number * seconds + 2.0
        asked = make_anchor(span=make_span(start_s, start_s + 1.5))
        for person in range(2):
            off_s = abs(float(random.normal(0, error_s))) if person else 0.0
            answers.append(
                make_annotation(
                    2 * number + person,
                    candidate_id=CandidateId(f"c{number:020d}"),
                    annotator_id=f"r{person}",
                    anchor=asked,
                    answered_span=make_span(start_s + off_s, start_s + 1.5 + off_s),
                )
            )
    return compared_questions(standing_judgements(answers, taxonomy=TAXONOMY), answers_each=2, context_seconds=1)


@installed
@pytest.mark.timeout(180)  # the library compiles its distances: 15 s on a quiet machine
def test_gamma_is_that_of_the_librarys_example():
    """Its test of ``AlexPaulSuzan.csv``: disorder 0.96 of the best alignment, gamma 0.44 to 0.47, spans shuffled."""
    rows = {
        "Alex": [(1, 2, 9), (2, 11, 17), (5, 24, 30), (6, 32, 36), (6, 36, 44), (7, 44, 60)],
        "Paul": [(1, 2, 9), (3, 11, 17), (5, 19, 25), (6, 32, 44)],
        "Suzan": [(1, 2, 9), (4, 11, 17), (5, 21, 27), (6, 32, 36), (6, 36, 40), (6, 40, 44)],
    }
    first_of = [next(g.class_id for g in TAXONOMY if g.group == group) for group in TAXONOMY.groups]
    names = [*first_of, UNCLASSIFIED]  # seven classes of seven groups: any two are at distance 1, as in the example
    window = Window(
        name="example",
        annotators=tuple(rows),
        spans=tuple((who, names[c - 1], float(a), float(b)) for who, seen in rows.items() for c, a, b in seen),
    )
    dissimilarity, continuum = dissimilarity_of(TAXONOMY), continuum_of(window)
    best = continuum.get_best_alignment(dissimilarity)
    assert (len(best.unitary_alignments), best.disorder) == (6, pytest.approx(0.96, abs=0.01))

    from pygamma_agreement import ShuffleContinuumSampler

    state = np.random.get_state()
    np.random.seed(4772)
    results = continuum.compute_gamma(dissimilarity, sampler=ShuffleContinuumSampler(), precision_level=0.05)
    np.random.set_state(state)
    assert 0.44 <= results.gamma <= 0.47

    near = next(g.class_id for g in TAXONOMY if g.group == TAXONOMY.groups[0] and g.class_id != names[0])
    for other, distance in ((names[0], 0.0), (near, 0.5), (names[1], 1.0)):
        pair = (("Alex", names[0], 2.0, 9.0), ("Paul", other, 2.0, 9.0))
        one, two = (unit for _, unit in continuum_of(replace(window, spans=pair, annotators=("Alex", "Paul"))))
        assert dissimilarity.d(one, two) == pytest.approx(distance)


@installed
@pytest.mark.timeout(180)
def test_gamma_is_repeatable_and_falls_as_people_differ():
    alike, apart = (measure_gamma(questions(12, error_s=error_s), taxonomy=TAXONOMY) for error_s in (0.05, 0.8))
    again = measure_gamma(questions(12, error_s=0.8), taxonomy=TAXONOMY)
    assert apart == again
    assert alike.estimate is not None
    assert apart.estimate is not None
    assert apart.estimate.value < alike.estimate.value <= 1


def test_windows_are_two_minutes_of_what_the_same_people_saw():
    found = list(windows_of(questions(60)))
    assert [len(window.spans) // 2 for window in found] == [34, 26]  # clips of 3.5 s
    for window in found:
        ends = [end_s for *_, end_s in window.spans]
        assert max(ends) <= 120
    first = found[0].spans
    assert first[0][2:] == (1.0, 2.5)
    assert first[2][2:] == (4.5, 6.0)


def test_windows_with_hardly_any_gesture_are_left_out():
    assert list(windows_of(questions(2))) == []
    assert measure_gamma(questions(2), taxonomy=TAXONOMY).estimate is None


def test_a_missing_package_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(agreement_gamma, "find_spec", lambda _: None)
    found = measure_gamma(questions(12), taxonomy=TAXONOMY)
    assert (found.estimate, found.note) == (None, HOW_TO_INSTALL)
    assert "agreement" in found.note

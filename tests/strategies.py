"""Hypothesis strategies for the records of the data."""

from hypothesis import strategies as st

from schema.matching import Box
from schema.records import Annotation, CandidateId, Verdict
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.factories import ARMS, NECK, make_annotation

HOUR_NS = 3600 * NS_PER_SECOND


@st.composite
def spans(draw: st.DrawFn, *, longest_ns: int = HOUR_NS) -> TimeSpan:
    """Any span of a video of up to an hour."""
    start_ns = draw(st.integers(0, HOUR_NS))
    return TimeSpan(start_ns=start_ns, end_ns=start_ns + draw(st.integers(1, longest_ns)))


@st.composite
def boxes(draw: st.DrawFn, *, side_px: int = 2000) -> Box:
    """A box with an area, on whole pixels."""
    x, y = draw(st.integers(0, side_px - 1)), draw(st.integers(0, side_px - 1))
    right, bottom = draw(st.integers(x + 1, side_px)), draw(st.integers(y + 1, side_px))
    return float(x), float(y), float(right), float(bottom)


@st.composite
def annotations(draw: st.DrawFn, *, candidate_count: int = 3, annotator_count: int = 4) -> Annotation:
    """An answer to one of a few candidates by one of a few annotators; ids are unique to content, times are not."""
    verdict = draw(st.sampled_from(Verdict))
    relabelled = draw(st.sampled_from((NECK, ARMS)))
    class_id = {Verdict.ACCEPT: NECK, Verdict.ADJUST: NECK, Verdict.RELABEL: relabelled}.get(verdict)
    candidate = draw(st.integers(0, candidate_count - 1))
    annotator = draw(st.integers(0, annotator_count - 1))
    answered_ns = draw(st.integers(0, 5))
    return make_annotation(
        annotation_id=f"a{candidate}{annotator}{answered_ns}{verdict}{class_id}",
        candidate_id=CandidateId(f"c{candidate}"),
        annotator_id=f"r{annotator}",
        scripted=annotator % 2 == 0,
        verdict=verdict,
        class_id=class_id,
        answered_ns=answered_ns,
    )

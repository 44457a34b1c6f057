import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.describe import describe
from schema.taxonomy import EVIDENCE, load_taxonomy, taxonomy_names
from schema.timespan import TimeSpan
from tests.factories import NECK, make_span
from tests.strategies import spans


def test_a_class_is_told_with_its_length() -> None:
    gesture = load_taxonomy("imigue32").by_id(NECK)
    assert describe(gesture, make_span(2.0, 3.4)) == "The person touches or scratches the neck for 1.4 s."


def test_a_movement_without_a_class_tells_what_was_measured() -> None:
    assert (
        describe(None, make_span(0, 2), evidence="moving_torso")
        == "The person makes a movement that no class names (the upper body moves) for 2.0 s."
    )


def test_measured_evidence_never_contradicts_the_class_that_people_chose() -> None:
    gesture = load_taxonomy("imigue32").by_id("touching_jaw")
    assert describe(gesture, make_span(0, 2), evidence="hand_on_neck") == "The person touches the jaw for 2.0 s."


@pytest.mark.parametrize("evidence", ["", "right hand within 0.2 head widths of the neck for 1.4 s"])
def test_prose_is_no_evidence(evidence: str) -> None:
    sentence = describe(None, make_span(0, 2), evidence=evidence)
    assert sentence == "The person makes a movement that no class names for 2.0 s."


def test_a_single_frame_has_no_length_of_zero() -> None:
    assert describe(None, make_span(0, 0.04)).endswith("for less than 0.1 s.")


@given(st.sampled_from(taxonomy_names()), st.data(), spans())
def test_every_class_makes_one_clean_sentence(name: str, data: st.DataObject, span: TimeSpan) -> None:
    gesture = data.draw(st.sampled_from((None, *load_taxonomy(name).classes)))
    sentence = describe(gesture, span, evidence=data.draw(st.sampled_from(("", *EVIDENCE))))
    assert re.fullmatch(r"The person [a-z][^\n]* for (less than 0\.1|\d+\.\d) s\.", sentence)
    assert len(re.findall(r"\.(?: |$)", sentence)) == 1
    assert "  " not in sentence

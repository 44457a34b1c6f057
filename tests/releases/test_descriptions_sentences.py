"""Sentences say what the fields hold, in whole sentences; a model's wording that says more is refused."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.config import DescriptionsConfig
from releases.descriptions.fields import DescriptionFields
from releases.descriptions.rewrite import check_answer, request_document, request_id_of
from releases.descriptions.sentences import template_description
from releases.descriptions.words import COUNTS
from schema.taxonomy import GestureClass
from tests.releases.description_fields import TAXONOMIES, described, neck_fields, row_of

NECK = TAXONOMIES["imigue32"].by_id("touching_or_scratching_neck")
CONFIG = DescriptionsConfig(endpoint="http://localhost:1/v1", model="m")
COUNT_WORDS = {words.removesuffix(" times"): number for number, words in enumerate(COUNTS)}


@given(described(), st.text(max_size=20))
def test_every_sentence_is_well_formed(case: tuple[GestureClass | None, DescriptionFields], key: str):
    text = template_description(*case, variety_key=key)
    assert text[0].isupper()
    assert text.endswith(".")
    assert not re.search(r"None|nan|_|  | [.,]|\.\.|,,|[^A-Za-z0-9 .,'-]", text)
    sentences = re.split(r"(?<=\.) (?=[A-Z])", text)
    assert 1 <= len(sentences) <= 2
    assert all(sentence[0].isupper() and not re.search("[A-Z]", sentence[1:]) for sentence in sentences)
    assert text.startswith(("The person ", "For "))


@given(described(), st.text(max_size=20))
def test_every_number_is_one_of_the_fields(case: tuple[GestureClass | None, DescriptionFields], key: str):
    gesture, fields = case
    text = template_description(gesture, fields, variety_key=key)
    given_ = [value for value in (fields.duration_seconds, fields.speed, fields.extent, fields.repetitions) if value]
    for number in re.findall(r"\d+(?:\.\d+)?", text):
        assert any(abs(float(number) - value) <= 0.051 for value in given_), (number, text)
    spoken = set(re.findall(r"\w+", text)) & COUNT_WORDS.keys() - set((gesture.phrase if gesture else "").split())
    allowed = {fields.repetitions} | ({1} if fields.movement == "once" else set())
    assert {COUNT_WORDS[word] for word in spoken} <= allowed, text


@given(described())
def test_sides_and_places_are_told_only_where_they_were_measured(case: tuple[GestureClass | None, DescriptionFields]):
    gesture, fields = case
    words = set(re.findall(r"\w+", template_description(gesture, fields, variety_key="k")))
    if gesture is not None:
        words -= set(re.findall(r"\w+", gesture.phrase))
    assert words & {"left", "right", "both"} <= {fields.side}
    if fields.contact_target is None:
        assert not words & {"forehead", "eye", "nose", "mouth", "cheek", "ear", "jaw", "neck", "throat"} - {
            fields.body_part
        }


def test_a_whole_description_reads_well():
    texts = {template_description(NECK, neck_fields(), variety_key=f"g{n}") for n in range(40)}
    assert len(texts) > 8, "sentences vary"
    assert (
        "The person touches or scratches the neck with the right hand for 1.4 s. The right hand moves back and forth "
        "three times, within 0.12 shoulder widths, at up to 0.6 shoulder widths a second."
    ) in texts


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            neck_fields(side=None, movement="unknown", repetitions=None, speed=None, extent=None),
            "The person touches or scratches the neck for 1.4 s.",
        ),
        (
            neck_fields(movement="still", repetitions=0, duration_seconds=None),
            "The person touches or scratches the neck with the right hand. The right hand stays still there.",
        ),
        (
            neck_fields(side="both", body_part="hands", movement="repeated", repetitions=14, speed=None, extent=0.001),
            "The person touches or scratches the neck with both hands for 1.4 s. Both hands move back and forth 14 "
            "times.",
        ),
    ],
)
def test_what_was_not_seen_is_not_told(fields: DescriptionFields, text: str):
    assert text in {template_description(NECK, fields, variety_key=f"g{n}") for n in range(40)}


@pytest.mark.parametrize(
    ("class_id", "changes", "begins"),
    [
        ("arms_akimbo", {"contact_target": "hip"}, "The person puts the right hand on the hip"),
        ("illustrative_body_language", {"side": "both", "body_part": "hands", "contact_target": None},
         "The person gestures to illustrate what is said with both hands"),
        ("touching_or_scratching_facial_parts", {"contact_target": "nose"},
         "The person touches or scratches a part of the face with the right hand at the nose"),
        ("rubbing_eyes", {"contact_target": "mouth"}, "The person rubs an eye with the right hand for"),
        ("rubbing_eyes", {"contact_target": "eye", "movement": "still", "repetitions": 0},
         "The person rubs an eye with the right hand for 1.4 s."),
        ("hold_back_arms", {"body_part": "arm", "contact_target": None}, "The person draws the arms back for 1.4 s. "
         "The right arm"),
        ("rubbing_or_holding_hands", {"side": "both", "body_part": "hands", "contact_target": "other_hand"},
         "The person rubs or holds the hands for 1.4 s. Both hands"),
    ],
)  # fmt: skip
def test_classes_take_side_and_place_as_they_fit(class_id: str, changes: dict[str, object], begins: str):
    gesture, fields = TAXONOMIES["imigue32"].by_id(class_id), neck_fields(**changes)
    texts = [template_description(gesture, fields, variety_key=f"g{n}") for n in range(40)]
    assert any(text.startswith(begins) for text in texts), texts[:5]


def test_movements_without_a_class_name_the_part():
    unclassified = template_description(None, neck_fields(), variety_key="g3")
    assert "the right hand at the neck" in unclassified
    nothing = neck_fields(body_part="body", side=None, contact_target=None, movement="unknown", duration_seconds=None)
    assert template_description(None, nothing, variety_key="g3") == "The person makes an unclassified movement."


@given(described(), st.integers(0, 1000))
def test_a_template_sentence_is_never_refused(case: tuple[GestureClass | None, DescriptionFields], key: int):
    gesture, fields = case
    row = row_of(gesture, fields, segment_id=f"g{key}")
    assert check_answer(row["template_description"], row, gesture) == ()


@pytest.mark.parametrize(
    "text",
    [
        "With the right hand, the person touches or scratches the neck for 1.4 seconds.",
        "The person touches or scratches the neck, moving the right hand back and forth three times.",
        "For 1.4 s, the right hand of the person is touching or scratching the neck. It repeatedly moves back and "
        "forth, reaching 0.6 shoulder widths per second.",
        "The person's right hand touches or scratches the neck 3 times within 0.12 shoulder widths.",
    ],
)
def test_other_wordings_of_the_same_facts_are_taken(text: str):
    assert check_answer(text, row_of(NECK, neck_fields()), NECK) == ()


@pytest.mark.parametrize(
    "text",
    [
        "The person touches or scratches the neck with the left hand.",
        "The person touches or scratches the neck with both hands.",
        "The person touches or scratches the neck with the right hands.",
        "The person touches or scratches the neck and the nose.",
        "The person rubs the neck.",
        "The person scratches the neck with the right hand.",
        "The person touches and scratches the neck.",
        "The person nervously touches or scratches the neck.",
        "The person touches or scratches the neck, looking sad.",
        "The person touches or scratches the neck after the match.",
        "The person touches or scratches the neck twice.",
        "The person touches or scratches the neck 5 times.",
        "The person touches or scratches the neck for 3 s.",
        "The person touches or scratches the neck for 0.6 s.",
        "The person touches or scratches the neck for two seconds.",
        "The person touches or scratches the neck within 1.4 shoulder widths.",
        "The person touches or scratches the neck 3.",
        "The person touches or scratches the neck slowly.",
        "The person does not touch or scratch the neck.",
        "The person touches or scratches the neck in Melbourne.",
        "Roger touches or scratches the neck.",
        "The person touches or scratches the neck on 3 March.",
        "The person touches or scratches the neck (see https://example.org).",
        "The person touches or scratches the neck, says @player.",
        "The person touches or scratches the neck. The hand moves. It makes way.",
        "The person touches or scratches the neck",
        "the person touches or scratches the neck.",
        "The person touches or scratches the neck.\nSure! Here is another.",
        "The person moves the right hand.",
        "The person is seen here.",
        "",
        "The person touches or scratches the neck " + "back and forth " * 30 + ".",
        "Der Mensch kratzt sich am Hals.",
        "The person touches or scratches the n\u0435ck.",
    ],
)
def test_answers_that_say_more_are_refused(text: str):
    assert check_answer(text, row_of(NECK, neck_fields()), NECK)


def test_a_request_holds_fields_and_class_words_and_nothing_else():
    row = row_of(NECK, neck_fields(co_occurring="head_up")) | {"description": "Somebody's own words"}
    document = request_document(row, CONFIG)
    text = json.dumps(document)
    for hidden in (row["video_id"], row["subject_id"], "g0", "hand_on_neck", "contact", "own words", "class_id"):
        assert hidden not in text
    facts = json.loads(document["messages"][1]["content"])
    assert facts["side (the person's own)"] == "right"
    assert facts["at the same time"] == "head up"
    unseen = neck_fields(side=None, speed=None, extent=None, repetitions=None, movement="unknown")
    told = json.loads(request_document(row_of(NECK, unseen), CONFIG)["messages"][1]["content"])
    assert not {"side (the person's own)", "peak speed", "extent", "repetitions", "movement"} & told.keys()


def test_a_request_is_another_one_for_another_model_or_other_fields():
    row = row_of(NECK, neck_fields())
    ids = {
        request_id_of(request_document(row, CONFIG)),
        request_id_of(request_document(row, DescriptionsConfig(endpoint="http://localhost:2/v1", model="m"))),
        request_id_of(request_document(row, DescriptionsConfig(endpoint="http://localhost:1/v1", model="n"))),
        request_id_of(request_document(row_of(NECK, neck_fields(side="left")), CONFIG)),
    }
    assert len(ids) == 3, "the same model at another address is asked the same"

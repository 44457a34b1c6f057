import re
from typing import Any

import pytest

from schema.errors import ConfigError
from schema.taxonomy import EVIDENCE, Taxonomy, load_taxonomy, parse_taxonomy, taxonomy_names


@pytest.fixture(scope="module", params=["imigue32", "ma52", "smg17"])
def taxonomy(request: pytest.FixtureRequest) -> Taxonomy:
    return load_taxonomy(request.param)


def document(**changes: Any) -> dict[str, Any]:
    row = {
        "class_id": "nodding",
        "number": 1,
        "name": "Nodding",
        "group": "Head",
        "definition": "Down and up.",
        "question": "Does the person nod?",
        "phrase": "nods",
    }
    other = row | {"class_id": "waving", "number": 2} | changes
    return {"name": "small", "title": "Small", "source": "a test", "classes": [row, other]}


def test_the_three_published_taxonomies_are_shipped() -> None:
    assert taxonomy_names() == ["imigue32", "ma52", "smg17"]


@pytest.mark.parametrize(
    ("name", "numbers", "group_count"),
    [("imigue32", range(1, 33), 6), ("ma52", range(52), 7), ("smg17", range(1, 18), 6)],
)
def test_every_published_number_is_there_in_order(name: str, numbers: range, group_count: int) -> None:
    taxonomy = load_taxonomy(name)
    assert [g.number for g in taxonomy] == list(numbers)
    assert len(taxonomy.groups) == group_count


@pytest.mark.parametrize(
    ("name", "number", "class_name"),
    [
        ("imigue32", 1, "Turtle neck"),
        ("imigue32", 12, "Touching or scratching neck"),
        ("imigue32", 17, "Folding arms"),
        ("ma52", 3, "turning around"),
        ("ma52", 32, "scratching or touching neck"),
        ("ma52", 51, "scratching feet"),
        ("smg17", 14, "Holding arms"),
    ],
)
def test_numbers_name_the_classes_that_the_data_sets_number(name: str, number: int, class_name: str) -> None:
    assert {g.number: g.name for g in load_taxonomy(name)}[number] == class_name


def test_ma52_groups_are_the_published_ranges() -> None:
    sizes = [sum(g.group == group for g in load_taxonomy("ma52")) for group in load_taxonomy("ma52").groups]
    assert sizes == [5, 6, 13, 8, 6, 10, 4]


def test_ids_are_slugs(taxonomy: Taxonomy) -> None:
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", g.class_id) for g in taxonomy)


def test_wording_is_complete_and_reads_as_a_sentence(taxonomy: Taxonomy) -> None:
    for gesture in taxonomy:
        assert re.fullmatch(r"Does the person [a-z].*[^ ]\?", gesture.question), gesture.class_id
        assert re.fullmatch(r"[A-Z].*\.", gesture.definition), gesture.class_id
        assert 1 <= gesture.definition.count(". ") + 1 <= 3, gesture.class_id
        assert re.fullmatch(r"[a-z]+s( .*[^.])?", gesture.phrase), gesture.class_id


def test_no_two_classes_ask_the_same(taxonomy: Taxonomy) -> None:
    for field in ("question", "definition", "phrase", "name"):
        values = [getattr(g, field) for g in taxonomy]
        assert len(set(values)) == len(values), field


def test_descriptions_name_no_feeling(taxonomy: Taxonomy) -> None:
    feelings = re.compile(r"\b(nervous|anxious|stress|angry|sad|happy|embarrass|afraid|bored|relie)", re.IGNORECASE)
    assert not [g.class_id for g in taxonomy if feelings.search(g.phrase + g.question + g.definition)]


def test_illustrative_is_no_micro_gesture_where_the_data_set_says_so() -> None:
    assert [g.number for g in load_taxonomy("imigue32") if not g.micro_gesture] == [32]
    assert [g.number for g in load_taxonomy("smg17") if not g.micro_gesture] == [17]
    assert all(g.micro_gesture for g in load_taxonomy("ma52"))


@pytest.mark.parametrize(
    ("evidence", "class_id"),
    [
        ("hand_on_neck", "touching_or_scratching_neck"),
        ("hand_on_throat", "touching_or_covering_suprasternal_notch"),
        ("hand_on_mouth", "touching_or_scratching_facial_parts"),
        ("hand_on_jaw", "touching_jaw"),
        ("arms_folded", "folding_arms"),
        ("hand_on_arm", "scratching_or_touching_arms"),
        ("hands_together", "rubbing_or_holding_hands"),
        ("moving_shoulders", "shaking_shoulders"),
    ],
)
def test_evidence_proposes_the_class_it_speaks_for(evidence: str, class_id: str) -> None:
    gesture = load_taxonomy("imigue32").class_for(evidence)
    assert gesture is not None
    assert gesture.class_id == class_id


def test_evidence_without_a_class_is_unclassified() -> None:
    assert load_taxonomy("imigue32").class_for("moving_head") is None
    assert load_taxonomy("ma52").class_for("hand_on_jaw") is None


def test_evidence_is_never_given_to_a_class_that_is_no_micro_gesture(taxonomy: Taxonomy) -> None:
    assert not [g for g in taxonomy if g.evidence and not g.micro_gesture]
    assert all(e in EVIDENCE for g in taxonomy for e in g.evidence)


def test_unknown_class_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no class 'foldin_arms'; nearest is 'folding_arms'"):
        load_taxonomy("imigue32").by_id("foldin_arms")


def test_unknown_taxonomy_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="nearest is 'imigue32'"):
        load_taxonomy("imigue31")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_id": "nodding"}, "class_id given twice: nodding"),
        ({"number": 1}, "number given twice: 1"),
        ({"evidence": ["hand_on_neck", "hand_on_neck"]}, "evidence given twice: hand_on_neck"),
        ({"evidence": ["hand_on_nek"]}, "unknown evidence hand_on_nek"),
    ],
)
def test_a_damaged_taxonomy_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_taxonomy(document(**changes))

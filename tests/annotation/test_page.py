from xml.etree import ElementTree

import pytest

from annotation.page import answer_result, instructions, verdict_page
from annotation.parse import parse_annotations
from schema.records import Annotation, Verdict
from schema.taxonomy import Taxonomy, load_taxonomy, taxonomy_names
from tests.factories import ARMS, KEY, make_task

TAXONOMIES = [load_taxonomy(name) for name in taxonomy_names()]
KEYBOARD = frozenset("1234567890qwertyuiopasdfghjklzxcvbnm")


def page_of(taxonomy: Taxonomy) -> ElementTree.Element:
    return ElementTree.fromstring(verdict_page(taxonomy))


def choices_of(page: ElementTree.Element, name: str) -> list[dict[str, str]]:
    control = page.find(f".//Choices[@name='{name}']")
    assert control is not None
    return [choice.attrib for choice in control.iter("Choice")]


@pytest.mark.parametrize("taxonomy", TAXONOMIES, ids=lambda taxonomy: taxonomy.name)
def test_every_class_can_be_chosen_and_is_answered_with_its_id(taxonomy: Taxonomy) -> None:
    choices = choices_of(page_of(taxonomy), "gesture")
    assert {(choice["alias"], choice["value"]) for choice in choices} == {(g.class_id, g.name) for g in taxonomy}
    assert len(choices) == len(taxonomy.classes)
    assert len({choice["value"] for choice in choices}) == len(choices), "two classes that read the same"


@pytest.mark.parametrize("taxonomy", TAXONOMIES, ids=lambda taxonomy: taxonomy.name)
def test_classes_stand_under_their_group(taxonomy: Taxonomy) -> None:
    for box in page_of(taxonomy).iterfind(".//View[@className='group']"):
        title = box.find("./View/Header")
        assert title is not None
        members = {choice.attrib["alias"] for choice in box.iter("Choice")}
        assert members == {g.class_id for g in taxonomy if g.group == title.attrib["value"]}


def test_verdicts_are_answered_as_the_records_spell_them_each_with_its_own_key() -> None:
    choices = choices_of(page_of(TAXONOMIES[0]), "verdict")
    assert [choice["alias"] for choice in choices] == list(Verdict)
    keys = [choice["hotkey"] for choice in choices]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= KEYBOARD - {"u"}, "u is taken by the editor"


@pytest.mark.parametrize("taxonomy", TAXONOMIES, ids=lambda taxonomy: taxonomy.name)
def test_no_stray_key_picks_a_class(taxonomy: Taxonomy) -> None:
    keys = [choice["hotkey"] for choice in choices_of(page_of(taxonomy), "gesture")]
    assert len(set(keys)) == len(keys)
    assert not KEYBOARD & set(keys)


def test_nothing_is_preselected() -> None:
    page = page_of(TAXONOMIES[0])
    assert not [element for element in page.iter() if "selected" in element.attrib]
    assert all(control.attrib["required"] == "true" for control in page.iter("Choices"))


def test_the_instructions_name_every_key_and_class() -> None:
    taxonomy = TAXONOMIES[0]
    text = instructions(taxonomy)
    assert all(f"<b>{key}</b>" in text for key in "aren")
    assert all(g.name in text for g in taxonomy)


@pytest.mark.parametrize(
    ("verdict", "class_id"),
    [(Verdict.ACCEPT, None), (Verdict.REJECT, None), (Verdict.UNSURE, None), (Verdict.RELABEL, ARMS)],
)
def test_a_scripted_answer_is_read_like_a_persons(verdict: Verdict, class_id: str | None) -> None:
    row = {
        "id": 1,
        "task": 1,
        "completed_by": "script-1@example.com",
        "updated_at": "2026-03-01T10:00:00Z",
        "result": answer_result(verdict, class_id=class_id, comment="seen twice"),
    }
    (answer,) = parse_annotations(
        [row],
        tasks={1: make_task()},
        taxonomy=load_taxonomy("imigue32"),
        pseudonym_key=KEY,
        scripted_accounts=frozenset({"script-1@example.com"}),
    )
    assert isinstance(answer, Annotation)
    assert (answer.verdict, answer.comment, answer.scripted) == (verdict, "seen twice", True)
    assert verdict is not Verdict.RELABEL or answer.class_id == class_id


@pytest.mark.parametrize(("verdict", "class_id"), [(Verdict.RELABEL, None), (Verdict.ACCEPT, ARMS)])
def test_a_class_belongs_to_relabel_alone(verdict: Verdict, class_id: str | None) -> None:
    with pytest.raises(ValueError, match="belongs to relabel"):
        answer_result(verdict, class_id=class_id)

from xml.etree import ElementTree

import pytest

from annotation.answers.parse import parse_annotations
from annotation.pages.verdict_page import EDGES_CONTROL, KEYS, answer_result, instructions, page_version, verdict_page
from schema.records import Annotation, Verdict
from schema.taxonomy import Taxonomy, load_taxonomy, taxonomy_names
from schema.timespan import TimeSpan
from tests.factories import ARMS, KEY, make_frame_times, make_task

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
    assert [choice["alias"] for choice in choices] == ["accept", "adjust", "relabel", "reject", "unsure"]
    choices += [choice for name in ("speed", "more") for choice in choices_of(page_of(TAXONOMIES[0]), name)]
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
    required = {c.attrib["name"] for c in page.iter("Choices") if c.attrib.get("required") == "true"}
    assert required == {"verdict", "gesture"}


def test_the_style_holds_nothing_that_the_server_or_the_browser_would_change() -> None:
    style = page_of(TAXONOMIES[0]).findtext("Style") or ""
    assert style
    assert 'name="' not in style, "the server takes it for the name of a control"
    assert ">" not in style, "the browser's sanitizer turns it into &gt;"


def test_a_page_is_named_after_what_it_holds() -> None:
    versions = {page_version("verdict", verdict_page(taxonomy)) for taxonomy in TAXONOMIES}
    assert len(versions) == len(TAXONOMIES)
    assert page_version("verdict", verdict_page(TAXONOMIES[0])) in versions
    assert all(len(version) == len("verdict-") + 8 for version in versions)


def test_the_instructions_name_every_key_and_class() -> None:
    taxonomy = TAXONOMIES[0]
    text = instructions(taxonomy)
    assert all(f"<b>{key}</b>" in text for key in "adernsfm")
    choices = choices_of(page_of(taxonomy), "verdict") + choices_of(page_of(taxonomy), "speed")
    assert {(key, name) for key, name, _ in KEYS} == {(choice["hotkey"], choice["value"]) for choice in choices}
    assert all(g.name in text for g in taxonomy)


TIMES = make_frame_times()
SHOWN = {"clip_first_frame": 40, "clip_end_frame": 100}


@pytest.mark.parametrize(
    ("verdict", "class_id", "edges"),
    [
        (Verdict.ACCEPT, None, None),
        (Verdict.ADJUST, None, (12, 47)),
        (Verdict.REJECT, None, None),
        (Verdict.UNSURE, None, None),
        (Verdict.RELABEL, ARMS, None),
        (Verdict.RELABEL, ARMS, (0, 60)),
    ],
)
def test_a_scripted_answer_is_read_like_a_persons(
    verdict: Verdict, class_id: str | None, edges: tuple[int, int] | None
) -> None:
    row = {
        "id": 1,
        "task": 1,
        "completed_by": "script-1@example.com",
        "updated_at": "2026-03-01T10:00:00Z",
        "result": answer_result(
            verdict, class_id=class_id, edges_in_clip=edges, description="The person nods.", comment="seen twice"
        ),
    }
    (answer,) = parse_annotations(
        [row],
        tasks={1: make_task(**SHOWN)},
        taxonomy=load_taxonomy("imigue32"),
        pseudonym_key=KEY,
        scripted_accounts=frozenset({"script-1@example.com"}),
        frame_times_of=lambda _: TIMES,
    )
    assert isinstance(answer, Annotation)
    assert (answer.verdict, answer.comment, answer.scripted) == (verdict, "seen twice", True)
    assert answer.description == "The person nods."
    assert answer.answered_span == (edges and source_span(*edges))
    assert verdict is not Verdict.RELABEL or answer.class_id == class_id


def source_span(first: int, end: int) -> TimeSpan:
    return TIMES.span_of(40 + first, 40 + end)


@pytest.mark.parametrize(("verdict", "class_id"), [(Verdict.RELABEL, None), (Verdict.ACCEPT, ARMS)])
def test_a_class_belongs_to_relabel_alone(verdict: Verdict, class_id: str | None) -> None:
    with pytest.raises(ValueError, match="belongs to relabel"):
        answer_result(verdict, class_id=class_id)


@pytest.mark.parametrize(
    ("verdict", "edges", "wrong"),
    [
        (Verdict.ADJUST, None, "without edges"),
        (Verdict.ACCEPT, (1, 2), "belong to adjust"),
        (Verdict.ADJUST, (5, 5), "first < end"),
        (Verdict.MARKED, None, "no verdict of this page"),
    ],
)
def test_an_answer_that_the_page_could_not_send_is_refused(
    verdict: Verdict, edges: tuple[int, int] | None, wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong):
        answer_result(verdict, edges_in_clip=edges)


def test_edges_are_moved_on_a_timeline_of_their_own() -> None:
    page = page_of(TAXONOMIES[0])
    (timeline,) = page.iter("TimelineLabels")
    (video,) = page.iter("Video")
    assert timeline.attrib == {"name": EDGES_CONTROL, "toName": video.attrib["name"]}
    assert video.attrib["frameRate"] == "$frame_rate", "Label Studio never reads it from the file"

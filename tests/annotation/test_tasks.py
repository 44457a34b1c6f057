import json
from html.parser import HTMLParser
from typing import Any

import pytest

from annotation.pages.tasks import question_for, slow_name, task_document, what_it_is_not
from schema.errors import ConfigError
from schema.records import Candidate
from schema.taxonomy import EVIDENCE, Taxonomy, load_taxonomy, taxonomy_names
from tests.factories import NECK, make_candidate

IMIGUE = load_taxonomy("imigue32")
CLIP = "clips/c22222222222222222222-0a1b.mp4"


def document_of(candidate: Candidate, *, taxonomy: Taxonomy = IMIGUE, clip: str = CLIP) -> dict[str, Any]:
    return task_document(candidate, taxonomy=taxonomy, clip=clip, asked_in_clip=(25, 60), frame_rate=25)


class Player(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_task_shows_the_question_the_definition_and_the_reason() -> None:
    candidate = make_candidate(class_id=NECK, reason="right hand at the neck for 1.4 s")
    data = document_of(candidate)["data"]
    assert data["question"] == IMIGUE.by_id(NECK).question == question_for(candidate, IMIGUE)
    assert data["definition"] == IMIGUE.by_id(NECK).definition
    assert data["class_name"] == f"{IMIGUE.by_id(NECK).name} ({IMIGUE.by_id(NECK).group})"
    assert "Illustrative body language" in data["is_not"]
    assert data["description"] == "The person touches or scratches the neck for 1.5 s."
    assert data["reason"].endswith("right hand at the neck for 1.4 s")
    assert data["candidate_id"] == candidate.candidate_id


def test_the_clip_plays_by_itself_over_and_over_without_sound() -> None:
    html = document_of(make_candidate(), clip="clips/a b.mp4")["data"]["html"]
    players = Player(html).tags
    assert [(tag, attributes["class"], attributes["src"]) for tag, attributes in players] == [
        ("video", "full", "/data/local-files/?d=clips/a%20b.mp4"),
        ("video", "slow", "/data/local-files/?d=clips/a%20b-slow.mp4"),
    ]
    assert all({"autoplay", "loop", "muted", "playsinline"} <= attributes.keys() for _, attributes in players)
    assert not any(name.startswith("on") for _, attributes in players for name in attributes), "Label Studio drops them"


def test_a_task_names_neither_video_nor_track() -> None:
    candidate = make_candidate()
    text = json.dumps(document_of(candidate))
    assert candidate.video_id not in text
    assert "video_id" not in text


def test_nothing_is_preselected_and_the_score_orders_the_queue() -> None:
    (prediction,) = document_of(make_candidate(score=0.25))["predictions"]
    (edges,) = prediction["result"]
    assert (edges["from_name"], edges["value"]["ranges"]) == ("edges", [{"start": 26, "end": 60}])
    assert prediction["score"] == 0.25


@pytest.mark.parametrize("evidence", [*EVIDENCE, "something new"])
def test_an_unclassified_movement_is_asked_in_words(evidence: str) -> None:
    candidate = make_candidate(class_id=None, evidence=evidence)
    question = question_for(candidate, IMIGUE)
    assert question.endswith("?")
    assert EVIDENCE.get(evidence, "body") in question
    assert document_of(candidate)["data"]["class_name"] == "Unclassified movement"


@pytest.mark.parametrize("name", taxonomy_names())
def test_every_class_of_every_taxonomy_makes_a_task(name: str) -> None:
    taxonomy = load_taxonomy(name)
    for gesture in taxonomy:
        data = document_of(make_candidate(class_id=gesture.class_id), taxonomy=taxonomy)["data"]
        assert data["question"]
        assert data["definition"]


@pytest.mark.parametrize("clip", ["clip.mp4", "/clips/a.mp4", "clips/../../private/a.mp4", "media/a.mp4", "clips"])
def test_a_clip_outside_the_clips_folder_is_refused(clip: str) -> None:
    with pytest.raises(ValueError, match="clips/"):
        document_of(make_candidate(), clip=clip)


@pytest.mark.parametrize("score", [-0.1, 3.5, float("nan")])
def test_a_score_that_is_none_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="score"):
        document_of(make_candidate(score=score))


def test_a_class_of_another_taxonomy_is_refused() -> None:
    with pytest.raises(ConfigError, match="no class"):
        document_of(make_candidate(class_id="no_such_class"))


def test_predictions_of_all_proposers_are_of_one_version() -> None:
    documents = [document_of(make_candidate(proposer=proposer)) for proposer in ("contact", "motion")]
    assert len({one["predictions"][0]["model_version"] for one in documents}) == 1, "only the newest version is shown"


def test_the_clip_of_a_task_is_named_once_more_for_the_timeline() -> None:
    data = document_of(make_candidate())["data"]
    assert (data["clip"], data["frame_rate"]) == (f"/data/local-files/?d={CLIP}", 25)
    assert slow_name(CLIP) == "clips/c22222222222222222222-0a1b-slow.mp4"


@pytest.mark.parametrize("name", taxonomy_names())
def test_each_class_says_what_it_is_not(name: str) -> None:
    taxonomy = load_taxonomy(name)
    illustrative = next(gesture for gesture in taxonomy if gesture.class_id.startswith("illustrative"))
    for gesture in (*taxonomy, None):
        text = what_it_is_not(gesture, taxonomy)
        assert text.startswith("Not this: ")
        assert (illustrative.name in text) == (gesture is not illustrative)

import json
from html.parser import HTMLParser

import pytest

from annotation.tasks import question_for, task_document
from schema.errors import ConfigError
from schema.taxonomy import EVIDENCE, load_taxonomy, taxonomy_names
from tests.factories import NECK, make_candidate

IMIGUE = load_taxonomy("imigue32")
CLIP = "clips/c22222222222222222222-0a1b.mp4"


class Player(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_task_shows_the_question_the_definition_and_the_reason() -> None:
    candidate = make_candidate(class_id=NECK, reason="right hand at the neck for 1.4 s")
    data = task_document(candidate, taxonomy=IMIGUE, clip=CLIP)["data"]
    assert data["question"] == IMIGUE.by_id(NECK).question == question_for(candidate, IMIGUE)
    assert data["definition"] == IMIGUE.by_id(NECK).definition
    assert data["class_name"] == IMIGUE.by_id(NECK).name
    assert data["reason"].endswith("right hand at the neck for 1.4 s")
    assert data["candidate_id"] == candidate.candidate_id


def test_the_clip_plays_by_itself_over_and_over_without_sound() -> None:
    html = task_document(make_candidate(), taxonomy=IMIGUE, clip="clips/a b.mp4")["data"]["html"]
    ((tag, attributes),) = Player(html).tags
    assert tag == "video"
    assert attributes["src"] == "/data/local-files/?d=clips/a%20b.mp4"
    assert {"autoplay", "loop", "muted", "playsinline", "controls"} <= attributes.keys()


def test_a_task_names_neither_video_nor_track() -> None:
    candidate = make_candidate()
    text = json.dumps(task_document(candidate, taxonomy=IMIGUE, clip=CLIP))
    assert candidate.video_id not in text
    assert "video_id" not in text


def test_nothing_is_preselected_and_the_score_orders_the_queue() -> None:
    (prediction,) = task_document(make_candidate(score=0.25), taxonomy=IMIGUE, clip=CLIP)["predictions"]
    assert prediction["result"] == []
    assert prediction["score"] == 0.25


@pytest.mark.parametrize("evidence", [*EVIDENCE, "something new"])
def test_an_unclassified_movement_is_asked_in_words(evidence: str) -> None:
    candidate = make_candidate(class_id=None, evidence=evidence)
    question = question_for(candidate, IMIGUE)
    assert question.endswith("?")
    assert EVIDENCE.get(evidence, "body") in question
    assert task_document(candidate, taxonomy=IMIGUE, clip=CLIP)["data"]["class_name"] == "Unclassified movement"


@pytest.mark.parametrize("name", taxonomy_names())
def test_every_class_of_every_taxonomy_makes_a_task(name: str) -> None:
    taxonomy = load_taxonomy(name)
    for gesture in taxonomy:
        data = task_document(make_candidate(class_id=gesture.class_id), taxonomy=taxonomy, clip=CLIP)["data"]
        assert data["question"]
        assert data["definition"]


@pytest.mark.parametrize("clip", ["clip.mp4", "/clips/a.mp4", "clips/../../private/a.mp4", "media/a.mp4", "clips"])
def test_a_clip_outside_the_clips_folder_is_refused(clip: str) -> None:
    with pytest.raises(ValueError, match="clips/"):
        task_document(make_candidate(), taxonomy=IMIGUE, clip=clip)


@pytest.mark.parametrize("score", [-0.1, 3.5, float("nan")])
def test_a_score_that_is_none_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="score"):
        task_document(make_candidate(score=score), taxonomy=IMIGUE, clip=CLIP)


def test_a_class_of_another_taxonomy_is_refused() -> None:
    with pytest.raises(ConfigError, match="no class"):
        task_document(make_candidate(class_id="no_such_class"), taxonomy=IMIGUE, clip=CLIP)

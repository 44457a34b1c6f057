"""Descriptions that somebody worded: reviewers on the page, and a language model, whose every answer is recorded."""

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotation.answers.opinions import outcome_of
from annotation.answers.revisions import age_key, standing_answers
from annotation.describe import describe
from flows._standing import read_standing
from flows._study import Study
from flows._withdrawals import withdrawn_videos
from releases.inputs import Rewritten
from schema.answer_rows import annotations_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, REWRITES, TASKS
from schema.questions import QuestionKind, expert_ids
from schema.records import Annotation, ReviewTask, Verdict
from schema.rows import table_of
from schema.taxonomy import GestureClass, Taxonomy

_SAYS_A_GESTURE = (Verdict.ACCEPT, Verdict.ADJUST, Verdict.RELABEL)
_ABOUT_A_CANDIDATE = (QuestionKind.VERDICT, QuestionKind.EXPERT)


def person_descriptions(study: Study) -> dict[str, str]:
    """Return the sentences that reviewers wrote, by segment id.

    A sentence counts where a person changed what the page had filled in, in a standing answer that says what all
    answers together say: words about another class would be false. Of several people's the newest expert's is taken,
    else the newest. It is read from recorded tables alone.
    """
    withdrawn = withdrawn_videos(study)
    filled_in: dict[str, set[str]] = defaultdict(set)
    for task in tasks_from_rows(study.store.read(TASKS)):
        filled_in[task.candidate_id].add(_filled_in(task, study.taxonomy))
    written = [
        answer
        for answer in standing_answers(annotations_from_rows(study.store.read(ANNOTATIONS)))
        if _may_word(answer, study.taxonomy) and answer.anchor.video_id not in withdrawn
        if _plain(answer.description) not in {"", *filled_in[answer.candidate_id]}
    ]
    if not written:
        return {}
    standing = read_standing(study)
    experts = expert_ids(standing.annotators)
    newest: dict[str, str] = {}
    for answer in sorted(written, key=lambda one: (one.annotator_id in experts, *age_key(one))):
        candidate_id = answer.about or answer.candidate_id
        settled = standing.settlement.items.get(candidate_id)
        if settled is not None and settled.outcome == outcome_of(answer.class_id):
            newest[f"g{candidate_id[1:]}"] = _plain(answer.description)
    return dict(sorted(newest.items()))


def _may_word(answer: Annotation, taxonomy: Taxonomy) -> bool:
    """Tell whether an answer is a person's, and says of a candidate that there is a gesture."""
    said = answer.verdict in _SAYS_A_GESTURE and answer.kind in _ABOUT_A_CANDIDATE
    return said and not answer.scripted and answer.taxonomy == taxonomy.name


def _filled_in(task: ReviewTask, taxonomy: Taxonomy) -> str:
    """Return the sentence that the page showed for a question (``annotation.pages.tasks``)."""
    gesture = next((one for one in taxonomy if one.class_id == task.class_id), None)
    return _plain(describe(gesture, task.anchor.span, evidence=task.evidence))


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


@dataclass(slots=True, kw_only=True, eq=False)
class Rewriter:
    """Looks up what a model answered, and asks where nothing is recorded; after a failure it asks no more."""

    study: Study
    recorded: dict[str, Rewritten]
    """By ``request_id``."""
    asked: int = 0
    """Questions that were answered in this run."""
    refused: int = 0
    """Of those, answers that said more than the fields."""
    unanswered: int = 0
    """Segments without an answer, recorded or new."""
    stopped: str = ""
    """Why nothing is asked any more; empty while the endpoint answers."""
    key: str = field(default="", repr=False)
    """Secret; sent to the endpoint, and neither recorded nor told."""

    def __call__(self, row: Mapping[str, Any]) -> Rewritten:
        """Return a model's wording of a row of *segments*; an empty one where there is no answer.

        An answer is recorded before it is returned. What goes wrong stops the asking and nothing else.
        """
        from releases.descriptions.rewrite import request_document, request_id_of

        document = request_document(row, self.study.config.release.descriptions)
        request_id = request_id_of(document)
        if request_id not in self.recorded:
            self._ask(row, document, request_id)
        found = self.recorded.get(request_id)
        self.unanswered += found is None
        return found or Rewritten()

    def notes(self) -> list[str]:
        """Return in words what was asked, and what stayed without an answer."""
        told = []
        if self.asked:
            told.append(
                f"descriptions: of {self.asked} new answers of the model {self.refused} say more than the fields"
            )
        if self.stopped:
            left = f"{self.unanswered} descriptions keep the template's words; publish again to ask for them"
            told.append(f"release.descriptions.endpoint: {self.stopped}; {left}")
        return told

    def _ask(self, row: Mapping[str, Any], document: Mapping[str, Any], request_id: str) -> None:
        if self.stopped:
            return
        import json

        from releases.descriptions.endpoint import ask_endpoint
        from releases.descriptions.rewrite import check_answer

        reply = ask_endpoint(document, self.study.config.release.descriptions, key=self.key)
        if reply.content is None:
            self.stopped = reply.why
            return
        reasons = check_answer(reply.content, row, _gesture_of(row, self.study.taxonomy))
        found = Rewritten(text="" if reasons else reply.content, refused=bool(reasons))
        answer = {
            "request_id": request_id,
            "model": document["model"],
            "prompt": json.dumps(dict(document), sort_keys=True),
            "raw_answer": reply.content,
            "text": found.text,
            "refused": found.refused,
            "why": "; ".join(reasons),
            "asked_ns": time.time_ns(),
        }
        self.study.store.append(REWRITES, table_of(REWRITES, [answer]))
        self.recorded[request_id] = found
        self.asked += 1
        self.refused += found.refused


def rewriter(study: Study) -> Rewriter | None:
    """Return what words the rows of a release, None where the study names no endpoint.

    The key comes from the environment variable that the study names, and is neither kept nor told.
    """
    config = study.config.release.descriptions
    if not config.endpoint:
        return None
    return Rewriter(study=study, recorded=_recorded(study), key=os.environ.get(config.api_key_variable, "").strip())


def unanswered_rewrites(study: Study, release_folder: Path, *, asking: Rewriter | None = None) -> int:
    """Ask again for the segments of a release that keep the template's words; return how many can be worded anew.

    Those are the segments for which an answer that may be published is recorded now: a release that is built again
    will have it. A refused answer changes nothing and is not counted; nor is anything where no endpoint is named.

    Args:
        study: The study.
        release_folder: A release of today's inputs.
        asking: Who asks (``rewriter``); its ``notes`` then tell what came of it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    asking = asking or rewriter(study)
    if asking is None:
        return 0
    files = sorted((release_folder / "data").glob("segments-*.parquet"))
    rows = pa.concat_tables([pq.read_table(path) for path in files]).to_pylist() if files else []
    return sum(bool(asking(row).text) for row in rows if row["description_by"] == "template")


def _recorded(study: Study) -> dict[str, Rewritten]:
    rows = study.store.read(REWRITES).select(["request_id", "text", "refused"]).to_pylist()
    return {row["request_id"]: Rewritten(text=row["text"], refused=row["refused"]) for row in rows}


def _gesture_of(row: Mapping[str, Any], taxonomy: Taxonomy) -> GestureClass | None:
    return next((one for one in taxonomy if one.class_id == row["class_id"]), None)

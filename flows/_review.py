"""The study's projects on the review server, one for each way of asking."""

from collections.abc import Iterator
from contextlib import contextmanager

from annotation.pages.verdict_page import instructions, verdict_page
from annotation.pages.window_page import window_instructions, window_page
from annotation.studio.installation import ensure_label_studio
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer, start
from flows._study import Study
from schema.questions import QuestionKind

LONGEST_TITLE = 50
"""Label Studio refuses longer project titles."""
TITLES: dict[QuestionKind, str] = {
    QuestionKind.EXPERT: ": for an expert",
    QuestionKind.BLIND: ": what happens here?",
    QuestionKind.AUDIT: ": what was missed?",
}
"""How the titles of projects end that are not the study's main one."""


@contextmanager
def review_client(study: Study) -> Iterator[tuple[ReviewServer, LabelStudioClient]]:
    """Open a client of the study's review server, which is installed and started where it is not."""
    server = start(study.layout, ensure_label_studio(), config=study.config.server)
    config = study.config.server
    with LabelStudioClient(
        server, timeout_seconds=config.request_timeout_seconds, retry_seconds=config.retry_seconds
    ) as client:
        yield server, client


def ensure_study_project(study: Study, client: LabelStudioClient, kind: QuestionKind = QuestionKind.VERDICT) -> int:
    """Make a project of the study on the review server, or bring its settings up to date; return its number.

    Hidden items stand in the project of the verdicts.
    """
    kind = QuestionKind.VERDICT if kind is QuestionKind.KNOWN else kind
    clips = study.layout.served / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    asks_windows = not kind.shows_suggestion
    return client.ensure_project(
        title=project_title(study, kind),
        page=page_of(study, kind),
        instructions=window_instructions(study.taxonomy) if asks_windows else instructions(study.taxonomy),
        clips_folder=clips,
        show_predictions=kind.shows_suggestion,
    )


def page_of(study: Study, kind: QuestionKind) -> str:
    """Return the labelling config of a kind of question."""
    return verdict_page(study.taxonomy) if kind.shows_suggestion else window_page(study.taxonomy)


def project_title(study: Study, kind: QuestionKind) -> str:
    """Return the title of the project that holds a kind of question."""
    end = TITLES.get(kind)
    name = study.config.study.name
    return f"{name}: {study.taxonomy.title}"[:LONGEST_TITLE] if end is None else name[: LONGEST_TITLE - len(end)] + end

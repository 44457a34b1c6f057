"""Some weeks of a simulated verification campaign: people of stated skill, hidden items, a blind share, an audit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from annotation.answers.simulate import Campaign, SimulatedAnnotator, Truth, answer, judge, make_campaign, make_crew
from schema.questions import KnownAnswer, Mark, QuestionKind
from schema.records import Annotation, CandidateId, ReviewTask, Verdict
from schema.taxonomy import Taxonomy, load_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

WEEK_NS = 7 * 24 * 3600 * NS_PER_SECOND
TAXONOMY = load_taxonomy("imigue32")
COMMON = ("touching_or_scratching_neck", "folding_arms", "touching_or_scratching_head", "turtle_neck", "touching_hat")
VERDICT_PAGE, WINDOW_PAGE = "verdict-0a1b2c3d", "window-4e5f6a7b"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredCampaign:
    tasks: tuple[ReviewTask, ...]
    known: tuple[KnownAnswer, ...]
    annotations: tuple[Annotation, ...]
    crew: tuple[SimulatedAnnotator, ...]
    taxonomy: Taxonomy = TAXONOMY


def simulate(
    count: int = 200,
    *,
    people: int = 7,
    weeks: int = 5,
    known_count: int = 40,
    blind_share: float = 0.15,
    seed: int = 5,
) -> AnsweredCampaign:
    """The last of the people accepts everything, the one before is careless; two answers to each candidate."""
    random = np.random.default_rng(seed)
    shares = {class_id: 1 / (1 + rank) for rank, class_id in enumerate(COMMON)}
    campaign = make_campaign(count, taxonomy=TAXONOMY, class_shares=shares, random=random, known_count=known_count)
    campaign = _renamed(campaign)
    crew = make_crew(people, careless=1, accepting=1, random=random)
    answers = list(_answers(campaign, crew, random=random, weeks=weeks, blind_share=blind_share))
    return AnsweredCampaign(tasks=campaign.tasks, known=campaign.known, annotations=tuple(answers), crew=tuple(crew))


def _renamed(campaign: Campaign) -> Campaign:
    """Give hidden items ids of their kind."""
    known_ids = {known.question_id: "k" + known.question_id[1:] for known in campaign.known}
    return replace(
        campaign,
        tasks=tuple(
            replace(t, candidate_id=CandidateId(known_ids.get(t.candidate_id, t.candidate_id))) for t in campaign.tasks
        ),
        truths={known_ids.get(key, key): truth for key, truth in campaign.truths.items()},
        known=tuple(replace(known, question_id=known_ids[known.question_id]) for known in campaign.known),
    )


def _answers(
    campaign: Campaign, crew: list[SimulatedAnnotator], *, random: np.random.Generator, weeks: int, blind_share: float
) -> Iterator[Annotation]:
    classes = [gesture.class_id for gesture in TAXONOMY]
    number = 0
    for place, task in enumerate(campaign.tasks):
        truth = campaign.truths[task.candidate_id]
        is_known = task.kind is QuestionKind.KNOWN
        asked = crew if is_known else [crew[i] for i in random.permutation(len(crew))[:2]]
        week = place % weeks if is_known else place * weeks // (len(campaign.tasks) - len(campaign.known))
        for annotator in asked:
            number += 1
            given = answer(annotator, task, truth, number=number, classes=classes, random=random)
            yield replace(given, answered_ns=given.answered_ns + week * WEEK_NS, page_version=VERDICT_PAGE)
        if not is_known and random.random() < blind_share:
            for annotator in (crew[i] for i in random.permutation(len(crew) - 1)[:2]):
                number += 1
                given = _blind(annotator, task, truth, number=number, classes=classes, random=random)
                yield replace(given, answered_ns=given.answered_ns + week * WEEK_NS)


def _blind(
    annotator: SimulatedAnnotator,
    task: ReviewTask,
    truth: Truth,
    *,
    number: int,
    classes: list[str],
    random: np.random.Generator,
) -> Annotation:
    verdict, class_id, _ = judge(replace(annotator, follows=0.0), task, truth, classes=classes, random=random)
    seen = verdict not in (Verdict.REJECT, Verdict.UNSURE)
    shift = int(random.normal(0, annotator.edge_error_ns))
    span = TimeSpan(start_ns=max(0, truth.span.start_ns + shift), end_ns=truth.span.end_ns + max(shift, 0))
    mark = Mark(
        span=span, class_id=class_id, first_frame=span.start_ns // 40_000_000, end_frame=span.end_ns // 40_000_000 + 1
    )
    given = answer(annotator, task, truth, number=number, classes=classes, random=random)
    return replace(
        given,
        candidate_id=CandidateId("b" + task.candidate_id[1:]),
        about=task.candidate_id,
        kind=QuestionKind.BLIND,
        verdict=Verdict.MARKED if seen else Verdict.NOTHING,
        class_id=None,
        answered_span=None,
        marks=(mark,) if seen else (),
        proposed_class_id=None,
        suggestion_shown=False,
        page_version=WINDOW_PAGE,
        lead_time_ns=given.lead_time_ns * 3,
    )

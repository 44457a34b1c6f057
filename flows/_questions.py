"""What is asked next, of which kind and in which order, worked out without the review server."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from annotation.answers.adjudicate import attach
from annotation.answers.consensus import Settled as Answered
from annotation.answers.consensus import Settlement
from annotation.answers.opinions import NO_GESTURE
from annotation.asking.blind import blind_question_id, is_blind
from annotation.asking.known import FEWEST_ANSWERS, LEAST_POSTERIOR, KnownItem, Settled, make_known_items
from annotation.asking.known_mix import equal_annotators, known_needed, mix
from annotation.asking.overlap import Step
from flows._identity import declared_people
from flows._minutes import affordable, draw_lacking, lacking_seconds
from flows._plan import current_candidates, disposed_videos, is_current, study_videos, to_push
from flows._stages import video_parts
from flows._standing import Standing
from flows._study import Study
from flows._videos import kept_tracks_of
from proposals.audit import audit_cells
from proposals.select import Vector, select_next, worth_of_asking
from schema.arrow import PLAYERS, TRACKS
from schema.errors import ItemError
from schema.privacy import keyed_fraction, make_question_id
from schema.questions import AuditWindow, KnownAnswer, QuestionKind, expert_ids
from schema.records import Candidate, CandidateId, ReviewTask, Track, VideoId, VideoRecord
from schema.timespan import TimeSpan

AUDITOR = "chance"
"""Proposer of audit windows: nothing but chance."""
MOST_SETTLED = 500
"""So many settled candidates are looked at to make hidden items of: a push needs some dozens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A question that is not on the page yet."""

    kind: QuestionKind
    video: VideoRecord
    shown: Candidate
    """What the page claims; its id is the question's. A window is a candidate without a class."""
    about: str = ""


@dataclass(slots=True, kw_only=True)
class QuestionPlan:
    """Everything that a push puts on the page."""

    stream: list[Waiting] = field(default_factory=list)
    """Verdicts in the order in which they are asked, with hidden items among them."""
    known: list[KnownAnswer] = field(default_factory=list)
    """The truth of these hidden items."""
    expert: list[Waiting] = field(default_factory=list)
    blind: list[Waiting] = field(default_factory=list)
    audit: list[Waiting] = field(default_factory=list)
    held_count: int = 0
    """Verdicts that wait until an expert has answered the first questions: hidden items are made of them."""

    def __len__(self) -> int:
        """Count the questions."""
        return len(self.stream) + len(self.expert) + len(self.blind) + len(self.audit)


def plan_questions(study: Study, standing: Standing) -> QuestionPlan:
    """Work out what is asked next: nothing that was asked before, and no more than the open queue takes."""
    planner = _Planner(study, standing)
    windows = planner.windows()
    ordered = planner.ordered(windows=len(windows))
    calibration = planner.calibration(ordered)
    to_expert = {waiting.about for waiting in calibration}
    chosen = [waiting for waiting in ordered if waiting.shown.candidate_id not in to_expert]
    held = planner.is_calibrating(calibration)
    chosen, waiting_count = ([], len(chosen)) if held else (chosen, 0)
    items = planner.known_items(len(chosen))
    plan = QuestionPlan(
        stream=planner.mixed(chosen, items),
        known=[item.answer for item in items],
        expert=calibration + planner.unsettled(),
        blind=planner.blind(chosen),
        audit=windows,
        held_count=waiting_count,
    )
    shown = {waiting.shown.candidate_id for waiting in plan.stream}
    plan.known = [answer for answer in plan.known if answer.question_id in shown]
    return plan


def count_windows(study: Study, standing: Standing) -> int:
    """Count the random windows that the next push puts; they are asked whatever a round has left."""
    return len(_Planner(study, standing).windows())


def ask_again(study: Study, standing: Standing, tasks: Iterable[ReviewTask]) -> list[Waiting]:
    """Word questions as they were asked, for a server that lost them; those whose person is gone are left out."""
    planner = _Planner(study, standing)
    return [waiting for task in tasks if (waiting := planner.as_before(task)) is not None]


class _Planner:
    """The steps of a plan, over one reading of the study."""

    def __init__(self, study: Study, standing: Standing) -> None:
        self._study = study
        self._standing = standing
        self._config = study.config.annotate
        gone = disposed_videos(study)
        self._videos = {video.video_id: video for video in study_videos(study) if video.video_id not in gone}
        self._asked: dict[str, ReviewTask] = {task.candidate_id: task for task in standing.tasks}
        self._read_tracks: dict[VideoId, list[Track]] = {}

    def ordered(self, *, windows: int) -> list[Waiting]:
        """Return the candidates to ask beside so many windows, the most useful first, as many as the queue takes."""
        waiting = to_push(self._study)
        open_ids = {plan.question_id for plan in self._standing.overlaps.values() if plan.step is Step.ASK_AGAIN}
        room = self._config.queue_size - len(open_ids)
        allowed = affordable(self._study, self._standing, windows=windows)
        budget = room if allowed is None else min(room, allowed)
        if budget <= 0 or not waiting:
            return []
        today = current_candidates(self._study, self._videos.values(), features=True)
        candidates: dict[str, Candidate] = {candidate.candidate_id: candidate for _, candidate in today}
        selected = select_next(
            (candidate for _, candidate in waiting),
            open_candidates=[candidates[i] for i in sorted(open_ids) if i in candidates],
            answered=settled_classes(self._standing.settlement),
            features=features_of(candidates.values()),
            uncertainty=worth_of(candidates.values(), finding=self._config.finding),
            subject_of={VideoId(v): person for v, person in declared_people(self._study).items()},
            budget=budget,
        )
        videos = {candidate.candidate_id: video for video, candidate in waiting}
        return [
            Waiting(kind=QuestionKind.VERDICT, video=videos[one.candidate.candidate_id], shown=one.candidate)
            for one in selected
        ]

    def calibration(self, ordered: Sequence[Waiting]) -> list[Waiting]:
        """Put the first candidates to an expert, where there is one: nothing else is known at the start of a study.

        They serve as hidden items afterwards, and are never asked as ordinary questions. A small push gives a quarter
        of its candidates at most, and nothing more while the expert has not answered all.
        """
        config = self._config
        if not config.known_share or not self._active_experts() or self._unanswered_by_experts():
            return []
        count = max(0, min(config.known_before_trust - self._certain_count(), len(ordered) // 4))
        return [self._to_expert(waiting.video, waiting.shown) for waiting in ordered[:count]]

    def is_calibrating(self, calibration: Sequence[Waiting]) -> bool:
        """Tell whether the crowd waits for the expert: people asked before there are hidden items are not measured.

        As soon as the expert has answered once for all that was put, the crowd goes on with what is known then.
        """
        if not self._config.known_share or not self._active_experts() or self._standing.overlaps:
            return False
        return bool(self._unanswered_by_experts()) or (bool(calibration) and not self._certain_count())

    def _certain_count(self) -> int:
        return sum(_is_certain(answered) for answered in self._standing.settlement.items.values())

    def _unanswered_by_experts(self) -> list[ReviewTask]:
        """Return the questions to experts that have no answer at all: "unsure" is one, and nobody is asked again."""
        answers = (a for a in self._standing.annotations if a.kind is QuestionKind.EXPERT and not a.deleted)
        answered = {answer.candidate_id for answer in answers}
        return [t for t in self._standing.of_kind(QuestionKind.EXPERT) if t.candidate_id not in answered]

    def _active_experts(self) -> bool:
        people = self._standing.annotators
        return any(people[one].active for one in expert_ids(people))

    def unsettled(self) -> list[Waiting]:
        """Put what people did not settle to an expert, each candidate once."""
        asked = {task.about for task in self._standing.of_kind(QuestionKind.EXPERT)}
        stuck = [plan.question_id for plan in self._standing.overlaps.values() if plan.step is Step.EXPERT]
        return [
            self._to_expert(self._videos[task.anchor.video_id], shown)
            for task in (self._asked[question_id] for question_id in stuck if question_id not in asked)
            if task.anchor.video_id in self._videos and (shown := self._as_asked(task)) is not None
        ]

    def _to_expert(self, video: VideoRecord, candidate: Candidate) -> Waiting:
        question_id = make_question_id(self._study.key, QuestionKind.EXPERT, candidate.candidate_id)
        return Waiting(
            kind=QuestionKind.EXPERT,
            video=video,
            shown=replace(candidate, candidate_id=CandidateId(question_id)),
            about=candidate.candidate_id,
        )

    def _as_asked(self, task: ReviewTask) -> Candidate | None:
        """Return what a question showed, on today's tracks; None where nobody is followed there any more."""
        track = self._track_of(task)
        return None if track is None else candidate_of(task, track_number=track.track_number)

    def as_before(self, task: ReviewTask) -> Waiting | None:
        """Return a question just as it was asked, on today's tracks; None where it can't be shown any more."""
        candidate = self._as_asked(task)
        if candidate is None:
            return None
        shown = replace(candidate, candidate_id=task.candidate_id)
        return Waiting(kind=task.kind, video=self._videos[task.anchor.video_id], shown=shown, about=task.about)

    def _track_of(self, task: ReviewTask) -> Track | None:
        video = self._videos.get(task.anchor.video_id)
        if video is None or not self._has_people(video):
            return None
        try:
            return attach(task.anchor, self._tracks(video), min_box_iou=self._study.config.adjudicate.min_box_iou)
        except ItemError:
            return None

    def _tracks(self, video: VideoRecord) -> list[Track]:
        if video.video_id not in self._read_tracks:
            self._read_tracks[video.video_id] = kept_tracks_of(self._study, video)
        return self._read_tracks[video.video_id]

    def known_items(self, question_count: int) -> list[KnownItem]:
        """Make the hidden items that so many more questions need, and those that open ones still lack."""
        config = self._config
        there = self._standing.of_kind(QuestionKind.KNOWN)
        asked = len(self._standing.overlaps)
        if not config.known_share or not question_count + asked:
            return []
        needed = known_needed(
            question_count + asked,
            annotators=self._equal_people(),
            answers=config.first_answers,
            share=config.known_share,
            before_trust=config.known_before_trust,
        )
        is_open = any(plan.step is Step.ASK_AGAIN for plan in self._standing.overlaps.values())
        count = needed - len(there) if question_count or is_open else 0
        return make_known_items(
            self._settled(),
            count=max(0, count),
            key=self._study.key,
            taxonomy=self._study.taxonomy,
            used={task.about for task in there},
        )

    def _equal_people(self) -> float:
        """Return how many people of one pace would do what these do, so that the busiest meet enough hidden items."""
        return max(1.0, equal_annotators(self._standing.recent_counts, answers=self._config.first_answers))

    def _settled(self) -> Iterator[Settled]:
        """Yield what is settled for certain of candidates whose people are still followed, some hundreds at most."""
        certain = [i for i, answered in self._standing.settlement.items.items() if _is_certain(answered)]
        certain.sort(key=lambda item_id: keyed_fraction(self._study.key, "settled", item_id))
        for item_id in certain[:MOST_SETTLED]:
            answered, task = self._standing.settlement.items[item_id], self._task_about(item_id)
            track = None if task is None or answered.span is None else self._track_of(task)
            if task is not None and track is not None:
                yield _settled(answered, task, track)

    def _task_about(self, item_id: str) -> ReviewTask | None:
        """Return the question that a candidate was asked with: its own, or the one that an expert got at once."""
        expert = make_question_id(self._study.key, QuestionKind.EXPERT, item_id)
        return self._asked.get(item_id) or self._asked.get(expert)

    def mixed(self, chosen: Sequence[Waiting], items: Sequence[KnownItem]) -> list[Waiting]:
        """Put the hidden items where they belong among the questions."""
        config = self._config
        hidden = [
            Waiting(
                kind=QuestionKind.KNOWN, video=self._videos[item.shown.video_id], shown=item.shown, about=item.about
            )
            for item in items
        ]
        there = self._standing.of_kind(QuestionKind.KNOWN)
        if not chosen:  # for questions that are open already: their place is in the order of the view
            return hidden
        return mix(
            list(chosen),
            hidden,
            annotators=self._equal_people(),
            answers=config.first_answers,
            share=config.known_share,
            before_trust=max(0, config.known_before_trust - len(there)),
            seed=f"{self._study.key.hex()}|{len(self._standing.tasks)}",
        )

    def blind(self, chosen: Iterable[Waiting]) -> list[Waiting]:
        """Ask a share of the candidates once more without their class, in a project of its own."""
        share = self._config.blind_share
        return [
            Waiting(
                kind=QuestionKind.BLIND,
                video=waiting.video,
                shown=replace(waiting.shown, candidate_id=CandidateId(question_id)),
                about=waiting.shown.candidate_id,
            )
            for waiting in chosen
            if is_blind(waiting.shown.candidate_id, key=self._study.key, share=share)
            and (question_id := blind_question_id(waiting.shown.candidate_id, key=self._study.key)) not in self._asked
        ]

    def windows(self) -> list[Waiting]:
        """Draw random windows until the study's minutes are asked."""
        config = self._config
        lacking_s = lacking_seconds(self._standing, config)
        if not lacking_s:
            return []
        followed = [video for video in self._videos.values() if self._has_people(video)]
        candidates = [candidate for _, candidate in current_candidates(self._study, followed)]
        tracks = (track for video in followed for track in self._tracks(video))
        cells = audit_cells(tracks, candidates=candidates, window_seconds=config.audit_window_seconds)
        drawn = draw_lacking(
            cells, key=self._study.key, minutes=config.audit_minutes, lacking_s=lacking_s, asked=self._asked
        )
        return [
            Waiting(kind=QuestionKind.AUDIT, video=self._videos[window.video_id], shown=_as_candidate(window))
            for window in drawn
        ]

    def _has_people(self, video: VideoRecord) -> bool:
        parts = video_parts(self._study, video)
        return all(is_current(self._study, parts[spec.name]) for spec in (TRACKS, PLAYERS))


def settled_classes(settlement: Settlement) -> Counter[str | None]:
    """Count the gestures that people agreed on, by class."""
    return Counter(one.class_id for one in settlement.items.values() if one.outcome not in ("", NO_GESTURE))


def features_of(candidates: Iterable[Candidate]) -> dict[str, Vector]:
    """Return the round's model's features of candidates, by id; none where no model was asked."""
    judged = ((one.candidate_id, one.judged) for one in candidates)
    return {name: np.array(view.embedding, dtype=np.float32) for name, view in judged if view and view.embedding}


def worth_of(candidates: Iterable[Candidate], *, finding: float) -> dict[str, float]:
    """Return what asking is worth by the round's model, by the candidate's id; none where no model was asked."""
    judged = ((one.candidate_id, one.judged) for one in candidates)
    return {
        name: worth_of_asking(view.probability, uncertainty=view.uncertainty, finding=finding)
        for name, view in judged
        if view
    }


def candidate_of(task: ReviewTask, *, track_number: int) -> Candidate:
    """Return what a question asked about, as a candidate."""
    return Candidate(
        candidate_id=CandidateId(task.about or task.candidate_id),
        video_id=task.anchor.video_id,
        track_number=track_number,
        span=task.anchor.span,
        box_xyxy=task.anchor.box_xyxy,
        class_id=task.class_id,
        evidence=task.evidence,
        proposer=task.proposer,
        score=task.score,
        reason=task.reason,
    )


def _is_certain(answered: Answered) -> bool:
    """Tell without looking at the person whether an outcome is known well enough to measure people by it."""
    settled_by_people = answered.posterior >= LEAST_POSTERIOR and answered.answer_count >= FEWEST_ANSWERS
    return answered.outcome != "" and (answered.expert_answered or settled_by_people)


def _settled(answered: Answered, task: ReviewTask, track: Track) -> Settled:
    exists = answered.outcome != NO_GESTURE
    asked = candidate_of(task, track_number=track.track_number)
    return Settled(
        candidate=asked,
        exists=exists,
        class_id=answered.class_id,
        span=answered.span if exists and answered.span is not None else asked.span,
        posterior=answered.posterior,
        answer_count=answered.answer_count,
        source="expert" if answered.expert_answered else "people",
        followed=TimeSpan(start_ns=int(track.times_ns[0]), end_ns=max(int(track.times_ns[-1]), asked.span.end_ns)),
    )


def _as_candidate(window: AuditWindow) -> Candidate:
    return Candidate(
        candidate_id=CandidateId(window.window_id),
        video_id=window.video_id,
        track_number=window.track_number,
        span=window.span,
        box_xyxy=window.box_xyxy,
        class_id=None,
        evidence="",
        proposer=AUDITOR,
        score=window.sampled_share,
        reason="",
    )

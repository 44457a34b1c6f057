"""Simulated people who answer questions about labelled data, by the rules that real ones answer under."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from annotation.answers.adjudicate import AdjudicateConfig, merge_segments
from annotation.answers.consensus import Settled, Settlement, settle
from annotation.answers.opinions import NO_GESTURE
from annotation.answers.simulate import SimulatedAnnotator, Truth, answer
from annotation.answers.simulated_crew import EXPERT, AnswerSeconds, answer_window, shows, skilled_crew, within
from annotation.asking.overlap import Step, next_step
from annotation.config import AnnotateConfig
from flows._training_told import Told
from models.inputs.poses import Gesture
from schema.questions import QuestionKind
from schema.records import Anchor, Annotation, Candidate, CandidateId, ReviewTask, VerifiedSegment
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

SIMULATED_DIGEST = "0" * 64
SECONDS = AnswerSeconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and what its page shows."""

    candidate: Candidate
    clip: TimeSpan
    kind: QuestionKind
    """``VERDICT`` or ``AUDIT``."""


class SimulatedPeople:
    """A crew and an expert, what they were asked, and what their answers add up to."""

    def __init__(
        self,
        gestures: Mapping[str, Sequence[Gesture]],
        *,
        taxonomy: Taxonomy,
        annotate: AnnotateConfig,
        adjudicate: AdjudicateConfig,
        skill: str,
        count: int,
        seed: int,
    ) -> None:
        """Make the crew.

        Args:
            gestures: What really happens, by sequence.
            taxonomy: The classes that are asked about.
            annotate: How many answers a question gets.
            adjudicate: When answers make a segment.
            skill: One of ``annotation.answers.simulated_crew.SKILLS``.
            count: People besides the expert.
            seed: Draws skills and answers.
        """
        self._gestures, self._taxonomy = gestures, taxonomy
        self._annotate, self._adjudicate, self._seed = annotate, adjudicate, seed
        self._crew = skilled_crew(skill, count, np.random.default_rng((seed, 0)))
        self._classes = [gesture.class_id for gesture in taxonomy]
        self._asked: dict[str, Asked] = {}
        self._tasks: dict[str, ReviewTask] = {}
        self._annotations: list[Annotation] = []
        self._given: Counter[str] = Counter()
        self._drawn: defaultdict[str, list[Settled]] = defaultdict(list)
        self._settlement = Settlement(items={}, skills={})
        self._segments: list[VerifiedSegment] = []
        self.seconds = 0.0
        """Time that everybody spent so far, together."""

    @property
    def answer_count(self) -> int:
        """Answers so far."""
        return len(self._annotations)

    @property
    def question_count(self) -> int:
        """Questions so far, windows too."""
        return len(self._asked)

    @property
    def clip_seconds(self) -> float:
        """Mean length of what candidates' clips showed, 0 where none was asked about."""
        shown = [asked.clip.seconds for asked in self._asked.values() if asked.kind is QuestionKind.VERDICT]
        return sum(shown) / len(shown) if shown else 0.0

    def forecast_s(self, question: Asked) -> float:
        """Say how long a question takes at least: the first answers, in which nothing is changed."""
        return self._annotate.first_answers * (question.clip.seconds + SECONDS.decide)

    def ask(self, questions: Sequence[Asked]) -> None:
        """Put questions, and have them answered until each is settled or nobody is left to ask."""
        for question in questions:
            item = question.candidate
            self._asked[item.candidate_id] = question
            self._tasks[item.candidate_id] = self._task(question)
        waiting = {q.candidate.candidate_id: self._annotate.first_answers for q in questions}
        while waiting:
            for question_id, wanted in waiting.items():
                for _ in range(wanted):
                    self._answer(question_id, self._next_person(question_id))
            self._settle()
            steps = {question_id: self._step(question_id) for question_id in waiting}
            for question_id in [one for one, step in steps.items() if step is Step.EXPERT]:
                if self._asked[question_id].kind is QuestionKind.VERDICT:
                    self._answer(question_id, EXPERT)
            if Step.EXPERT in steps.values():
                self._settle()
            waiting = {question_id: 1 for question_id, step in steps.items() if step is Step.ASK_AGAIN}
        self._segments = self._verified()

    def _next_person(self, question_id: str) -> SimulatedAnnotator:
        """Take turns: people start with different questions, and nobody gets one twice."""
        first = int(sha256(question_id.encode()).hexdigest()[:8], 16)
        return self._crew[(first + self._given[question_id]) % len(self._crew)]

    def _answer(self, question_id: str, person: SimulatedAnnotator) -> None:
        asked, task = self._asked[question_id], self._tasks[question_id]
        random = self._random(question_id, person)
        number = len(self._annotations)
        if asked.kind is QuestionKind.AUDIT:
            truths = self._in_window(asked)
            given = answer_window(person, task, truths, number=number, classes=self._classes, random=random)
        else:
            truth = self._truth(asked)
            given = answer(person, task, truth, number=number, classes=self._classes, random=random)
            if given.answered_span is not None:
                given = replace(given, answered_span=within(asked.clip, given.answered_span))
        self._annotations.append(given)
        self._given[question_id] += 1
        self.seconds += SECONDS.of(given, asked.clip)

    def _random(self, question_id: str, person: SimulatedAnnotator) -> np.random.Generator:
        """Let chance depend on who is asked what, and on nothing else: not on what was asked before."""
        drawn = sha256(f"{question_id}|{person.annotator_id}".encode()).hexdigest()
        return np.random.default_rng((self._seed, int(drawn[:16], 16)))

    def _truth(self, asked: Asked) -> Truth:
        """Say what a candidate really shows: the gesture that shares most time with it, if it shares enough."""
        span = asked.candidate.span
        seen = [g for g in self._gestures[asked.candidate.video_id] if shows(span, g.span)]
        best = max(seen, key=lambda g: (g.span.temporal_iou(span), g), default=None)
        shown = None if best is None else within(asked.clip, best.span)
        if best is None or shown is None:
            return Truth(exists=False, class_id=None, span=span)
        return Truth(exists=True, class_id=best.class_id, span=shown)

    def _in_window(self, asked: Asked) -> list[Truth]:
        return [
            Truth(exists=True, class_id=gesture.class_id, span=cut)
            for gesture in self._gestures[asked.candidate.video_id]
            if shows(asked.clip, gesture.span) and (cut := within(asked.clip, gesture.span)) is not None
        ]

    def _task(self, asked: Asked) -> ReviewTask:
        item = asked.candidate
        shown = None if item.class_id is None else self._taxonomy.by_id(item.class_id)
        return ReviewTask(
            candidate_id=item.candidate_id,
            anchor=Anchor(video_id=item.video_id, sha256=SIMULATED_DIGEST, span=item.span, box_xyxy=item.box_xyxy),
            taxonomy=self._taxonomy.name,
            class_id=item.class_id,
            question="" if shown is None else shown.question,
            evidence=item.evidence,
            proposer=item.proposer,
            score=item.score,
            reason=item.reason,
            server_id="simulated",
            project_number=1,
            task_number=len(self._tasks) + 1,
            kind=asked.kind,
        )

    def _settle(self) -> None:
        self._settlement = settle(
            tasks=self._tasks.values(),
            annotations=self._annotations,
            known=(),
            experts={EXPERT.annotator_id},
            taxonomy=self._taxonomy,
        )
        self._drawn = defaultdict(list)
        for item in self._settlement.items.values():
            for window_id in {o.answer.candidate_id for o in item.opinions if o.answer.kind is QuestionKind.AUDIT}:
                self._drawn[window_id].append(item)

    def _items_of(self, question_id: str) -> list[Settled]:
        """Return what is settled by a question: the candidate, or what was drawn in the window."""
        if self._asked[question_id].kind is QuestionKind.AUDIT:
            return self._drawn[question_id]
        item = self._settlement.items.get(question_id)
        return [] if item is None else [item]

    def _step(self, question_id: str) -> Step:
        items = self._items_of(question_id)
        return next_step(
            min((item.posterior for item in items), default=1.0),
            self._given[question_id],
            expert_answered=any(item.expert_answered for item in items),
            config=self._annotate,
            annotator_count=len(self._crew),
        )

    def _is_verified(self, item: Settled) -> bool:
        return item.outcome not in ("", NO_GESTURE) and item.posterior >= self._adjudicate.min_posterior

    def _verified(self) -> list[VerifiedSegment]:
        made = [
            self._segment(item, question_id)
            for question_id in self._asked
            for item in self._items_of(question_id)
            if self._is_verified(item)
        ]
        return [one for one in merge_segments(made) if isinstance(one, VerifiedSegment)]

    def _segment(self, item: Settled, question_id: str) -> VerifiedSegment:
        task = self._tasks[question_id]
        return VerifiedSegment(
            segment_id="g" + item.item_id[1:],
            candidate_id=CandidateId(item.item_id),
            video_id=task.anchor.video_id,
            track_number=0,
            span=item.span or task.anchor.span,
            class_id=item.class_id,
            answer_count=item.answer_count,
            agreement=item.agreement,
            posterior=item.posterior,
            scripted=False,
            evidence=task.evidence,
            proposer=task.proposer,
            proposer_score=task.score,
            description="",
        )

    def segments(self) -> list[VerifiedSegment]:
        """Return what is verified so far, each gesture once."""
        return self._segments

    def accepted_count(self) -> int:
        """Count the questions that gave a segment, one that was verified before too."""
        return sum(any(self._is_verified(item) for item in self._items_of(one)) for one in self._asked)

    def settled_classes(self) -> Counter[str | None]:
        """Count what is settled by class, as the choice of the next questions wants it."""
        settled = self._settlement.items.values()
        return Counter(one.class_id for one in settled if one.outcome not in ("", NO_GESTURE))

    def verified_spans(self, name: str) -> list[TimeSpan]:
        """Return the verified spans of a sequence."""
        return [segment.span for segment in self._segments if segment.video_id == name]

    def told(self) -> dict[str, Told]:
        """Return what a model may learn from, by sequence.

        Whole windows; of a candidate what was asked and what was settled, unless it is undecided or a movement that no
        class names.
        """
        told: defaultdict[str, Told] = defaultdict(Told)
        for segment in self._segments:
            place = told[segment.video_id]
            if segment.class_id is None:
                place.open.append(segment.span)
            else:
                place.gestures.append(Gesture(span=segment.span, class_id=segment.class_id))
        for question_id, asked in self._asked.items():
            place = told[asked.candidate.video_id]
            place.asked.append(asked.candidate.span)
            for item in self._items_of(question_id):
                if item.outcome != NO_GESTURE and not self._is_verified(item):
                    place.open.append(item.span or asked.candidate.span)
        return dict(told)

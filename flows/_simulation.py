"""The loop with simulated people: ask, settle, train, propose, ask again; over labelled data, whose truth they know.

What is real: the questions' rules (two answers at first, up to five, then an expert), the adding up of answers, the
merging of segments, the choice of what is asked next, the contact and motion proposers, the training. What is assumed:

- People answer by chance with a stated skill (``annotation/answers/simulated_crew.py``), and nobody tires or learns.
- The clip of a candidate shows it and ``context_seconds`` on either side. People see the gesture that shares most time
  with the candidate, if it shares half of the shorter of both. They set edges within the clip alone.
- Random windows cut every recording into equal parts, from an origin drawn by chance, as long as the clip of an
  average gesture unless told otherwise (what a perfect proposer would show); they are taken by chance and never twice.
  People mark what is in them. A window follows the same rule as a candidate: it is asked again while a gesture in it
  is not settled (no expert looks at windows), so no strategy is stopped earlier than another.
- A verified segment is what people settled with the study's probability, by whichever strategy; ``evaluation/loop.py``
  says when it counts. One answer is one person's answer to one question, an expert's too.
- A place that was asked about is not asked about again (temporal IoU 0.5 with a question, or mostly inside of a
  verified segment).
- The learned loop asks contacts, movements and random windows in its first round, and from then on what the model
  proposes, and contacts and movements as the model judges them. Of each round's time ``audit_share`` goes to windows.

All of it is our own design; no paper tells how such a loop was run.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise

import numpy as np

from annotation.answers.adjudicate import MOSTLY_INSIDE, AdjudicateConfig
from annotation.config import AnnotateConfig
from evaluation.loop import CurvePoint, LoopCurve, measure_found
from evaluation.spans import ClaimedSpan, TrueSpan
from flows._simulated_people import Asked, SimulatedPeople
from flows._simulated_proposals import candidates_of, lacking_points, measured_drafts
from models.inputs.poses import LabelledSequence, PoseSequence
from proposals.config import ProposalsConfig
from proposals.learned import Proposer
from proposals.select import select_next, worth_of_asking
from schema.errors import UsageError
from schema.privacy import ID_HEX_DIGITS
from schema.questions import QuestionKind
from schema.records import Candidate, CandidateId, VideoId
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

MOST_MINUTES = 1e9
"""Nobody has more time: some 1,900 years."""
MOST_ROUNDS = 50
"""Each round has twice the time of the one before, so that of more rounds the first ones would have none."""
SAME_PLACE_IOU = 0.5
BATCH = 20
"""Questions between two points of a curve: people work on so many before the answers are added up."""


class Strategy(StrEnum):
    """How questions are chosen."""

    WINDOWS = "random windows"
    RULES = "motion and contact"
    LEARNED = "learned loop"


Train = Callable[[Sequence[LabelledSequence], Sequence[PoseSequence], int], Proposer]
"""Trains on what is verified, with all sequences as unlabelled ones, in a round (from 1)."""
Report = Callable[[Strategy, float, float], None]
"""Takes the strategy, the seconds of people's time that are spent, and all there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """What a campaign is simulated with."""

    taxonomy: Taxonomy
    annotate: AnnotateConfig = field(default_factory=AnnotateConfig)
    adjudicate: AdjudicateConfig = field(default_factory=AdjudicateConfig)
    proposals: ProposalsConfig = field(default_factory=ProposalsConfig)
    skill: str = "ordinary"
    annotators: int = 4
    minutes: float = 120.0
    """Time of all people together, an expert's too."""
    rounds: int = 4
    """A model is trained before each round but the first."""
    growth: float = 2.0
    """Each round has so many times the minutes of the one before: a model learns most from the first answers."""
    seed: int = 0
    audit_share: float = 0.05
    """Share of the learned loop's time for random windows."""
    first_windows: float = 0.5
    """The same in its first round, when no model tells where to look: windows also show what gestures look like."""
    window_seconds: float | None = None
    """Length of random windows; None: that of an average clip."""
    loop_window_seconds: float | None = None
    """Length of the windows that the learned loop asks; None: that of the others."""

    def seconds_until(self, number: int) -> float:
        """Return the people's time that is spent when a round ends."""
        shares = [self.growth**one for one in range(self.rounds)]
        return self.minutes * 60 * sum(shares[: number + 1]) / sum(shares)

    def __post_init__(self) -> None:
        """Refuse numbers that no campaign could have (``UsageError``)."""
        if not (0 < self.minutes <= MOST_MINUTES and 1 <= self.rounds <= MOST_ROUNDS):  # NaN is in no range
            raise UsageError(
                f"1 to {MOST_ROUNDS} rounds and more than 0 minutes ({MOST_MINUTES:,.0f} at most) are needed, got "
                f"{self.rounds} and {self.minutes:g}"
            )
        lengths = [length for length in (self.window_seconds, self.loop_window_seconds) if length is not None]
        if not all(0 < number < math.inf for number in (self.growth, *lengths)):
            raise UsageError("growth and the lengths of windows must be more than 0, and finite")
        if self.annotators < self.annotate.first_answers:
            needed = self.annotate.first_answers
            raise UsageError(f"{needed} people answer each question at first, so {self.annotators} are too few")


def simulate_loop(
    data: Sequence[LabelledSequence],
    *,
    strategy: Strategy,
    settings: SimulationSettings,
    train: Train | None = None,
    report: Report | None = None,
) -> LoopCurve:
    """Simulate a campaign over labelled data; the same settings give the same curve.

    Args:
        data: Sequences whose gestures are all known; what nobody judged is taken to hold none.
        strategy: How questions are chosen; the learned loop needs ``train``.
        settings: People, time, rules.
        train: Makes a model of what was verified so far.
        report: Told how much of the time is spent.

    Raises:
        UsageError: Nothing is labelled, or the learned loop has nothing to train with.
    """
    if not any(sequence.gestures for sequence in data):
        raise UsageError("no gesture is labelled in the data: there is nothing to find")
    if strategy is Strategy.LEARNED and train is None:
        raise UsageError("the learned loop needs something to train with")
    campaign = _Campaign(data, strategy, settings, report or (lambda *_: None))
    for number in range(settings.rounds):
        campaign.run_round(number, train)
        if campaign.is_exhausted:
            break
    return campaign.curve()


class _Campaign:
    """One campaign while it runs."""

    def __init__(
        self, data: Sequence[LabelledSequence], strategy: Strategy, settings: SimulationSettings, report: Report
    ) -> None:
        self._data = sorted(data, key=lambda one: one.poses.sequence_id)
        self._strategy, self._settings, self._report = strategy, settings, report
        self._drafts = [
            measured_drafts(one.poses, taxonomy=settings.taxonomy, config=settings.proposals) for one in self._data
        ]
        self._ends = {
            one.poses.sequence_id: (int(one.poses.times_ns[0]), int(one.poses.times_ns[-1]) + 1) for one in self._data
        }
        self._subjects = {
            VideoId(one.poses.sequence_id): one.poses.subject_id or one.poses.sequence_id for one in self._data
        }
        self._people = SimulatedPeople(
            {one.poses.sequence_id: one.gestures for one in self._data},
            taxonomy=settings.taxonomy,
            annotate=settings.annotate,
            adjudicate=settings.adjudicate,
            skill=settings.skill,
            count=settings.annotators,
            seed=settings.seed,
        )
        self._windows = self._drawn_windows()
        self._groups = {gesture.class_id: gesture.group for gesture in settings.taxonomy}
        self._asked: defaultdict[str, list[TimeSpan]] = defaultdict(list)
        self._points: list[CurvePoint] = []
        self.is_exhausted = False

    def run_round(self, number: int, train: Train | None) -> None:
        """Spend a round's share of the time."""
        settings = self._settings
        until_s = settings.seconds_until(number)
        is_learned = self._strategy is Strategy.LEARNED
        if is_learned:
            share = settings.audit_share if number else settings.first_windows
            self._spend(self._windows, number, until_s=until_s - (1 - share) * (until_s - self._people.seconds))
        if self._strategy is Strategy.WINDOWS:
            questions: Iterator[Asked] = self._windows
        else:
            questions = self._chosen(self._trained(number, train) if is_learned and number else None)
        self._spend(questions, number, until_s=until_s)
        # the learned loop goes on: the next model may propose something else
        self.is_exhausted = self._people.seconds < until_s and not is_learned

    def _trained(self, number: int, train: Train | None) -> Proposer | None:
        """Train on what is verified; None where that is nothing yet."""
        verified = self.verified()
        if train is None or not any(one.gestures for one in verified):
            return None
        return train(verified, [one.poses for one in self._data], number)

    def _spend(self, questions: Iterator[Asked], number: int, *, until_s: float) -> None:
        """Ask in batches until the time is spent or nothing is left to ask."""
        while self._people.seconds < until_s:
            fitting = []
            forecast_s = self._people.seconds
            for question in questions:
                fitting.append(question)
                forecast_s += self._people.forecast_s(question)
                if len(fitting) == BATCH or forecast_s >= until_s:
                    break
            if not fitting:
                return
            self._people.ask(fitting)
            self._points.append(self._point(number))
            self._report(self._strategy, self._people.seconds, self._settings.minutes * 60)

    def _chosen(self, model: Proposer | None) -> Iterator[Asked]:
        """Yield the candidates of a round in their order, passing over places that were asked about meanwhile."""
        settings = self._settings
        made = [
            candidate
            for one, drafts in zip(self._data, self._drafts, strict=True)
            for candidate in candidates_of(
                one.poses, drafts, model=model, taxonomy=settings.taxonomy, config=settings.proposals
            )
        ]
        pool = [candidate for candidate in made if not self._is_asked(candidate)]
        selected = select_next(
            pool,
            answered=self._people.settled_classes(),
            features={c.candidate_id: np.array(c.judged.embedding, dtype=np.float32) for c in pool if c.judged},
            uncertainty={c.candidate_id: self._worth(c) for c in pool if c.judged},
            subject_of=self._subjects,
            budget=len(pool),
        )
        for one in selected:
            if not self._is_asked(one.candidate):
                self._asked[one.candidate.video_id].append(one.candidate.span)
                yield self._question(one.candidate)

    def _worth(self, candidate: Candidate) -> float:
        view = candidate.judged
        if view is None:
            return 0.0
        return worth_of_asking(view.probability, uncertainty=view.uncertainty, finding=self._settings.annotate.finding)

    def _is_asked(self, candidate: Candidate) -> bool:
        name, span = candidate.video_id, candidate.span
        if any(span.temporal_iou(other) >= SAME_PLACE_IOU for other in self._asked[name]):
            return True
        return any(span.overlap_ns(s) >= MOSTLY_INSIDE * span.duration_ns for s in self._people.verified_spans(name))

    def _question(self, candidate: Candidate) -> Asked:
        start_ns, end_ns = self._ends[candidate.video_id]
        around_ns = round(self._settings.annotate.context_seconds * NS_PER_SECOND)
        clip = TimeSpan(
            start_ns=min(candidate.span.start_ns, max(start_ns, candidate.span.start_ns - around_ns)),
            end_ns=max(candidate.span.end_ns, min(end_ns, candidate.span.end_ns + around_ns)),
        )
        return Asked(candidate=candidate, clip=clip, kind=QuestionKind.VERDICT)

    def _drawn_windows(self) -> Iterator[Asked]:
        """Yield every window of the recordings in an order drawn by chance."""
        random = np.random.default_rng((self._settings.seed, 1))
        length_ns = round(self._window_seconds() * NS_PER_SECOND)
        cut = [
            (name, TimeSpan(start_ns=a, end_ns=b))
            for name, (start_ns, end_ns) in self._ends.items()
            for a, b in pairwise(_edges(start_ns, end_ns, length_ns, float(random.random())))
        ]
        for place in random.permutation(len(cut)).tolist():
            yield _window(*cut[place])

    def _window_seconds(self) -> float:
        settings = self._settings
        of_loop = settings.loop_window_seconds if self._strategy is Strategy.LEARNED else None
        told = of_loop or settings.window_seconds
        if told is not None:
            return told
        lengths = [gesture.span.seconds for one in self._data for gesture in one.gestures]
        return sum(lengths) / len(lengths) + 2 * settings.annotate.context_seconds

    def verified(self) -> list[LabelledSequence]:
        """Return what a model may learn from now: verified gestures, and the places where people saw none."""
        told = self._people.told()
        return [
            LabelledSequence(poses=one.poses, gestures=known.distinct(), judged=known.judged(), origin="simulated")
            for one in self._data
            if (known := told.get(one.poses.sequence_id)) is not None
        ]

    def _point(self, number: int) -> CurvePoint:
        people = self._people
        claimed = [
            ClaimedSpan(sequence_id=s.video_id, span=s.span, class_id=s.class_id, score=s.posterior)
            for s in people.segments()
        ]
        return CurvePoint(
            round_number=number,
            questions=people.question_count,
            accepted=people.accepted_count(),
            answers=people.answer_count,
            seconds=people.seconds,
            found=measure_found(self._truths(), claimed, group_of=self._groups),
        )

    def _truths(self) -> list[TrueSpan]:
        return [
            TrueSpan(sequence_id=one.poses.sequence_id, span=gesture.span, class_id=gesture.class_id)
            for one in self._data
            for gesture in one.gestures
        ]

    def curve(self) -> LoopCurve:
        """Return the campaign so far."""
        truths = self._truths()
        groups: Mapping[str, int] = {
            group: sum(self._groups[truth.class_id] == group for truth in truths)
            for group in sorted({self._groups[truth.class_id] for truth in truths})
        }
        notes = () if self._strategy is Strategy.WINDOWS else lacking_points(o.poses.layout for o in self._data)
        name = str(self._strategy)
        if self._strategy is Strategy.WINDOWS:
            name += f" of {self._window_seconds():.1f} s".replace(".0 s", " s")
        return LoopCurve(
            strategy=name,
            seed=self._settings.seed,
            true_count=len(truths),
            true_by_group=groups,
            points=tuple(self._points),
            notes=notes,
            clip_seconds=self._people.clip_seconds,
        )


def _edges(start_ns: int, end_ns: int, length_ns: int, origin: float) -> list[int]:
    """Return where windows begin and end: parts of one length, the first and last cut off by the recording's ends."""
    inside = range(start_ns + max(1, round(origin * length_ns)), end_ns, length_ns)
    return [start_ns, *inside, end_ns]


def _window(name: str, span: TimeSpan) -> Asked:
    asked = f"window|{name}|{span.start_ns}|{span.end_ns}"
    window = Candidate(
        candidate_id=CandidateId("c" + sha256(asked.encode()).hexdigest()[:ID_HEX_DIGITS]),
        video_id=VideoId(name),
        track_number=0,
        span=span,
        box_xyxy=(0.0, 0.0, 1.0, 1.0),
        class_id=None,
        evidence="",
        proposer="chance",
        score=0.0,
        reason="simulated",
    )
    return Asked(candidate=window, clip=span, kind=QuestionKind.AUDIT)

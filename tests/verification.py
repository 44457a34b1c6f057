"""A crowd on the real review server: people of stated skill who go down its queue as the page does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import httpx
import numpy as np

from annotation.answers.simulate import SimulatedAnnotator, Truth, judge
from annotation.pages.verdict_page import answer_result
from annotation.pages.window_page import window_result
from annotation.studio.accounts import ScriptedAccount
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from flows._plan import current_candidates, study_videos
from flows._review import review_client
from flows._study import Study, open_study
from flows._videos import read_video_part
from media.clips import write_clip
from schema.answer_rows import annotators_to_rows, known_answers_from_rows, tasks_from_rows
from schema.arrow import ANNOTATORS, FRAMES, KNOWN_ANSWERS, TASKS
from schema.privacy import KEY_BYTES, make_annotator_id
from schema.questions import Annotator, Mark, QuestionKind, Role
from schema.records import Candidate, Dropped, FrameTimes, ReviewTask, Verdict, VideoId
from schema.rows import frame_times_from_rows
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.factories import ARMS, NECK
from tests.studies import make_study, run_to_candidates, set_keys
from tests.synthetic_people import PaintedPerson, interview_pictures

TOUCHES_EACH = 10
VIDEO_SECONDS = 30.0
OTHER_CLASSES = (ARMS, "touching_ears", "rubbing_or_holding_hands")
MISSED_SECONDS = (28.0, 29.0)
"""Every video ends with a gesture that no proposer saw: the recall audit has something to find."""
CLASSES = (NECK, *OTHER_CLASSES)
SHARE_RIGHT, SHARE_OTHER = 0.5, 0.2
EXPERT = SimulatedAnnotator(
    annotator_id="expert", sees=1.0, refuses=1.0, keeps=1.0, finds=1.0, edge_error_ns=0, leaves_ns=60_000_000
)


KEY = bytes(range(KEY_BYTES))
"""Which questions are asked blind, and which items are hidden, follows from the key: with one key a campaign is itself
again at every run, and what it costs does not vary by luck."""


def crowd_study(root: Path, *, videos: int, **annotate: object) -> Study:
    """Make a study of painted interviews up to its candidates: 15 a video, a third of them hands at the neck."""
    for number in range(videos):
        touches = tuple((1.6 + 2.6 * k, 2.6 + 2.6 * k) for k in range(TOUCHES_EACH))
        pictures = interview_pictures(
            seconds=VIDEO_SECONDS, touches=touches, person=PaintedPerson(color=number % 4), background=number % 2
        )
        path = root / "recordings" / f"v{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(pictures, path, frame_rate=10)
    make_study(root)
    set_keys(root, annotate=annotate, proposals={"max_per_track_minute": 30.0})
    (root / "private").mkdir(exist_ok=True)
    (root / "private" / "pseudonym.key").write_text(KEY.hex() + "\n")
    study = open_study(root)
    run_to_candidates(study)
    return study


def join_crowd(
    study: Study, accounts: Sequence[ScriptedAccount], crew: Sequence[SimulatedAnnotator], expert: ScriptedAccount
) -> "Crowd":
    """Enter people as annotators of the study, and one as its expert; they are called a, b, c ... and expert."""
    people = {
        chr(ord("a") + n): (skill, account) for n, (skill, account) in enumerate(zip(crew, accounts, strict=True))
    }
    people["expert"] = (EXPERT, expert)
    rows = [
        Annotator(
            annotator_id=make_annotator_id(study.key, account.email),
            name=name,
            account=account.email,
            role=Role.EXPERT if name == "expert" else Role.ANNOTATOR,
            active=True,
            added_ns=1,
        )
        for name, (_, account) in people.items()
    ]
    study.store.append(ANNOTATORS, annotators_to_rows(rows))
    return Crowd(study=study, people=people)


def truth_of(candidate: Candidate | ReviewTask, span: TimeSpan) -> Truth:
    """Decide by the candidate's id alone what really happens: half of the proposals are right."""
    draw = int(sha256(f"truth of {candidate.candidate_id}".encode()).hexdigest()[:8], 16) / 16**8
    late_ns = round((draw * 7 % 1 - 0.3) * 0.5 * NS_PER_SECOND / 10**8) * 10**8
    moved = TimeSpan(start_ns=span.start_ns + max(0, late_ns), end_ns=span.end_ns + min(0, late_ns) + 10**8)
    if draw < SHARE_RIGHT:
        return Truth(exists=True, class_id=candidate.class_id, span=moved)
    if draw < SHARE_RIGHT + SHARE_OTHER:
        return Truth(exists=True, class_id=OTHER_CLASSES[int(draw * 1000) % 3], span=moved)
    return Truth(exists=False, class_id=None, span=span)


@dataclass(slots=True, kw_only=True)
class Crowd:
    """People with accounts on one study's server."""

    study: Study
    people: dict[str, tuple[SimulatedAnnotator, ScriptedAccount]]
    """Skill and account by name; ``expert`` answers for an expert."""
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))
    truths: dict[str, Truth] = field(default_factory=dict)
    refused: list[Dropped] = field(default_factory=list)
    """What a pull did not take for an answer."""
    given: dict[tuple[str, int], int] = field(default_factory=dict)
    """How many answers each (name, task number) gave."""

    def __post_init__(self) -> None:
        for _, candidate in current_candidates(self.study, study_videos(self.study)):
            self.truths[candidate.candidate_id] = truth_of(candidate, candidate.span)

    def work(self, *, most_each: int = 1000) -> int:
        """Let everybody in turn answer the next question of each project, until none is left; returns how many."""
        answered = 0
        with review_client(self.study) as (server, client):
            tasks = self._tasks(server)
            waiting = {(name, p) for name in self.people for p in self._projects(name, tasks)}
            for _ in range(most_each):
                for name, project in sorted(waiting):
                    number = _next(server, project, self.people[name][1])
                    if number is None:
                        waiting.discard((name, project))
                        continue
                    self._answer(client, name, tasks[number])
                    answered += 1
                if not waiting:
                    break
        return answered

    def _tasks(self, server: ReviewServer) -> dict[int, ReviewTask]:
        recorded = tasks_from_rows(self.study.store.read(TASKS))
        return {task.task_number: task for task in recorded if task.server_id == server.server_id}

    def _projects(self, name: str, tasks: dict[int, ReviewTask]) -> set[int]:
        expert = name == "expert"
        return {t.project_number for t in tasks.values() if (t.kind is QuestionKind.EXPERT) == expert}

    def _answer(self, client: LabelStudioClient, name: str, task: ReviewTask) -> None:
        skill, account = self.people[name]
        result = self._window(skill, task) if not task.kind.shows_suggestion else self._verdict(skill, task)
        client.annotate(task.task_number, result, account=account, lead_time_seconds=skill.seconds)
        self.given[name, task.task_number] = self.given.get((name, task.task_number), 0) + 1

    def truth(self, task: ReviewTask) -> Truth:
        """Return what really happens in what a question asks about."""
        if task.kind is QuestionKind.KNOWN:
            known = {k.question_id: k for k in known_answers_from_rows(self.study.store.read(KNOWN_ANSWERS))}
            one = known[task.candidate_id]
            return Truth(exists=one.exists, class_id=one.class_id, span=one.span)
        return self.truths[task.about or task.candidate_id]

    def _verdict(self, skill: SimulatedAnnotator, task: ReviewTask) -> list[dict[str, object]]:
        verdict, class_id, edges = judge(skill, task, self.truth(task), classes=CLASSES, random=self.random)
        relabel = class_id if verdict is Verdict.RELABEL else None
        return answer_result(verdict, class_id=relabel, edges_in_clip=self._in_clip(task, edges) if edges else None)

    def _window(self, skill: SimulatedAnnotator, task: ReviewTask) -> list[dict[str, object]]:
        truths = [self.truth(task)] if task.kind is QuestionKind.BLIND else list(self.gestures_in(task))
        marks = []
        for truth in truths:
            if truth.exists and self.random.random() < skill.sees:
                first, end = self._in_clip(task, truth.span)
                class_id = truth.class_id if self.random.random() < skill.finds else OTHER_CLASSES[0]
                offset = task.clip_first_frame or 0
                marks.append(
                    Mark(span=truth.span, class_id=class_id, first_frame=first + offset, end_frame=end + offset)
                )
        verdict = Verdict.MARKED if marks else Verdict.NOTHING
        return window_result(verdict, marks=marks, clip_first_frame=task.clip_first_frame or 0)

    def gestures_of(self, video_id: str) -> list[Truth]:
        """Return the gestures of a video that were proposed."""
        today = current_candidates(self.study, study_videos(self.study))
        truths = (self.truths[candidate.candidate_id] for video, candidate in today if video.video_id == video_id)
        return [truth for truth in truths if truth.exists]

    def gestures_in(self, task: ReviewTask) -> Iterator[Truth]:
        """Yield what really happens in a window, proposed or missed, where half of it at least is shown."""
        for truth in [*self.gestures_of(task.anchor.video_id), Truth(exists=True, class_id=NECK, span=missed_span())]:
            if 2 * truth.span.overlap_ns(task.anchor.span) >= truth.span.duration_ns:
                yield truth

    def _in_clip(self, task: ReviewTask, span: TimeSpan) -> tuple[int, int]:
        first, end = self._frames(task.anchor.video_id).frames_of(span)
        assert task.clip_first_frame is not None
        assert task.clip_end_frame is not None
        shown = task.clip_end_frame - task.clip_first_frame
        first = min(max(first - task.clip_first_frame, 0), shown - 1)
        return first, min(max(end - task.clip_first_frame, first + 1), shown)

    def _frames(self, video_id: VideoId) -> FrameTimes:
        video = next(v for v in study_videos(self.study) if v.video_id == video_id)
        return frame_times_from_rows(read_video_part(self.study, video, FRAMES), video_id=video_id)


def missed_span() -> TimeSpan:
    """Return when each video shows the gesture that no proposer saw."""
    start_s, end_s = MISSED_SECONDS
    return TimeSpan(start_ns=round(start_s * NS_PER_SECOND), end_ns=round(end_s * NS_PER_SECOND))


def _next(server: ReviewServer, project: int, account: ScriptedAccount) -> int | None:
    """Ask for the next task as the page's "Label All Tasks" does; None: there is none for this person."""
    answer = httpx.post(
        f"{server.url}/api/dm/actions",
        params={"id": "next_task", "project": project},
        headers={"Authorization": f"Token {account.token}"},
        json={},
        timeout=60,
        trust_env=False,
    )
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return int(answer.raise_for_status().json()["id"])

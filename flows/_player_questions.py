"""Which videos have people of whom nobody knows yet whether they are the player, and what is asked about them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from annotation.pages.player_questions import PICTURES_FOLDER, PersonFollowed, QuestionDraft, draft_question, is_asked
from flows._plan import asks_for_players, disposed_videos, is_current, study_videos, undecided_tracks
from flows._stages import video_parts
from flows._study import Study
from schema.arrow import PLAYER_QUESTIONS, PLAYERS, TRACKS, TableSpec
from schema.people import TrackRole
from schema.people_rows import roles_from_rows
from schema.player_question_rows import player_questions_from_rows
from schema.player_questions import PlayerQuestion
from schema.records import Track, VideoRecord
from schema.rows import tracks_from_rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WaitingQuestion:
    """A question that was not asked yet."""

    video: VideoRecord
    draft: QuestionDraft
    reason: str


def to_ask(study: Study) -> list[WaitingQuestion]:
    """List the videos with undecided people whom no earlier question showed; none where the study does not ask.

    A picture can't be made of a file that is gone. Roles are read of every video, tracks of those with undecided
    people alone.
    """
    if not asks_for_players(study):
        return []
    gone = disposed_videos(study)
    asked: defaultdict[str, list[PlayerQuestion]] = defaultdict(list)
    for question in player_questions_from_rows(study.store.read(PLAYER_QUESTIONS)):
        asked[question.sha256].append(question)
    found: list[WaitingQuestion] = []
    for video in study_videos(study):
        undecided = frozenset() if video.video_id in gone else undecided_tracks(study, video)
        waiting = _waiting(study, video, undecided, asked[video.sha256]) if undecided else None
        found += [waiting] if waiting else []
    return found


def _read(study: Study, video: VideoRecord, spec: TableSpec) -> pa.Table:
    return study.store.read_part(spec, video.video_id, video_parts(study, video)[spec.name].digest)


def _waiting(
    study: Study, video: VideoRecord, undecided: frozenset[int], asked: Iterable[PlayerQuestion]
) -> WaitingQuestion | None:
    if not is_current(study, video_parts(study, video)[TRACKS.name]):
        return None
    roles = roles_from_rows(_read(study, video, PLAYERS))
    people = _people(roles, tracks_from_rows(_read(study, video, TRACKS)), undecided)
    draft = draft_question(people, sha256=video.sha256)
    if draft is None or is_asked(draft, people, asked):
        return None
    waits = (role for role in roles if role.track_number in undecided)
    return WaitingQuestion(video=video, draft=draft, reason=_reason(waits, draft.letters))


def _people(roles: Iterable[TrackRole], tracks: Iterable[Track], undecided: frozenset[int]) -> list[PersonFollowed]:
    """Join tracks to people; a person with one undecided track is undecided."""
    by_number = {track.track_number: track for track in tracks}
    people: defaultdict[int, list[Track]] = defaultdict(list)
    for role in roles:
        people[role.person_number].append(by_number[role.track_number])
    return [
        PersonFollowed(
            person_number=number,
            undecided=any(track.track_number in undecided for track in theirs),
            tracks=tuple(theirs),
        )
        for number, theirs in sorted(people.items())
    ]


def _reason(undecided: Iterable[TrackRole], letters: Mapping[int, str]) -> str:
    """Say how much each undecided person who is shown looks like the player."""
    scores = {letters[role.person_number]: role.score for role in undecided if role.person_number in letters}
    told = ", ".join(f"{letter} {score:.2f}" for letter, score in sorted(scores.items()))
    return f"size, time on screen, place and face do not tell clearly enough (likeness to a player: {told})"


def question_picture(study: Study, question_id: str) -> Path:
    """Return where a question's picture is served from."""
    return study.layout.served / PICTURES_FOLDER / f"{question_id}.jpg"

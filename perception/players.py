"""Tell the player from moderators, passers-by and posters: a role for every track of a video, with the evidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from perception.people import Person, are_seen_together, gather_people, seconds_seen
from perception.player_answers import answered_roles, counted_answers
from perception.quality import QualityConfig, poor_quality
from schema.errors import ConfigError, DropReason
from schema.people import DecidedBy, PlayerAnswer, Quality, Role, TrackRole
from schema.records import Dropped, Track

STAGE = "players"

SIZE, TIME, CENTER, STEADY, FACING = 0.30, 0.25, 0.15, 0.10, 0.20
"""What each kind of evidence counts in a person's score."""
_WALKING = 0.5
"""Box widths a second at which somebody walks across: nothing is left of ``STEADY``."""
_DOUBT = 0.05
"""Distance in score from the border between players and others at which the confidence is 0.73."""
_ALONE = 0.35
"""Score that somebody needs to be the player where nobody is there to compare with."""
_POSTER_FROZEN, _OTHERS_FROZEN, _POSTER_SAMPLES = 0.9, 0.5, 6
"""A person who hardly ever changes in at least so many samples, while somebody else does, is a picture of one."""
_AS_LONG = 0.5
"""Share of the player's time from which somebody who is never beside the player may be another one."""
_MATTERS = 0.1
"""Share of the time from which somebody who might be the player in other clothes or light is worth a question."""
_ALIKE = 0.1
"""Difference in score, time left out, up to which somebody might be: a press conference amid other footage is 0.06
behind the people there, and to lose its player would be worse than to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayersConfig:
    """Settings of the choice of players."""

    keep: Literal["players", "everyone"] = "players"
    """`players`, or `everyone`: nobody is dropped for not being the player, and nobody is asked."""
    expected: int = 1
    """Players in a video; where the study declares more people for a video, so many."""
    min_confidence: float = 0.75
    """Confidence, 0.5 to 1, that a role needs; below it a person is undecided."""
    min_likeness: float = 0.82
    """How alike clothes, place and size must be for two tracks to be one person's, 0..1: over 12 shots of one real
    scene the same person's are 0.87 to 1 and two people's 0.50 to 0.71. People in the same clothes are one."""
    ask: bool = True
    """Ask a person about the undecided; until the answer, their candidates are not put on the page."""
    answers_needed: int = 1
    """People who answer before it counts; with more than one the majority does."""

    def __post_init__(self) -> None:
        """Refuse numbers that can't be meant (``ConfigError``)."""
        if self.expected < 1 or self.answers_needed < 1:
            raise ConfigError("players.expected and players.answers_needed: at least 1 is needed")
        if not 0.5 <= self.min_confidence < 1 or not 0 <= self.min_likeness <= 1:
            raise ConfigError("players.min_confidence must lie in 0.5..1 (below 1), players.min_likeness in 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    role: Role
    confidence: float
    decided_by: DecidedBy
    why: str


def choose_players(
    tracks: Sequence[Track],
    *,
    qualities: Sequence[Quality],
    size: tuple[int, int],
    answers: Sequence[PlayerAnswer] = (),
    expected: int = 1,
    config: PlayersConfig,
) -> list[TrackRole]:
    """Decide of every track of one video whether it shows the player.

    People are compared over the whole video: by size, time on screen, place, steadiness and the share of samples in
    which they face the camera. Who hardly ever changes while others do is a poster. A person's answer wins.

    Args:
        tracks: The tracks of one video, in any order.
        qualities: What was measured of them.
        size: The picture's width and height, pixels.
        answers: Answers about this very file.
        expected: How many players the video shows.
        config: Settings.

    Returns:
        The roles, by track number.
    """
    by_track = {quality.track_number: quality for quality in qualities if quality.track_number is not None}
    people = gather_people(tracks, by_track, size=size, min_likeness=config.min_likeness)
    scores = [_score(person, largest=max(p.size for p in people)) for person in people]
    order = sorted(range(len(people)), key=lambda i: (-scores[i], int(people[i].tracks[0].frame_indices[0])))
    people, scores = [people[i] for i in order], [scores[i] for i in order]
    verdicts = _by_evidence(people, scores, expected=expected, config=config)
    told = answered_roles(tracks, counted_answers(answers, needed=config.answers_needed))
    if told:
        verdicts = _after_answers(people, verdicts, told, expected=expected)
    roles = [
        _track_role(
            track,
            number=number,
            person=person,
            score=score,
            verdict=_of_track(track, verdict, told),
            quality=by_track.get(track.track_number),
        )
        for number, (person, score, verdict) in enumerate(zip(people, scores, verdicts, strict=True))
        for track in person.tracks
    ]
    return sorted(roles, key=lambda role: role.track_number)


def _score(person: Person, *, largest: float) -> float:
    """Return how much a person looks like the player, 0..1; evidence that was not measured does not count."""
    evidence = [
        (SIZE, person.size / largest),
        (TIME, person.time_share),
        (CENTER, 1 - min(person.center_distance, 1.0)),
        (STEADY, 1 - min(person.travel / _WALKING, 1.0)),
    ]
    if person.facing_share is not None:
        evidence.append((FACING, person.facing_share))
    return sum(weight * value for weight, value in evidence) / sum(weight for weight, _ in evidence)


def _by_evidence(people: list[Person], scores: list[float], *, expected: int, config: PlayersConfig) -> list[_Verdict]:
    posters = [_is_poster(person, people) for person in people]
    living = [score for score, poster in zip(scores, posters, strict=True) if not poster]
    border = (living[expected - 1] + living[expected]) / 2 if len(living) > expected else _ALONE
    verdicts = []
    for person, score, is_poster in zip(people, scores, posters, strict=True):
        if is_poster:
            verdicts.append(_judged(Role.OTHER, 0.95, f"does not change in {person.frozen_share:.0%} of samples"))
            continue
        chance = 1 / (1 + math.exp((border - score) / _DOUBT))
        why = f"score {score:.2f}, the border is at {border:.2f}"
        if max(chance, 1 - chance) < config.min_confidence:
            verdicts.append(_judged(Role.UNDECIDED, max(chance, 1 - chance), why))
        else:
            verdicts.append(_judged(Role.PLAYER if chance > 0.5 else Role.OTHER, max(chance, 1 - chance), why))
    return [_reconsidered(i, people, verdicts) for i in range(len(people))]


def _judged(role: Role, confidence: float, why: str) -> _Verdict:
    return _Verdict(role=role, confidence=confidence, decided_by=DecidedBy.EVIDENCE, why=why)


def _is_poster(person: Person, people: list[Person]) -> bool:
    """Tell whether a person stays as it is while others move: also a player sits still for a second or two."""
    if person.frozen_share < _POSTER_FROZEN or person.sample_count < _POSTER_SAMPLES:
        return False
    return any(p.frozen_share <= _OTHERS_FROZEN and p.sample_count >= _POSTER_SAMPLES for p in people)


def _reconsidered(i: int, people: list[Person], verdicts: list[_Verdict]) -> _Verdict:
    """Doubt what was decided between people who are never seen together: nothing there sets one beside the other.

    Somebody in other clothes or light may be the player again, and a film of several players one after the other has
    no player among them.
    """
    verdict, person = verdicts[i], people[i]
    if verdict.role is Role.UNDECIDED or _is_poster(person, people):
        return verdict
    for rival, other in zip(people, verdicts, strict=True):
        player, lesser = (person, rival) if verdict.role is Role.PLAYER else (rival, person)
        is_contest = other.role is not verdict.role and (other.role is Role.OTHER or verdict.role is Role.OTHER)
        if not is_contest or _is_poster(rival, people) or are_seen_together(player, lesser):
            continue
        if lesser.time_share >= _AS_LONG * player.time_share:
            return _judged(Role.UNDECIDED, 0.5, f"{verdict.why}, but somebody else is seen alone for as long")
        if verdict.role is Role.OTHER and lesser.time_share >= _MATTERS and _looks_like(lesser, player, people):
            return _judged(Role.UNDECIDED, 0.5, f"{verdict.why}, but may be the player in other clothes")
    return verdict


def _looks_like(person: Person, player: Person, people: list[Person]) -> bool:
    """Tell whether hardly more than the time on screen sets somebody apart from the player."""
    largest = max(p.size for p in people)
    return _score_without_time(person, largest) >= _score_without_time(player, largest) - _ALIKE


def _score_without_time(person: Person, largest: float) -> float:
    return _score(replace(person, time_share=1.0), largest=largest)


def _after_answers(
    people: list[Person], verdicts: list[_Verdict], told: dict[int, Role], *, expected: int
) -> list[_Verdict]:
    """Give a person the role that people gave to its tracks; where they named players enough, nobody else is one."""
    found = []
    for person, verdict in zip(people, verdicts, strict=True):
        roles = {told[t.track_number] for t in person.tracks if t.track_number in told}
        if len(roles) == 1:
            found.append(_answered(roles.pop()))
        elif roles:
            found.append(_judged(Role.UNDECIDED, 0.5, "answers give this person several roles"))
        else:
            found.append(verdict)
    if sum(v.role is Role.PLAYER and v.decided_by is DecidedBy.ANSWER for v in found) < expected:
        return found
    return [
        v if v.decided_by is DecidedBy.ANSWER else replace(v, role=Role.OTHER, why=f"{v.why}; a person named others")
        for v in found
    ]


def _answered(role: Role) -> _Verdict:
    confidence = 0.5 if role is Role.UNDECIDED else 1.0
    why = "people disagree" if role is Role.UNDECIDED else "answered by a person"
    return _Verdict(role=role, confidence=confidence, decided_by=DecidedBy.ANSWER, why=why)


def _of_track(track: Track, verdict: _Verdict, told: dict[int, Role]) -> _Verdict:
    """Let an answer about this very track win over what its person came to."""
    return _answered(told[track.track_number]) if track.track_number in told else verdict


def _track_role(
    track: Track, *, number: int, person: Person, score: float, verdict: _Verdict, quality: Quality | None
) -> TrackRole:
    facing = "" if person.facing_share is None else f", faces the camera in {person.facing_share:.0%}"
    return TrackRole(
        video_id=track.video_id,
        track_number=track.track_number,
        shot_number=track.shot_number,
        person_number=number,
        role=verdict.role,
        confidence=verdict.confidence,
        decided_by=verdict.decided_by,
        score=score,
        seconds=seconds_seen(track),
        time_share=person.time_share,
        size=person.size,
        center_distance=person.center_distance,
        travel=person.travel,
        facing_share=quality.facing_share if quality else None,
        frozen_share=quality.frozen_share if quality else 0.0,
        kept=True,
        reason=(
            f"{verdict.why}; person {number}: seen in {person.time_share:.0%} of the time, size {person.size:.2f}, "
            f"{person.center_distance:.2f} from the middle, travels {person.travel:.2f}/s{facing}"
        ),
    )


def keep_tracks(
    roles: Sequence[TrackRole], qualities: Sequence[Quality], *, players: PlayersConfig, quality: QualityConfig
) -> tuple[list[TrackRole], list[Dropped]]:
    """Leave out who is not the player, and whom nobody could judge.

    Returns:
        All roles, ``kept`` telling which tracks go on; and the others with the reason, ``NOT_THE_PLAYER`` or
        ``POOR_QUALITY``, under the id ``<video>/track<n>``. A video of which nothing is kept has a row of its own.
    """
    by_track = {q.track_number: q for q in qualities}
    decided: list[TrackRole] = []
    dropped: list[Dropped] = []
    for role in roles:
        lost = _why_dropped(role, by_track.get(role.track_number), players=players, quality=quality)
        decided.append(replace(role, kept=lost is None))
        if lost:
            item_id = f"{role.video_id}/track{role.track_number}"
            dropped.append(Dropped(stage=STAGE, item_id=item_id, reason=lost[0], detail=lost[1]))
    if roles and len(dropped) == len(roles):
        is_poor = any(lost.reason is DropReason.POOR_QUALITY for lost in dropped)
        reason = DropReason.POOR_QUALITY if is_poor else DropReason.NOT_THE_PLAYER
        detail = f"none of {len(roles)} tracks is kept: {dropped[0].detail}"
        dropped.append(Dropped(stage=STAGE, item_id=roles[0].video_id, reason=reason, detail=detail))
    return decided, dropped


def _why_dropped(
    role: TrackRole, measured: Quality | None, *, players: PlayersConfig, quality: QualityConfig
) -> tuple[DropReason, str] | None:
    if role.role is Role.OTHER and players.keep == "players":
        return DropReason.NOT_THE_PLAYER, role.reason
    poor = poor_quality(measured, quality) if measured else None
    return (DropReason.POOR_QUALITY, poor) if poor else None

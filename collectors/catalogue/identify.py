"""Who is in each video and how their match ended: titles against people and results, decisions with evidence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz import fuzz

from collectors.catalogue.choosing import LOSS, WIN, Choice, choose_match, plays_around
from collectors.catalogue.config import IdentifyConfig, MatchesConfig
from collectors.catalogue.finding import ALIAS, DOUBTFUL, FAMILY, FULL
from collectors.catalogue.mentions import Mention, Role
from collectors.catalogue.people import People, Person
from collectors.catalogue.results import Results, read_results, tournament_names
from collectors.catalogue.spelling import fold
from collectors.catalogue.titles import Occasion, Reading, TitleReader
from collectors.catalogue.tournaments import Tournaments
from collectors.catalogue.vocabulary import Kind

CORROBORATED = 0.92
"""Score of a family name alone, or of a name that several have, where the results show one of them at that place."""
STUDY, PERSON, MATCHER = "study", "person", "matcher"
NONE = "none"
"""A person's answer: nobody of the players file, or no outcome."""
_NOBODY_IS_SEEN = frozenset({Kind.FOOTAGE})
_ASK_WHO = frozenset({Kind.OTHER_SPEAKER, Kind.OTHER_SPORT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person wrote in review.csv; None where nothing."""

    person_id: str | None = None
    """A row id of the players file, or ``NONE``."""
    outcome: str | None = None
    """``win``, ``loss`` or ``NONE``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A video as its sites describe it."""

    video_id: str
    occasion: Occasion
    declared_id: str | None = None
    """Person that the study declares for it."""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is in a video and how their match ended; the columns of ``schema.arrow.IDENTITIES``."""

    video_id: str
    person_id: str | None
    decided_by: str | None
    score: float
    runner_up_id: str | None
    runner_up_score: float
    tournament: str | None
    match_row: str | None
    match_outcome: str | None
    needs_review: bool
    evidence: str
    suggested_id: str | None
    """The best guess where nobody was taken: shown to the person who is asked."""
    licence: str
    """Licence of the results that gave the outcome; empty where none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What titles are compared with."""

    people: People
    tournaments: Tournaments
    results: Results

    @classmethod
    def read(
        cls,
        persons: Iterable[Person],
        tables: Iterable[MatchesConfig],
        *,
        study_folder: Path,
        config: IdentifyConfig,
    ) -> "Catalogue":
        """Read the results of a study and index them; raises ``ConfigError`` where a table can't be read."""
        tables = list(tables)
        people = People.of(persons)
        tournaments = Tournaments.of(
            tournament_names(tables, study_folder=study_folder), also_called=config.also_called
        )
        results = read_results(tables, study_folder=study_folder, people=people, tournaments=tournaments)
        return cls(people=people, tournaments=tournaments, results=results)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The person that a title names, or why there is none."""

    person: int | None
    score: float
    suggested: int | None
    runner_up: int | None
    runner_up_score: float
    ask: bool
    why: str


def identify_videos(videos: Iterable[Described], *, catalogue: Catalogue, config: IdentifyConfig) -> Iterator[Identity]:
    """Say of each video who is in it and how their match ended, in the order given.

    The study's own declaration of a person comes first, then a person's answer, then the title. Silence is better
    than a wrong word: what is not sure is null, and marked for review where a person could tell.
    """
    videos = list(videos)
    reader = TitleReader(catalogue.people, catalogue.tournaments, [video.occasion for video in videos])
    index_of = {p.person_id: i for i, p in enumerate(catalogue.people.persons) if p.person_id}
    for video in videos:
        reading = reader.read(video.occasion)
        yield _decide(video, reading, catalogue=catalogue, config=config, index_of=index_of)


def _decide(
    video: Described, reading: Reading, *, catalogue: Catalogue, config: IdentifyConfig, index_of: dict[str, int]
) -> Identity:
    answer = video.answer or Answer()
    found = _find_person(reading, video.occasion, catalogue, config)
    decided_by, person = _settle_person(video, answer, found, index_of)
    choice = _other_speaker(person, decided_by, reading) or choose_match(
        person, reading, video.occasion.uploaded_on, catalogue.results, config=config
    )
    outcome = choice.outcome
    if answer.outcome is not None:
        outcome = None if answer.outcome == NONE else answer.outcome
    match = choice.match if outcome == choice.outcome else None
    return Identity(
        video_id=video.video_id,
        person_id=_id_of(person, catalogue),
        decided_by=decided_by,
        score=round(found.score, 4),
        runner_up_id=_id_of(found.runner_up, catalogue),
        runner_up_score=round(found.runner_up_score, 4),
        tournament=_tournament(choice, outcome),
        match_row=match.row if match else None,
        match_outcome=outcome,
        needs_review=(found.ask and decided_by is None) or (choice.ask and answer.outcome is None),
        evidence=_evidence(found, choice, decided_by, answer),
        suggested_id=_id_of(found.suggested, catalogue),
        licence=_licence(choice) if answer.outcome is None and outcome else "",
    )


def _id_of(person: int | None, catalogue: Catalogue) -> str | None:
    return None if person is None else catalogue.people.persons[person].person_id or None


def _settle_person(
    video: Described, answer: Answer, found: _Found, index_of: dict[str, int]
) -> tuple[str | None, int | None]:
    if video.declared_id:
        return STUDY, index_of.get(video.declared_id)
    if answer.person_id is not None:
        return PERSON, None if answer.person_id == NONE else index_of.get(answer.person_id)
    return (MATCHER, found.person) if found.person is not None else (None, None)


def _other_speaker(person: int | None, decided_by: str | None, reading: Reading) -> Choice | None:
    """Refuse an outcome where the title's speaker is not, or not only, the person that the study or somebody named."""
    named = {index for mention in reading.speakers for index in mention.scores}
    if decided_by in (MATCHER, None) or not named or (person in named and len(reading.speakers) == 1):
        return None
    return Choice(outcome=None, match=None, ask=not reading.silent, why="the title names somebody else, too")


def _tournament(choice: Choice, outcome: str | None) -> str | None:
    if outcome is None or outcome != choice.outcome:
        return None
    if choice.match:
        return choice.match.tournament
    names = {match.tournament for match in choice.considered}
    return names.pop() if len(names) == 1 else None


def _licence(choice: Choice) -> str:
    return "; ".join(sorted({match.licence for match in choice.considered if match.licence}))


def _evidence(found: _Found, choice: Choice, decided_by: str | None, answer: Answer) -> str:
    who = {STUDY: "declared by the study", PERSON: "answered by a person"}.get(decided_by or "", found.why)
    told = "answered by a person" if answer.outcome is not None else choice.why
    rows = ", ".join(match.row for match in choice.considered[-4:])
    return f"who: {who}; outcome: {told}" + (f"; rows: {rows}" if rows else "")


def _find_person(reading: Reading, occasion: Occasion, catalogue: Catalogue, config: IdentifyConfig) -> _Found:
    speakers = {tuple(sorted(m.scores)): m for m in sorted(reading.speakers, key=lambda m: m.best)}
    if _NOBODY_IS_SEEN & reading.kinds and not {Kind.CONFERENCE, Kind.SPEECH} & reading.kinds:
        return _nobody("footage of play, or a collection")
    if not speakers:
        return _without_speaker(reading)
    merged = _merged(list(speakers.values()))
    if len(merged) > 1 or _is_third_person(merged[0], reading):
        return _nobody("several people are named", ask=_any_listed(merged, catalogue), best=merged[0])
    mention = merged[0]
    scores = _corroborated(mention, reading, occasion, catalogue)
    ranked = sorted(scores, key=lambda i: (-scores[i], i))
    best = ranked[0]
    runner_up, runner_up_score = _runner_up(best, ranked, scores, catalogue)
    doubt = _doubt_of_person(mention, reading, scores[best], runner_up_score, config)
    listed = bool(catalogue.people.persons[best].person_id)
    return _Found(
        person=best if listed and doubt is None else None,
        score=scores[best],
        suggested=best if listed else None,
        runner_up=runner_up,
        runner_up_score=runner_up_score,
        ask=doubt is not None and any(catalogue.people.persons[i].person_id for i in ranked),
        why=doubt or (_how(scores[best]) if listed else "somebody whom the players file does not list"),
    )


def _merged(mentions: list[Mention]) -> list[Mention]:
    """Put mentions of one person together: "Sinner ... Jannik Sinner"."""
    merged: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: -m.best):
        top = {i for i, score in mention.scores.items() if score == mention.best}
        same = [m for m in merged if any(m.scores.get(i) == m.best for i in top)]
        if not same:
            merged.append(mention)
    return merged


def _is_third_person(mention: Mention, reading: Reading) -> bool:
    """Tell whether two others play the match that the title tells: "A beats B, sets up C final"."""
    narrated = [m for m in reading.mentions if m.role is Role.NARRATED]
    players = {i for m in (*narrated, *reading.opponents) for i in m.scores}
    return bool(narrated) and players.isdisjoint(mention.scores)


def _any_listed(mentions: Iterable[Mention], catalogue: Catalogue) -> bool:
    return any(catalogue.people.persons[i].person_id for mention in mentions for i in mention.scores)


def _nobody(why: str, *, ask: bool = False, best: Mention | None = None) -> _Found:
    suggested = max(best.scores, key=lambda i: best.scores[i]) if best and len(best.scores) == 1 else None
    return _Found(
        person=None, score=best.best if best else 0.0, suggested=suggested, runner_up=None, runner_up_score=0.0,
        ask=ask, why=why,
    )  # fmt: skip


def _without_speaker(reading: Reading) -> _Found:
    told = [m for m in reading.mentions if m.role in (Role.NARRATED, Role.OPPONENT, Role.WINNER)]
    if told and Kind.CONFERENCE in reading.kinds:
        return _nobody("the title does not tell which of the two speaks", ask=True, best=told[0])
    if not reading.mentions and reading.in_description and Kind.CONFERENCE in reading.kinds:
        return _nobody("only the description names somebody", ask=True, best=reading.in_description[0])
    return _nobody("nobody of the players file is named as the speaker")


def _corroborated(mention: Mention, reading: Reading, occasion: Occasion, catalogue: Catalogue) -> dict[int, float]:
    """Let the results speak where a name alone does not decide: who of that name plays there and then?"""
    scores = dict(mention.scores)
    top = [i for i, score in scores.items() if score == mention.best]
    if len(top) == 1 and mention.best >= ALIAS:
        return scores
    there = [i for i in top if plays_around(i, reading, occasion.uploaded_on, catalogue.results)]
    against = {i for m in reading.opponents for i in m.scores}
    if len(there) > 1 and against:
        there = [i for i in there if plays_around(i, reading, occasion.uploaded_on, catalogue.results, against=against)]
    if len(there) == 1 and mention.best >= FAMILY and mention.best != DOUBTFUL:
        scores = {i: min(score, FAMILY) for i, score in scores.items()}
        scores[there[0]] = CORROBORATED
    return scores


def _runner_up(
    best: int, ranked: list[int], scores: dict[int, float], catalogue: Catalogue
) -> tuple[int | None, float]:
    """Return who comes next, by the mention's score or by how alike the names are, whichever is less."""
    if len(ranked) < 2:
        return None, 0.0
    names = catalogue.people.persons
    alike = {
        i: min(scores[i], fuzz.token_sort_ratio(fold(names[best].name), fold(names[i].name)) / 100)
        if scores[i] <= FAMILY
        else scores[i]
        for i in ranked[1:]
    }
    second = max(alike, key=lambda i: (alike[i], -i))
    return second, alike[second]


def _doubt_of_person(
    mention: Mention, reading: Reading, score: float, runner_up_score: float, config: IdentifyConfig
) -> str | None:
    occasion = bool(reading.kinds & {Kind.CONFERENCE, Kind.SPEECH, Kind.AFTER} or reading.silent)
    doubts = (
        (bool(reading.kinds & _ASK_WHO), "the title speaks of a coach, a relative, another sport or the like"),
        (reading.unknown_speaker, "somebody whom nobody knows is named as the speaker"),
        (mention.led, "somebody unknown may be the speaker"),
        (mention.joined, "somebody else is named beside"),
        (score < config.min_score, "the name fits too loosely"),
        (score - runner_up_score < config.min_lead, "two people fit nearly as well"),
        (score < ALIAS and not occasion, "part of a name, and the title tells no occasion"),
    )
    return next((why for holds, why in doubts if holds), None)


def _how(score: float) -> str:
    if score == FULL:
        return "the full name"
    return "an alias" if score == ALIAS else "part of a name, or a name that several have; the results show one there"


__all__ = ["LOSS", "NONE", "WIN", "Answer", "Catalogue", "Described", "Identity", "Occasion", "identify_videos"]

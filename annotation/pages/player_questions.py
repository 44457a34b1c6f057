"""Questions "which one is the player?": whom to show at which moments, and the task that Label Studio shows for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256 as digest
from html import escape
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from schema.matching import Box, box_iou
from schema.people import PersonAnchor
from schema.player_questions import PersonShown, PlayerQuestion
from schema.privacy import ID_HEX_DIGITS
from schema.records import Track

PICTURES_FOLDER = "players"
"""Folder under the study's served files that holds the pictures of these questions."""
LETTERS = "ABCDEFGH"
"""One a person who is shown; more than eight boxes with letters can't be told apart in one picture."""
NOBODY, UNSURE = "nobody", "unsure"
NOBODY_KEY, UNSURE_KEY = "0", "n"
QUESTION = "Which one is the player?"
FEWEST_MOMENTS, MOST_MOMENTS = 4, 6
LOOKS = (0.2, 0.4, 0.6, 0.8)
"""Moments of a track that may be shown, as shares of its frames: not its ends, where cuts and entrances are."""
SHOWN_AGAIN = 0.35
"""What showing a person once more is worth, against the time before: a third look still tells two people apart."""
DECIDED = 0.4
"""What showing somebody whose role is known is worth: less, but the choice is between all who are there."""
MIN_BOX_IOU = 0.3
"""Overlap from which on a box shown earlier and a track's box are the same person, as for answers to candidates."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PersonFollowed:
    """One person of a video with all of the tracks that are this person's."""

    person_number: int
    """0 is the person who looks most like the player."""
    undecided: bool
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One frame of a question's picture."""

    frame_index: int
    time_ns: int
    boxes: tuple[tuple[int, Box], ...]
    """Person numbers and boxes of those who are boxed in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionDraft:
    """What a question will show; nothing was decoded for it yet."""

    question_id: str
    sha256: str
    moments: tuple[Moment, ...]
    """In order of time."""
    people: tuple[PersonShown, ...]
    letters: dict[int, str]
    """Letter by person number."""

    @property
    def picture(self) -> str:
        """The picture's path below the served folder, with ``/``."""
        return f"{PICTURES_FOLDER}/{self.question_id}.jpg"


def draft_question(people: Sequence[PersonFollowed], *, sha256: str) -> QuestionDraft | None:
    """Choose whom a question shows, and when; None where nobody is undecided.

    Eight people at most, the undecided first, at four to six moments that show everybody, large, and far apart. The
    same tracks give the same question. Who is never in the chosen moments is not asked about.
    """
    if not any(person.undecided for person in people):
        return None
    ranked = sorted(people, key=lambda person: (not person.undecided, person.person_number))[: len(LETTERS)]
    moments = choose_moments(ranked)
    shown = sorted({number for moment in moments for number, _ in moment.boxes})
    letters = letters_of(shown)
    persons = tuple(
        PersonShown(letter=letter, anchors=tuple(_anchors(number, moments))) for number, letter in letters.items()
    )
    return QuestionDraft(
        question_id=make_question_id(sha256, persons), sha256=sha256, moments=moments, people=persons, letters=letters
    )


def _anchors(person_number: int, moments: Iterable[Moment]) -> Iterable[PersonAnchor]:
    for moment in moments:
        for number, box in moment.boxes:
            if number == person_number:
                yield PersonAnchor(time_ns=moment.time_ns, box_xyxy=box)


def letters_of(person_numbers: Sequence[int]) -> dict[int, str]:
    """Give eight people at most a letter each: the one that previews give, or the first that is free beyond H."""
    kept = {number: LETTERS[number] for number in person_numbers if number < len(LETTERS)}
    free = iter([letter for letter in LETTERS if letter not in kept.values()])
    letters = kept | {number: next(free) for number in person_numbers if number not in kept}
    return dict(sorted(letters.items(), key=lambda pair: pair[1]))


def make_question_id(sha256: str, people: Iterable[PersonShown]) -> str:
    """Name a question by its file and by what it shows of it: the same evidence is the same question."""
    shown = [(p.letter, a.time_ns, *(round(side) for side in a.box_xyxy)) for p in people for a in p.anchors]
    return "q" + digest(repr((sha256, shown)).encode()).hexdigest()[:ID_HEX_DIGITS]


def choose_moments(people: Sequence[PersonFollowed]) -> tuple[Moment, ...]:
    """Choose four to six frames, in order of time, that show everybody as well as so many can.

    One after the other, the frame is taken that shows most: a person counts more while not shown yet, if undecided,
    and where the box is large for this person; a frame close to a chosen one counts half at most.
    """
    frames, times_ns = _looks(people)
    worth = _worth(people, frames)
    count = min(MOST_MOMENTS, max(FEWEST_MOMENTS, len(people) + 1), frames.shape[0])
    span_ns = max(1, int(times_ns[-1] - times_ns[0]))
    again = np.ones(len(people))
    apart = np.ones(frames.shape[0])
    chosen: list[int] = []
    for _ in range(count):
        value = (again @ worth) * (0.5 + 0.5 * apart)
        value[chosen] = -1.0
        best = int(np.argmax(value))
        chosen.append(best)
        again[worth[:, best] > 0] *= SHOWN_AGAIN
        apart = np.minimum(apart, np.abs(times_ns - times_ns[best]) / (span_ns / count))
    return tuple(_moment(people, int(frames[index]), int(times_ns[index])) for index in sorted(chosen))


def _looks(people: Sequence[PersonFollowed]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the frames that may be shown and their times, increasing."""
    tracks = [track for person in people for track in person.tracks]
    looks = {
        int(track.frame_indices[row]): int(track.times_ns[row])
        for track in tracks
        for row in (int(share * (track.frame_indices.shape[0] - 1)) for share in LOOKS)
    }
    frames = sorted(looks)
    return np.array(frames, dtype=np.int64), np.array([looks[frame] for frame in frames], dtype=np.int64)


def _worth(people: Sequence[PersonFollowed], frames: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return what each frame shows of each person, shape ``(people, frames)``; 0 where the person is not in it."""
    sizes = np.zeros((len(people), frames.shape[0]))
    for row, person in enumerate(people):
        for track in person.tracks:
            found = np.minimum(np.searchsorted(track.frame_indices, frames), track.frame_indices.shape[0] - 1)
            seen = track.frame_indices[found] == frames
            boxes = track.boxes_xyxy[found[seen]]
            heights = np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0), axis=1))
            sizes[row, seen] = np.maximum(sizes[row, seen], heights)
    weights = np.array([1.0 if person.undecided else DECIDED for person in people])
    share = sizes / np.maximum(sizes.max(axis=1, keepdims=True), 1.0)
    return np.where(sizes > 0, weights[:, None] * (0.5 + 0.5 * share), 0.0)


def _moment(people: Sequence[PersonFollowed], frame: int, time_ns: int) -> Moment:
    boxes = []
    for person in people:
        for track in person.tracks:
            row = int(np.searchsorted(track.frame_indices, frame))
            if row < track.frame_indices.shape[0] and track.frame_indices[row] == frame:
                x1, y1, x2, y2 = (float(side) for side in track.boxes_xyxy[row])
                boxes.append((person.person_number, (x1, y1, x2, y2)))
    return Moment(frame_index=frame, time_ns=time_ns, boxes=tuple(sorted(boxes)))


def is_asked(draft: QuestionDraft, people: Sequence[PersonFollowed], asked: Iterable[PlayerQuestion]) -> bool:
    """Tell whether earlier questions showed every undecided person whom the draft would show.

    By file, time and box, not by track: people who were followed anew and are still where they were are not asked
    about a second time.
    """
    earlier = [
        anchor for question in asked if question.sha256 == draft.sha256 for p in question.people for anchor in p.anchors
    ]
    wanted = [person for person in people if person.undecided and person.person_number in draft.letters]
    return all(any(_shows(anchor, person) for anchor in earlier) for person in wanted)


def _shows(anchor: PersonAnchor, person: PersonFollowed) -> bool:
    return any(
        track.times_ns[0] <= anchor.time_ns <= track.times_ns[-1]
        and box_iou(track.box_at(anchor.time_ns), anchor.box_xyxy) >= MIN_BOX_IOU
        for track in person.tracks
    )


def player_task_document(draft: QuestionDraft, *, reason: str) -> dict[str, Any]:
    """Build the task for a question, as Label Studio imports it.

    Nothing in it names a video, a person or a source: the question's id joins it to the recorded questions.

    Args:
        draft: What is asked.
        reason: Why, in words with numbers.
    """
    source = escape(f"/data/local-files/?d={quote(draft.picture)}", quote=True)
    letters = [person.letter for person in draft.people]
    return {
        "data": {
            "question_id": draft.question_id,
            "html": f'<img src="{source}" alt="{len(draft.moments)} moments of a video"/>',
            "question": QUESTION,
            "reason": f"Asked because: {reason}",
            "people": [
                *({"value": letter, "alias": letter, "hotkey": letter.lower()} for letter in letters),
                {"value": "Nobody shown", "alias": NOBODY, "hotkey": NOBODY_KEY},
                {"value": "Unsure", "alias": UNSURE, "hotkey": UNSURE_KEY},
            ],
        },
        "predictions": [],
    }

"""A language model's wording of a description: what it is asked, and whether its answer says more than the fields."""

import json
import re
from collections.abc import Mapping
from typing import Any

from releases.config import DescriptionsConfig
from releases.descriptions.fields import DescriptionFields
from releases.descriptions.vocabulary import facts_of, stem_of, strange_words, unsettled_choices
from releases.descriptions.words import COUNTS, duration_number, extent_number, speed_number
from schema.files import digest_of
from schema.taxonomy import GestureClass

PROMPT_VERSION = 1
"""Raised with every change of the prompt; recorded answers to other versions are not used."""
INSTRUCTIONS = (
    "You word descriptions of small body movements. Write one or two short sentences in plain English, present tense, "
    "about 'the person'. Use only the facts given, in the given words where you can. Add nothing: no other body part, "
    "no side or place that is not given, no number that is not given, no cause, no feeling, no judgement, no name. "
    "Where the class says 'or', keep both and the 'or'. Leave facts out rather than guess. Write lengths in shoulder "
    "widths and times in s. Answer with the sentences alone."
)
MOST_SENTENCES = 2
LONGEST = 320
"""Characters; the longest template sentence takes some 230."""
FEWEST_WORDS = 3
"""As in "The person nods."."""
MOST_TOKENS = 120
_CHARACTERS = re.compile(r"[A-Za-z0-9 ,.;:'-]*")
_NUMBER = r"(?P<number>\d+(?:\.\d+)?)"
_UNITS = (
    ("speed", re.compile(rf"{_NUMBER} shoulder[- ]widths? (?:a|per) second\b")),
    ("extent", re.compile(rf"{_NUMBER} shoulder[- ]widths?\b(?! (?:a|per) second)")),
    ("duration", re.compile(rf"{_NUMBER} (?:s|seconds?)\b")),
    ("repetitions", re.compile(rf"{_NUMBER} (?:times|cycles|repetitions)\b")),
)
_WORD_COUNTS = {words: count for count, words in enumerate(COUNTS) if count > 0}
_NUMBER_WORDS = frozenset(
    {*(words.split()[0] for words in COUNTS), "one", "two", "thrice", "single", "double", "half", "dozen", "hundred"}
)


def request_document(row: Mapping[str, Any], config: DescriptionsConfig) -> dict[str, Any]:
    """Return the body of the request for a row of *segments*, made of the fields and the class's words alone.

    Neither ids nor pixels nor anything of the video enter it.
    """
    facts = json.dumps(facts_of(row), ensure_ascii=True, sort_keys=True)
    return {
        "model": config.model,
        "messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": facts}],
        "temperature": 0,
        "max_tokens": MOST_TOKENS,
    }


def request_id_of(document: Mapping[str, Any]) -> str:
    """Return the digest that an answer is recorded under: of model, version of the prompt, and request."""
    return digest_of({"model": document["model"], "prompt_version": PROMPT_VERSION, "request": dict(document)})


def check_answer(text: str, row: Mapping[str, Any], gesture: GestureClass | None) -> tuple[str, ...]:
    """Return why an answer must not be published, empty where it may.

    Every word must be one of the fields, of the class's wording, of the template sentence, or of a short list of
    function words, by its stem; every number must be one of the fields in its own unit; a choice that the class leaves
    open ("touches or scratches") must stay open. So facts that need other words can't be added. What this can't see is
    a false sentence made of the right words; and it refuses many true ones that word the fields freely.
    """
    fields = DescriptionFields.from_row(row)
    words = re.findall(r"[a-z]+", text.lower())
    reasons = [*_of_form(text), *_of_numbers(text, fields, gesture)]
    plain = [word for word in words if word not in _NUMBER_WORDS]
    reasons += [f"says {word!r}, which is in no field" for word in strange_words(plain, row, gesture)]
    if gesture is not None:
        reasons += [f"settles {choice!r}, which the class leaves open" for choice in unsettled_choices(words, gesture)]
        content = {stem_of(word) for word in re.findall(r"[a-z]+", gesture.phrase) if len(word) > 3}
        if not content & {stem_of(word) for word in words}:
            reasons.append("does not say what the class is")
    return tuple(reasons)


def _of_form(text: str) -> list[str]:
    reasons = []
    if len(re.findall(r"[A-Za-z]+", text)) < FEWEST_WORDS:
        reasons.append("says next to nothing")
    if len(text) > LONGEST:
        reasons.append(f"is longer than {LONGEST} characters")
    if not _CHARACTERS.fullmatch(text):
        reasons.append("has characters that no such sentence needs")
    sentences = [piece for piece in re.split(r"\.(?!\d)\s*", text) if piece.strip()]
    if len(sentences) > MOST_SENTENCES:
        reasons.append(f"has {len(sentences)} sentences")
    if not text.endswith(".") or not all(piece[0].isupper() for piece in sentences):
        reasons.append("is not made of whole sentences")
    if any(re.search(r"[A-Z]", piece[1:]) for piece in sentences):
        reasons.append("has a capital letter inside a sentence")
    return reasons


def _of_numbers(text: str, fields: DescriptionFields, gesture: GestureClass | None) -> list[str]:
    """Check numbers by their unit; what is left without one is refused."""
    lowered = text.lower()
    given = {
        "speed": speed_number(fields),
        "extent": extent_number(fields),
        "duration": duration_number(fields),
        "repetitions": None if fields.repetitions is None else str(fields.repetitions),
    }
    reasons = []
    for name, pattern in _UNITS:
        for match in pattern.finditer(lowered):
            if not _is_same(match["number"], given[name]):
                reasons.append(f"gives {match[0]!r}, which is not the {name}")
        lowered = pattern.sub(" ", lowered)
    for words, count in sorted(_WORD_COUNTS.items(), reverse=True):
        if re.search(rf"\b{words}\b", lowered) and not _counts(count, fields):
            reasons.append(f"says {words!r}, which is not the number of repetitions")
        lowered = re.sub(rf"\b{words}\b", " ", lowered)
    left = re.findall(r"\d+(?:\.\d+)?", lowered) + [w for w in re.findall(r"[a-z]+", lowered) if w in _NUMBER_WORDS]
    allowed = {"one"} if fields.side in ("left", "right") or fields.movement == "once" else set()
    allowed |= {"two"} if fields.side == "both" else set()
    allowed |= set() if gesture is None else set(gesture.phrase.split())
    return reasons + [f"gives {number!r} without its unit" for number in dict.fromkeys(left) if number not in allowed]


def _counts(count: int, fields: DescriptionFields) -> bool:
    """Tell whether a count may be said: "once" also of a movement one way."""
    return count == fields.repetitions or (count == 1 and fields.movement == "once")


def _is_same(number: str, given: str | None) -> bool:
    return given is not None and float(number) == float(given)

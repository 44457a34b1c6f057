"""Finding names in titles: every way to write everybody's, the longest first, with how surely each fits."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from collectors.catalogue.mentions import Mention, beside_a_name, with_roles
from collectors.catalogue.people import NameForm, People, Words
from collectors.catalogue.spelling import Text, Word
from collectors.catalogue.vocabulary import PATTERNS, Kind, is_known

FULL, ALIAS, PART, DOUBTFUL, FAMILY, STRANGER = 1.0, 0.95, 0.88, 0.8, 0.6, 0.3
"""Scores of a mention: the full name; an alias; an initial, a short or inflected given name (Rafa, Igi), one slip of
the pen, or a full name beside a word that may belong to a longer one; two of these; the family name alone; and a family
name beside somebody else's given name. Below an alias, a name counts only where the results show the person there."""
SHORTEST_MISSPELT = 6
"""A slip is forgiven in words of this length and more: Marta and Maria are two people."""
_REACH = 6
"""Words around a mention in which another one may have claimed the same."""
_FUZZY_CHUNK = 512


class MentionFinder:
    """Finds names in titles; prepared once for many."""

    def __init__(self, people: People, texts: Sequence[Text]) -> None:
        """Look up the misspelt words of all titles at once: one by one would take minutes."""
        self._people = people
        self._near = _near_families(people, texts)

    def mentions_in(self, text: Text, *, taken: frozenset[int]) -> list[Mention]:
        """Find the people that a title names, with their roles.

        Args:
            text: The title.
            taken: Words that belong to a tournament's name: no family name alone is looked for there.
        """
        taken |= frozenset(
            index
            for match in PATTERNS[Kind.CONFERENCE].finditer(text.plain)
            for index in range(text.word_at(match.start()), text.word_at(match.end() - 1) + 1)
        )
        blocked = frozenset(index for index, word in enumerate(text.words) if word.quoted)
        candidates = self._candidates(text, range(len(text.words)), blocked, taken)
        found: list[Mention] = []
        while candidates:
            best = max(candidates, key=_weight)  # "Tomas Martin Etcheverry" is no Tomas Martin
            found.append(best)
            blocked |= frozenset(range(best.start, best.end))
            near = range(best.start - _REACH, best.end + _REACH)
            far = [m for m in candidates if m.end <= near.start or m.start >= near.stop]
            candidates = far + [m for m in self._candidates(text, near, blocked, taken) if m not in far]
        return with_roles(text, sorted(found, key=lambda m: m.start), taken)

    def _candidates(
        self, text: Text, indexes: Iterable[int], blocked: frozenset[int], taken: frozenset[int]
    ) -> list[Mention]:
        """Return every mention whose family name begins at one of the words."""
        found: list[Mention] = []
        for index in indexes:
            for length in range(1, min(self._people.longest_family, len(text.words) - index) + 1):
                if index < 0 or not _is_whole(text, index, length, blocked):
                    break
                mention = self._mention_at(text, index, length, blocked, taken)
                if mention:
                    found.append(mention)
        return found

    def _mention_at(
        self, text: Text, index: int, length: int, blocked: frozenset[int], taken: frozenset[int]
    ) -> Mention | None:
        scores, start, end = self._scored(text, index, length, blocked, taken)
        if not scores or max(scores.values()) <= STRANGER or taken.issuperset(range(start, end)):
            return None
        if max(scores.values()) == FULL and beside_a_name(text, start, end, taken):
            scores = {person: min(score, PART) for person, score in scores.items()}
        return Mention(start=start, end=end, scores=scores)

    def _scored(
        self, text: Text, index: int, length: int, blocked: frozenset[int], taken: frozenset[int]
    ) -> tuple[dict[int, float], int, int]:
        """Score everybody whose family name stands at ``index``; return the scores and the words that they cover."""
        fits: dict[int, tuple[float, int, int]] = {}
        for person, form, slips in self._families_at(text, index, length):
            score, start, end = _fit(text, form, index, index + length, slips=slips, blocked=blocked, taken=taken)
            if (score, end - start) > (fits.get(person, (0.0, 0, 0))[0], 0):
                fits[person] = (score, start, end)
        fits = {person: fit for person, fit in fits.items() if fit[0] >= STRANGER}
        if not fits:
            return {}, index, index
        _, start, end = max(fits.values(), key=lambda fit: (fit[0], fit[2] - fit[1]))
        covering = {
            p: score for p, (score, first, last) in fits.items() if last - first == end - start or score <= FAMILY
        }
        return covering, start, end

    def _families_at(self, text: Text, index: int, length: int) -> Iterator[tuple[int, NameForm, bool]]:
        for family in _spelt(text.words[index : index + length]):
            for person, form in self._people.by_family.get(family, ()):
                yield person, form, False
        if length == 1:
            for family in self._near.get(text.words[index].plain, ()):
                for person, form in self._people.by_family[family]:
                    yield person, form, True


def _is_whole(text: Text, index: int, length: int, blocked: frozenset[int]) -> bool:
    """Tell whether nothing parts the words: no punctuation, no quote, no possessive, no other name."""
    words = text.words[index : index + length]
    if blocked.intersection(range(index, index + length)) or any(word.after_break for word in words[1:]):
        return False
    return not any(word.possessive for word in words[:-1])


def _weight(mention: Mention) -> tuple[int, float, int]:
    return mention.end - mention.start, mention.best, -mention.start


def _spelt(words: Sequence[Word]) -> Iterator[Words]:
    spelt: list[Words] = [()]
    for word in words:
        spelt = [(*before, one) for before in spelt for one in sorted(word.spellings)]
    yield from spelt


def _near_families(people: People, texts: Sequence[Text]) -> dict[str, list[Words]]:
    """Find the family names that are one slip away from each word of the titles that is none itself."""
    families = [words for words in people.by_family if len(words) == 1 and len(words[0]) >= SHORTEST_MISSPELT]
    known = {words[0] for words in people.by_family if len(words) == 1}
    strange = {
        word.plain
        for text in texts
        for word in text.words
        if len(word.plain) >= SHORTEST_MISSPELT and not known & word.spellings and not is_known(word.plain)
    }
    names = [words[0] for words in families]
    ordered = sorted(strange)
    near: dict[str, list[Words]] = {}
    for begin in range(0, len(ordered) if names else 0, _FUZZY_CHUNK):
        chunk = ordered[begin : begin + _FUZZY_CHUNK]
        distances = process.cdist(chunk, names, scorer=OSA.distance, score_cutoff=1, dtype=np.uint8, workers=1)
        for row, column in zip(*(distances <= 1).nonzero(), strict=True):
            near.setdefault(chunk[row], []).append(families[column])
    return near


def _fit(
    text: Text, form: NameForm, start: int, end: int, *, slips: bool, blocked: frozenset[int], taken: frozenset[int]
) -> tuple[float, int, int]:
    """Score one way to write a person at the words ``start:end`` (the family name), looking at the words beside."""
    words = text.words
    if form.given:
        for at, length in _given_places(text, form, start, end, blocked):
            score = _given_score(words[at : at + length], form.given, family_slips=slips)
            if score and not (length == 1 and len(words[at].plain) == 1 and _is_marker(text, at, blocked)):
                return score, min(at, start), max(at + length, end)
    if slips or form.whole or taken.intersection(range(start, end)):
        return 0.0, start, end
    name = words[start:end]
    if all(is_known(word.plain) for word in name) or (text.has_case and not any(word.capital for word in name)):
        return 0.0, start, end
    if beside_a_name(text, start, end, taken):
        return STRANGER, start, end
    return (ALIAS if form.alias else FAMILY), start, end


def _given_places(
    text: Text, form: NameForm, start: int, end: int, blocked: frozenset[int]
) -> Iterator[tuple[int, int]]:
    """Yield where given names may stand: before the family name, or behind it, all of them or the first alone."""
    words = text.words
    for length in dict.fromkeys((len(form.given), 1)):
        for at, joints in ((start - length, (start - length + 1, start + 1)), (end, (end, end + length))):
            inside = at >= 0 and at + length <= len(words)
            free = inside and not blocked.intersection(range(at, at + length))
            if free and not any(word.after_break for word in words[slice(*joints)]):
                yield at, length
    if end < len(words) and len(words[end].plain) == 1 and end not in blocked:
        yield end, 1  # "Sinner, J."


def _is_marker(text: Text, at: int, blocked: frozenset[int]) -> bool:
    """Tell whether a single "v" or "d" stands between two names: versus, defeats."""
    word = text.words[at]
    if word.plain not in ("v", "d") or at == 0:
        return False
    return at - 1 in blocked or (not word.after_break and not is_known(text.words[at - 1].plain))


def _given_score(words: Sequence[Word], given: Words, *, family_slips: bool) -> float:
    if any(word.quoted or word.possessive for word in words):
        return 0.0
    all_given = len(words) == len(given) and all(g in w.spellings for w, g in zip(words, given, strict=True))
    if all_given or (len(words) == 1 and given[0] in words[0].spellings):
        return PART if family_slips else FULL
    if len(words) == 1 and _is_like(words[0].plain, given[0]):
        return DOUBTFUL if family_slips else PART
    return 0.0


def _is_like(said: str, given: str) -> bool:
    """Tell whether a word may stand for a given name: an initial, a short form, an inflected form, one slip."""
    if len(said) == 1:
        return said == given[0]
    short, long = sorted((said, given), key=len)
    if len(short) < 3:
        return False
    if long.startswith(short) and (len(short) <= 4 or len(long) - len(short) >= 3):
        return True
    if said[:-1] in (given[:-1], given):
        return True
    return len(short) >= SHORTEST_MISSPELT and said[0] == given[0] and OSA.distance(said, given, score_cutoff=1) <= 1

"""Declared attributes of people, made so coarse that nobody is singled out by them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from releases.facts import AttributeFacts
from releases.inputs import SubjectAttributes

_DECADE, _TWO_DECADES = 10, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAttributes:
    """What the table *subjects* says of one person."""

    sex: str | None = None
    """f or m."""
    birth_years: str | None = None
    """A decade or two, as in 1990-1999."""


def publish_attributes(
    attributes: Mapping[str, SubjectAttributes],
    *,
    subjects: Collection[str],
    names: Sequence[str],
    k: int,
) -> tuple[dict[str, PublishedAttributes], tuple[AttributeFacts, ...]]:
    """Coarsen the attributes of a release's people until each published combination is shared by ``k`` of them.

    The combination (sex, birth years) is what is shared, and "not told" is a value like any other: who was nulled is
    one of at least ``k`` who are null beside the same other attribute, so that a null singles nobody out. Sex goes
    only where too few share it at all; then, among the people of one sex, a birth year becomes its decade; two
    decades are put together where one of them has too few (both of them, else the wider one would tell who is of the
    smaller decade); what still has too few becomes null, and the smallest of the others with it while the nulls are
    too few. Where there are fewer than ``k`` people nothing is told.

    Args:
        attributes: What is declared, by subject id.
        subjects: Ids of the people in the release.
        names: Which of ``releases.config.ATTRIBUTES`` are published.
        k: How many people must share a combination.

    Returns:
        What is published of every one of ``subjects``, and the counts of each attribute of ``names``.
    """
    people = sorted(set(subjects))
    declared = {person: attributes.get(person, SubjectAttributes()) for person in people}
    sexes: dict[str, str | None] = dict.fromkeys(people)
    if "sex" in names:
        sexes = _hide_small({person: declared[person].sex or None for person in people}, k=k)
    births: dict[str, str | None] = dict.fromkeys(people)
    if "birth_years" in names:
        for sex in sorted(set(sexes.values()), key=str):
            group = {person: declared[person].birth_year for person in people if sexes[person] == sex}
            births |= _hide_small(_spans_of(group, k=k), k=k)
    published = {person: PublishedAttributes(sex=sexes[person], birth_years=births[person]) for person in people}
    told = {"sex": sexes, "birth_years": births}
    given = {
        "sex": sum(bool(one.sex) for one in declared.values()),
        "birth_years": sum(one.birth_year is not None for one in declared.values()),
    }
    return published, tuple(_facts(name, given[name], told[name]) for name in names)


def _facts(name: str, declared: int, told: Mapping[str, str | None]) -> AttributeFacts:
    values = [value for value in told.values() if value is not None]
    generalised = sum(_length(value) > _DECADE for value in values) if name == "birth_years" else 0
    return AttributeFacts(
        name=name,
        declared=declared,
        published=len(values),
        generalised=generalised,
        nulled=declared - len(values),
    )


def _length(birth_years: str) -> int:
    first, last = birth_years.split("-")
    return int(last) - int(first) + 1


def _span(year: int, length: int) -> str:
    first = year - year % length
    return f"{first}-{first + length - 1}"


def _spans_of(years: Mapping[str, int | None], *, k: int) -> dict[str, str | None]:
    """Give each year its decade, or its two decades where one of them has fewer than ``k`` people."""
    decades = Counter(_span(year, _DECADE) for year in years.values() if year is not None)
    merged = {
        _span(year, _TWO_DECADES) for year in years.values() if year is not None and decades[_span(year, _DECADE)] < k
    }
    spans: dict[str, str | None] = {}
    for person, year in years.items():
        if year is None:
            spans[person] = None
        else:
            wide = _span(year, _TWO_DECADES)
            spans[person] = wide if wide in merged else _span(year, _DECADE)
    return spans


def _hide_small(values: Mapping[str, str | None], *, k: int) -> dict[str, str | None]:
    """Null values of fewer than ``k`` people, then the rarest of the others while there are nulls, but too few."""
    counts = Counter(value for value in values.values() if value is not None)
    hidden = {value for value, count in counts.items() if count < k}
    nulls = sum(value is None or value in hidden for value in values.values())
    for value, count in sorted(counts.items(), key=lambda pair: (pair[1], pair[0])):
        if 0 < nulls < k and value not in hidden:
            hidden.add(value)
            nulls += count
    return {person: None if value in hidden else value for person, value in values.items()}

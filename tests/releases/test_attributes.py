"""Declared attributes: every published combination is shared by k people, and a null singles nobody out."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.inputs import SubjectAttributes
from releases.privacy.attributes import PublishedAttributes, publish_attributes

BOTH = ("sex", "birth_years")


def people(*groups: tuple[int, str, int | None]) -> dict[str, SubjectAttributes]:
    """Give (count, sex, birth year) groups as people."""
    found: dict[str, SubjectAttributes] = {}
    for count, sex, year in groups:
        for _ in range(count):
            found[f"s{len(found):03d}"] = SubjectAttributes(sex=sex, birth_year=year)
    return found


def published(
    declared: dict[str, SubjectAttributes], k: int, names: tuple[str, ...] = BOTH
) -> Counter[tuple[str | None, str | None]]:
    told, _ = publish_attributes(declared, subjects=declared, names=names, k=k)
    return Counter((one.sex, one.birth_years) for one in told.values())


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        # enough of each: only the year becomes its decade
        (((5, "f", 1991), (5, "m", 1985)), {("f", "1990-1999"): 5, ("m", "1980-1989"): 5}),
        # too few of one decade: both decades become one span, so that the span does not mean the smaller one
        (((6, "f", 1991), (2, "f", 1985)), {("f", "1980-1999"): 8}),
        # two decades are still too few: null, and the rarest other span with them, for two nulls would be known
        (((6, "f", 1991), (7, "f", 2003), (2, "f", 1971)), {("f", None): 8, ("f", "2000-2009"): 7}),
        # nulls that are many enough cost nobody else a thing
        (((6, "f", 1991), (4, "f", None), (2, "f", 1971)), {("f", "1990-1999"): 6, ("f", None): 6}),
        # too few men: without the women's attribute a null would say "man"
        (((8, "f", 1991), (3, "m", 1991)), {(None, "1990-1999"): 11}),
        (((8, "f", 1991), (3, "m", 1991), (4, "", 1991)), {("f", "1990-1999"): 8, (None, "1990-1999"): 7}),
        # fewer people than k: nothing
        (((2, "f", 1991), (2, "m", 1985)), {(None, None): 4}),
        ((), {}),
    ],
)
def test_attributes_are_kept_as_fine_as_k_people_allow(
    groups: tuple[tuple[int, str, int | None], ...], expected: dict[tuple[str | None, str | None], int]
) -> None:
    assert published(people(*groups), k=5) == expected


def test_only_the_named_attributes_are_published_and_counted() -> None:
    declared = people((6, "f", 1991), (2, "f", 1985), (5, "m", 1962), (1, "m", 2001))
    told, facts = publish_attributes(declared, subjects=declared, names=("birth_years",), k=5)
    assert {one.sex for one in told.values()} == {None}
    assert [fact.name for fact in facts] == ["birth_years"]
    _, (sex, years) = publish_attributes(declared, subjects=declared, names=BOTH, k=5)
    assert (sex.declared, sex.published, sex.generalised, sex.nulled) == (14, 14, 0, 0)
    assert (years.declared, years.published, years.generalised, years.nulled) == (14, 8, 8, 6)


def test_people_who_are_not_in_the_release_lend_nobody_their_cover() -> None:
    declared = people((5, "f", 1991), (5, "m", 1991))
    released = [person for person in declared if declared[person].sex == "f" or person == "s005"]
    told, _ = publish_attributes(declared, subjects=[*released, "unknown"], names=BOTH, k=5)
    assert told.keys() == {*released, "unknown"}
    assert {one.sex for one in told.values()} == {None}
    assert told["unknown"] == PublishedAttributes(sex=None, birth_years=None)


DECLARED = st.lists(
    st.builds(
        SubjectAttributes,
        sex=st.sampled_from(["f", "m", ""]),
        birth_year=st.one_of(st.none(), st.sampled_from([1958, 1967, 1971, 1984, 1989, 1990, 1999, 2000, 2004])),
    ),
    max_size=40,
)


@given(DECLARED, st.integers(2, 8), st.sampled_from([BOTH, ("sex",), ("birth_years",), ()]))
def test_every_published_combination_is_shared_by_k_people(
    declared: list[SubjectAttributes], k: int, names: tuple[str, ...]
) -> None:
    by_id = {f"s{n:03d}": one for n, one in enumerate(declared)}
    told, facts = publish_attributes(by_id, subjects=by_id, names=names, k=k)
    groups = Counter((one.sex, one.birth_years) for one in told.values())
    assert set(groups) <= {(None, None)} or min(groups.values()) >= k
    for person, one in told.items():
        assert one.sex in (None, by_id[person].sex)
        if one.birth_years is not None:
            first, last = map(int, one.birth_years.split("-"))
            year = by_id[person].birth_year
            assert year is not None
            assert first <= year <= last
    assert all(fact.declared == fact.published + fact.nulled for fact in facts)


@given(DECLARED, st.integers(2, 6), st.randoms(use_true_random=False))
def test_a_wider_span_never_lies_beside_its_own_decade(
    declared: list[SubjectAttributes], k: int, random: object
) -> None:
    by_id = {f"s{n:03d}": one for n, one in enumerate(declared)}
    told, facts = publish_attributes(by_id, subjects=by_id, names=BOTH, k=k)
    for sex in {one.sex for one in told.values()}:
        spans = {one.birth_years for one in told.values() if one.sex == sex and one.birth_years is not None}
        ranges = [range(int(span[:4]), int(span[5:]) + 1) for span in spans]
        assert not any(set(a) & set(b) for a in ranges for b in ranges if a != b)
    shuffled = list(by_id.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert publish_attributes(dict(shuffled), subjects=dict(shuffled), names=BOTH, k=k) == (told, facts)

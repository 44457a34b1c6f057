"""Filters: what a source passes over, and what a wrong filter tells."""

import pytest

from collectors.facts import Facts
from collectors.filters import FilterKeys, Filters, check_filters, filters_digest, filters_of, passed_over
from schema.errors import ConfigError, DropReason

S = 10**9
FILTERED, TOO_LONG, NOT_YET = DropReason.FILTERED, DropReason.TOO_LONG, DropReason.NOT_YET
NAMED = "Iga Świątek after her win"


@pytest.mark.parametrize(
    ("filters", "facts", "reason"),
    [
        (Filters(uploaded_from="2026-05-20"), Facts(uploaded_on="2026-05-19"), FILTERED),
        (Filters(uploaded_from="2026-05-20"), Facts(uploaded_on="2026-05-20"), None),
        (Filters(uploaded_until="2026-05-20"), Facts(uploaded_on="2026-05-20"), None),
        (Filters(uploaded_until="2026-05-20"), Facts(uploaded_on="2026-05-21"), FILTERED),
        (Filters(max_seconds=600), Facts(duration_ns=600 * S), None),
        (Filters(max_seconds=600), Facts(duration_ns=601 * S), TOO_LONG),
        (Filters(min_seconds=60), Facts(duration_ns=59 * S), FILTERED),
        (Filters(min_seconds=60), Facts(duration_ns=60 * S), None),
        (Filters(min_height_px=480), Facts(height_px=360), FILTERED),
        (Filters(min_height_px=480), Facts(height_px=480), None),
        (Filters(languages=("en", "fr")), Facts(language="en-GB"), None),
        (Filters(languages=("EN",)), Facts(language="en"), None),
        (Filters(languages=("en-GB",)), Facts(language="en"), FILTERED),
        (Filters(languages=("es",)), Facts(language="est"), FILTERED),
        (Filters(), Facts(is_live=True), NOT_YET),
        (Filters(not_live=False), Facts(is_live=True), None),
        (Filters(max_seconds=60), Facts(duration_ns=61 * S, is_live=True), TOO_LONG),
    ],
)
def test_a_video_passes_or_is_passed_over(filters: Filters, facts: Facts, reason: DropReason | None) -> None:
    verdict = passed_over(facts, filters)
    assert (verdict[0] if verdict else None) is reason


@pytest.mark.parametrize(
    ("include", "exclude", "title", "passes"),
    [
        (("press conference",), (), "PRESS CONFERENCE: round 2", True),
        (("press conference",), (), "Highlights", False),
        (("press conference", "interview"), (), "Interview", True),
        ((), ("highlights",), "Match HIGHLIGHTS", False),
        (("swiatek",), (), NAMED, True),
        (("świątek",), (), "IGA SWIATEK", True),
        (("sorensen", "lodz"), (), "Łódź open: Sørensen", True),
        (("conférence",), (), "CONFERENCE DE PRESSE", True),
        (("press",), (), "\N{MATHEMATICAL BOLD CAPITAL P}ress", True),
        # a full-width question mark is a sign of the title, not one that asks for nothing before it
        (("who\N{FULLWIDTH QUESTION MARK}$",), (), "Guess who?", True),
        (("who\N{FULLWIDTH QUESTION MARK}$",), (), "Guess wh", False),
        ((r"\bR\d\b",), (), "r2 presser", True),
        ((r"\S\s\S",), (), "ab", False),
    ],
)
def test_titles_match_without_case_and_accents(
    include: tuple[str, ...], exclude: tuple[str, ...], title: str, passes: bool
) -> None:
    verdict = passed_over(Facts(title=title), Filters(include=include, exclude=exclude))
    assert (verdict is None) is passes


def test_what_is_not_known_passes() -> None:
    strict = Filters(
        uploaded_from="2030-01-01",
        min_seconds=9,
        max_seconds=10,
        include=("never",),
        min_height_px=9999,
        languages=("xx",),
    )
    assert passed_over(Facts(), strict) is None


def test_a_verdict_tells_the_filter_and_never_the_title() -> None:
    for filters in (Filters(include=("secret",)), Filters(exclude=("iga",)), Filters(include=("x",), exclude=("iga",))):
        verdict = passed_over(Facts(title=NAMED), filters)
        assert verdict is not None
        assert not {"iga", "secret", "świątek"} & set(verdict[1].lower().replace("[", " ").split())
    assert passed_over(Facts(title=NAMED), Filters(exclude=("zzz", "iga"))) == (
        FILTERED,
        "the title matches exclude[1]",
    )


def test_a_video_of_two_sources_is_wanted_where_one_takes_it() -> None:
    both = filters_of(Filters(include=("interview",)), FilterKeys(max_seconds=60))
    assert passed_over(Facts(title="Highlights", duration_ns=50 * S), both) is None
    assert passed_over(Facts(title="Interview", duration_ns=70 * S), both) is None
    verdict = passed_over(Facts(title="Highlights", duration_ns=70 * S), both)
    assert verdict == (FILTERED, "the title matches no pattern of include")


def test_a_broadcast_waits_where_one_of_its_sources_takes_it_later() -> None:
    both = filters_of(Filters(include=("interview",)), Filters(max_seconds=60))
    verdict = passed_over(Facts(title="Highlights", duration_ns=50 * S, is_live=True), both)
    assert verdict is not None
    assert verdict[0] is NOT_YET


def test_joined_filters_are_kept_once() -> None:
    one, other = Filters(max_seconds=60), Filters(max_seconds=90)
    joined = filters_of(filters_of(one, other), other, one)
    assert joined == filters_of(one, other)
    assert len(joined.others) == 1


def test_the_digest_changes_with_any_filter_and_only_then() -> None:
    plain = filters_digest(Filters())
    assert filters_digest(filters_of(Filters())) == plain
    changed = [
        Filters(uploaded_from="2026-01-01"),
        Filters(uploaded_until="2026-01-01"),
        Filters(min_seconds=1),
        Filters(max_seconds=1),
        Filters(include=("a",)),
        Filters(exclude=("a",)),
        Filters(min_height_px=1),
        Filters(languages=("en",)),
        Filters(not_live=False),
        filters_of(Filters(), Filters(max_seconds=1)),
    ]
    assert len({plain, *map(filters_digest, changed)}) == len(changed) + 1


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (Filters(uploaded_from="20260101"), r"^s\.uploaded_from: '20260101' is no date in the form YYYY-MM-DD$"),
        (Filters(uploaded_until="2026-02-30"), r"^s\.uploaded_until: .* no date"),
        (Filters(uploaded_from="2026-02-02", uploaded_until="2026-02-01"), r"^s\.uploaded_until: lies before"),
        (Filters(min_seconds=-1), r"^s\.min_seconds: must be 0 or more"),
        (Filters(max_seconds=float("nan")), r"^s\.max_seconds: must be 0 or more"),
        (Filters(min_seconds=10, max_seconds=9), r"^s\.max_seconds: is less than min_seconds"),
        (Filters(min_height_px=-1), r"^s\.min_height_px: must"),
        (Filters(include=("fine", "(")), r"^s\.include\[1\]: not a regular expression: missing \)"),
        (Filters(exclude=(" ",)), r"^s\.exclude\[0\]: empty"),
        (Filters(languages=("en", "English")), r"^s\.languages\[1\]: 'English' is no language code"),
    ],
)
def test_a_wrong_filter_is_one_line_with_its_key(filters: Filters, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_filters("s", filters)

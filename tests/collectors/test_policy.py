"""What follows from each outcome."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.policy import DAY_S, POLICY, policy_lines, retry_ns
from schema.errors import DropReason

NOW_NS = 1_800_000_000 * 10**9
HOUR_NS = 3600 * 10**9
OF_OTHER_STAGES = {
    "no_person", "too_short", "not_the_player", "poor_quality", "no_keypoints", "no_movement", "over_budget",
    "answered", "crashed", "out_of_memory", "timed_out", "invalid_answer", "orphaned", "rejected", "undecided",
    "merged", "unknown_subject", "imported", "bad_import",
}  # fmt: skip
EXPECTED = {
    "missing": "never", "empty": "later", "unreadable": "later", "no_video": "never", "removed": "never",
    "private": "later", "geo_blocked": "later", "age_restricted": "later", "members_only": "later",
    "live_or_upcoming": "later", "bot_check": "later", "rate_limited": "later", "refused": "later",
    "forbidden_address": "later", "network": "later", "truncated": "now", "no_usable_format": "later",
    "unsupported": "later", "too_long": "never", "filtered": "never", "opted_out": "never", "duplicate": "never",
    "withdrawn": "never", "disposed": "never",
}  # fmt: skip
reasons = st.sampled_from(sorted(POLICY))


def due_after_s(reason: DropReason, attempts: int = 1, **facts: float) -> float | None:
    due_ns = retry_ns(reason, attempted_ns=NOW_NS, attempts_in_a_row=attempts, **facts)
    return None if due_ns is None else (due_ns - NOW_NS) / 1e9


def test_every_outcome_of_collection_has_its_rule():
    assert {reason.value for reason in POLICY} == {reason.value for reason in DropReason} - OF_OTHER_STAGES
    assert {reason.value: rule.when for reason, rule in POLICY.items()} == EXPECTED


def test_an_outcome_of_another_stage_is_no_outcome_of_collection():
    with pytest.raises(KeyError):
        due_after_s(DropReason.NO_PERSON)


@pytest.mark.parametrize("reason", [r for r, rule in POLICY.items() if rule.when == "never"])
def test_never_means_never_whatever_the_server_says(reason: DropReason):
    assert due_after_s(reason) is None
    assert due_after_s(reason, retry_after_s=5.0) is None


@given(reason=reasons, attempts=st.integers(1, 3000))
def test_waits_grow_are_bounded_and_end_where_the_rule_says_so(reason: DropReason, attempts: int):
    rule, wait_s = POLICY[reason], due_after_s(reason, attempts)
    if rule.when == "never" or (rule.attempts is not None and attempts >= rule.attempts):
        assert wait_s is None
        return
    assert wait_s is not None
    assert 0 <= wait_s <= rule.longest_wait_s
    earlier = due_after_s(reason, attempts - 1) if attempts > 1 else 0.0
    assert earlier is not None
    assert earlier <= wait_s


@given(reason=reasons, attempts=st.integers(1, 100))
def test_what_is_not_tried_at_once_waits(reason: DropReason, attempts: int):
    assert due_after_s(reason, attempts) != 0 or POLICY[reason].at_once >= attempts


def test_the_doings_of_a_host_and_of_the_network_are_never_given_up():
    for reason in (DropReason.NETWORK, DropReason.RATE_LIMITED, DropReason.BOT_CHECK, DropReason.NOT_YET):
        assert due_after_s(reason, 10_000) == POLICY[reason].longest_wait_s


def test_a_download_that_broke_off_is_resumed_at_once_and_then_less_and_less_often():
    assert [due_after_s(DropReason.TRUNCATED, n) for n in range(1, 7)] == [0, 0, 0, 3600, 4 * 3600, 16 * 3600]
    assert due_after_s(DropReason.TRUNCATED, 12) is None


def test_what_the_server_asks_counts_in_place_of_the_rule():
    assert due_after_s(DropReason.RATE_LIMITED, retry_after_s=7.0) == 7
    assert due_after_s(DropReason.RATE_LIMITED, retry_after_s=0.0) == 3600
    assert due_after_s(DropReason.NETWORK, retry_after_s=90_000.0) == 90_000
    assert due_after_s(DropReason.NETWORK, retry_after_s=1e12) == 7 * DAY_S


def test_a_broadcast_is_looked_for_after_its_start():
    start_ns = NOW_NS + 30 * HOUR_NS
    assert due_after_s(DropReason.NOT_YET, starts_ns=start_ns) == 32 * 3600
    assert due_after_s(DropReason.NOT_YET, 9, starts_ns=start_ns) == 32 * 3600
    assert due_after_s(DropReason.NOT_YET, starts_ns=NOW_NS + 1000 * 24 * HOUR_NS) == 7 * DAY_S
    assert due_after_s(DropReason.NOT_YET, starts_ns=NOW_NS - HOUR_NS) == 3 * 3600


def test_the_page_shows_the_policy():
    page = (Path(__file__).parents[2] / "docs" / "collect.md").read_text(encoding="utf-8")
    assert "\n".join(policy_lines()) in page

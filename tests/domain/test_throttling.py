"""Throttling: told where TMC refuses again and again, never where its limit is only searched."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import PROD, at
from tmcwatch.domain.budget import answered, called, fresh_pace, passed, throttled, wait
from tmcwatch.domain.throttling import Calls, is_throttled, is_troubled, throttled_since
from tmcwatch.domain.throttling import throttled as condition

CALM, BAD = False, True


def troubled(*, served=0, refused=0, is_paused=False):
    before = Calls(served=1_000, refused=10)
    after = Calls(served=1_000 + served, refused=10 + refused, is_paused=is_paused)
    return is_troubled(before, after)


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        ({"served": 360}, CALM),
        ({"served": 360, "refused": 1}, CALM),
        ({"served": 360, "refused": 7}, CALM),
        ({"served": 340, "refused": 7}, BAD),
        ({"refused": 1}, BAD),
        ({}, CALM),
        ({"is_paused": True}, BAD),
        ({"served": 5, "is_paused": True}, CALM),
    ],
)
def test_a_minute_is_in_trouble_by_the_part_that_was_refused(minute, expected):
    assert troubled(**minute) is expected


@pytest.mark.parametrize(
    ("minutes", "was", "expected"),
    [
        ([BAD] * 9, False, False),
        ([BAD] * 10, False, True),
        ([CALM, CALM, *[BAD] * 5, CALM, *[BAD] * 5], False, True),
        ([*[BAD] * 9, *[CALM] * 6], False, False),
        ([BAD, *[CALM] * 9], True, True),
        ([BAD, *[CALM] * 10], True, False),
        ([CALM] * 9, True, True),
        ([CALM] * 10, True, False),
    ],
)
def test_it_begins_after_ten_minutes_of_trouble_and_ends_after_ten_of_calm(minutes, was, expected):
    assert is_throttled(minutes, was=was) is expected


def test_it_says_since_when_and_in_how_many_minutes():
    minutes = [CALM] * 2 + [BAD] * 5 + [CALM] + [BAD] * 5
    assert throttled_since(minutes, now=at(13)) == at(2)
    told = condition(PROD, minutes, now=at(13))
    assert told.text.startswith("TMC refused requests for prod in 10 of the last 15 minutes:")
    assert (told.rule, told.account, told.since) == ("throttled", PROD, at(2))


def minutes_of(granted, borne, *, hours):
    """Ask as fast as the pace lets, of a TMC that bears less; give each minute's verdict."""
    pace, at, tokens = fresh_pace(granted * 60, 1.0, at=0.0), 0.0, borne
    calls, before = Calls(), Calls()
    verdicts: list[bool] = []
    while at < hours * 3600:
        step = max(wait(pace), 1e-3)
        tokens = min(borne, tokens + step * borne)
        at += step
        pace = called(passed(pace, at))
        if tokens >= 1:
            tokens -= 1
            pace = answered(pace, pauses=pace.pauses)
            calls = replace(calls, served=calls.served + 1)
        else:
            pace = throttled(pace, pauses=pace.pauses, asked=None, jitter=0.5)
            calls = replace(calls, refused=calls.refused + 1)
        if at // 60 > len(verdicts):
            verdicts.append(is_troubled(before, calls))
            before = calls
    return verdicts


@pytest.mark.uncounted
@pytest.mark.parametrize(("granted", "borne"), [(30, 20), (30, 4), (6, 3), (6, 1), (2, 1.4)])
def test_the_search_for_what_tmc_bears_is_never_told(granted, borne):
    verdicts = minutes_of(granted, borne, hours=2)
    settled = verdicts[20:]
    windows = [settled[i : i + 15] for i in range(len(settled) - 15)]
    assert not any(is_throttled(window, was=False) for window in windows)


@given(st.lists(st.booleans(), min_size=30, max_size=90))
def test_what_was_told_ends_only_in_calm_and_comes_back_only_in_trouble(minutes):
    lasts, changes = False, []
    for i in range(1, len(minutes) + 1):
        now = is_throttled(minutes[max(i - 15, 0) : i], was=lasts)
        if now is not lasts:
            changes.append(i)
            lasts = now
    spells = zip(changes[::2], changes[1::2], strict=False)
    assert all(over - begun >= 10 for begun, over in spells)

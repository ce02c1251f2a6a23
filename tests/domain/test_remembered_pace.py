"""How a pace goes on from what was remembered of it."""

from datetime import UTC, datetime, timedelta

import pytest

from tmcwatch.domain.budget import (
    LONGEST_OBEYED,
    SLOWEST,
    RememberedPace,
    answered,
    called,
    fresh_pace,
    passed,
    resumed,
    throttled,
    wait,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FRESH = fresh_pace(1_800, 0.2, at=1_000.0)


def gone_on(*, rate=3.0, paused_for=None):
    until = None if paused_for is None else NOON + timedelta(seconds=paused_for)
    return resumed(FRESH, RememberedPace(rate=rate, paused_until=until), now=NOON)


def test_the_rate_is_the_remembered_one_and_nothing_is_saved_up():
    assert (gone_on().rate, gone_on().tokens) == (3.0, 0.0)
    assert gone_on().climb > FRESH.climb  # as after a cut to what was remembered
    assert wait(gone_on()) == pytest.approx(1 / 3, rel=0.02)


@pytest.mark.parametrize(
    ("rate", "used"), [(100.0, FRESH.share), (0.0, SLOWEST * FRESH.share), (-1.0, 0.6)]
)
def test_the_rate_stays_within_what_the_configuration_grants_now(rate, used):
    assert gone_on(rate=rate).rate == pytest.approx(used)


def test_a_pause_lasts_until_the_remembered_moment():
    assert wait(gone_on(paused_for=30)) == pytest.approx(30)


def test_a_pause_of_more_than_is_ever_obeyed_is_taken_for_a_mistake():
    assert wait(gone_on(paused_for=86_400)) == LONGEST_OBEYED.total_seconds()


def test_a_pause_that_passed_meanwhile_is_not_waited_for_but_probed_after():
    begun = passed(gone_on(paused_for=-5), 1_010.0)
    assert wait(begun) == 0
    assert wait(called(begun)) == float("inf")


def test_after_a_remembered_pause_one_probe_goes_and_its_answer_ends_the_probing():
    begun = passed(gone_on(paused_for=30), 1_030.0)
    probing = called(begun)
    served = answered(probing, pauses=probing.pauses)
    assert wait(probing) == float("inf")
    assert wait(called(served)) == pytest.approx(1 / 3, rel=0.02)


def test_a_refused_probe_leaves_the_remembered_rate():
    probing = called(passed(gone_on(paused_for=30), 1_030.0))
    again = throttled(probing, pauses=probing.pauses, asked=timedelta(seconds=5), jitter=0)
    assert again.rate == 3.0
    assert wait(again) == pytest.approx(5)

"""The digest after an outage: only where something recovered, and with the right numbers."""

from dataclasses import replace

import pytest

from tests.domain.telling import PROD, alert, at, ended
from tmcwatch.domain.absence import digest, is_opened_late, may_be_told
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.built_in import AWAY, BUILT_IN
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.episode import ended as over
from tmcwatch.domain.execution import Phase

OUTAGE = Condition(rule=AWAY, account=PROD, kind="task", text="10:02 to 13:40 UTC", since=at(-99))
FIRING = alert()
RECOVERED = over(FIRING, EndReason.RECOVERED, at=at(5), now=at(5))
TAKEN_BACK = over(FIRING, EndReason.SUPERSEDED, at=at(5), now=at(5))


def told(*held, rule=BUILT_IN[AWAY], outages=(OUTAGE,)):
    return digest(rule, PROD, outages, held, ownership=(), now=at(9))


@pytest.mark.parametrize(
    ("held", "counts"),
    [
        ([RECOVERED], "1 failure, which has recovered."),
        ([RECOVERED] * 2, "2 failures, which have all recovered."),
        (
            [RECOVERED, FIRING],
            "2 failures, of which 1 has recovered; 1 is still failing and told separately.",
        ),
        (
            [RECOVERED] * 3 + [FIRING] * 2 + [TAKEN_BACK],
            "5 failures, of which 3 have recovered; 2 are still failing and told separately.",
        ),
    ],
)
def test_the_digest_counts_what_recovered_and_what_still_fails(held, counts):
    found = told(*held)
    assert found.annotations["summary"] == (
        f"While prod was out of sight (10:02 to 13:40 UTC): {counts}"
    )
    assert (found.starts_at, found.labels["kind"], found.labels["id"]) == (
        at(-99),
        "account",
        "prod",
    )


@pytest.mark.parametrize("held", [[], [FIRING], [TAKEN_BACK], [FIRING, TAKEN_BACK]])
def test_without_anything_to_put_together_there_is_no_digest(held):
    assert told(*held) is None


def test_without_an_outage_there_is_no_digest():
    assert told(RECOVERED, outages=()) is None


def test_the_digest_is_a_warning_unless_all_of_it_is_harmless():
    harmless = replace(RECOVERED, severity=Severity.INFO)
    assert told(RECOVERED, harmless).severity is Severity.WARNING
    assert told(harmless).severity is Severity.INFO
    assert told(harmless).labels["severity"] == "info"


def test_alerts_are_held_until_all_is_caught_up_and_a_quarter_of_an_hour_at_most():
    assert not may_be_told([FIRING], is_caught_up=False, now=at(14.9))
    assert may_be_told([FIRING], is_caught_up=False, now=at(15))
    assert may_be_told([FIRING], is_caught_up=True, now=at(0))
    assert not may_be_told([], is_caught_up=False, now=at(99))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"backfilled": False}, False),
        ({"execution": "r2"}, False),
        ({"seen_at": at(1)}, False),
    ],
)
def test_only_what_a_late_find_opened_is_held(changes, expected):
    late = ended(Phase.FAILED, -60, **({"seen_at": at(0), "backfilled": True} | changes))
    opened = replace(FIRING, annotations={"execution_id": "r1"}, opened_at=at(0))
    assert is_opened_late(late, opened) is expected

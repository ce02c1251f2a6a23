"""Storms: when there is one, and what its summary says."""

from dataclasses import replace

import pytest

from tests.domain.telling import NOON, alert, at
from tmcwatch.domain.alert import EndReason, Severity
from tmcwatch.domain.storm import StormLimit, facts_of_storm, is_stormy, worst

LIMIT = StormLimit(above=100)


@pytest.mark.parametrize(
    ("news", "lasting", "stormy"),
    [(100, False, False), (101, False, True), (50, True, True), (49, True, False)],
)
def test_a_storm_begins_above_the_limit_and_ends_below_its_half(news, lasting, stormy):
    assert is_stormy(news, LIMIT, lasting=lasting) is stormy


def test_the_worst_fire_are_grave_and_old():
    over = alert("over", ends_at=NOON, severity=Severity.CRITICAL)
    grave = alert("grave", severity=Severity.CRITICAL, starts_at=at(5))
    old, young = alert("old"), alert("young", starts_at=at(1))
    assert [one.id for one in worst([young, over, old, grave])] == [
        "grave",
        "old",
        "young",
        "over",
    ]
    assert worst([young, over, old, grave], most=1) == (grave,)


def test_a_summary_counts_by_the_commonest_values_of_a_label():
    alerts = [alert(str(n), labels={"rule": f"r{n % 30}"}) for n in range(60)]
    alerts += [alert(f"x{n}", labels={"rule": "common"}) for n in range(9)]
    facts = facts_of_storm(alerts, since=NOON)
    assert len(facts.counts["rule"]) == 20
    assert next(iter(facts.counts["rule"].items())) == ("common", 9)
    assert facts.counts["account"] == {}


def test_a_summary_tells_recoveries_from_other_ends():
    firing = alert("a")
    ends = [replace(firing, ends_at=NOON, end_reason=reason) for reason in EndReason]
    facts = facts_of_storm([firing, *ends], since=NOON)
    assert (facts.firing, facts.over, facts.recovered) == (1, len(EndReason), 1)
    assert facts.alerts == 1 + len(EndReason)

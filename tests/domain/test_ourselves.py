"""Alerts about ourselves: a state ends once it is over, a notice is told once, nothing reopens."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.telling import PROD, at
from tmcwatch.domain.alert import EndReason, Status
from tmcwatch.domain.built_in import ABOUT_OURSELVES, BUILT_IN, LASTING, NOTICES
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.episode import Ownership, ended, expired
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.ourselves import changed_by

BLIND = Condition(rule="blind", account=PROD, kind="task", text="No look", since=at(0))
GAP = Condition(rule="gap", account=PROD, kind="task", text="A gap", since=at(0), until=at(0))


def changed(condition, known=None, *, place=1, ownership=(), minute=5.0):
    rule = BUILT_IN[condition.rule]
    return changed_by(condition, place, rule, known, ownership=ownership, now=at(minute))


def test_a_state_opens_when_it_begins_and_recovers_when_it_is_over():
    opened = changed(BLIND)
    assert (opened.status, opened.starts_at, opened.opened_at) == (Status.FIRING, at(0), at(5))
    assert opened.annotations == {"summary": "No look", "latest_at": moment_text(at(0))}
    over = changed(replace(BLIND, until=at(9)), opened, minute=9.1)
    assert over == ended(opened, EndReason.RECOVERED, at=at(9), now=at(9.1))


def test_a_state_that_still_lasts_changes_nothing():
    assert changed(BLIND, changed(BLIND)) is None


def test_a_state_that_is_over_before_it_was_told_is_one_alert_that_says_both():
    assert changed(replace(BLIND, until=at(3))).end_reason is EndReason.RECOVERED


def test_an_alert_that_ended_is_never_opened_again():
    closed = ended(changed(BLIND), EndReason.CLOSED, at=at(6), now=at(6))
    assert changed(replace(BLIND, until=at(9)), closed) is None
    assert changed(BLIND, closed) is None


def test_a_notice_is_open_until_it_is_told():
    assert changed(GAP).status is Status.FIRING


def test_two_conditions_that_begin_alike_are_two_alerts():
    assert changed(GAP, place=1).id != changed(GAP, place=2).id


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (BLIND, ("task", "prod", "prod", "")),
        (replace(BLIND, kind=""), ("account", "prod", "prod", "")),
        (replace(BLIND, kind="", subject="w1", name="FIN"), ("account", "w1", "FIN", "FIN")),
    ],
)
def test_the_labels_say_what_it_is_about(condition, expected):
    labels = changed(condition).labels
    assert tuple(labels[name] for name in ("kind", "id", "name", "workspace")) == expected
    assert (labels["alertname"], labels["rule"]) == ("blind", "blind")
    assert (labels["severity"], labels["account"]) == ("critical", "prod")
    assert (labels["environment"], labels["trigger"]) == ("", "")


def test_the_configs_labels_are_added():
    owner = Ownership(matchers=(matcher_from('rule="blind"'),), labels={"team": "platform"})
    assert changed(BLIND, ownership=(owner,)).labels["team"] == "platform"


def test_a_state_never_expires():
    assert (
        expired(changed(BLIND), after=timedelta(days=7), now=at(0) + timedelta(days=400)) is None
    )


def test_rules_about_ourselves_are_states_or_notices():
    assert ABOUT_OURSELVES <= LASTING | NOTICES
    assert LASTING.isdisjoint(NOTICES)

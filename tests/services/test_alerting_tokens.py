"""Alerting on tokens that expire: a notice at each step, once over restarts and rounds."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.domain.telling import NOON, PROD
from tests.services.deciding import SETTINGS, Deciding

DAY = 24 * 60
EXPIRES = date(2026, 12, 4)  # fourteen days after the day of NOON


@pytest.fixture
def deciding(store):
    return Deciding(store)


def test_an_expiring_token_is_told_of_three_times_and_no_more(deciding):
    deciding.settings = replace(SETTINGS, expiries={PROD: EXPIRES})
    for hour in range(0, 20 * 24, 6):
        deciding.round(hour * 60)
        deciding.sent()
    assert deciding.messages == [("team", [("token_expiring", "firing")])] * 3


def test_a_new_day_of_expiry_begins_anew(deciding):
    deciding.settings = replace(SETTINGS, expiries={PROD: EXPIRES})
    deciding.round(0)
    deciding.sent()
    deciding.settings = replace(SETTINGS, expiries={PROD: EXPIRES + timedelta(days=365)})
    deciding.round(DAY)
    assert len(deciding.messages) == 1
    deciding.round(366 * DAY)
    assert len(deciding.messages) == 2


def test_nobody_is_told_where_the_rule_is_off(deciding):
    rules = tuple(replace(rule, enabled=rule.name != "token_expiring") for rule in SETTINGS.rules)
    deciding.settings = replace(SETTINGS, expiries={PROD: EXPIRES}, rules=rules)
    deciding.round(0)
    assert deciding.messages == []
    assert NOON.date() < EXPIRES

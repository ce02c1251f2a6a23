"""A status that is not known is told once, and what is history is not."""

import pytest

from tests.domain.telling import at
from tests.services.deciding import Deciding
from tmcwatch.domain.execution import Phase


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    return deciding


def see(deciding, minute, status="EXECUTION_FROZEN", **changes):
    return deciding.see(Phase.UNRECOGNISED, minute, status=status, ended_at=None, **changes)


def told(deciding):
    return [one.labels["id"] for one in deciding.alerts if one.rule == "unrecognised_status"]


def test_a_status_is_told_once_however_many_runs_have_it(deciding):
    see(deciding, 1)
    see(deciding, 2)
    deciding.round(3)
    see(deciding, 4)
    deciding.round(5)
    assert told(deciding) == ["EXECUTION_FROZEN"]
    [(_, alerts)] = deciding.messages
    assert alerts == [("unrecognised_status", "firing")]


def test_the_text_names_the_status_and_what_becomes_of_such_runs(deciding):
    see(deciding, 1)
    deciding.round(2)
    [alert] = deciding.alerts
    assert "tasks of prod with the status 'EXECUTION_FROZEN'" in alert.annotations["summary"]
    labels = tuple(alert.labels[name] for name in ("kind", "id", "name"))
    assert labels == ("task", "EXECUTION_FROZEN", "prod")


def test_each_status_is_told_also_where_one_follows_the_other(deciding):
    run = see(deciding, 1)
    see(deciding, 2, status="EXECUTION_THAWED", id=run.id)
    deciding.round(3)
    assert sorted(told(deciding)) == ["EXECUTION_FROZEN", "EXECUTION_THAWED"]


def test_what_ran_before_the_account_was_watched_is_not_told(deciding):
    see(deciding, 1, triggered_at=at(-700), started_at=at(-700))
    deciding.round(2)
    assert told(deciding) == []

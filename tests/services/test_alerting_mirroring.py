"""Which alerts a mirror is shown: those that the routes bring to its receiver, as stored."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.telling import at
from tests.services.deciding import Deciding, route, tree
from tmcwatch.alerting.mirroring import alerts_for
from tmcwatch.app import real_world
from tmcwatch.app.wiring import settings_of, targets_of
from tmcwatch.config import load
from tmcwatch.domain.alert import AlertId
from tmcwatch.domain.execution import Phase, SubjectId
from tmcwatch.store.alerts import hold, save_alerts


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    return deciding


def shown(deciding, receiver, minute):
    """Answer with rules and states, but for the opening digest."""
    found = deciding.store.read(
        lambda connection: alerts_for(connection, deciding.settings, receiver, now=at(minute))
    )
    return [(one.rule, one.status.value) for one in found if one.rule != "watching"]


CONFIG = """\
accounts: [{name: prod, region: eu, token: a-token}]
route: {receiver: team}
receivers: [{name: team, log: {}, alertmanager: {urls: ["http://a", "http://b"]}}]
"""


def test_mirrors_are_owed_no_messages_and_the_other_ways_of_their_receiver_are(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG)
    config = load(file, environ={})
    assert settings_of(config).receivers["team"].targets == ("team/log",)
    found = {target.name: target.mirrored_every for target in targets_of(config, real_world({}))}
    every = timedelta(minutes=1)
    assert found == {
        "team/log": None,
        "team/alertmanager-0": every,
        "team/alertmanager-1": every,
    }


def test_it_is_shown_what_is_routed_to_it_and_nothing_else(deciding):
    deciding.settings = tree(route("mirror", 'rule="timed_out"'))
    deciding.see(Phase.FAILED, 1)
    deciding.see(Phase.TIMED_OUT, 2)
    deciding.round(3)
    assert shown(deciding, "mirror", 3) == [("timed_out", "firing")]
    assert shown(deciding, "team", 3) == [("failed", "firing")]


def test_an_alert_that_goes_on_to_it_is_shown_once(deciding):
    deciding.settings = tree(
        route("mirror", 'rule="failed"', goes_on=True), route("mirror", 'severity="warning"')
    )
    deciding.see(Phase.FAILED, 1)
    deciding.round(2)
    assert shown(deciding, "mirror", 2) == [("failed", "firing")]


def test_an_end_is_shown_for_a_while(deciding):
    deciding.see(Phase.FAILED, 1)
    deciding.see(Phase.SUCCEEDED, 2)
    deciding.round(3)
    assert shown(deciding, "team", 16) == [("failed", "resolved")]
    assert shown(deciding, "team", 40) == []


def test_what_is_held_back_or_waits_for_its_rule_is_not_shown(deciding):
    deciding.see(Phase.FAILED, 1)
    deciding.see(Phase.TIMED_OUT, 1, subject=SubjectId("t2"))
    deciding.round(2)
    held, waiting = [one for one in deciding.alerts if one.rule != "watching"]
    deciding.store.write(lambda c: hold(c, AlertId(held.id)))
    deciding.store.write(lambda c: save_alerts(c, [replace(waiting, due_at=at(9))]))
    assert shown(deciding, "team", 3) == []

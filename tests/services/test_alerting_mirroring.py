"""Which alerts a mirror is shown: those that the routes bring to its receiver, as stored."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.domain.telling import at
from tests.services.deciding import Deciding, route, tree
from tmcwatch.alerting.deciding import settle
from tmcwatch.alerting.mirroring import alerts_for
from tmcwatch.alerting.settings import Mutes, Receiver
from tmcwatch.app import real_world
from tmcwatch.app.wiring import settings_of, targets_of
from tmcwatch.config import load
from tmcwatch.domain.alert import AlertId, Status
from tmcwatch.domain.execution import Phase, SubjectId
from tmcwatch.domain.interval import TimeInterval
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.mirroring import failing
from tmcwatch.domain.silence import Silence
from tmcwatch.store.alerts import hold, save_alerts
from tmcwatch.store.conditions import begin_condition
from tmcwatch.store.silences import add_silence


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


def failing_alerts(deciding):
    return [one.status for one in deciding.alerts if one.rule == "delivery_failing"]


def test_that_a_mirror_fails_is_told_until_the_config_has_it_no_longer(deciding):
    ways = Receiver(targets=("team/webhook",), mirrors=("team/alertmanager-0",))
    without, deciding.settings = deciding.settings, replace(tree(), receivers={"team": ways})
    condition = failing("team/alertmanager-0", "team", since=at(0), error="it is away")
    deciding.store.write(lambda connection: begin_condition(connection, condition))
    deciding.round(1)
    assert ("team", [("delivery_failing", "firing")]) in deciding.messages
    for settings, status in ((deciding.settings, Status.FIRING), (without, Status.RESOLVED)):
        deciding.store.write(partial(settle, settings=settings, now=at(2)))
        assert failing_alerts(deciding) == [status]


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


def silence(deciding, *matchers, minutes):
    first, last = minutes
    one = Silence(
        id="s",
        matchers=tuple(matcher_from(text) for text in matchers),
        created_by="ann",
        comment="known",
        created_at=at(first),
        starts_at=at(first),
        ends_at=at(last),
    )
    deciding.store.write(lambda connection: add_silence(connection, one))


def test_what_is_silenced_is_not_shown_until_the_silence_is_over(deciding):
    deciding.see(Phase.FAILED, 1)
    deciding.round(2)
    silence(deciding, 'rule="failed"', minutes=(3, 9))
    assert [shown(deciding, "team", minute) for minute in (2, 4, 9)] == [
        [("failed", "firing")],
        [],
        [("failed", "firing")],
    ]


def test_what_was_over_in_a_silence_is_not_shown_after_it_either(deciding):
    silence(deciding, 'rule="failed"', minutes=(0, 9))
    deciding.see(Phase.FAILED, 1)
    deciding.see(Phase.SUCCEEDED, 2)
    deciding.round(3)
    assert shown(deciding, "team", 10) == []


def test_an_alert_that_one_of_two_routes_mutes_is_shown_by_the_other(deciding):
    muted = replace(
        tree(
            route("mirror", 'rule="failed"', goes_on=True, muted_in=("always",)),
            route("mirror", 'severity="warning"'),
            route("quiet", 'rule="failed"', muted_in=("always",)),
        ),
        mutes=Mutes(intervals={"always": (TimeInterval(),)}),
    )
    deciding.settings = muted
    deciding.see(Phase.FAILED, 1)
    deciding.round(2)
    assert shown(deciding, "mirror", 2) == [("failed", "firing")]
    assert shown(deciding, "quiet", 2) == []


def test_what_is_held_back_or_waits_for_its_rule_is_not_shown(deciding):
    deciding.see(Phase.FAILED, 1)
    deciding.see(Phase.TIMED_OUT, 1, subject=SubjectId("t2"))
    deciding.round(2)
    held, waiting = [one for one in deciding.alerts if one.rule != "watching"]
    deciding.store.write(lambda c: hold(c, AlertId(held.id)))
    deciding.store.write(lambda c: save_alerts(c, [replace(waiting, due_at=at(9))]))
    assert shown(deciding, "team", 3) == []

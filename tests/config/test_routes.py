"""The routing tree of a config: inheritance, and the domain's own decisions on it."""

from datetime import timedelta

import pytest

from tmcwatch.config import load, routing_tree
from tmcwatch.config.model import StormSetting
from tmcwatch.domain.routing import routes_for

TEXT = """
accounts: [{name: prod, region: eu, token: a-token}]
receivers: [{name: team, log: {}}, {name: oncall, log: {}}]
route:
  receiver: team
  group_wait: 10s
  group_by: [account]
  routes:
    - matchers: ['severity="critical"']
      receiver: oncall
      continue: true
      group_wait: 0s
      routes: [{matchers: [kind=plan], group_by: ["..."], repeat_interval: 1h}]
    - {matchers: [rule!=failed], group_interval: 1m}
"""


def tree(folder):
    file = folder / "c.yaml"
    file.write_text(TEXT)
    return routing_tree(load(file, environ={}))


def test_a_branch_takes_over_what_it_does_not_set(tmp_path):
    branch = tree(tmp_path).routes[0].routes[0]
    assert branch.receiver == "oncall"
    assert branch.group_wait == timedelta(0)
    assert branch.group_by == ("...",)
    assert branch.group_interval == timedelta(minutes=5)
    assert branch.repeat_interval == timedelta(hours=1)
    assert not branch.goes_on


def test_the_root_keeps_its_own_settings(tmp_path):
    root = tree(tmp_path)
    assert root.matchers == ()
    assert (root.receiver, root.group_by) == ("team", ("account",))
    assert root.routes[1].group_interval == timedelta(minutes=1)
    assert root.routes[1].group_wait == timedelta(seconds=10)


def test_alerts_find_their_way_through_it(tmp_path):
    labels = {"severity": "critical", "rule": "terminated"}
    assert [route.receiver for route in routes_for(tree(tmp_path), labels)] == ["oncall", "team"]
    assert [route.receiver for route in routes_for(tree(tmp_path), {"rule": "failed"})] == ["team"]


@pytest.mark.parametrize(
    ("storm", "limit"),
    [
        ("{}", StormSetting(above=100, within=timedelta(minutes=1))),
        ("", StormSetting(above=100, within=timedelta(minutes=1))),
        ("{above: 7, within: 10s}", StormSetting(above=7, within=timedelta(seconds=10))),
        ("off", None),
        ('"off"', None),
    ],
)
def test_a_receiver_says_what_is_a_storm_to_it(tmp_path, storm, limit):
    file = tmp_path / "c.yaml"
    said = TEXT.replace("{name: team, log: {}}", f"{{name: team, log: {{}}, storm: {storm}}}")
    file.write_text(said)
    assert load(file, environ={}).receivers[0].storm == limit


def test_a_receiver_that_fails_is_told_to_the_fallback(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(TEXT + "fallback: oncall\n")
    root = routing_tree(load(file, environ={}))
    fails = {"rule": "delivery_failing", "severity": "warning", "name": "team"}
    assert [route.receiver for route in routes_for(root, fails)] == ["oncall"]

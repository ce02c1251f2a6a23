"""`check-config --route`: who would be told of an alert, and why others would not."""

import json

import pytest

from tests.cli.conftest import CONFIG

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

TREE = """\
accounts:
  - {name: prod, region: eu, token: a-token}
labels:
  - {matchers: ['name=~"load_.*"'], set: {team: finance}}
  - {matchers: ['team="finance"'], set: {floor: "3"}}
rules: [{rule: terminated, enabled: false}, {rule: failed, severity: critical}]
route:
  receiver: team
  routes:
    - {matchers: ['severity="critical"'], receiver: oncall, group_wait: 0s, continue: true}
    - matchers: ['team="finance"']
      receiver: finance
      group_by: []
      repeat_interval: 12h
      routes:
        - {matchers: ['kind="plan"'], receiver: plans, group_by: ["..."]}
    - {matchers: ['rule="failed"', 'kind="task"'], receiver: rest}
receivers:
  - {name: team, log: {}}
  - {name: oncall, log: {}, send_resolved: false}
  - {name: finance, log: {}}
  - {name: plans, log: {}}
  - {name: rest, log: {}}
"""


@pytest.fixture
def explain(call, config):
    def explain(labels, *words):
        return call("check-config", "--config", config(text=TREE), "--route", labels, *words)

    return explain


@pytest.fixture
def told(explain):
    """Answer with what is said as JSON."""
    return lambda labels: json.loads(explain(labels, "--json").stdout)


def test_the_way_of_an_alert_is_explained_to_the_last_branch(explain):
    result = explain('severity="critical",name="load_x"')
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            'an alert with severity="critical", name="load_x"',
            '  gets team="finance" from labels[0] (line 4), as name=~"load_.*" holds',
            '  gets floor="3" from labels[1] (line 5), as team="finance" holds',
            'told to oncall by route.routes[0] (line 10), as severity="critical" holds',
            "  by oncall/log; not when it is over",
            "  grouped by account, environment, rule",
            "  group_wait 0s, group_interval 5m, repeat_interval 1d, or 4h for lasting states",
            "  continue: true, so that the branches after it are asked as well",
            'told to finance by route.routes[1] (line 11), as team="finance" holds',
            "  by finance/log; ends too",
            "  grouped by nothing: all of the route are one group",
            "  group_wait 30s, group_interval 5m, repeat_interval 12h",
            "not told to team by route (line 7) itself: a branch of it takes it",
            (
                'not told to plans by route.routes[1].routes[0] (line 16): kind="plan" does'
                " not hold, it has no kind"
            ),
            (
                "not told to rest by route.routes[2] (line 17): route.routes[1] (line 11) takes it"
                " first, without continue"
            ),
        ],
    )


def test_what_no_branch_takes_goes_to_the_root(explain):
    lines = explain("name=x,rule=misfired").stdout.splitlines()
    assert "told to team by route (line 7), as no branch matches" in lines
    assert (
        "not told to rest by route.routes[2] (line 17): "
        'rule="failed" does not hold, rule is \'misfired\' and kind="task" does not hold, '
        "it has no kind"
    ) in lines


def test_a_tree_without_branches_says_so(call, config):
    result = call("check-config", "--config", config(text=CONFIG), "--route", "name=x")
    assert "told to team by route (line 3), as there are no branches" in result.stdout


def test_what_a_mirror_is_shown_is_not_grouped(call, config):
    peers = "alertmanager: {urls: ['http://a', 'http://b']}"
    text = CONFIG.replace("log: {}", peers)
    assert text != CONFIG
    result = call("check-config", "--config", config(text=text), "--route", "name=x")
    shown = (
        "  shown by team/alertmanager-0, team/alertmanager-1, each alert on its own, and its end"
    )
    assert shown in result.stdout.splitlines()
    assert "grouped by" not in result.stdout


def test_a_receiver_is_told_by_one_route_alone(call, config):
    tree = "{receiver: team, routes: [{continue: true}, {receiver: team}]}"
    path = config(("{receiver: team}", tree))
    lines = call("check-config", "--config", path, "--route", "name=x").stdout.splitlines()
    first, second = (f"route.routes[{place}] (line 3)" for place in (0, 1))
    assert f"told to team by {first}, as it has no matchers" in lines
    assert f"not told to team by {second} once more: {first} tells it already" in lines


def test_that_a_receiver_fails_is_told_to_another_one(explain, told):
    labels = "rule=delivery_failing,name=finance,team=finance"
    lines = explain(labels).stdout.splitlines()
    said = 'rule="delivery_failing" and name="finance" hold'
    assert f"told to team by the fall-back of route.routes[1] (line 11), as {said}" in lines
    assert told(labels)["receivers"] == ["team"]


def test_what_follows_from_the_rule_is_taken_for_granted_and_said(explain, told):
    assert '  taken to have alertname="failed", severity="critical" as well, as its rule has' in (
        explain("rule=failed").stdout.splitlines()
    )
    assert told("rule=failed")["receivers"] == ["oncall"]
    assert told("alertname=failed,kind=task,severity=info")["receivers"] == ["rest"]


@pytest.mark.parametrize(
    ("labels", "doubt"),
    [
        ("sevrity=critical", "no alert has the label sevrity. Did you mean 'severity'?"),
        ("rule=faild", "there is no rule 'faild'. Did you mean 'failed'?"),
        ("severity=bad", "there is no severity 'bad'."),
        ("account=prd", "there is no account 'prd'. Did you mean 'prod'?"),
        ("kind=job", "there is no kind 'job'."),
        ("rule=terminated", "the rule terminated is switched off"),
    ],
)
def test_what_no_alert_has_is_pointed_out(explain, told, labels, doubt):
    assert f"  but {doubt}" in explain(labels).stdout.splitlines()
    assert told(labels)["doubts"] == [doubt]


def test_labels_that_the_config_sets_are_known(told):
    assert told("team=finance,floor=2")["doubts"] == []


def test_as_json_each_route_has_its_outcome(told):
    found = told('{kind="plan", team="finance"}')
    assert found["labels"] == {"kind": "plan", "team": "finance", "floor": "3"}
    assert found["receivers"] == ["plans"]
    assert [(one["route"], one["outcome"]) for one in found["routes"]] == [
        ("route", "passes_on"),
        ("route.routes[0]", "differs"),
        ("route.routes[1]", "passes_on"),
        ("route.routes[1].routes[0]", "takes"),
        ("route.routes[2]", "not_asked"),
    ]
    taken, last = found["routes"][3:]
    assert (taken["group_by"], taken["matchers"]) == (["..."], ['kind="plan"'])
    assert (last["taken_by"], last["failing"]) == ("route.routes[1]", [])


def test_an_alert_may_have_any_values(told):
    assert told('name="a,b \\"c\\" \\\\", team=""')["labels"] == {
        "name": 'a,b "c" \\',
        "team": "",
    }
    assert told("")["labels"] == {}


@pytest.mark.parametrize(
    "labels", ["x", 'name=~"x"', "name!=x", 'name="x', "name=x,name=y", ",", "a=b,,c=d"]
)
def test_what_are_no_labels_is_wrong_usage(explain, labels):
    result = explain(labels)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--route: " in result.stderr


MUTED = """\
time_intervals:
  - {name: always, intervals: [{months: ["1:12"]}]}
  - {name: never, intervals: [{years: ["1999"]}]}
route:
  receiver: team
  routes:
    - {matchers: ['name="a"'], mute_time_intervals: [never, always]}
    - {matchers: ['name="b"'], active_time_intervals: [never]}
    - {matchers: ['name="c"'], active_time_intervals: [always], mute_time_intervals: [never]}
maintenance:
  - {name: works at the hour, cron: "0 * * * *", duration: 50m, matchers: ['name="d"']}
  - {name: works after it, cron: "30 * * * *", duration: 50m, matchers: ['name="d"']}
"""


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("a", ["not during never, always", "but not now: interval always"], "interval always"),
        ("b", ["only during never", "but not now: outside never"], "outside never"),
        ("c", ["not during never", "only during always"], None),
    ],
)
def test_it_is_said_whether_a_route_tells_anything_now(call, config, *, name, said, why):
    path = config(("route: {receiver: team}\n", MUTED))
    words = ("check-config", "--config", path, "--route", f"name={name}")
    lines = [line.strip() for line in call(*words).stdout.splitlines()]
    assert [line for line in lines if line.startswith(("not during", "only", "but"))] == said
    taken = [
        one
        for one in json.loads(call(*words, "--json").stdout)["routes"]
        if one["outcome"] == "takes"
    ]
    assert [one["muted_now"] for one in taken] == [why]


def test_it_is_said_that_a_maintenance_keeps_back_what_begins_now(call, config):
    path = config(("route: {receiver: team}\n", MUTED))
    words = ("check-config", "--config", path, "--route", "name=d")
    found = json.loads(call(*words, "--json").stdout)["routes"]
    why = next(one["muted_now"] for one in found if one["outcome"] == "takes")
    assert why in {"maintenance works at the hour", "maintenance works after it"}
    assert "  but not now: maintenance works" in call(*words).stdout


def test_a_config_that_is_wrong_is_told_before_anything_is_explained(call, config):
    path = config(("receiver: team", "receiver: nobody"))
    result = call("check-config", "--config", path, "--route", "name=x")
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_config_alone_is_asked(explain):
    assert explain("name=x", "--live").exit_code == 2


def test_a_name_cannot_steer_the_terminal(explain):
    output = explain("name=\x1b[31m\u202e").output
    assert "\x1b" not in output
    assert "\u202e" not in output

"""`check-config`: what is in a good file, and what TMC lets its accounts see."""

import json
from pathlib import Path

import pytest

from tests.cli.daemon import serving

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

BRANCHES = """{receiver: team, routes: [
  {matchers: ['name="a"'], routes: [{matchers: ['name="b"']}]}]}"""
SIMULATED = "region: eu, token: a-token"
NOWHERE = "http://127.0.0.1:1"
NO_ROWS = {"items": [], "limit": 1, "offset": 0, "total": 0}
ANSWERS = {
    "/processing/executables/tasks/executions": (200, NO_ROWS),
    "/processing/executables/plans/executions": (403, {"status": 403, "message": "not for you"}),
    "/orchestration/executables/tasks": (200, NO_ROWS | {"total": 7}),
    "/orchestration/executables/plans": (200, {"items": [{"executable": "p1"}]}),
    "/orchestration/environments": (200, []),
    "/orchestration/workspaces": (200, []),
}


def test_a_good_file_is_summed_up(call, config):
    path = config(("{receiver: team}", BRANCHES))
    result = call("check-config", "--config", path)
    assert result.exit_code == 0
    assert result.output == f"{path}: ok: 1 account, 1 receiver, 3 routes, 0 labels, 0 rules\n"


def test_files_of_rules_are_checked_and_counted_too(call, config):
    path = config(("route: {", "rule_files: ['team-*.yaml']\nroute: {"))
    rules = Path(path).parent / "team-a.yaml"
    rules.write_text("rules: [{name: mine}, {rule: failed, for: 5m}]")
    assert call("check-config", "--config", path).output.endswith(" 2 rules\n")
    rules.write_text("rules:\n  - name: mine\n    for: 5 minutes")
    result = call("check-config", "--config", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{rules}:3: rules[0].for: found '5 minutes'; allowed: ")


def test_a_good_file_is_summed_up_as_json(call, config):
    told = json.loads(call("check-config", "--json", "--config", config()).stdout)
    assert (told["ok"], told["accounts"], told["routes"]) == (True, 1, 1)


def test_problems_are_told_as_json_too(call, config):
    result = call("check-config", "--json", "--config", config(("region: eu", "region: mars")))
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (2, False)
    assert "accounts[0].region" in told["problems"][0]


def test_live_says_what_an_account_sees(call, config, tmc):
    path = config((SIMULATED, f"url: '{tmc.api}', token: demo"))
    result = call("check-config", "--live", "--config", path)
    assert result.exit_code == 0
    [_, line] = result.output.splitlines()
    assert line.startswith(f"account prod: {tmc.api}: sees ")
    assert "20 tasks, 3 plans, 2 environments, 4 workspaces" in line


def test_live_names_the_account_whose_token_is_refused_and_never_the_token(call, config, tmc):
    path = config((SIMULATED, f"url: '{tmc.api}', token: s3cr3t-token"))
    result = call("check-config", "--live", "--config", path)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"account prod: {tmc.api}: task_executions: 401 ")
    assert "s3cr3t" not in result.output


def test_live_says_what_a_service_account_sees(call, config, tmc, tmp_path):
    (tmp_path / "secret").write_text("demo-secret\n")
    given = "service_account: {id: demo-id, secret_file: secret}"
    path = config((SIMULATED, f"url: '{tmc.api}', {given}"))
    result = call("check-config", "--live", "--config", path)
    assert result.exit_code == 0, result.output
    assert f"account prod: {tmc.api}: sees " in result.output
    assert "20 tasks, 3 plans, 2 environments, 4 workspaces" in result.output


def test_live_says_that_a_service_account_is_refused_and_never_its_secret(call, config, tmc):
    given = "service_account: {id: demo-id, secret: wr0ng-secret}"
    path = config((SIMULATED, f"url: '{tmc.api}', {given}"))
    result = call("check-config", "--live", "--config", path)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"account prod: {tmc.api}: service account: 401 ")
    assert "wr0ng" not in result.output


def test_live_names_the_account_that_cannot_be_reached(call, config):
    path = config((SIMULATED, f"url: '{NOWHERE}', token: demo"))
    result = call("check-config", "--live", "--json", "--config", path)
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (3, False)
    assert told["live"][0]["account"] == "prod"
    assert "connection attempts failed" in told["live"][0]["problem"]


def test_live_says_what_the_scope_names_and_the_token_does_not_see(call, config, tmc):
    scope = "environments: [PROD, PRD], workspaces: [TEST/nowhere]"
    path = config((SIMULATED, f"url: '{tmc.api}', token: demo, {scope}"))
    result = call("check-config", "--live", "--config", path)
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    place = f"account prod: {tmc.api}: not visible"
    assert first.startswith(f"{place}: environment 'PRD'; there are: PROD/")
    assert second.startswith(f"{place}: workspace 'TEST/nowhere'; there are: PROD/")


def test_live_says_which_call_is_refused_and_what_that_costs(call, config):
    with serving(ANSWERS) as url:
        path = config((SIMULATED, f"url: '{url}', token: demo"))
        result = call("check-config", "--live", "--config", path)
    assert result.exit_code == 1
    refusal = "refused: plan runs: plan_executions: 403 not for you"
    cost = "runs of plans are not watched"
    assert result.stderr == f"account prod: {url}: {refusal}: {cost}\n"
    assert "sees 0 task runs, 7 tasks, 1 plans, 0 environments, 0 workspaces" in result.stdout


def test_live_asks_about_promotions_where_they_are_followed(call, config):
    answers = ANSWERS | {
        "/processing/executables/plans/executions": (200, NO_ROWS),
        "/orchestration/executables/promotions": (200, []),
        "/security/audit/logs": (403, {"status": 403, "message": "not for you"}),
    }
    with serving(answers) as url:
        account = (SIMULATED, f"url: '{url}', token: demo")
        named = config(
            account,
            (
                "\nhttp:",
                "\nwatch: {promotions: {ids: [0f343b09-3112-4a20-b133-d67c2b018a3b]}}\nhttp:",
            ),
        )
        told = call("check-config", "--live", "--config", named)
        searched = config(account, ("\nhttp:", "\nwatch: {promotions: {audit_log: true}}\nhttp:"))
        refused = call("check-config", "--live", "--config", searched)
    assert told.exit_code == 0, told.output
    assert "0 workspaces, 0 promotions\n" in told.stdout
    assert refused.exit_code == 1
    refusal = "refused: entries of the audit log of the last hour: audit_logs: 403 not for you"
    cost = "promotions are followed only where the config or a request names them"
    assert refused.stderr == f"account prod: {url}: {refusal}: {cost}\n"


def test_a_beat_that_the_share_cannot_pay_is_told_with_its_place(call, config):
    path = config(
        ("token: a-token", "token: a-token, api_share: 0.001"),
        ("http:", "watch:\n  beat: 10s\nhttp:"),
    )
    result = call("check-config", "--config", path)
    assert result.exit_code == 2
    assert result.stderr == (
        f"{path}:8: watch.beat: reading the lists of prod alone takes 12.0 requests a minute, and "
        "api_share grants 1.8; allowed: 67s or more, or accounts[].api_share of 0.01 or more, or "
        "fewer accounts or lists on one budget\n"
    )


def test_several_receivers_without_a_fallback_are_warned_of(call, config):
    two = ("  - name: team\n", "  - {name: other, log: {}}\n  - name: team\n")
    told = call("check-config", "--config", config(two))
    mended = call("check-config", "--config", config(two, ("http:", "fallback: other\nhttp:")))
    assert (told.exit_code, mended.exit_code, mended.stderr) == (0, 0, "")
    assert "warning: no fallback: that another receiver cannot be told is told to 'team'" in (
        told.stderr
    )


def test_a_maintenance_of_everything_is_warned_of(call, config):
    window = "maintenance:\n  - {name: night, cron: 0 2 * * *, duration: 1h%s}\nhttp:"
    narrow = ", matchers: ['environment=\"TEST\"']"
    told = call("check-config", "--config", config(("http:", window % "")))
    silent = call("check-config", "--config", config(("http:", window % narrow)))
    assert (told.exit_code, silent.exit_code, silent.stderr) == (0, 0, "")
    assert "warning: maintenance 'night' has no matchers: nothing at all" in told.stderr


MISTYPED = """\
accounts:
  - {name: prod, region: eu, token: a-token}
labels:
  - {matchers: ['workspce="FIN"'], set: {team: finance}}
rules:
  - {rule: failed, matchers: ['severity="info"'], severity: critical}
route:
  receiver: team
  group_by: [enviroment, team]
  routes:
    - matchers: ['severity="critcal"']
      routes:
        - {matchers: ['team="finance"', 'teem!="x"']}
receivers: [{name: team, log: {}}]
maintenance:
  - {name: night, cron: 0 2 * * *, duration: 1h, matchers: ['account="trial"']}
inhibit_rules:
  - {source_matchers: ['rule="faild"'], target_matchers: ['kind="plans"'], equal: [acount]}
"""


DOUBTS = """\
route.routes[0].matchers[0] (line 11): there is no severity 'critcal'. Did you mean 'critical'?
route.routes[0].routes[0].matchers[1] (line 13): no alert has the label teem. Did you mean 'team'?
labels[0].matchers[0] (line 4): no alert has the label workspce. Did you mean 'workspace'?
rules[0].matchers[0] (line 6): no run has the label severity, which a rule gives to its alerts
maintenance[0].matchers[0] (line 16): there is no account 'trial'.
inhibit_rules[0].source_matchers[0] (line 18): there is no rule 'faild'. Did you mean 'failed'?
inhibit_rules[0].target_matchers[0] (line 18): there is no kind 'plans'. Did you mean 'plan'?
route.group_by[0] (line 9): no alert has the label enviroment. Did you mean 'environment'?
inhibit_rules[0].equal[0] (line 18): no alert has the label acount. Did you mean 'account'?
"""


def test_what_no_alert_has_is_warned_of_with_its_place(call, config):
    path = config(text=MISTYPED)
    result = call("check-config", "--config", path)
    assert result.exit_code == 0
    assert result.stderr.replace(f"{path}: warning: ", "") == DOUBTS

"""`budget`: what a watch will ask, from assumptions or from TMC, and what to change."""

import json
import re

import pytest

from tests.cli.conftest import CONFIG
from tests.cli.daemon import serving

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

ONE = "- {name: prod, region: eu, token: a-token}"
TWO = f"{ONE}\n  - {{name: test, region: eu, token: a-token}}"
APART = f"{ONE}\n  - {{name: far, region: us, token: a-token}}"
ALONE = "region: eu, token: a-token"
MODEST = "region: eu, token: a-token, api_share: 0.01"


def budget(call, path, *words, **env):
    return call("budget", "--config", path, *words, **env)


def test_in_a_pipe_it_is_plain_lines_under_both_readings(call, config):
    result = budget(call, config())
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "budget of prod: api_share 0.2, beat 10s"
    assert lines[1].startswith("account prod: assumed: 200 tasks, 20 plans; an hour 220 runs, 4.4")
    assert "windows by overlap: processing: head 12.0, " in result.stdout
    assert re.search(r"windows by trigger: processing: head 12\.0, ends \d", result.stdout)
    assert "an end is known after 5 s at the median and 10 s at most" in result.stdout
    assert "budget of prod: fits" in lines
    assert "were triggered in it (as reported)" in result.stdout


def test_on_a_terminal_it_is_a_table(call, config):
    result = budget(call, config(), FORCE_COLOR="1", COLUMNS="120")
    for text in ("windows by overlap", "processing: head", "1,800 TMC's limit", "━", "fits"):
        assert text in result.output


def test_what_is_assumed_can_be_said(call, config):
    words = ["--tasks", "1000", "--plans", "0", "--runs-per-hour", "600", "--open", "30"]
    words += ["--long", "3", "--failures-per-hour", "12", "--promotions", "2"]
    told = json.loads(budget(call, config(), "--json", *words).stdout)
    [account] = told["budgets"][0]["accounts"]
    assert (account["tasks"], account["plans"], account["promotions"]) == (1000, 0, 2)
    assert account["lists"]["task"] == {
        "runs_per_hour": 600,
        "failures_per_hour": 12,
        "open": 30,
        "open_for_over_an_hour": 3,
    }
    [overlap, trigger] = told["budgets"][0]["windows_by"].values()
    assert overlap["families"]["processing"]["by_purpose"]["ends"] == 12
    assert trigger["families"]["processing"]["by_purpose"]["ends"] > 12


def test_what_does_not_fit_is_told_with_the_least_that_does(call, config):
    path = config((ALONE, MODEST))
    result = budget(call, path, "--tasks", "1000")
    assert result.exit_code == 1
    *told, ways = result.stderr.splitlines()
    assert "windows by trigger: runs still open are read again only every" in told[-1]
    found = re.fullmatch(
        r"budget of prod: it fits with watch\.beat: (\w+), or with accounts\[\]\.api_share: (\S+)",
        ways,
    )
    assert found is not None
    beat, share = found.groups()
    slower = ("http:", f"watch: {{beat: {beat}}}\nhttp:")
    modest, wider = (("api_share: 0.01", f"api_share: {each}") for each in ("0.01", share))
    for changes in ((modest, slower), (wider,)):
        path = config(*changes, text=CONFIG.replace(ALONE, MODEST))
        assert budget(call, path, "--tasks", "1000").exit_code == 0


def test_accounts_of_one_address_and_share_are_judged_together(call, config):
    single = json.loads(budget(call, config(), "--json").stdout)
    double = json.loads(budget(call, config((ONE, TWO)), "--json").stdout)
    apart = json.loads(budget(call, config((ONE, APART)), "--json").stdout)
    assert [len(each["budgets"]) for each in (single, double, apart)] == [1, 1, 2]
    assert [each["name"] for each in double["budgets"][0]["accounts"]] == ["prod", "test"]
    assert heads(double["budgets"][0]) == 2 * heads(single["budgets"][0])
    assert [heads(each) for each in apart["budgets"]] == [heads(single["budgets"][0])] * 2


def heads(one):
    return one["windows_by"]["overlap"]["families"]["processing"]["by_purpose"]["head"]


def test_what_no_setting_makes_fit_says_that_less_must_be_watched(call, config):
    words = ("--runs-per-hour", "9000000", "--open", "100000")
    result = budget(call, config(), *words)
    assert result.exit_code == 1
    assert "it fits with nothing but watching less: fewer accounts" in result.stderr


def test_live_counts_what_goes_on(call, config, tmc, simulator):
    path = config((ALONE, f"url: '{tmc.api}', token: demo"))
    result = budget(call, path, "--live", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    [account] = told["budgets"][0]["accounts"]
    assert (told["live"], account["tasks"], account["plans"]) == (True, 20, 3)
    assert account["lists"]["task"]["runs_per_hour"] == pytest.approx(1500 / 24, rel=0.15)
    assert account["lists"]["task"]["failures_per_hour"] > 0
    assert simulator.journal.total <= 13
    assert simulator.journal.by_status.keys() == {"200"}


@pytest.mark.parametrize("option", ["--tasks", "--runs-per-hour"])
def test_live_and_assumptions_exclude_each_other(call, config, option):
    result = budget(call, config(), "--live", option, "3")
    assert result.exit_code == 2
    assert result.stderr == f"--live counts itself: leave out {option}\n"


@pytest.mark.parametrize(
    ("words", "other"),
    [
        (["--long", "31", "--open", "30"], "--open"),
        (["--long", "500"], "--open"),
        (["--failures-per-hour", "7", "--runs-per-hour", "6"], "--runs-per-hour"),
    ],
)
def test_assumptions_that_contradict_each_other_are_refused(call, config, words, other):
    result = budget(call, config(), *words)
    assert result.exit_code == 2
    assert result.stderr.endswith(f": raise {other} as well\n")
    assert not result.stdout


def test_long_times_are_told_as_people_say_them(call, config):
    words = ("--tasks", "30000", "--runs-per-hour", "200000", "--open", "10000")
    told = budget(call, config(), *words).stdout
    assert re.search(r"an end is known after \d+ s at the median and \d+ s at most", told)
    assert re.search(r"an end is known after \d+ min at the median and \d+ min at most", told)


def test_a_terminal_wraps_what_is_explained_by_its_own_width(call, config):
    told = budget(call, config(), FORCE_COLOR="1", COLUMNS="80").stdout
    prose = told[told.index("For a window") :].splitlines()
    assert all(60 < len(line) <= 80 for line in prose[:-1])


def test_live_names_the_account_that_cannot_be_reached(call, config):
    path = config((ALONE, "url: 'http://127.0.0.1:1', token: demo"))
    result = budget(call, path, "--live")
    assert result.exit_code == 3
    assert result.stderr.startswith("account prod: http://127.0.0.1:1: ")
    assert result.stderr.count("\n") == 1


def test_live_counts_the_rows_where_tmc_tells_no_total(call, config):
    rows = {"items": [{"executable": "t1"}, {"executable": "t2"}]}
    empty: dict[str, object] = {"items": []}
    answers = {
        "/processing/executables/tasks/executions": (200, empty),
        "/processing/executables/plans/executions": (200, empty),
        "/orchestration/executables/tasks": (200, rows),
        "/orchestration/executables/plans": (200, empty),
    }
    with serving(answers) as url:
        path = config((ALONE, f"url: '{url}', token: demo"))
        told = json.loads(budget(call, path, "--live", "--json").stdout)
    assert told["budgets"][0]["accounts"][0]["tasks"] == 2


def test_a_bad_file_is_told_as_by_every_command(call, config):
    result = budget(call, config(("region: eu", "region: mars")))
    assert result.exit_code == 2
    assert "accounts[0].region" in result.stderr


def test_no_request_is_made_without_live(call, config, tmc, simulator):
    path = config((ALONE, f"url: '{tmc.api}', token: demo"))
    assert budget(call, path).exit_code == 0
    assert simulator.journal.total == 0

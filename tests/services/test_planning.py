"""Who shares a budget in a config, and a config that asks for too much whatever runs."""

import pytest
import structlog

from tmcwatch.app.planning import Assumed, impossible, shared_budgets, warn
from tmcwatch.config import load
from tmcwatch.domain.execution import Kind

CONFIG = """
accounts:
  - {name: a, region: eu, token: t%(share)s}
  - {name: b, region: eu, token: t%(share)s}
  - {name: c, region: us, token: t%(share)s}
watch: {beat: %(beat)s, plans: %(plans)s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers: [{name: team, log: {}}]
"""


@pytest.fixture
def config(tmp_path):
    def make(*, share="", beat="10s", plans="true"):
        path = tmp_path / "tmcwatch.yaml"
        path.write_text(CONFIG % {"share": share, "beat": beat, "plans": plans})
        return load(path, environ={})

    return make


def test_the_plan_groups_accounts_by_their_budgets(config):
    groups = [each.names for each in shared_budgets(config())]
    assert groups == [("a", "b"), ("c",)]


def test_a_usual_config_is_not_impossible(config):
    with structlog.testing.capture_logs() as logs:
        warn(config())
    assert logs == []
    assert list(impossible(config())) == []


def test_what_heads_alone_exceed_is_told_with_the_least_beat_and_share(config):
    """Two accounts of two lists: 4 heads in 2 s are 120 a minute, of a hundredth of 1,800."""
    tight = config(share=", api_share: 0.01", beat="2s")
    found = list(impossible(tight))
    assert [key for key, _ in found] == [("watch", "beat")] * 2
    assert "lists of a, b alone takes 120.0 requests a minute" in found[0][1]
    assert "grants 18.0; allowed: 14s or more, or accounts[].api_share of 0.07 or" in found[0][1]
    with structlog.testing.capture_logs() as logs:
        warn(tight)
    assert logs[0] == {
        "event": "budget_too_small",
        "log_level": "warning",
        "accounts": ["a", "b"],
        "requests_per_minute": 120.0,
        "granted_per_minute": 18.0,
        "least_beat_seconds": 14.0,
        "least_api_share": 0.07,
    }


def test_watching_fewer_lists_makes_it_possible(config):
    tight = {"share": ", api_share: 0.01", "beat": "7s"}
    [(_, text)] = impossible(config(**tight))
    assert "the lists of a, b alone" in text
    assert list(impossible(config(**tight, plans="false"))) == []


def test_what_is_not_assumed_follows_from_the_number_of_tasks():
    task, plan = Assumed(tasks=300, plans=100).load([Kind.TASK, Kind.PLAN]).lists
    assert (task.runs_per_hour, plan.runs_per_hour) == (300, 100)
    assert (task.open_runs.number, plan.open_runs.number) == (15, 5)
    assert task.bad_ends_per_hour == 6
    [only] = Assumed(tasks=30_000, plans=0).load([Kind.TASK]).lists
    assert (only.runs_per_hour, only.open_runs.number) == (4_000, 200)


def test_nothing_runs_where_there_is_nothing():
    [only] = Assumed(tasks=0, plans=0).load([Kind.TASK]).lists
    assert (only.runs_per_hour, only.open_runs.number, only.bad_ends_per_hour) == (0, 0, 0)

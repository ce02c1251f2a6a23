"""Tenants that are watched in many tests, and how one comes to be watched otherwise."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tmcwatch.config import load
from tmcwatch.simulator import Scenario, small


def quiet(**changes: Any) -> Scenario:
    """Answer with a tenant in which nothing runs but what a test starts."""
    nothing = {"executions_per_day": 0, "plan_runs_per_day": 0, "late_share": 0}
    return replace(small(), **{"history": timedelta(0), **nothing, **changes})


def use(tenant, config):
    """Have the tenant watched by another config from the next watch on."""
    path = tenant.folder / "tmcwatch.yaml"
    path.write_text(config % {"beat": "10s", "history": "0s"})
    tenant.settings = load(path, environ={})

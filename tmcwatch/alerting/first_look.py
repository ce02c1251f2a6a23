"""The first look of rules: what happened before one was watched is not told by it."""

from datetime import UTC, datetime

from tmcwatch.alerting.settings import Settings
from tmcwatch.store.engine import Connection
from tmcwatch.store.rule_watches import (
    begin_watching,
    has_watched,
    rules_watched_from,
    stop_watching,
)

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_OF_OLD = frozenset(
    {
        *("failed", "plan_failed", "deploy_failed", "timed_out", "rejected"),
        *("terminated", "shut_down", "misfired", "misfired_parallel", "misfired_limit"),
        *("misfired_engine", "promotion_failed", "promotion_warning", "promotion_defective"),
    }
)
"""What told of runs before it was kept from when on; all misfires were told by one rule."""


def watch_rules(connection: Connection, settings: Settings, *, now: datetime) -> None:
    """Have rules that are new or switched on be watched from now on, and no more those off.

    With a new store every rule is watched like its accounts: what happened before their own first
    look is told by none. With a store from before this was kept, so is every built-in rule about
    runs, which was watched then.
    """
    known = rules_watched_from(connection)
    wanted = {rule.name for rule in settings.rules if rule.enabled}
    stop_watching(connection, known.keys() - wanted)
    ever = frozenset[str]()
    if not known:
        ever = _OF_OLD if has_watched(connection) else frozenset(wanted)
    new = sorted(wanted - known.keys())
    begin_watching(connection, {name: _EVER if name in ever else now for name in new})

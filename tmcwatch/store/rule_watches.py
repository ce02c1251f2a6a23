"""From when on each rule is watched, in the store."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select

from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import capture, rule_watches

_ALL = select(rule_watches)
_ANYTHING = select(capture.c.account).limit(1)


def rules_watched_from(connection: Connection) -> dict[str, datetime]:
    """Answer with the rules that are watched, and from when on."""
    return {rule: loaded(moment) for rule, moment in connection.execute(_ALL).all()}


def begin_watching(connection: Connection, moments: Mapping[str, datetime]) -> None:
    """Have rules that were not watched be so from these moments on."""
    if moments:
        rows = [{"rule": rule, "watched_from": stored(at)} for rule, at in moments.items()]
        connection.execute(rule_watches.insert(), rows)


def stop_watching(connection: Connection, rules: Iterable[str]) -> None:
    """Forget from when on these rules were watched."""
    names = list(rules)
    if names:
        connection.execute(delete(rule_watches).where(rule_watches.c.rule.in_(names)))


def has_watched(connection: Connection) -> bool:
    """Tell whether any list was ever looked at with this store."""
    return connection.execute(_ANYTHING).first() is not None

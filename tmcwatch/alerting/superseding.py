"""Letting alerts end in silence where what follows them is told to the same receiver."""

from collections.abc import Iterable

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.superseding import successor_of
from tmcwatch.store.engine import Connection
from tmcwatch.store.groups import leave_to


def leave_to_successors(connection: Connection, changed: Iterable[Alert]) -> None:
    """Take what was superseded out of the groups whose receivers are told of its successor."""
    for alert in changed:
        successor = successor_of(alert)
        if successor is not None:
            leave_to(connection, alert.id, successor)

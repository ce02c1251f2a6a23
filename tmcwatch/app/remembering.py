"""What pollers may ask of what is believed: callables, so that polling does not know the store."""

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import TypeVar

from tmcwatch.app.world import World
from tmcwatch.domain.execution import AccountName, Kind, SubjectId
from tmcwatch.polling.asking import Memory
from tmcwatch.store import capture, executions, subjects, transitions
from tmcwatch.store.engine import Connection, Store

Result = TypeVar("Result")

TRIGGERS_KNOWN = 2_000
"""Trigger times that a look plans its refreshing by: about two hours of a large tenant."""


def memory_of(
    account: AccountName, kind: Kind, store: Store, world: World, *, is_scoped: bool = False
) -> Memory:
    """Answer with what a poller may ask of what is believed, each a read of its own.

    `is_scoped` where only a part of the account is watched.
    """

    def read(work: Callable[[Connection], Result]) -> Awaitable[Result]:
        return world.in_thread(store.read, work)

    async def outside(ids: Collection[SubjectId]) -> frozenset[SubjectId]:
        if not is_scoped:
            return frozenset()
        return await read(partial(subjects.outside_subjects, account=account, kind=kind, ids=ids))

    return Memory(
        position=lambda: read(partial(capture.position, account=account, kind=kind)),
        followed=lambda: read(partial(executions.followed_executions, account=account, kind=kind)),
        triggers=lambda since: read(
            partial(
                executions.newest_triggers,
                account=account,
                kind=kind,
                since=since,
                most=TRIGGERS_KNOWN,
            )
        ),
        completed=lambda ids: read(
            partial(executions.completed_ends, account=account, kind=kind, ids=ids)
        ),
        unnamed=lambda ids: read(partial(_unnamed, account=account, kind=kind, ids=ids)),
        outside=outside,
        places=lambda: read(partial(subjects.places, account=account, kind=kind)),
    )


def _unnamed(
    connection: Connection, account: AccountName, kind: Kind, ids: Collection[SubjectId]
) -> frozenset[SubjectId]:
    # Before the names were read once, everything is a stranger: they are on their way.
    if not transitions.cursor(connection, transitions.names_cursor(account)):
        return frozenset()
    return subjects.unknown_subjects(connection, account, kind, ids)

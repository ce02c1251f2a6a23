"""Promotions between the parts: who asked for which execution, who follows it, who may know."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from anyio.streams.memory import MemoryObjectSendStream

from tmcwatch.api.client import Client
from tmcwatch.app.remembering import memory_of
from tmcwatch.app.world import World
from tmcwatch.config import Config
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind
from tmcwatch.domain.observation import Observation
from tmcwatch.domain.promotion import (
    Promotion,
    Source,
    Wanted,
    execution_id,
    is_given_up,
)
from tmcwatch.polling.audit import EVERY, AuditMemory, AuditReader
from tmcwatch.polling.beating import keep_beat
from tmcwatch.polling.promotions import Follower
from tmcwatch.serving.operations import Json, WrongRequest
from tmcwatch.store.engine import Connection, Store
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.promotions import (
    follow_promotion,
    followed_promotions,
    wanted_promotions,
)
from tmcwatch.store.transitions import cursor, save_cursor
from tmcwatch.telemetry.metrics import Metrics

log = structlog.get_logger()

MOST = 1_000
"""Promotions that one answer lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotions:
    """The promotions of one account: those of the config, and the services that follow all."""

    account: AccountName
    config: Config
    client: Client
    store: Store
    metrics: Metrics
    world: World

    async def follow(self, send: MemoryObjectSendStream[Observation]) -> None:
        """Take note of what the config names, and look on every beat."""
        await self.world.in_thread(self.store.write, self._register)
        beat = self.config.watch.beat
        follower = Follower(
            account=self.account,
            client=self.client,
            wanted=self._wanted,
            unnamed=memory_of(self.account, Kind.PROMOTION, self.store, self.world).unnamed,
            now=self.world.now,
            send=send.send,
            beat=beat,
        )
        await keep_beat(follower.look, beat)

    async def read_audit_log(self) -> None:
        memory = AuditMemory(
            read_to=self._read_to,
            save=self._save,
            unread=partial(self.metrics.audit_unread, self.account),
        )
        reader = AuditReader(account=self.account, client=self.client, memory=memory)
        await keep_beat(reader.look, EVERY)

    def _register(self, connection: Connection) -> None:
        for execution in ids_of(self.config, self.account):
            follow_promotion(
                connection,
                self.account,
                execution,
                source=Source.CONFIG,
                now=self.world.now(),
            )

    async def _wanted(self) -> tuple[Wanted, ...]:
        return await self.world.in_thread(
            self.store.read, lambda connection: wanted_promotions(connection, self.account)
        )

    async def _read_to(self) -> datetime | None:
        found = await self.world.in_thread(
            self.store.read, lambda connection: cursor(connection, self._cursor)
        )
        return loaded(found) if found else None

    async def _save(self, executions: Collection[ExecutionId], read_to: datetime) -> None:
        def work(connection: Connection) -> list[ExecutionId]:
            save_cursor(connection, self._cursor, stored(read_to))
            return [
                each
                for each in executions
                if follow_promotion(
                    connection,
                    self.account,
                    each,
                    source=Source.AUDIT_LOG,
                    now=self.world.now(),
                )
            ]

        for execution in await self.world.in_thread(self.store.write, work):
            log.info("promotion_found", account=self.account, execution=execution)

    @property
    def _cursor(self) -> str:
        return f"audit:{self.account}"


def ids_of(config: Config, account: AccountName) -> Iterable[ExecutionId]:
    """Give the executions that the config names of an account."""
    for value in config.watch.promotions.ids:
        named, _, identity = value.rpartition("/")
        if named in {"", account}:
            yield ExecutionId(identity)


def to_follow(
    config: Config, account: str | None, execution: str
) -> tuple[AccountName, ExecutionId]:
    """Answer with what a request asks to be followed. Raises WrongRequest, which says why."""
    found = execution_id(execution)
    if found is None:
        raise WrongRequest(f"execution: {execution[:80]!r} is no id of an execution, a UUID")
    names = [one.name for one in config.accounts]
    if account is None and len(names) == 1:
        account = names[0]
    if account is None:
        raise WrongRequest(f"account: one of {', '.join(names)} is needed")
    if account not in names:
        raise WrongRequest(f"no account is named {account[:80]!r}; there are: {', '.join(names)}")
    return AccountName(account), found


def listed(connection: Connection, *, now: datetime) -> list[dict[str, object]]:
    """Answer with the promotions that are followed or were, the last asked for first."""
    return [_listed(each, now) for each in followed_promotions(connection, MOST)]


def _listed(promotion: Promotion, now: datetime) -> dict[str, object]:
    unread = Wanted(
        id=promotion.execution, asked_at=promotion.asked_at, is_known=promotion.phase is not None
    )
    return {
        "account": promotion.account,
        "execution": promotion.execution,
        "name": promotion.name,
        "phase": promotion.phase.value if promotion.phase else "unknown",
        "since": _text(promotion.since),
        "source": promotion.source.value,
        "asked_at": _text(promotion.asked_at),
        "given_up": is_given_up(unread, now),
        "error": promotion.error,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def unfinished(found: Json) -> list[object]:
    """Answer with those of the listed that have no end that we know of."""
    return [each for each in found if isinstance(each, dict) and each["phase"] in _UNFINISHED]


_UNFINISHED = frozenset({"unknown", "waiting", "running", "stopping", "unrecognised"})

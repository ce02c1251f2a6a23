"""The service that tracks: observations in, one transaction each, and the next service woken."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog
from anyio.streams.memory import MemoryObjectReceiveStream

from tmcwatch.domain.execution import ENDS, AccountName, Kind, Phase, Transition
from tmcwatch.domain.observation import Looked, LookFailed, Moment, NamesRead, Observation
from tmcwatch.domain.scope import EVERYTHING, Scope
from tmcwatch.store.engine import Connection, Store
from tmcwatch.supervisor import Bell
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics
from tmcwatch.tracking.absorbing import absorb, absorb_names, portions
from tmcwatch.tracking.watchfulness import Watchfulness, write_changes

log = structlog.get_logger()

NAMES = "names"
"""What a look that is about no list is about."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """What tracking works with."""

    store: Store
    in_thread: Callable[..., Awaitable[object]]
    changed: Bell
    metrics: Metrics
    health: Health
    watchfulness: Watchfulness
    scopes: Mapping[AccountName, Scope] = field(default_factory=dict)
    """Of the accounts that are not watched as a whole."""

    async def run(self, observations: MemoryObjectReceiveStream[Observation]) -> None:
        """Take in observations until their stream ends.

        Raises StoreError where the store fails; the observation is then lost, which costs only
        another read, as the watermark did not move.
        """
        await self._write(self.watchfulness.begin)
        async for observation in observations:
            match observation:
                case Looked():
                    await self._looked(observation)
                case NamesRead():
                    await self._names(observation)
                case LookFailed():
                    self._failed(observation)
                case Moment():
                    pass  # its sender learns that what it sent before is committed
            await self._watch_over(observation)

    async def _names(self, names: NamesRead) -> None:
        scope = self.scopes.get(names.account, EVERYTHING)
        await self._write(partial(absorb_names, names=names, scope=scope))
        self.changed.ring()
        if names.complete:
            self.metrics.look(names.account, NAMES, ok=True)
        unseen = scope.unseen(names.workspaces) if names.workspaces is not None else ()
        if unseen:
            log.warning("scope_not_visible", account=names.account, entries=list(unseen))

    async def _looked(self, looked: Looked) -> None:
        is_scoped = self.scopes.get(looked.account, EVERYTHING) != EVERYTHING
        for portion in portions(looked):
            work = partial(absorb, looked=portion, is_scoped=is_scoped)
            absorbed = await self._write(work)
            for transition in absorbed.transitions:
                self._told(transition)
            if absorbed.transitions or portion.history_read or portion.gap or absorbed.missed:
                self.changed.ring()
            if absorbed.quarantined:
                log.warning(
                    "rows_quarantined",
                    account=looked.account,
                    kind=looked.kind.value,
                    rows=absorbed.quarantined,
                )
        if looked.head:
            self.health.looked(looked.account, looked.kind, at=looked.at)
        if looked.kind is not Kind.PROMOTION:  # no list: it says nothing of those that are
            self.metrics.look(looked.account, looked.kind.value, ok=True)

    async def _watch_over(self, observation: Observation) -> None:
        """Begin or end what an observation shows of the watching itself; mostly it is nothing."""
        changes = self.watchfulness.after(observation)
        if not changes:
            return
        await self._write(partial(write_changes, changes=changes))
        self.watchfulness.committed(changes)
        self.changed.ring()
        for condition in changes:
            tell = log.warning if condition.until is None else log.info
            tell(
                "condition_began" if condition.until is None else "condition_ended",
                rule=condition.rule,
                account=condition.account,
                kind=condition.kind or None,
                text=condition.text or None,
            )

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        result: Result = await self.in_thread(self.store.write, work)  # type: ignore[assignment]
        self.health.store_works()
        return result

    def _told(self, transition: Transition) -> None:
        if transition.quiet or transition.phase not in ENDS:
            return
        if not transition.backfilled:
            self.metrics.ended(transition)
        # Successes are the usual noise of a large tenant.
        tell = log.debug if transition.phase is Phase.SUCCEEDED else log.info
        tell(
            "execution_ended",
            account=transition.account,
            kind=transition.kind.value,
            execution=transition.execution,
            subject=transition.subject,
            phase=transition.phase.value,
            reason=transition.reason,
        )

    def _failed(self, failed: LookFailed) -> None:
        self.metrics.look(failed.account, failed.kind.value if failed.kind else NAMES, ok=False)
        if failed.kind is not None:
            self.health.look_failed(failed.account, failed.kind, at=failed.at, text=failed.text)
        log.warning(
            "look_failed",
            account=failed.account,
            kind=failed.kind.value if failed.kind else NAMES,
            problem=failed.problem.value,
            text=failed.text,
        )

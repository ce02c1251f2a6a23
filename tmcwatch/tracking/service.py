"""The service that tracks: observations in, one transaction each, and the next service woken."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from anyio.streams.memory import MemoryObjectReceiveStream

from tmcwatch.domain.execution import ENDS, Kind, Phase, Transition
from tmcwatch.domain.observation import Looked, LookFailed, Moment, NamesRead, Observation
from tmcwatch.store.engine import Connection, Store
from tmcwatch.supervisor import Bell
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics
from tmcwatch.tracking.absorbing import absorb, absorb_names, portions

log = structlog.get_logger()

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """What tracking works with."""

    store: Store
    in_thread: Callable[..., Awaitable[object]]
    changed: Bell
    metrics: Metrics
    health: Health

    async def run(self, observations: MemoryObjectReceiveStream[Observation]) -> None:
        """Take in observations until their stream ends.

        Raises StoreError where the store fails; the observation is then lost, which costs only
        another read, as the watermark did not move.
        """
        async for observation in observations:
            match observation:
                case Looked():
                    await self._looked(observation)
                case NamesRead():
                    await self._write(partial(absorb_names, names=observation))
                    self.changed.ring()
                case LookFailed():
                    self._failed(observation)
                case Moment():
                    pass  # its sender learns that what it sent before is committed

    async def _looked(self, looked: Looked) -> None:
        for portion in portions(looked):
            absorbed = await self._write(partial(absorb, looked=portion))
            for transition in absorbed.transitions:
                self._told(transition)
            if absorbed.transitions or portion.history_read:
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
            self.metrics.look(looked.account, ok=True)

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        result: Result = await self.in_thread(self.store.write, work)  # type: ignore[assignment]
        self.health.store_works()
        return result

    def _told(self, transition: Transition) -> None:
        if transition.quiet or transition.phase not in ENDS:
            return
        delay = (transition.seen_at - transition.at).total_seconds()
        if not transition.backfilled:
            self.metrics.detected(max(delay, 0.0))
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
        self.metrics.look(failed.account, ok=False)
        if failed.kind is not None:
            self.health.look_failed(failed.account, failed.kind, at=failed.at, text=failed.text)
        log.warning(
            "look_failed",
            account=failed.account,
            kind=failed.kind.value if failed.kind else "names",
            problem=failed.problem.value,
            text=failed.text,
        )

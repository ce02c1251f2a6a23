"""The beats as they are kept: under pressure looks come later, and that is told."""

from collections.abc import Mapping
from datetime import timedelta

import structlog

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.telemetry.metrics import Metrics

log = structlog.get_logger()

STRETCHED = 1.5
"""How many beats apart two looks may begin before that is worth a line in the log."""


class Beats:
    """How long after the look before the last look at each list began."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last: dict[tuple[AccountName, Kind], timedelta] = {}
        self._stretched: set[tuple[AccountName, Kind]] = set()

    def of(self, account: AccountName) -> Mapping[Kind, timedelta]:
        return {kind: apart for (name, kind), apart in self._last.items() if name == account}

    def began(self, account: AccountName, kind: Kind, beat: timedelta, apart: timedelta) -> None:
        """Take note of a look that began so long after the one before."""
        key = account, kind
        self._last[key] = apart
        self._metrics.beat(account, kind.value, apart.total_seconds())
        is_stretched = apart > STRETCHED * beat
        if is_stretched == (key in self._stretched):
            return
        facts = {"account": account, "kind": kind.value, "seconds": round(apart.total_seconds())}
        if is_stretched:
            self._stretched.add(key)
            log.warning("beat_stretched", configured=round(beat.total_seconds()), **facts)
        else:
            self._stretched.discard(key)
            log.info("beat_kept", **facts)

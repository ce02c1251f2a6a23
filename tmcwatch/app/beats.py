"""The beats as they are kept: under pressure looks come later, and that is told."""

from collections.abc import Mapping
from datetime import timedelta

import structlog

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.telemetry.metrics import Metrics

log = structlog.get_logger()

STRETCHED = 1.5
"""How many beats apart two looks may begin before that is worth a line in the log."""
KEPT_AFTER = 10
"""Looks in a row that keep their beat, before that is, too: pressure lets some through."""


class Beats:
    """How long after the look before the last look at each list began."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last: dict[tuple[AccountName, Kind], timedelta] = {}
        self._kept: dict[tuple[AccountName, Kind], int] = {}
        """Of what is stretched: how many looks in a row kept their beat since."""

    def of(self, account: AccountName) -> Mapping[Kind, timedelta]:
        return {kind: apart for (name, kind), apart in self._last.items() if name == account}

    def began(self, account: AccountName, kind: Kind, beat: timedelta, apart: timedelta) -> None:
        """Take note of a look that began so long after the one before."""
        key = account, kind
        self._last[key] = apart
        self._metrics.beat(account, kind.value, apart.total_seconds())
        facts = {"account": account, "kind": kind.value, "seconds": round(apart.total_seconds())}
        if apart > STRETCHED * beat:
            if key not in self._kept:
                log.warning("beat_stretched", configured=round(beat.total_seconds()), **facts)
            self._kept[key] = 0
        elif key in self._kept:
            self._kept[key] += 1
            if self._kept[key] == KEPT_AFTER:
                del self._kept[key]
                log.info("beat_kept", **facts)

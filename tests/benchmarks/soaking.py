"""A soak: a client that always asks, for hours of virtual time, and what TMC grants it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
from trio.testing import MockClock

from tests.benchmarks.machine import figure, plain
from tests.saturating import MINUTE, Saturated, Tally

BUDGET = 360.0
"""Requests per minute: what the default share leaves of TMC's ceiling for executions."""

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
SETTLED = 15
"""Minutes until the figures are taken."""
ROWS = 24
WIDTH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What TMC grants, as parts of the budget: one after the other, for as long each."""

    title: str
    grants: tuple[float, ...]
    style: str = "none"
    burst: float = 5.0

    def granted(self, minute: int, minutes: int) -> float:
        """Answer with the part of the budget that is granted in a minute."""
        return self.grants[minute * len(self.grants) // minutes]


SOAKS = (
    Soak(title="TMC grants just the budget", grants=(1.0,)),
    Soak(title="TMC grants 60 %", grants=(0.6,)),
    Soak(title="TMC grants 60 %, and says how long to wait", grants=(0.6,), style="seconds"),
    Soak(title="TMC grants 60 %, and 60 at once", grants=(0.6,), burst=60.0),
    Soak(title="TMC grants 30 %", grants=(0.3,)),
    Soak(title="TMC grants 60 %, then 30 %, then more than all", grants=(0.6, 0.3, 1.2)),
)


def measure(hours: float) -> None:
    """Let each soak take its course, and draw its curve."""
    for soak in SOAKS:
        for line in soaked(soak, budget=BUDGET, minutes=round(hours * MINUTE)):
            print(line, flush=True)


def soaked(soak: Soak, *, budget: float, minutes: int) -> Iterator[str]:
    tally: Tally = anyio.run(
        partial(_run, soak, budget, minutes),
        backend="trio",
        backend_options={"clock": MockClock(autojump_threshold=0)},
    )
    granted = [budget * soak.granted(minute, minutes) for minute in range(minutes)]
    yield f"  {soak.title}: {granted[0]:,.0f} of {budget:,.0f} a minute"
    yield from _curve(tally, granted, budget)
    if len(soak.grants) == 1:
        steady = range(min(SETTLED, minutes // 2), minutes)
        used = tally.rate(steady) / granted[0]
        yield figure("  served, of what is granted", 100 * used, "%", wanted=90, at_least=True)
        yield figure("  429s, of all calls", 100 * tally.refused(steady), "%", wanted=1)
    else:
        yield plain("  429s, of all calls", 100 * tally.refused(range(minutes)), "%")


async def _run(soak: Soak, budget: float, minutes: int) -> Tally:
    stage = Saturated(
        now=lambda: EPOCH + timedelta(seconds=anyio.current_time()),
        budget=budget,
        burst=soak.burst,
        style=soak.style,
    )
    stretch = minutes * MINUTE / len(soak.grants)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(stage.ask, stage.client(), at_once=10))
        for part in soak.grants:
            stage.grant(part * budget)
            await anyio.sleep(stretch)
        tasks.cancel_scope.cancel()
    return stage.tally


def _curve(tally: Tally, granted: Sequence[float], budget: float) -> Iterator[str]:
    """Draw what was served in each stretch as a bar, and what was granted in it as a line."""
    minutes, scale = len(granted), WIDTH / (1.2 * budget)
    rows = min(ROWS, minutes)
    yield f"  {'minute':>6}  {'served':>7}  {'429s':>6}"
    for row in range(rows):
        stretch = range(row * minutes // rows, (row + 1) * minutes // rows)
        rate = tally.rate(stretch)
        bar = list(("#" * round(scale * rate)).ljust(WIDTH + 1))
        bar[round(scale * granted[stretch.start])] = "|"
        refused = f"{100 * tally.refused(stretch):.2f}"
        yield f"  {stretch.start:>6}  {rate:>7.1f}  {refused:>5}%  {''.join(bar).rstrip()}"

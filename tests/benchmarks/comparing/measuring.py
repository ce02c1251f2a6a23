"""Plays every situation in both readings of the window, and prints who missed what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import structlog
from trio.testing import MockClock

from tests.benchmarks.comparing.baselines import BASELINES
from tests.benchmarks.comparing.scoring import Score
from tests.benchmarks.comparing.situations import SITUATIONS, Situation
from tests.benchmarks.comparing.staging import BEAT, Stage
from tests.benchmarks.machine import figure
from tmcwatch.simulator import Reading, tenant_a

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
HISTORY = timedelta(days=1)
REQUESTS_WANTED: Mapping[Reading, int] = {"overlap": 12, "trigger": 45}
"""A minute in steady state, by reading; a third hides what never starts, so it is left out."""
CRITICAL = 50
HEADER = (
    f"  {'method':<24}{'asked/min':>12}{'most':>6}{'ends':>7}{'missed':>8}{'older':>7}"
    f"{'starts':>8}{'missed':>8}{'p50':>9}{'p99':>9}{'longest':>9}{'caught up':>11}"
)


def measure() -> None:
    """Compare the product with three baselines; an hour takes a minute or so."""
    # What the daemon logs about the faults it is meant to meet would hide the figures.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    for situation in SITUATIONS:
        for window in REQUESTS_WANTED:
            scores = _played(situation, window)
            print("\n".join(lines(situation, window, scores)), flush=True)


def lines(situation: Situation, window: Reading, scores: Sequence[Score]) -> Iterator[str]:
    """Give the table of one situation in one reading, and the product against what is wanted."""
    minutes = situation.measured / timedelta(minutes=1)
    yield f"{situation.name}, window read as {window}, {minutes:g} minutes, beat {BEAT.seconds} s"
    yield HEADER
    yield from (_line(one, situation) for one in scores)
    own = scores[0]
    missed = own.ends_missed + own.older_missed
    yield "  " + figure(f"{own.name}: ends missed", missed, "", wanted=0)
    if not situation.trouble:
        name, wanted = f"{own.name}: requests", REQUESTS_WANTED[window]
        yield "  " + figure(name, own.requests_per_minute, "per min", wanted=wanted)


def _line(one: Score, situation: Situation) -> str:
    delays = "".join(f"{one.delay(share):>8,.1f}s" for share in (0.5, 0.99, 1.0))
    caught_up = f"{one.caught_up_after:,.0f}s" if situation.trouble else "-"
    return (
        f"  {one.name:<24}{one.requests_per_minute:>12,.1f}{one.most_requests_in_a_minute:>6}"
        f"{one.ends:>7,}{one.ends_missed:>8,}{one.older_missed:>7,}"
        f"{one.starts:>8,}{one.starts_missed:>8,}{delays}{caught_up:>11}"
    )


def _played(situation: Situation, window: Reading) -> list[Score]:
    options = {"clock": MockClock(autojump_threshold=0)}
    with TemporaryDirectory() as folder:
        play = partial(_play, situation, window, Path(folder))
        return anyio.run(play, backend="trio", backend_options=options)


async def _play(situation: Situation, window: Reading, folder: Path) -> list[Score]:
    began = anyio.current_time()
    stage = Stage(
        # A day of history is what the 24-hour list has to page through.
        scenario=replace(tenant_a(), history=HISTORY),
        window=window,
        situation=situation,
        folder=folder,
        now=lambda: EPOCH + timedelta(seconds=anyio.current_time() - began),
    )
    stage.watched_by_the_daemon()
    for baseline in BASELINES:
        stage.watched_by(baseline)
    return await stage.play()

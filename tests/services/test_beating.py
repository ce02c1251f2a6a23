"""The beat: steady while all is well, slower while nothing answers."""

from datetime import timedelta
from itertools import pairwise

import anyio
import pytest

from tmcwatch.polling.beating import keep_beat

BEAT = timedelta(seconds=10)


def always(_: int) -> bool:
    return True


async def looks(*, hours: float = 1, beat=BEAT, retry=None, ok=always, takes=0.0):
    """Answer with when the looks of a few hours began."""
    began: list[float] = []

    async def look() -> bool:
        began.append(anyio.current_time())
        await anyio.sleep(takes)
        return bool(ok(len(began)))

    with anyio.move_on_after(hours * 3600):
        await keep_beat(look, beat, retry=retry)
    return began


def waits(began: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(began)]


async def test_looks_come_on_the_beat():
    assert set(waits(await looks())) == {10.0}


@pytest.mark.parametrize(("takes", "wait"), [(4.0, 10.0), (25.0, 25.0)])
async def test_a_long_look_is_not_made_up_for(takes, wait):
    assert set(waits(await looks(takes=takes))) == {wait}


@pytest.mark.uncounted
async def test_failures_are_repeated_more_and_more_rarely_up_to_half_a_minute():
    found = waits(await looks(ok=lambda _: False, hours=100))
    assert found[:5] == [10, 20, 30, 30, 30]
    assert set(found[5:]) == {30}


async def test_a_retry_may_come_sooner_than_the_beat():
    day = timedelta(days=1)
    found = waits(await looks(ok=lambda n: n > 3, beat=day, retry=BEAT, hours=25))
    assert found == [10, 20, 30, day.total_seconds()]


async def test_a_beat_slower_than_a_minute_is_not_quickened_by_failures():
    found = waits(await looks(ok=lambda _: False, beat=timedelta(minutes=5)))
    assert set(found) == {300}


async def test_a_success_restores_the_beat():
    assert waits(await looks(ok=lambda n: n != 2))[:3] == [10, 10, 10]
    assert waits(await looks(ok=lambda n: n not in {2, 3}))[:4] == [10, 10, 20, 10]


async def test_how_far_looks_are_apart_is_told():
    told: list[float] = []

    async def look() -> bool:
        await anyio.sleep(25 if len(told) == 1 else 1)
        return True

    with anyio.move_on_after(60):
        await keep_beat(look, BEAT, observe=lambda apart: told.append(apart.total_seconds()))
    assert told == [10, 25, 10, 10]

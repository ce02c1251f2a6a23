"""Keeping services going: crashes bounded, outages waited out, calm forgives."""

from itertools import pairwise

import anyio
import pytest

from tmcwatch.supervisor import CALM, MOST_CRASHES, Supervision, keep_running


class Outage(Exception):
    """Something outside fails."""


class Service:
    """Fails as it is told, each time after so many seconds, then returns."""

    def __init__(self, *failures: Exception, lasts=()) -> None:
        self.failures, self.lasts = list(failures), list(lasts)
        self.began: list[float] = []
        self.restarts: list[str] = []
        self.outages: list[Exception] = []

    async def run(self) -> None:
        self.began.append(anyio.current_time())
        await anyio.sleep(self.lasts.pop(0) if self.lasts else 0.0)
        if self.failures:
            raise self.failures.pop(0)

    async def keep(self) -> None:
        supervision = Supervision(
            outages=(Outage,), outage=self.outages.append, restarted=self.restarts.append
        )
        await keep_running("tracking", self.run, supervision)

    @property
    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.began)]


async def test_a_service_that_returns_is_done():
    service = Service()
    await service.keep()
    assert (len(service.began), service.restarts) == (1, [])


async def test_a_crashed_service_is_restarted_later_each_time():
    service = Service(*[ValueError("bug")] * (MOST_CRASHES - 1))
    await service.keep()
    assert service.waits == [1, 2, 4, 8]
    assert service.restarts == ["tracking"] * 4


async def test_the_fifth_crash_in_a_row_is_raised():
    service = Service(*[ValueError(f"bug {n}") for n in range(9)])
    with pytest.raises(ValueError, match="bug 4"):
        await service.keep()
    assert len(service.began) == MOST_CRASHES


async def test_five_calm_minutes_forgive_earlier_crashes():
    service = Service(*[ValueError("bug")] * 8, lasts=[0, 0, 0, 0, CALM])
    await service.keep()
    assert service.waits == [1, 2, 4, 8, CALM + 1, 1, 2, 4]


async def test_crashes_just_before_calm_are_not_forgiven():
    service = Service(*[ValueError("bug")] * 9, lasts=[CALM - 1] * 9)
    with pytest.raises(ValueError, match="bug"):
        await service.keep()


async def test_an_outage_is_waited_out_however_long():
    service = Service(*[Outage("disk full")] * 200)
    await service.keep()
    assert service.waits[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert [str(outage) for outage in service.outages] == ["disk full"] * 200
    assert len(service.restarts) == 200


async def test_an_outage_counts_as_no_crash():
    bug, outage = ValueError("bug"), Outage("disk full")
    service = Service(bug, outage, bug, outage, bug, outage, bug)
    await service.keep()
    assert len(service.began) == 8


async def test_without_outages_named_every_failure_is_a_crash():
    service = Service(*[Outage("?")] * 9)
    with pytest.raises(Outage):
        await keep_running("tracking", service.run, Supervision())
    assert len(service.began) == MOST_CRASHES


async def test_a_service_can_be_cancelled_while_it_waits():
    service = Service(*[Outage("disk full")] * 50)
    with anyio.move_on_after(100) as scope:
        await service.keep()
    assert scope.cancelled_caught

"""The service that decides: it wakes at a ring, at a due time, and on its beat."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
from structlog.testing import capture_logs

from tests.domain.telling import NOON
from tests.services.deciding import SETTINGS, Deciding
from tests.threads import inline
from tmcwatch.alerting.service import THOROUGH_EVERY, Alerter
from tmcwatch.domain.execution import Phase
from tmcwatch.domain.routing import Route
from tmcwatch.store.engine import StoreError
from tmcwatch.supervisor import Bell


class Service(Deciding):
    """The service beside a test, and runs that fail now."""

    def __init__(self, store, now) -> None:
        super().__init__(store)
        self.now = lambda: now() + timedelta(hours=12)
        self.watch()
        self.name()

    async def beside(self, body: Callable[[], Awaitable[None]]) -> None:
        self.alerter = Alerter(
            store=self.store,
            in_thread=inline,
            now=self.now,
            settings=self.settings,
            changed=Bell(),
            owed=Bell(),
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.alerter.run)
            await anyio.sleep(1)
            await body()
            tasks.cancel_scope.cancel()

    def fail(self, *, ring: bool = False, **changes) -> None:
        self.see(Phase.FAILED, (self.now() - NOON).total_seconds() / 60, **changes)
        if ring:
            self.alerter.changed.ring()


@pytest.fixture
def service(store, now):
    return Service(store, now)


async def test_a_ring_is_answered_at_once(service):
    async def body():
        service.fail(ring=True)
        await anyio.sleep(0.001)
        assert len(service.messages) == 1

    await service.beside(body)


async def test_a_lost_ring_costs_no_more_than_a_beat(service):
    async def body():
        service.fail()
        await anyio.sleep(THOROUGH_EVERY.total_seconds())
        assert len(service.messages) == 1

    await service.beside(body)


async def test_a_group_is_told_when_it_is_due_and_delivering_is_rung(service):
    service.settings = replace(SETTINGS, root=Route(receiver="team"))

    async def body():
        service.fail(ring=True)
        mark = service.alerter.owed.reset()
        began = anyio.current_time()
        await service.alerter.owed.wait(60, since=mark)
        assert anyio.current_time() - began == pytest.approx(30)
        assert len(service.messages) == 1

    await service.beside(body)


async def test_mirrors_are_rung_for_when_an_alert_changes_and_not_when_it_is_told(service):
    service.settings = replace(SETTINGS, root=Route(receiver="team"))

    async def body():
        mark = service.alerter.shown.reset()
        began = anyio.current_time()
        service.fail(ring=True)
        await service.alerter.shown.wait(60, since=mark)
        assert anyio.current_time() - began < 1
        mark = service.alerter.shown.reset()
        await service.alerter.shown.wait(45, since=mark)
        assert anyio.current_time() - began == pytest.approx(45)

    await service.beside(body)


async def test_a_storm_is_decided_without_waiting(service, monkeypatch):
    monkeypatch.setattr("tmcwatch.alerting.deciding.AT_ONCE", 3)

    async def body():
        for _ in range(20):
            service.fail()
        service.alerter.changed.ring()
        await anyio.sleep(0.001)
        assert [alert.count for alert in service.alerts] == [20]

    await service.beside(body)


async def test_what_opens_and_ends_is_logged(service):
    async def body():
        service.fail(ring=True)
        await anyio.sleep(1)
        service.see(Phase.SUCCEEDED, (service.now() - NOON).total_seconds() / 60)
        await anyio.sleep(THOROUGH_EVERY.total_seconds())

    with capture_logs() as logs:
        await service.beside(body)
    said = [(one["event"], one["reason"]) for one in logs if one["event"].startswith("alert_")]
    assert said == [("alert_opened", None), ("alert_ended", "recovered")]


async def test_a_store_that_fails_fails_the_service(service):
    service.store.write(lambda c: c.exec_driver_sql("DROP TABLE transitions"))
    with pytest.RaisesGroup(pytest.RaisesExc(StoreError, match="no such table")):
        await service.beside(anyio.sleep_forever)

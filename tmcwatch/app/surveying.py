"""Surveying a tenant: what goes on there, as TMC tells with a dozen requests."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import anyio

from tmcwatch import __version__
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.errors import ApiError
from tmcwatch.app.planning import Shared
from tmcwatch.app.wiring import client_of, lists_of
from tmcwatch.app.world import World
from tmcwatch.config import Config
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import OPEN, Kind
from tmcwatch.domain.planning import AccountLoad, ListLoad, OpenRuns
from tmcwatch.domain.window import Limits, Window
from tmcwatch.polling.asking import List
from tmcwatch.telemetry.metrics import Metrics

DAY = timedelta(days=1)
LONG = timedelta(hours=1)
LEAST_SHARE = 0.05
"""Of TMC's limits: a dozen requests need not take minutes, however little is configured."""

OPEN_STATUSES: Mapping[Kind, tuple[str, ...]] = {
    Kind.TASK: ("dispatching", "executing"),
    Kind.PLAN: ("executing",),
}
"""TMC's words for what has not ended, as its lists can be asked for them."""


class SurveyError(Exception):
    """An account could not be surveyed. One line."""


class Counted(Protocol):
    """A page with TMC's count of the whole list, unless TMC left that out."""

    @property
    def total(self) -> int | None: ...

    @property
    def size(self) -> int: ...


async def survey(config: Config, shared: Shared, world: World) -> list[AccountLoad]:
    """Ask what goes on in the accounts of one budget, in their order.

    Raises SurveyError where TMC does not answer, or does not allow it.
    """
    budget = Budget(max(shared.share, LEAST_SHARE), now=world.now, random=world.random)
    loads = []
    for account in shared.accounts.values():
        client = client_of(account, budget, Metrics(version=__version__), world)
        try:
            loads.append(await load_of(client, lists_of(config, client)))
        except ApiError as error:
            raise SurveyError(f"account {account.name}: {account.api_url}: {error}") from error
        finally:
            with anyio.CancelScope(shield=True):
                await client.aclose()
    return loads


async def load_of(client: Client, lists: Sequence[List]) -> AccountLoad:
    """Ask what goes on in one account; its names first, as the answer sets TMC's clock."""
    tasks = await client.tasks(purpose=Purpose.NAMES)
    plans = await client.plans(purpose=Purpose.NAMES)
    return AccountLoad(
        tasks=_count(tasks),
        plans=_count(plans),
        lists=tuple([await _list(one) for one in lists]),
    )


async def _list(one: List) -> ListLoad:
    """Count the runs and bad ends of the last day, and look at what is open."""
    now = one.now()
    day = Window(start=now - DAY, end=now)
    runs = await one.page(day, 0, purpose=Purpose.AUDIT)
    bad = [
        await one.page(day, 0, purpose=Purpose.AUDIT, status=status) for status in one.bad_statuses
    ]
    hours = DAY / timedelta(hours=1)
    return ListLoad(
        kind=one.kind,
        runs_per_hour=_count(runs) / hours,
        bad_ends_per_hour=sum(map(_count, bad)) / hours,
        open_runs=await _open_runs(one),
    )


async def _open_runs(one: List) -> OpenRuns:
    now = one.now()
    window = Window(start=now - Limits().reach, end=now)
    pages = [
        await one.page(window, 0, purpose=Purpose.AUDIT, status=status)
        for status in OPEN_STATUSES[one.kind]
    ]
    rows = {row.id: row for page in pages for row in page.rows if row.phase in OPEN}
    ages = tuple((now - row.triggered_at).total_seconds() for row in rows.values())
    return OpenRuns(
        number=max(sum(map(_count, pages)), len(ages)),
        long=sum(age > LONG.total_seconds() for age in ages),
        ages=ages,
    )


def _count(page: Counted) -> int:
    """Answer with TMC's count, or what the page holds where it gives none."""
    return page.size if page.total is None else page.total

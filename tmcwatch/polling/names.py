"""Names: the directory of tasks, plans and promotions with their workspaces and environments."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import structlog

from tmcwatch.api.client import Client
from tmcwatch.api.errors import ApiError, BadRequest, Forbidden, NotFound
from tmcwatch.api.names import NamesPage
from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.execution import AccountName, Subject, Workspace
from tmcwatch.domain.observation import LookFailed, Moment, NamesRead, Observation
from tmcwatch.domain.window import PAGE_LIMIT
from tmcwatch.polling.asking import problem_of

log = structlog.get_logger()


async def read_names(
    account: AccountName,
    client: Client,
    *,
    now: Callable[[], datetime],
    send: Callable[[Observation], Awaitable[None]],
) -> bool:
    """Read all names once and send them; answers whether that succeeded."""
    try:
        tasks = await _all(client.tasks)
        plans = await _all(client.plans)
        promotions = await _promotions(client)
    except ApiError as error:
        failed = LookFailed(
            account=account, kind=None, at=now(), problem=problem_of(error), text=str(error)
        )
        await send(failed)
        return False
    await send(
        NamesRead(
            account=account,
            at=now(),
            subjects=(*tasks, *plans, *promotions),
            complete=True,
            workspaces=await _workspaces(account, client),
        )
    )
    await send(Moment(at=now()))
    return True


async def _workspaces(account: AccountName, client: Client) -> tuple[Workspace, ...] | None:
    """Answer with the workspaces that the account sees, None where TMC does not tell.

    They cost no names: a token that may not list workspaces has not lost any.
    """
    try:
        return await client.workspaces(purpose=Purpose.NAMES)
    except ApiError as error:
        log.info("workspaces_unknown", account=account, problem=str(error))
        return None


class AskNames(Protocol):
    """One of the client's two lists of names."""

    async def __call__(self, offset: int, /, *, purpose: Purpose) -> NamesPage: ...


async def _promotions(client: Client) -> tuple[Subject, ...]:
    """Read the names of promotions; a token that may not see any still sees tasks and plans."""
    try:
        page = await client.promotions(purpose=Purpose.NAMES)
    except (BadRequest, Forbidden, NotFound):
        return ()
    return page.subjects


async def _all(ask: AskNames) -> list[Subject]:
    found: dict[str, Subject] = {}
    offset = 0
    while True:
        page = await ask(offset, purpose=Purpose.NAMES)
        found.update({subject.id: subject for subject in page.subjects})
        offset += page.size
        # Where TMC left the total out, a short page is the last.
        is_last = page.size < PAGE_LIMIT if page.total is None else offset >= page.total
        if is_last or not page.size:
            return list(found.values())

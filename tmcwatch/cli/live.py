"""What TMC lets an account see: each kind of call is made once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import anyio

from tmcwatch import __version__
from tmcwatch.api.budget import Budget
from tmcwatch.api.client import Client
from tmcwatch.api.errors import ApiError, Throttled, Unauthorized, Unavailable
from tmcwatch.app import World
from tmcwatch.app.wiring import client_of, scope_of
from tmcwatch.cli.ending import one_line
from tmcwatch.config import Account, Config
from tmcwatch.config.model import Promotions
from tmcwatch.domain.budget import BURST, Purpose
from tmcwatch.domain.scope import Scope
from tmcwatch.domain.window import Window
from tmcwatch.telemetry.metrics import Metrics

AUDIT = "entries of the audit log of the last hour"

COSTS: Mapping[str, str] = {
    "task runs": "runs of tasks are not watched",
    "plan runs": "runs of plans are not watched",
    "tasks": "tasks are told by their id, without environment and workspace",
    "plans": "plans are told by their id, without environment and workspace",
    "environments": "nothing else: names come with the tasks and plans",
    "workspaces": "a workspace that is lost is not told; names come with the tasks and plans",
    "promotions": "promotions are told by their id",
    AUDIT: "promotions are followed only where the config or a request names them",
}
"""What is asked for, and what a refusal costs."""

LATELY = timedelta(hours=1)

Ask = Callable[[], Awaitable[int]]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What one account was shown; filled as the answers come."""

    account: str
    url: str
    counts: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    """What the config names and the account does not see."""
    places: str = ""
    """The workspaces that it does see."""
    stopped: str | None = None
    """Why no more was asked: not reached, or not let in."""

    @property
    def answered(self) -> bool:
        return bool(self.counts)

    def line(self) -> str:
        counts = ", ".join(f"{number} {name}" for name, number in self.counts.items())
        return f"account {self.account}: {self.url}: sees {counts}"

    def problems(self) -> list[str]:
        where = f"account {self.account}: {self.url}"
        lines = [
            one_line(f"{where}: refused: {name}: {text}: {COSTS[name]}")
            for name, text in self.refused.items()
        ]
        lines += [
            one_line(f"{where}: not visible: {entry}; there are: {self.places or 'none'}")
            for entry in self.unseen
        ]
        return lines if self.stopped is None else [*lines, one_line(f"{where}: {self.stopped}")]

    def as_json(self) -> dict[str, object]:
        return {
            "account": self.account,
            "url": self.url,
            "sees": self.counts,
            "refused": {
                name: {"answer": text, "costs": COSTS[name]} for name, text in self.refused.items()
            },
            "not_visible": list(self.unseen),
            "problem": self.stopped,
        }


async def ask_all(config: Config, world: World) -> list[Seen]:
    """Ask every account at the same time; answers in the order of the configuration."""
    seen = [Seen(account=one.name, url=one.api_url) for one in config.accounts]
    async with anyio.create_task_group() as tasks:
        for account, one in zip(config.accounts, seen, strict=True):
            tasks.start_soon(_ask_account, account, config.watch.promotions, world, one)
    return seen


async def _ask_account(account: Account, followed: Promotions, world: World, seen: Seen) -> None:
    try:
        budget = Budget(account.api_share, now=world.now, random=world.random, saved=BURST)
        client = client_of(account, budget, Metrics(version=__version__), world)
        try:
            questions = _questions(client, seen, scope_of(account))
            questions |= _about_promotions(client, followed, world)
            for name, ask in questions.items():
                await _ask_one(name, ask, seen)
        finally:
            await client.aclose()
    except (Unauthorized, Unavailable, Throttled) as error:
        # The other calls would meet the same.
        seen.stopped = str(error)


async def _ask_one(name: str, ask: Ask, seen: Seen) -> None:
    try:
        seen.counts[name] = await ask()
    except (Unauthorized, Unavailable, Throttled):
        raise
    except ApiError as error:
        seen.refused[name] = str(error)


def _questions(client: Client, seen: Seen, scope: Scope) -> dict[str, Ask]:
    async def task_runs() -> int:
        page = await client.task_executions(None, purpose=Purpose.HEAD, limit=1)
        return _total(page.total, page.size)

    async def plan_runs() -> int:
        page = await client.plan_executions(None, purpose=Purpose.HEAD, limit=1)
        return _total(page.total, page.size)

    async def tasks() -> int:
        page = await client.tasks(purpose=Purpose.NAMES, limit=1)
        return _total(page.total, page.size)

    async def plans() -> int:
        page = await client.plans(purpose=Purpose.NAMES, limit=1)
        return _total(page.total, page.size)

    async def environments() -> int:
        return len(await client.environments(purpose=Purpose.NAMES))

    async def workspaces() -> int:
        found = await client.workspaces(purpose=Purpose.NAMES)
        seen.unseen = scope.unseen(found)
        seen.places = ", ".join(sorted(f"{one.environment}/{one.name}" for one in found))
        return len(found)

    return {
        "task runs": task_runs,
        "plan runs": plan_runs,
        "tasks": tasks,
        "plans": plans,
        "environments": environments,
        "workspaces": workspaces,
    }


def _about_promotions(client: Client, followed: Promotions, world: World) -> dict[str, Ask]:
    """Answer with what else is asked where the config follows promotions."""

    async def promotions() -> int:
        return (await client.promotions(purpose=Purpose.NAMES)).size

    async def audit_log() -> int:
        lately = Window(start=world.now() - LATELY, end=world.now())
        return (await client.audit_logs(lately, 1, purpose=Purpose.AUDIT)).size

    asks: dict[str, Ask] = {}
    if followed.ids or followed.audit_log:
        asks["promotions"] = promotions
    if followed.audit_log:
        asks[AUDIT] = audit_log
    return asks


def _total(total: int | None, size: int) -> int:
    return size if total is None else total

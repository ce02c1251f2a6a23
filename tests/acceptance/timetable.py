"""Timetables: what happens in TMC at which time, and which message is wanted when.

A timetable is a text with a line for each event::

    0s            A fails
    30s           B fails
    10s..11s      want team: A failed
    1m10s..1m11s  want team: B failed
    10m           end

It is played on virtual time through tracking's writes, the deciding service and the workers that
deliver, on a store that outlives restarts. Every wanted message must come in its stretch of time,
and every message that comes must be wanted.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx

from tests.acceptance.acts import ACTS
from tests.threads import inline
from tmcwatch.alerting.service import Alerter
from tmcwatch.app.wiring import settings_of, targets_of
from tmcwatch.app.world import World
from tmcwatch.config import Config, load
from tmcwatch.config.durations import duration_from
from tmcwatch.delivering import Means, deliver, words_for
from tmcwatch.domain.execution import AccountName, Kind, Subject, SubjectId
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.store.engine import Store
from tmcwatch.store.opening import open_store
from tmcwatch.store.schema import cursors
from tmcwatch.supervisor import Bell
from tmcwatch.tracking.absorbing import absorb, absorb_names

PROD = AccountName("prod")
START = datetime(2026, 11, 20, tzinfo=UTC)
CONFIG = """
accounts: [{{name: prod, url: "http://tmc", token: timetable-token, link: "off"}}]
store: {{url: "sqlite:///timetable.db"}}
{rest}
receivers:
{receivers}
"""
_LINE = re.compile(r"(?P<first>[\dsmhd]+)(\.\.(?P<last>[\dsmhd]+))?\s+(?P<what>.+)")
_WANT = re.compile(r"want (?P<receiver>\w+): (?P<items>.+)")
_TOLERANCE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A message that must come, from when until when in seconds."""

    first: float
    last: float
    receiver: str
    items: tuple[str, ...]

    def is_met_by(self, told: "Told") -> bool:
        return (
            told.receiver == self.receiver
            and told.items == self.items
            and self.first <= told.at <= self.last
        )

    def __str__(self) -> str:
        return f"{self.first:g}s..{self.last:g}s {self.receiver}: {', '.join(self.items)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message that came."""

    at: float
    receiver: str
    items: tuple[str, ...]
    title: str

    def __str__(self) -> str:
        return f"{self.at:.1f}s {self.receiver}: {', '.join(self.items)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    at: float
    text: str


def seconds(text: str) -> float:
    length = duration_from(text)
    assert length is not None, f"{text!r} is no time"
    return length.total_seconds()


def read(text: str) -> tuple[list[Act], list[Want], float]:
    """Answer with what happens, what is wanted, and when it ends."""
    acts: list[Act] = []
    wants: list[Want] = []
    end = None
    for line in text.splitlines():
        stripped = line.partition("#")[0].strip()
        if not stripped:
            continue
        found = _LINE.fullmatch(stripped)
        assert found, f"no line of a timetable: {stripped!r}"
        first = seconds(found["first"])
        wanted = _WANT.fullmatch(found["what"])
        if wanted:
            last = seconds(found["last"]) if found["last"] else first + _TOLERANCE
            items = tuple(sorted(item.strip() for item in wanted["items"].split(",")))
            wants.append(Want(first=first, last=last, receiver=wanted["receiver"], items=items))
        elif found["what"] == "end":
            end = first
        else:
            acts.append(Act(at=first, text=found["what"]))
    assert end is not None, "a timetable needs a line that ends it"
    return acts, wants, end


def verdict(told: list[Told], wants: list[Want]) -> list[str]:
    """Answer with what is missing and what is unexpected; nothing if all is as wanted."""
    left = list(told)
    missing = []
    for want in sorted(wants, key=lambda one: one.last):
        met = next((one for one in left if want.is_met_by(one)), None)
        if met is None:
            missing.append(f"missing: {want}")
        else:
            left.remove(met)
    return missing + [f"unexpected: {one}" for one in left]


class Inboxes(httpx.AsyncBaseTransport):
    """All receivers: what they were told when, each message once, and what they answer."""

    def __init__(self, now: Callable[[], datetime], start: datetime) -> None:
        self._now = now
        self._start = start
        self._seen: set[str] = set()
        self.told: list[Told] = []
        self.answers: dict[str, httpx.Response] = {}
        self.attempts = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        receiver = request.url.path.strip("/")
        self.attempts += 1
        answer = self.answers.get(receiver)
        if answer is not None and answer.status_code != 200:
            return httpx.Response(answer.status_code, headers=answer.headers)
        key = request.headers["idempotency-key"]
        if key not in self._seen:
            self._seen.add(key)
            self.told.append(self._told(receiver, json.loads(await request.aread())))
        return httpx.Response(200)

    def _told(self, receiver: str, message: Mapping[str, Any]) -> Told:
        ends = message["tmcwatch"]["endReasons"]
        items = [_item(alert, ends.get(alert["fingerprint"])) for alert in message["alerts"]]
        return Told(
            at=(self._now() - self._start).total_seconds(),
            receiver=receiver,
            items=tuple(sorted(items)),
            title=message["tmcwatch"]["title"],
        )


def _item(alert: Mapping[str, Any], end: str | None) -> str:
    labels = alert["labels"]
    critical = " critically" if labels["severity"] == "critical" and end is None else ""
    return f"{labels['name']} {end or labels['rule']}{critical}"


@dataclass
class Play:
    """A timetable on stage."""

    folder: Path
    start: datetime = START
    configs: dict[str, str] = field(default_factory=dict)
    receivers: dict[str, str] = field(default_factory=lambda: {"team": ""})
    """Further keys of each, by name."""

    def __post_init__(self) -> None:
        self.inboxes = Inboxes(self.now, self.start)
        self.world = World(
            now=self.now,
            in_thread=inline,
            random=lambda: 0.5,
            transport=lambda: self.inboxes,
            environ={},
        )
        self.changed = Bell()
        self.owed = Bell()
        self.runs = 0
        self.subjects: dict[tuple[Kind, str], Subject] = {}
        self.config: Config | None = None
        self._store: Store | None = None
        self._running: AsyncExitStack | None = None

    def now(self) -> datetime:
        return self.start + timedelta(seconds=anyio.current_time())

    @property
    def store(self) -> Store:
        assert self._store is not None, "it is down"
        return self._store

    def use(self, name: str) -> None:
        """Take the configuration of this name from the next start on."""
        receivers = "\n".join(
            f'  - {{name: {receiver}, webhook: {{url: "http://hook/{receiver}"}}{more}}}'
            for receiver, more in self.receivers.items()
        )
        path = self.folder / "tmcwatch.yaml"
        path.write_text(CONFIG.format(rest=self.configs[name], receivers=receivers))
        self.config = load(path, environ={})

    async def begin(self) -> None:
        """Start the services; on a store that is new, watching begins now."""
        assert self.config is not None
        assert self._running is None
        is_new = self._store is None and not self.config.store.path.exists()
        self._store = open_store(self.config.store.url)
        if is_new:
            self._watch()
        stack = AsyncExitStack()
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        alerter = Alerter(
            store=self.store,
            in_thread=inline,
            now=self.now,
            settings=settings_of(self.config),
            changed=self.changed,
            owed=self.owed,
        )
        tasks.start_soon(alerter.run)
        for target in targets_of(self.config, self.world):
            tasks.start_soon(partial(deliver, target, bell=self.owed, means=self._means()))
        self._running = stack
        for kind in Kind if not is_new else ():
            self.look(kind=kind)  # what polling does first

    async def cease(self) -> None:
        """Stop the services, and close the store."""
        assert self._running is not None
        await self._running.aclose()
        self._running = None
        self.store.close()
        self._store = None

    async def play(self, text: str) -> list[str]:
        """Play a timetable; answer with what is missing and what was unexpected."""
        acts, wants, end = read(text)
        self.use("config")
        await self.begin()
        for act in sorted(acts, key=lambda one: one.at):
            await anyio.sleep_until(act.at)
            await self._act(act.text)
        await anyio.sleep_until(end)
        if self._running is not None:
            await self.cease()
        found = verdict(self.inboxes.told, wants)
        return found and [*found, *(f"told: {one}" for one in self.inboxes.told)]

    async def _act(self, text: str) -> None:
        for pattern, act in ACTS:
            found = pattern.fullmatch(text)
            if found:
                await act(self, **found.groupdict())
                return
        raise AssertionError(f"nobody knows how to act {text!r}")

    def subject(self, name: str, kind: Kind = Kind.TASK) -> Subject:
        """Answer with the task or plan of this name, which TMC then knows."""
        known = self.subjects.get((kind, name))
        if known is None:
            known = Subject(
                kind=kind,
                id=SubjectId(f"{kind.value}-{name}"),
                name=name,
                workspace_id="w",
                workspace="finance",
                environment_id="e",
                environment="PROD",
            )
            self.subjects[kind, name] = known
            self._names()
        return known

    def look(self, *rows: Any, kind: Kind = Kind.TASK) -> None:
        """Let tracking see rows of a list."""
        looked = Looked(account=PROD, kind=kind, at=self.now(), rows=rows)
        self.store.write(partial(absorb, looked=looked))
        self.changed.ring()

    def _watch(self) -> None:
        for kind in Kind:
            looked = Looked(
                account=PROD, kind=kind, at=self.now(), rows=(), watched_from=self.now()
            )
            self.store.write(partial(absorb, looked=looked))
        # The opening digest has tests of its own.
        told = cursors.insert().values(name=f"watching:{PROD}", sequence=1)
        self.store.write(lambda connection: connection.execute(told))
        self._names()

    def _names(self) -> None:
        names = NamesRead(
            account=PROD, at=self.now(), subjects=tuple(self.subjects.values()), complete=True
        )
        self.store.write(partial(absorb_names, names=names))

    def _means(self) -> Means:
        assert self.config is not None
        return Means(
            store=self.store,
            in_thread=inline,
            now=self.now,
            random=self.world.random,
            words=partial(words_for, time_zone=self.config.time_zone),
            observed=_Unobserved(),
        )


class _Unobserved:
    def on_sent(self, receiver: str, seconds_since_created: float) -> None: ...

    def on_failed(self, receiver: str, reason: str) -> None: ...

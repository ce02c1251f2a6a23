"""Tasks that a notifier keeps in step: the servers that hold them, and messages to tell."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from tests.contracts.task_server import TaskServer
from tmcwatch.app import real_world
from tmcwatch.app.wiring import targets_of
from tmcwatch.config import load
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierError

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
SECRET = 'hunter2/se"cret'
WORDS = Words(title="FAILED: load", text="FAILED: load\n  error: boom", markdown="m", html="h")
TALLYFY = frozenset(
    {"title", "summary", "description", "deadline", "started_at", "owners", "taskdata"}
    | {"status", "webhook", "prevent_guest_comment"}
)


def alert(name="load", *, over=False, rule="failed", **more):
    annotations = {"summary": f"task {name} failed", **more.pop("annotations", {})}
    return Alert(
        id=AlertId(f"id-{name}"),
        rule=rule,
        severity=Severity.WARNING,
        labels={"account": "acme", "name": name, "team": "finance"},
        annotations=annotations,
        starts_at=TEN,
        ends_at=TEN + timedelta(minutes=9) if over else None,
        end_reason=EndReason.RECOVERED if over else None,
        opened_at=TEN,
        changed_at=TEN,
        **more,
    )


def message(*alerts, told_before=0):
    return Message(
        key="key-1",
        receiver="team",
        group_key="g",
        group_labels={"account": "acme"},
        alerts=alerts,
        told_before=told_before,
        created_at=TEN,
    )


OPENED = message(alert())
CHANGED = message(alert(), alert("unload"))
RESOLVED = message(alert(over=True), alert("unload", over=True))


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A kind, the server that holds its task, and how the config reaches it."""

    kind: str
    server: TaskServer
    text: str
    """The field that is written by default."""
    options: dict[str, object]
    other: str
    """Another field of text."""
    refusals: frozenset[int]
    tls: object = None
    folder: object = field(repr=False)

    @asynccontextmanager
    async def reached(self, **more):
        async with self.server.serving(tls=self.tls) as port:
            options = json.loads(json.dumps(self.options | more).replace("PORT", str(port)))
            async with target(self.folder, self.kind, options) as notifier:
                yield notifier

    async def told(self, *messages, words=WORDS, **more):
        async with self.reached(**more) as notifier:
            return [(await notifier.send(one, words)).text for one in messages]

    async def failure(self, **more):
        async with self.reached(**more) as notifier:
            with pytest.raises(NotifierError) as caught:
                await notifier.send(OPENED, WORDS)
        shown = f"{caught.value} {caught.value.text} {caught.value!r}"
        assert not any(spelling in shown for spelling in spellings())
        return caught.value


def spellings():
    in_json = json.dumps(SECRET)[1:-1]
    return SECRET, in_json, in_json.replace("/", r"\/"), "hunter2%2Fse%22cret", "hunter2"


@asynccontextmanager
async def target(folder, kind, options):
    """Make the notifier from a config file, as the daemon does."""
    (folder / "secret").write_text(SECRET)
    config = {
        "accounts": [{"name": "prod", "region": "eu", "token": "a-token"}],
        "route": {"receiver": "team"},
        "receivers": [{"name": "team", kind: options}],
    }
    file = folder / "tmcwatch.yaml"
    file.write_text(json.dumps(config))
    (found,) = targets_of(load(file, environ={}), real_world({}))
    assert (found.name, found.idempotent, found.one_by_one) == (f"team/{kind}", True, True)
    try:
        yield found.notifier
    finally:
        await found.notifier.aclose()


def tallyfy(folder, *, run="run-1"):
    runs = f"/runs/{run}" if run else ""
    options = {
        "url": "http://127.0.0.1:PORT/api",
        "org_id": "org-1",
        "task_id": "task-1",
        "token": "${file:secret}",
    }
    owners = {"users": [7], "guests": ["ann@example.org"], "groups": ["night"]}
    server = TaskServer(
        path=f"/api/organizations/org-1{runs}/tasks/task-1",
        authorization=f"Bearer {SECRET}",
        task={"id": "task-1", "title": "Nightly load", "owners": owners, "taskdata": {"old": "x"}},
        known=TALLYFY - {"webhook"} if run else TALLYFY,
        required={"x-tallyfy-client": "APIClient", "accept": "application/json"},
        wrapped=True,
    )
    return Kept(
        kind="tallyfy",
        server=server,
        text="summary",
        options=options | ({"run_id": run} if run else {}),
        other="description",
        refusals=frozenset({401}),
        folder=folder,
    )


def services_api(folder, own):
    server = TaskServer(
        path="/tasks/12",
        authorization=f"Bearer chain-1:{SECRET}",
        task={"id": 12, "chain": 3, "desc": "Export", "debug": "", "version": 1},
        known=frozenset({"desc", "target", "trigger", "debug"}),
    )
    return Kept(
        kind="services_api",
        server=server,
        text="desc",
        options={
            "host": "127.0.0.1:PORT",
            "task_id": 12,
            "access_token_id": "chain-1",
            "access_token_secret": "${file:secret}",
            "ca_file": str(own.certificate),
        },
        other="debug",
        refusals=frozenset({401, 403}),
        tls=own.server("127.0.0.1"),
        folder=folder,
    )

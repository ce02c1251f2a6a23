"""Where other engines of alerts lose or repeat a message around a crash or a 429: eight rows.

Measured of Alertmanager 0.25 (E), Healthchecks 3.13 (H) and Apprise 2.2 (A), each row as its
scenario goes with them; here with a real process, real signals and a receiver over real sockets.
Nothing may be lost, nothing repeated that has a key, and without a key only where the process is
killed between the receiver's accepting and our recording.
"""

import json
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.process.processes import Daemon, eventually, started
from tmcwatch.simulator import Simulator, served, small

CONFIG = """
accounts: [{name: prod, url: "%(api)s", token: demo, api_share: 1}]
watch: {beat: 1s, settle: {floor: 2s}, history: 0s, plans: false}
store: {url: "sqlite:///tmcwatch.db"}
route:
  receiver: noted
  group_by: [id]
  group_wait: 0s
  group_interval: 1s
  routes:
%(routes)s
receivers:
  - {name: noted, log: {}}
%(receivers)s
http: {listen: "127.0.0.1:0"}
"""
WEBHOOK = 'webhook: {url: "http://%s/alerts"}'
APPRISE = 'apprise: ["json://%s/alerts"]'
WAIT_A_SECOND = (429, {"Retry-After": "1"})
WAIT_LONGER = (429, {"Retry-After": "3"})
DOWN: tuple[int, dict[str, str]] = (500, {})
SHORT = timedelta(seconds=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, and whether it was accepted."""

    at: float
    key: str
    body: dict[str, Any]
    status: int

    @property
    def says(self) -> list[str]:
        return [alert["status"] for alert in self.body.get("alerts", ())]


@dataclass
class Receiver:
    """Answers by a script, then accepts; unless it may answer, it has taken a request in vain."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def accepted(self) -> list[Request]:
        return [one for one in self.requests if one.status == 200]

    @contextmanager
    def open(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        self.may_answer.set()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            self.may_answer.set()
            server.shutdown()
            thread.join()
            server.server_close()


def _handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
            key = self.headers.get("Idempotency-Key", "")
            receiver.requests.append(
                Request(at=time.monotonic(), key=key, body=body, status=status)
            )
            receiver.may_answer.wait(10)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": "0"}).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_args: object) -> None: ...

    return Handler


@dataclass
class Tenant:
    """A TMC in which nothing runs but what a test starts."""

    simulator: Simulator
    portal: BlockingPortal
    api: str
    used: int = 0

    def task(self) -> str:
        """Answer with a task that no test before had."""
        self.used += 1
        return self.simulator.world.tenant.tasks[self.used].id

    def run(self, task: str, *, ends: str = "EXECUTION_SUCCESS") -> None:
        start = partial(
            self.simulator.world.start_task_run, task, ends=ends, dispatch=SHORT, lasts=SHORT
        )
        self.portal.call(start)


@pytest.fixture(scope="module")
def tenant():
    quiet = replace(
        small(), executions_per_day=0, plan_runs_per_day=0, late_share=0, history=timedelta(0)
    )
    simulator = Simulator(quiet, now=lambda: datetime.now(UTC))
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(served(simulator)) as addresses,
    ):
        yield Tenant(simulator, portal, addresses.api)


@dataclass
class Row:
    """A row of the scoreboard: a task, and who is told of it, in one way of telling."""

    tenant: Tenant
    name: str
    way: str = WEBHOOK
    interval: str = "1s"
    answers: tuple[tuple[int, dict[str, str]], ...] = ()

    def __post_init__(self) -> None:
        self.task = self.tenant.task()
        self.receiver = Receiver(answers=list(self.answers))

    @property
    def route(self) -> str:
        matchers = f"[rule=failed, 'id=\"{self.task}\"']"
        return (
            f"    - {{matchers: {matchers}, receiver: {self.name}, "
            f"group_interval: {self.interval}}}"
        )

    def fails(self) -> None:
        self.tenant.run(self.task, ends="EXECUTION_FAILED")

    def recovers(self) -> None:
        self.tenant.run(self.task)

    def until_asked(self) -> None:
        eventually(lambda: self.receiver.requests)

    def until_accepted(self, number: int) -> None:
        eventually(lambda: len(self.receiver.accepted) >= number)

    def until_recorded(self, daemon: Daemon) -> None:
        eventually(
            lambda: [
                line
                for line in daemon.logged("message_delivered")
                if line["target"].startswith(f"{self.name}/")
            ]
        )

    @property
    def said(self) -> list[list[str]]:
        """What each request said, also of those that were not accepted."""
        return [one.says for one in self.receiver.requests]


class Stage:
    """Some rows side by side, and the daemon in between, life after life on one store."""

    def __init__(self, folder: Path, rows: Sequence[Row]) -> None:
        self._folder = folder
        self._rows = rows
        self._lives = 0

    @contextmanager
    def open(self) -> Iterator[None]:
        with ExitStack() as stack:
            places = [stack.enter_context(row.receiver.open()) for row in self._rows]
            pairs = zip(self._rows, places, strict=True)
            receivers = [f"  - {{name: {row.name}, {row.way % place}}}" for row, place in pairs]
            text = CONFIG % {
                "api": self._rows[0].tenant.api,
                "routes": "\n".join(row.route for row in self._rows),
                "receivers": "\n".join(receivers),
            }
            (self._folder / "tmcwatch.yaml").write_text(text)
            yield

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        """Start it, and wait until it has begun to watch."""
        self._lives += 1
        folder = self._folder / str(self._lives)
        folder.mkdir()
        config = str(self._folder / "tmcwatch.yaml")
        with started(Daemon, folder, "run", "--config", config, is_forked=True) as daemon:
            daemon.until_ready()
            # A run of the very second in which the watch begins may count as history.
            begun = time.time()
            eventually(lambda: watermark(daemon) > begun)
            yield daemon


def watermark(daemon: Daemon) -> float:
    """Answer with up to when everything was read, 0 before the first look."""
    found = re.search(
        r'^tmcwatch_watermark_timestamp_seconds{account="prod",kind="task"} (\S+)$',
        daemon.answer("/metrics").text,
        re.MULTILINE,
    )
    return float(found[1]) if found else 0.0


def ended(daemon: Daemon, number: signal.Signals) -> int:
    daemon.signal(number)
    return daemon.ends()


@pytest.fixture(scope="module")
def killed(tenant, tmp_path_factory):
    """Kill it after it told one receiver, and while it tells two others; then let it go on."""
    told, asked = Row(tenant, "told"), Row(tenant, "asked")
    without_key = Row(tenant, "without_key", APPRISE)
    stage = Stage(tmp_path_factory.mktemp("killed"), [told, asked, without_key])
    with stage.open():
        for one in (asked, without_key):
            one.receiver.may_answer.clear()
        with stage.daemon() as daemon:
            for one in (told, asked, without_key):
                one.fails()
            told.until_recorded(daemon)
            asked.until_asked()
            without_key.until_asked()
            assert ended(daemon, signal.SIGKILL) == -signal.SIGKILL
        for one in (asked, without_key):
            one.receiver.may_answer.set()
        with stage.daemon() as daemon:
            asked.until_recorded(daemon)
            without_key.until_recorded(daemon)
            told.recovers()
            told.until_accepted(2)
    return told, asked, without_key


@pytest.fixture(scope="module")
def stopped(tenant, tmp_path_factory):
    """Stop it after it told two receivers; one of the tasks recovers while nobody watches."""
    later, meanwhile = Row(tenant, "later"), Row(tenant, "meanwhile")
    stage = Stage(tmp_path_factory.mktemp("stopped"), [later, meanwhile])
    with stage.open():
        with stage.daemon() as daemon:
            for one in (later, meanwhile):
                one.fails()
            for one in (later, meanwhile):
                one.until_accepted(1)
            assert ended(daemon, signal.SIGTERM) == 0
        meanwhile.recovers()
        with stage.daemon():
            later.recovers()
            for one in (later, meanwhile):
                one.until_accepted(2)
    return later, meanwhile


@pytest.fixture(scope="module")
def refused(tenant, tmp_path_factory):
    """Let it tell four receivers that do not take what they are sent at first."""
    a_second = Row(tenant, "a_second", interval="20s", answers=(WAIT_A_SECOND,))
    over = Row(tenant, "over", answers=(WAIT_LONGER,))
    down = Row(tenant, "down", answers=(DOWN,))
    service = Row(tenant, "service", APPRISE, answers=(WAIT_A_SECOND,))
    rows = a_second, over, down, service
    stage = Stage(tmp_path_factory.mktemp("refused"), rows)
    with stage.open(), stage.daemon() as daemon:
        for one in rows:
            one.fails()
        over.until_asked()
        over.recovers()
        eventually(lambda: daemon.logged("alert_ended"))
        for one in (a_second, down, service):
            one.until_recorded(daemon)
        eventually(lambda: over.receiver.accepted and over.said[-1] == ["resolved"])
    return rows


def test_e1_a_kill_after_a_message_repeats_nothing(killed):
    told, _, _ = killed
    assert told.said == [["firing"], ["resolved"]]


def test_e1b_a_stop_after_a_message_repeats_nothing(stopped):
    later, _ = stopped
    assert later.said == [["firing"], ["resolved"]]


def test_e2_what_is_over_while_nobody_watches_is_told_after_the_restart(stopped):
    _, meanwhile = stopped
    assert meanwhile.said == [["firing"], ["resolved"]]


def test_e3_a_receiver_that_asks_for_a_second_waits_no_group_interval(refused):
    first, second = refused[0].receiver.requests
    assert (first.status, second.status) == (429, 200)
    assert 1 <= second.at - first.at < 15
    assert first.key == second.key


def test_e4_what_is_over_before_it_could_be_told_is_told_all_the_same(refused):
    accepted = refused[1].receiver.accepted
    assert [one.says for one in accepted] in ([["firing"], ["resolved"]], [["resolved"]])


def test_h1_what_is_being_sent_at_a_kill_arrives_once_by_its_key(killed):
    _, asked, _ = killed
    first, second = asked.receiver.requests
    assert first.key == second.key != ""
    assert first.body["alerts"] == second.body["alerts"]


def test_h1_without_a_key_it_arrives_and_once_more_at_most(killed):
    _, _, without_key = killed
    assert 1 <= len(without_key.receiver.accepted) <= 2


def test_h2_a_receiver_that_was_down_is_told_once_it_is_back(refused):
    first, second = refused[2].receiver.requests
    assert (first.status, second.status) == (500, 200)
    assert first.key == second.key


def test_a1_a_service_of_apprise_that_answers_429_is_told_later(refused):
    assert [one.status for one in refused[3].receiver.requests] == [429, 200]

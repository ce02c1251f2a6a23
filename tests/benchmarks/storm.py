"""A storm: 5,000 tasks fail at once; how long until a receiver was told, beside Alertmanager."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import anyio
import httpx
import psutil

from tests.benchmarks.machine import figure, plain
from tests.benchmarks.receiving import Received, receiver
from tests.benchmarks.running import ROOT, ended, free_port, until, written
from tmcwatch.domain.execution import (
    AccountName,
    ExecutionId,
    Kind,
    Phase,
    Row,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.observation import Looked, NamesRead
from tmcwatch.store.engine import Connection
from tmcwatch.tracking.absorbing import absorb, absorb_names, portions

ACCOUNT = AccountName("prod")
FAILURES = 5_000
CALM_AFTER = 15.0
"""Seconds without a message after which no more is expected."""

CONFIG = """
accounts: [{name: prod, url: "http://127.0.0.1:9", token: benchmark}]
route: {receiver: team, group_by: %(group_by)s, group_wait: %(wait)s, group_interval: 5s}
receivers: [{name: team, webhook: {url: "http://127.0.0.1:%(port)d/"}%(storm)s}]
"""
ALERTMANAGER = """
route: {receiver: team, group_by: ["..."], group_wait: 0s, group_interval: 5s}
receivers: [{name: team, webhook_configs: [{url: "http://127.0.0.1:%(port)d/"}]}]
"""
APART = '["..."]'
SITUATIONS = {
    "each its own group": {"group_by": APART, "wait": "0s", "storm": ", storm: off"},
    "each its own group, storm control": {"group_by": APART, "wait": "0s", "storm": ""},
    "usual groups": {"group_by": "[account, environment, rule]", "wait": "1s", "storm": ""},
}


async def measure() -> None:
    """Let the storm come over tmcwatch in three situations, and over Alertmanager."""
    for name, settings in SITUATIONS.items():
        with TemporaryDirectory() as folder:
            async with receiver() as received:
                config = written(Path(folder), CONFIG % {**settings, "port": received.port})
                with _storming(config) as running:
                    began = perf_counter()
                    _go(running)
                    process = psutil.Process(running.pid)
                    seconds, memory = await _all_told(received, process, began)
        _say(f"tmcwatch, {name}", seconds, memory, received)
    await _measure_alertmanager()


async def _measure_alertmanager() -> None:
    binary = shutil.which("prometheus-alertmanager")
    if binary is None:
        print("Alertmanager: not on this machine (Debian's package prometheus-alertmanager)")
        return
    port = free_port()
    with TemporaryDirectory() as folder:
        async with receiver() as received, _client(port) as http:
            with _alertmanager(binary, folder, port, received.port) as process:
                await until(partial(_is_up, http))
                began = perf_counter()
                for start in range(0, FAILURES, 500):
                    await http.post("/api/v2/alerts", json=_alerts(start, start + 500))
                seconds, memory = await _all_told(received, process, began)
    _say("Alertmanager, each its own group", seconds, memory, received)


def _client(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60)


async def _is_up(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/-/ready")).is_success
    except httpx.TransportError:
        return False


def _alerts(first: int, last: int) -> list[dict[str, object]]:
    return [
        {
            "labels": {"alertname": "failed", "name": f"task {number}", "account": "prod"},
            "annotations": {"summary": f"task {number} failed"},
        }
        for number in range(first, last)
    ]


async def _all_told(
    received: Received, process: psutil.Process, began: float
) -> tuple[float, float]:
    """Wait until no more comes; answer with seconds until the last, and the most memory."""
    most = 0.0
    while received.messages < FAILURES:
        await anyio.sleep(0.05)
        most = max(most, process.memory_info().rss / 2**20)
        calm_since = max(received.last_at, began + CALM_AFTER)
        if perf_counter() - calm_since > CALM_AFTER:
            break
    return received.last_at - began, most


def _say(name: str, seconds: float, memory: float, received: Received) -> None:
    print(plain(f"{name}: messages", received.messages, ""))
    print(figure("  last one delivered after", seconds, "s", wanted=10))
    print(figure("  memory at most", memory, "MiB", wanted=150), flush=True)


@contextmanager
def _storming(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run what the storm comes over while the block runs; it waits for a line of input."""
    command = [sys.executable, "-m", "tests.benchmarks.storming", str(config), str(FAILURES)]
    pipe = subprocess.PIPE
    with ended(subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe)) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running


@contextmanager
def _alertmanager(binary: str, folder: str, port: int, hook: int) -> Iterator[psutil.Process]:
    file = Path(folder) / "alertmanager.yaml"
    file.write_text(ALERTMANAGER % {"port": hook})
    command = [
        binary,
        "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.path={folder}",
        f"--config.file={file}",
    ]
    quiet = subprocess.DEVNULL
    with ended(subprocess.Popen(command, stdout=quiet, stderr=quiet)) as running:
        yield psutil.Process(running.pid)


def _go(running: subprocess.Popen[bytes]) -> None:
    assert running.stdin is not None
    running.stdin.write(b"go\n")
    running.stdin.flush()


def find(failures: int) -> Iterator[Callable[[Connection], object]]:
    """Give the transactions by which so many failures of as many tasks are found."""
    now = datetime.now(UTC)
    names = NamesRead(account=ACCOUNT, at=now, subjects=(), complete=True)
    yield partial(absorb_names, names=names)
    rows = tuple(_failed(number, now) for number in range(failures))
    for portion in portions(Looked(account=ACCOUNT, kind=Kind.TASK, at=now, rows=rows)):
        yield partial(absorb, looked=portion)


def _failed(number: int, now: datetime) -> Row:
    return Row(
        kind=Kind.TASK,
        id=ExecutionId(f"{number:036x}"),
        subject=SubjectId(f"{number:024x}"),
        phase=Phase.FAILED,
        status="execution_failed/EXECUTION_FAILED",
        trigger=Trigger.SCHEDULED,
        triggered_at=now,
        started_at=now,
        ended_at=now,
    )

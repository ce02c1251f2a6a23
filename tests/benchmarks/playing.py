"""Playing TMC to a daemon in virtual time, and taking note of what that daemon holds in memory."""

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import anyio
import httpx
import psutil

from tests.benchmarks.running import ROOT, ended
from tests.benchmarks.wire import Answered, Asked
from tmcwatch.simulator import Reading, Scenario, Simulator, api_app

SAMPLES_EVERY = timedelta(minutes=10)
LEAST_SAMPLES = 20
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the daemon held some time after its start: at that moment, and at most so far."""

    at: timedelta
    memory_mib: float
    peak_mib: float


@dataclass(slots=True, kw_only=True)
class Clock:
    """Virtual time, as far as the daemon has told it."""

    start: datetime
    passed: timedelta = timedelta()

    def now(self) -> datetime:
        return self.start + self.passed


@dataclass(slots=True, kw_only=True)
class Course:
    """How a watch went."""

    simulator: Simulator
    clock: Clock
    samples: list[Sample] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    """By family: the first part of the path."""
    per_minute: Counter[int] = field(default_factory=Counter)
    open: list[int] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0


def watched(scenario: Scenario, window: Reading, config: Path, span: timedelta) -> Course:
    """Let the daemon watch in virtual time, in a process of its own, and play its TMC here.

    The watch ends now, so that a daemon of the present can go on from it. The log is kept beside
    the config.
    """
    clock = Clock(start=datetime.now(UTC) - span)
    simulator = Simulator(scenario, now=clock.now, window=window, token="benchmark")
    course = Course(simulator=simulator, clock=clock)
    ours, theirs = socket.socketpair()
    words = (str(config), str(theirs.fileno()), clock.start.isoformat(), str(span.total_seconds()))
    command = [sys.executable, "-m", "tests.benchmarks.accelerated", *words]
    began = perf_counter()
    with config.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=log, pass_fds=[theirs.fileno()], env=os.environ
        )
    theirs.close()
    with ended(process), Connection(ours.detach()) as connection:
        every = min(SAMPLES_EVERY, span / LEAST_SAMPLES)
        anyio.run(_play, course, connection, psutil.Process(process.pid), every)
        if process.wait() != 0:
            raise RuntimeError(config.with_suffix(".log").read_text()[-2000:])
    course.seconds = perf_counter() - began
    return course


async def _play(
    course: Course, connection: Connection, process: psutil.Process, every: timedelta
) -> None:
    """Answer until the daemon is gone."""
    transport = httpx.ASGITransport(app=api_app(course.simulator))
    due = timedelta()
    while True:
        try:
            asked: Asked = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        course.clock.passed = timedelta(seconds=asked.at)
        course.requests[urlsplit(asked.url).path.split("/")[1]] += 1
        course.per_minute[int(asked.at // 60)] += 1
        if course.clock.passed >= due:
            due = course.clock.passed + every
            _take_sample(course, process)
        connection.send(await _answer(transport, asked))


async def _answer(transport: httpx.ASGITransport, asked: Asked) -> Answered:
    request = httpx.Request(
        asked.method, asked.url, headers=asked.headers, content=asked.body or None
    )
    answer = await transport.handle_async_request(request)
    return Answered(answer.status_code, answer.headers.raw, await answer.aread())


def _take_sample(course: Course, process: psutil.Process) -> None:
    with process.oneshot():
        times = process.cpu_times()
        memory = process.memory_info().rss / MIB
    course.processor_seconds = times.user + times.system
    course.samples.append(
        Sample(at=course.clock.passed, memory_mib=memory, peak_mib=_peak_mib(process.pid))
    )
    course.open.append(course.simulator.world.open_count())


def _peak_mib(process_id: int) -> float:
    """Answer with the most that a process ever held; 0 where the system does not tell."""
    status = Path(f"/proc/{process_id}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


class _Taker(BaseHTTPRequestHandler):
    """Takes whatever a receiver is sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *_args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def sink() -> Iterator[int]:
    """Take messages on a thread while the block runs; gives the port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Taker) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()

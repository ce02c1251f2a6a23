"""Real processes to measure: the daemon, and a simulated tenant that it watches."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import psutil

ROOT = Path(__file__).parents[2]
# Another Python, such as that of an environment without test tools, shows what users get.
DAEMON = (os.environ.get("TMCWATCH_PYTHON", sys.executable), "-m", "tmcwatch", "run", "--config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A simulated tenant in a process of its own."""

    api: str
    control: str

    async def ask(self, path: str, **query):
        """Ask the control port."""
        async with httpx.AsyncClient(base_url=self.control, timeout=60) as http:
            answer = await http.get(path, params=query)
            return answer.raise_for_status().json()


@contextmanager
def simulated(scenario: str, window: str, tasks: int = 0) -> Iterator[Simulated]:
    """Run a simulator while the block runs, of so many tasks if a number is given.

    Its making blocks.
    """
    command = [sys.executable, "-m", "tests.benchmarks.simulating", scenario, window, str(tasks)]
    with ended(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)) as process:
        assert process.stdout is not None
        yield Simulated(**json.loads(process.stdout.readline()))


@contextmanager
def daemon(config: Path) -> Iterator[psutil.Process]:
    """Run the daemon while the block runs; its log is kept beside the config."""
    with config.with_suffix(".log").open("ab") as log:
        command = [*DAEMON, str(config)]
        with ended(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)) as process:
            yield psutil.Process(process.pid)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a process with the block, in order."""
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def written(folder: Path, text: str) -> Path:
    """Write a config and answer with its path."""
    path = folder / "tmcwatch.yaml"
    path.write_text(text)
    return path


async def until(
    happened: Callable[[], Awaitable[bool]], *, within: float = 60, every: float = 0.02
) -> None:
    """Ask until it happened; raises TimeoutError."""
    with anyio.fail_after(within):
        while not await happened():  # noqa: ASYNC110 - another process, which rings no bell
            await anyio.sleep(every)


async def ready(port: int) -> bool:
    """Tell whether the daemon says that it is ready."""
    try:
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{port}/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == 200

"""Real processes: started, asked, signalled, and always ended."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.process.lives import Life

WITHIN = 60.0
"""Seconds for what usually takes two: the machine may be busy with other tests."""

CONFIG = """\
accounts:
  - {name: prod, url: "%(api)s", %(token)s}
watch: {beat: 1s, settle: {floor: 2s}, history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team}
receivers: [{name: team, log: {}}]
http: {listen: "127.0.0.1:0"}
grace: 10s
"""


def eventually(look, *, within=WITHIN):
    """Look again and again; answers with the first result that is true."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


class Command:
    """One `tmcwatch` process; what it writes goes to files."""

    process: subprocess.Popen[bytes] | Life

    def __init__(self, folder: Path, *words: str, is_forked: bool = False, **env: str) -> None:
        self._out, self._err = folder / f"{words[0]}.out", folder / f"{words[0]}.err"
        self.began = time.monotonic()
        with self._out.open("wb") as out, self._err.open("wb") as err:
            if is_forked:
                self.process = Life("tmcwatch", words, env, out, err)
                return
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tmcwatch", *words],
                stdout=out,
                stderr=err,
                env=os.environ | env,
            )

    @property
    def output(self) -> str:
        return self._out.read_text()

    @property
    def errors(self) -> str:
        return self._err.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self, *, within: float = WITHIN) -> int:
        """Wait for its end; answers with the exit code."""
        return self.process.wait(within)

    def end(self) -> None:
        """End it, gently where it lets itself be: it may measure what it covered."""
        self.process.terminate()
        try:
            self.process.wait(WITHIN)
        finally:
            self.process.kill()
            self.process.wait()


class Daemon(Command):
    """`tmcwatch run`; its log is read as JSON."""

    def logged(self, event: str) -> list[dict[str, str]]:
        lines = self.errors.splitlines(keepends=True)
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return [entry for entry in entries if entry["event"] == event]

    @property
    def url(self) -> str:
        return f"http://{eventually(lambda: self.logged('started'))[0]['listen']}"

    def answer(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=10)

    def until_ready(self) -> float:
        """Wait until it is ready; answers with the seconds since its start."""
        eventually(lambda: self.answer("/readyz").is_success)
        return time.monotonic() - self.began

    def until_fresh(self, *, within: float = WITHIN) -> None:
        eventually(lambda: self.answer("/-/fresh").is_success, within=within)


@contextmanager
def started(kind: type[Command], folder: Path, *words: str, is_forked: bool = False, **env: str):
    """Start a command by itself, or `is_forked` where the start is not what is tested."""
    command = kind(folder, *words, is_forked=is_forked, **env)
    try:
        yield command
    finally:
        command.end()


@contextmanager
def watching(folder: Path, api: str, *, token="token: demo"):
    """Run the daemon against a TMC."""
    path = folder / "tmcwatch.yaml"
    path.write_text(CONFIG % {"api": api, "token": token})
    with started(Daemon, folder, "run", "--config", str(path), is_forked=True) as daemon:
        yield daemon


@contextmanager
def simulated(folder: Path, *words: str, port: int = 0):
    """Serve a simulated TMC; gives the addresses of its API and of its control port."""
    ports = ("--port", str(port), "--control-port", "0")
    with started(Command, folder, "simulate", *ports, *words, is_forked=True) as command:
        lines = eventually(lambda: "control" in command.output and whole(command.output))
        address = {line.split()[0]: line.split()[1] for line in lines}
        yield address["TMC"], address["control"]


def whole(text: str) -> list[str] | None:
    """Answer with the lines of a text that ends with one."""
    return text.splitlines() if text.endswith("\n") else None

"""The other commands as real processes: the demo, the simulator, and asking a daemon."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import httpx
import pytest

from tests.process.processes import Command, eventually, simulated, started, watching

SHOWN = ("FAILED: load_customers", "MISFIRED: sync_contacts", "RECOVERED: load_customers")


def test_the_demo_shows_a_failure_a_misfire_and_a_recovery(tmp_path):
    with started(Command, tmp_path, "demo", TMPDIR=str(tmp_path)) as demo:
        for told in SHOWN:
            eventually(lambda told=told: f"told: {told} (PROD / crm)" in demo.output, within=120)
        demo.signal(signal.SIGINT)
        assert demo.ends() == 0
    assert demo.errors == ""


def test_ctrl_c_ends_the_demo_with_a_summary(tmp_path):
    with started(Command, tmp_path, "demo", TMPDIR=str(tmp_path)) as demo:
        url = eventually(lambda: re.search(r"^metrics +(\S+)$", demo.output, re.MULTILINE))[1]
        eventually(lambda: "told: Now watching" in demo.output)
        assert "tmcwatch_up" in httpx.get(url).text
        demo.signal(signal.SIGINT)
        assert demo.ends() == 0
    assert re.search(r"^The demo ran for \d+ s: ", demo.output, re.MULTILINE)
    assert demo.errors == ""
    assert not list(tmp_path.glob("tmcwatch-demo-*"))


def test_a_demo_that_nobody_reads_any_more_ends_without_a_word(tmp_path):
    words = [sys.executable, "-m", "tmcwatch", "demo"]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, env=env) as demo:
        assert demo.stdout
        assert demo.stderr
        assert demo.stdout.readline().startswith(b"metrics")
        demo.stdout.close()
        assert demo.stderr.read() == b""
    assert demo.returncode == 1
    assert not list(tmp_path.glob("tmcwatch-demo-*"))


def test_the_demo_on_a_terminal_draws_and_gives_it_back(tmp_path):
    terminal, its_end = pty.openpty()
    env = os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm", "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "tmcwatch", "demo", "--for", "2s"]
    with subprocess.Popen(words, stdin=its_end, stdout=its_end, stderr=its_end, env=env) as demo:
        os.close(its_end)
        screen, _, after = b"".join(chunks(terminal)).decode().rpartition("\x1b[?1049l")
        assert demo.wait(60) == 0
    assert "What the inbox was told" in screen
    assert "requests made." in after


def chunks(terminal):
    """Read until the other end is closed."""
    with os.fdopen(terminal, "rb", buffering=0) as reader, suppress(OSError):
        while chunk := reader.read(65_536):
            yield chunk


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_simulator_serves_until_a_signal(tmp_path, number):
    ports = ("--port", "0", "--control-port", "0", "--seed", "5", "--token", "s3cret")
    with started(Command, tmp_path, "simulate", *ports) as command:
        lines = eventually(lambda: len(command.output.splitlines()) == 3 and command.output)
        assert "bearer token: s3cret" in lines
        assert "service account: demo-id, secret demo-secret" in lines
        command.signal(number)
        assert command.ends() == 0
    assert command.errors == ""


def test_a_port_in_use_is_one_line_of_the_simulator(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(Command, tmp_path, "simulate", "--port", port) as command:
            assert command.ends() == 3
    said = f"simulate: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert command.errors == said


def test_a_running_daemon_tells_its_status(tmp_path):
    with simulated(tmp_path) as (api, _), watching(tmp_path, api) as daemon:
        daemon.until_fresh()
        with started(Command, tmp_path, "status", "--json", TMCWATCH_URL=daemon.url) as status:
            assert status.ends() == 0
    told = json.loads(status.output)
    assert told["fresh"]
    assert [one["kind"] for one in told["accounts"][0]["lists"]] == ["plan", "task"]

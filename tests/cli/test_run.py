"""`run` when it cannot go on; what it does while it runs is tested with the real process."""

import json

import pytest

from tmcwatch.app import Daemon

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")


def test_a_crash_is_logged_told_in_one_line_and_ends_the_process(call, config, monkeypatch):
    async def crash(self):
        self.stop()
        self.parts.store.close()
        self._sock.close()
        raise ExceptionGroup("services", [RuntimeError("a bug")])

    monkeypatch.setattr(Daemon, "run", crash)
    result = call("run", "--config", config())
    logged, told = result.stderr.splitlines()
    assert result.exit_code == 1
    assert json.loads(logged)["event"] == "crashed"
    assert told == "tmcwatch: crashed: RuntimeError('a bug')"

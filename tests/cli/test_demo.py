"""The command `demo` in one process: it shows, it ends by itself, and it cleans up."""

import re
import tempfile

import pytest

from tmcwatch.cli import demo
from tmcwatch.cli.demonstration.running import Demonstration
from tmcwatch.serving.server import ListenError

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Have temporary folders made where the test can see them."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def failing(error):
    async def run(_self):
        raise error

    return run


def test_it_ends_by_itself_and_leaves_nothing_behind(call, folder):
    result = call("demo", "--for", "10s", "--window", "trigger")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert re.fullmatch(r"metrics +http://127\.0\.0\.1:\d+/metrics", lines[0])
    assert any("told: Now watching demo" in line for line in lines)
    assert re.match(r"The demo ran for 1\d s: \d+ executions seen, \d+ transitions,", lines[-2])
    assert not list(folder.iterdir())


def test_on_a_terminal_it_draws(call):
    result = call("demo", "--for", "1s", FORCE_COLOR="1", COLUMNS="80", LINES="24")
    assert result.exit_code == 0
    assert "What the inbox was told" in result.output
    assert result.output.rstrip().endswith("requests made.")


@pytest.mark.parametrize(
    "failure",
    [
        (ExceptionGroup("a", [ListenError("127.0.0.1:0: address already in use")]), 3),
        (OSError(98, "cannot listen on 127.0.0.1:0"), 3),
        (ExceptionGroup("a", [ExceptionGroup("b", [RuntimeError("a bug")])]), 1),
    ],
)
def test_what_fails_is_one_line_that_names_the_log_which_stays(call, folder, monkeypatch, failure):
    error, code = failure
    monkeypatch.setattr(Demonstration, "run", failing(error))
    result = call("demo")
    [kept] = folder.iterdir()
    assert result.exit_code == code
    assert result.stderr.startswith("demo: ")
    assert result.stderr.endswith(f"(log: {kept}/{demo.LOG})\n")
    assert (kept / demo.LOG).exists()


def test_ctrl_c_before_it_listens_to_signals_ends_it_just_as_well(call, folder, monkeypatch):
    monkeypatch.setattr(Demonstration, "run", failing(KeyboardInterrupt()))
    result = call("demo")
    assert (result.exit_code, result.output) == (0, "The demo was ended.\n")
    assert not list(folder.iterdir())

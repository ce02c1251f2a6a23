"""What all commands have in common: help, an example, exit codes, one line for an error."""

import subprocess
import sys

import click
import pytest
from click.shell_completion import ShellComplete

from tmcwatch import __version__
from tmcwatch.cli import commands
from tmcwatch.cli.commands import COMMANDS, tmcwatch

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

STORE = [["store", "check"], ["store", "backup"], ["store", "restore"]]
HEAVY = ("alembic", "apprise", "httpx", "pydantic", "sqlalchemy", "starlette", "uvicorn")


def test_the_list_of_commands_says_what_each_is_for(call):
    result = call("--help")
    assert result.exit_code == 0
    for name, (_, about) in COMMANDS.items():
        assert any(line.split() == [name, *about.split()] for line in result.output.splitlines())


@pytest.mark.parametrize("words", [*([name] for name in COMMANDS), ["notify", "test"], *STORE])
def test_every_command_has_help_with_an_example(call, words):
    result = call(*words, "--help")
    assert result.exit_code == 0
    _, _, example = result.output.partition("Example:\n")
    assert example.strip().startswith("tmcwatch " + words[0])


def test_without_a_command_the_help_is_shown_as_wrong_usage(call):
    result = call()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_the_version_is_told(call):
    assert call("--version").output == f"tmcwatch {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "tmcwatch: No such command 'rnu'. (see tmcwatch --help)"),
        (
            ["run"],
            "tmcwatch run: Missing option '--config' (env var: 'TMCWATCH_CONFIG').",
        ),
        (["notify"], "tmcwatch notify: Missing command. (see tmcwatch notify --help)"),
        (["status", "--nope"], "(see tmcwatch status --help)"),
        (["demo", "--for", "soon"], "'soon' is not a duration such as 60s or 5m"),
        (["demo", "--for", "0s"], "'0s' is not a duration such as 60s or 5m"),
        (["simulate", "--speed", "0"], "0.0 is not in the range"),
    ],
)
def test_wrong_usage_is_one_line_that_says_where_help_is(call, words, said):
    result = call(*words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (
            OSError(28, "No space left on device"),
            (3, "tmcwatch: [Errno 28] No space left on device\n"),
        ),
        (KeyboardInterrupt(), (130, "\n")),
        (click.FileError("x", "gone"), (1, "Could not open file 'x': gone\n")),
    ],
)
def test_what_stops_a_command_is_one_line_at_most(call, monkeypatch, error, ending):
    def fail(_):
        raise error

    monkeypatch.setattr(commands, "import_module", fail)
    result = call("status")
    assert (result.exit_code, result.stderr) == ending


def test_a_shell_can_complete_a_command():
    completion = ShellComplete(tmcwatch, {}, "tmcwatch", "_TMCWATCH_COMPLETE")
    assert [one.value for one in completion.get_completions([], "s")] == [
        "status",
        "silence",
        "store",
        "simulate",
    ]


@pytest.mark.parametrize(
    "words", [[], ["alerts", "list"], ["silence", "add"], ["deliveries"], *STORE]
)
def test_help_answers_without_importing_what_only_a_command_needs(words):
    script = (
        "import sys; from tmcwatch.__main__ import main\n"
        "try: main()\n"
        f"finally: print(sorted(set({HEAVY}) & set(sys.modules)))"
    )
    run = [sys.executable, "-c", script, *words, "--help"]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"

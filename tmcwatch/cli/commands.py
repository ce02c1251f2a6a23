"""All commands; each is imported when it is called, so that `--help` answers at once."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NoReturn, cast

import click

from tmcwatch import __version__
from tmcwatch.cli.ending import Ending, Failed, one_line, without_login
from tmcwatch.cli.options import example

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("tmcwatch.cli.run", "Watch, until told to stop."),
    "demo": ("tmcwatch.cli.demo", "Watch a simulated TMC live in the terminal."),
    "check-config": ("tmcwatch.cli.check_config", "Check a configuration, and what TMC allows."),
    "budget": ("tmcwatch.cli.budget", "Tell what a watch will ask of TMC, and whether it may."),
    "status": ("tmcwatch.cli.status", "Show what a running daemon watches, and how far."),
    "notify": ("tmcwatch.cli.notify", "Try whether a receiver is told."),
    "deliveries": ("tmcwatch.cli.deliveries", "Show what is owed or given up; send it again."),
    "alerts": ("tmcwatch.cli.alerts", "Show alerts; acknowledge, snooze, note or close them."),
    "silence": ("tmcwatch.cli.silence", "Keep alerts that match from being told for a while."),
    "promotion": ("tmcwatch.cli.promotion", "Follow a promotion, and wait for its end."),
    "store": ("tmcwatch.cli.store", "Check the store, back it up, or put a back-up in its place."),
    "simulate": ("tmcwatch.cli.simulate", "Serve a simulated TMC."),
}
"""Name to module, whose `command` it is, and what the list of commands says of it."""


class Commands(click.Group):
    """The group of all commands: every error is one line, never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        return cast(click.Command, import_module(module).command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - click's own
        sys.exit(self._ending(*args, **extra))

    def _ending(self, *args: Any, **extra: Any) -> int:  # noqa: ANN401 - click's own
        try:
            code = super().main(*args, **extra | {"standalone_mode": False})
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "tmcwatch"
            _say(f"{where}: {error.format_message()} (see {where} --help)")
            return Ending.USAGE
        except Failed as error:
            for line in error.lines:
                _say(line)
            return error.code
        except click.ClickException as error:
            _say(error.format_message())
            return error.exit_code
        except click.Abort:
            return Ending.INTERRUPTED
        except OSError as error:
            _say(f"tmcwatch: {error}")
            return Ending.UNREACHABLE
        return code or Ending.DONE


def _say(text: str) -> None:
    click.echo(without_login(one_line(text)), err=True)


@click.command(
    cls=Commands,
    invoke_without_command=True,
    epilog=example(
        "tmcwatch demo",
        "tmcwatch check-config --config tmcwatch.yaml",
        "tmcwatch run --config tmcwatch.yaml",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="tmcwatch", message="%(prog)s %(version)s")
@click.pass_context
def tmcwatch(ctx: click.Context) -> None:
    """Watch Talend Management Console: see every run, tell the right people exactly once.

    Exit codes: 0 done, 1 found something wrong, 2 wrong usage or configuration, 3 TMC, the
    daemon, the store or a port could not be reached or used.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(Ending.USAGE)

"""The command `notify test`: one message through the real path to a receiver."""

import os
import sys
from functools import partial
from pathlib import Path

import anyio
import click

from tmcwatch.app import real_world
from tmcwatch.app.answering import send_test
from tmcwatch.cli.configured import configured
from tmcwatch.cli.ending import Ending, found_wrong, one_line, wrong_usage
from tmcwatch.cli.options import config_option, example, json_option, print_json
from tmcwatch.telemetry.logs import configure


@click.group(
    "notify",
    no_args_is_help=False,
    epilog=example("tmcwatch notify test oncall --config tmcwatch.yaml"),
)
def command() -> None:
    """Try whether a receiver is told."""


@command.command("test", epilog=example("tmcwatch notify test oncall --config tmcwatch.yaml"))
@click.argument("receiver")
@config_option
@json_option
@click.pass_context
def test(ctx: click.Context, *, receiver: str, path: Path, as_json: bool) -> None:
    """Send a test message to every target of RECEIVER, and show what each answered.

    It needs no daemon. Exit code 1: a target did not accept the message.
    """
    config = configured(path)
    names = [one.name for one in config.receivers]
    if receiver not in names:
        raise wrong_usage(f"no receiver is called {receiver!r}: there are {', '.join(names)}")
    world = real_world(os.environ)
    configure(config.log.level, config.log.format, stream=sys.stderr, clock=world.now)
    results = anyio.run(partial(send_test, config, world, receiver))
    refused = [result for result in results if not result["accepted"]]
    if as_json:
        print_json(results)
        ctx.exit(Ending.FOUND if refused else Ending.DONE)
    for result in results:
        if result["accepted"]:
            click.echo(one_line(f"{result['target']}: accepted: {result['text']}"))
    if refused:
        raise found_wrong(*(f"{one['target']}: not accepted: {one['text']}" for one in refused))

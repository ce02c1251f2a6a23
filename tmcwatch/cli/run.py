"""The command `run`: the daemon, until a signal ends it."""

import os
import sys
from functools import partial
from pathlib import Path

import anyio
import click
import structlog

from tmcwatch import __version__
from tmcwatch.app import Daemon, DaemonError, World, real_world
from tmcwatch.cli.configured import configured
from tmcwatch.cli.ending import found_wrong, unreachable
from tmcwatch.cli.options import config_option
from tmcwatch.config import Config
from tmcwatch.telemetry.logs import configure
from tmcwatch.telemetry.metrics import Metrics

log = structlog.get_logger()


@click.command("run")
@config_option
def command(*, path: Path) -> None:
    """Watch, until told to stop.

    It prints nothing but its log, to stderr. SIGTERM and Ctrl-C end it when what is under way is
    finished; SIGHUP, or a change of the file, loads the configuration again.

    \b
    Example:
      tmcwatch run --config tmcwatch.yaml
    """
    config = configured(path)
    world = real_world(os.environ)
    metrics = Metrics(version=__version__)
    configure(
        config.log.level,
        config.log.format,
        stream=sys.stderr,
        clock=world.now,
        on_message=metrics.logged,
    )
    try:
        anyio.run(partial(_watch, path, config, world, metrics))
    except DaemonError as error:
        raise unreachable(str(error)) from error
    except ExceptionGroup as group:
        # A service kept crashing, which is in the log already: a fresh process may do better.
        log.critical("crashed", problem=str(group), causes=[repr(one) for one in group.exceptions])
        raise found_wrong(f"tmcwatch: crashed: {group.exceptions[0]!r}") from group


async def _watch(path: Path, config: Config, world: World, metrics: Metrics) -> None:
    await Daemon(path, config, world, metrics).run()

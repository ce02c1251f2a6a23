"""The command `run`: the daemon, until a signal ends it."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Never

import anyio
import click
import structlog

from tmcwatch import __version__
from tmcwatch.app import Daemon, DaemonError, World, real_world
from tmcwatch.app.collecting import spare_what_is_loaded
from tmcwatch.cli.configured import configured
from tmcwatch.cli.ending import found_wrong, unreachable
from tmcwatch.cli.options import config_option, example
from tmcwatch.config import Config
from tmcwatch.telemetry.logs import configure
from tmcwatch.telemetry.metrics import Metrics

log = structlog.get_logger()


@click.command("run", epilog=example("tmcwatch run --config tmcwatch.yaml"))
@config_option
def command(*, path: Path) -> None:
    """Watch, until told to stop.

    It prints nothing but its log, to stderr. SIGTERM and Ctrl-C end it when what is under way is
    finished; SIGHUP, or a change of the file, loads the configuration again.
    """
    # Until the daemon obeys it. As process 1 of a container it would not even be ended by it.
    signal.signal(signal.SIGTERM, _end)
    config = configured(path)
    world = real_world(os.environ)
    metrics = Metrics(version=__version__)
    configure_log = partial(_configure_log, world=world, metrics=metrics)
    configure_log(config)

    async def watch() -> None:
        await Daemon(path, config, world, metrics, reconfigured=configure_log).run()

    spare_what_is_loaded()
    try:
        anyio.run(watch)
    except DaemonError as error:
        raise unreachable(str(error)) from error
    except ExceptionGroup as group:
        # A service kept crashing, which is in the log already: a fresh process may do better.
        log.critical("crashed", problem=str(group), causes=[repr(one) for one in group.exceptions])
        raise found_wrong(f"tmcwatch: crashed: {group.exceptions[0]!r}") from group


def _end(number: int, _frame: object) -> Never:
    raise SystemExit(128 + number)


def _configure_log(config: Config, *, world: World, metrics: Metrics) -> None:
    configure(
        config.log.level,
        config.log.format,
        stream=sys.stderr,
        clock=world.now,
        on_message=metrics.logged,
    )

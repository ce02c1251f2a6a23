"""The command `demo`: see tmcwatch at work within a minute, without an account."""

import shutil
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import click
import httpx
import structlog
from rich.console import Console

from tmcwatch.app import DaemonError, World, real_world
from tmcwatch.cli.demonstration.lines import Lines
from tmcwatch.cli.demonstration.picture import Picture
from tmcwatch.cli.demonstration.running import Demonstration, Stage
from tmcwatch.cli.demonstration.scene import Scene, summary
from tmcwatch.cli.ending import Failed, found_wrong, unreachable
from tmcwatch.cli.options import example, window_option
from tmcwatch.config.durations import duration_from
from tmcwatch.serving.server import ListenError
from tmcwatch.simulator import Reading
from tmcwatch.telemetry.logs import configure

log = structlog.get_logger()

LOG = "demo.log"
_UNREACHABLE = (ListenError, DaemonError, OSError)


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    duration = duration_from(value)
    if not duration:
        raise click.BadParameter(f"{value!r} is not a duration such as 60s or 5m")
    return duration


@click.command("demo", epilog=example("tmcwatch demo", "tmcwatch demo --for 60s"))
@click.option(
    "--for", "lasts", callback=_duration, metavar="DURATION", help="End by itself, as after 60s."
)
@window_option
def command(*, lasts: timedelta | None, window: Reading) -> None:
    """Watch a simulated TMC: runs, a failure, a misfire, a recovery, and who is told of it.

    It needs no account, no network and no configuration, and leaves nothing behind. Ctrl-C ends
    it. In a pipe it prints plain lines.
    """
    folder = Path(tempfile.mkdtemp(prefix="tmcwatch-demo-"))
    try:
        scene = _run(folder, lasts, window)
    except Failed:
        raise
    except BrokenPipeError:  # nobody reads it any more
        shutil.rmtree(folder)
        raise
    except KeyboardInterrupt:
        # Before the daemon listens to signals, or after it.
        click.echo("The demo was ended.")
    else:
        for line in summary(scene):
            click.echo(line)
    shutil.rmtree(folder)


def _run(folder: Path, lasts: timedelta | None, window: Reading) -> Scene:
    """Run the demo; what fails is told in one line that names the log, which then stays."""
    world = _world()
    demonstration = Demonstration(
        folder=folder, world=world, window=window, lasts=lasts, stage=_stage()
    )
    with (folder / LOG).open("w", encoding="utf-8") as stream:
        configure("info", "json", stream=stream, clock=world.now)
        try:
            return anyio.run(demonstration.run)
        except (*_UNREACHABLE, ExceptionGroup) as error:
            first = _first(error)
            if isinstance(first, BrokenPipeError):
                raise first from error
            log.critical("crashed", exc_info=error)
            end = unreachable if isinstance(first, _UNREACHABLE) else found_wrong
            raise end(f"demo: {first} (log: {folder / LOG})") from error
        finally:
            # What else is logged must not meet a closed file.
            structlog.reset_defaults()


def _first(error: Exception) -> Exception:
    """Answer with an error itself, or with the first that a group holds."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _world() -> World:
    # With a transport of its own, no proxy of the environment comes between parts on loopback.
    return replace(real_world({}), transport=httpx.AsyncHTTPTransport)


def _stage() -> Stage:
    console = Console()
    if console.is_terminal:
        return lambda places: Picture(places, console)
    return lambda places: Lines(places, click.echo)

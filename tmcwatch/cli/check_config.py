"""The command `check-config`: all that is wrong with a file, and what TMC allows its tokens."""

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import click

from tmcwatch.app import real_world
from tmcwatch.app.planning import impossible
from tmcwatch.cli.configured import checked
from tmcwatch.cli.doubts import written_doubts
from tmcwatch.cli.ending import Failed, found_wrong, one_line, unreachable, wrong_usage
from tmcwatch.cli.live import Seen, ask_all
from tmcwatch.cli.options import config_option, example, json_option, print_json
from tmcwatch.cli.routed import facts_of, lines_of, routed
from tmcwatch.config import Config, ConfigError
from tmcwatch.config.model import ChildRoute
from tmcwatch.config.problems import key_text
from tmcwatch.domain.labels import labels_from
from tmcwatch.domain.matcher import MatcherError
from tmcwatch.telemetry.logs import configure


@click.command(
    "check-config",
    epilog=example(
        "tmcwatch check-config --config tmcwatch.yaml",
        "tmcwatch check-config --live --config tmcwatch.yaml",
        'tmcwatch check-config --config tmcwatch.yaml --route \'severity="critical",name="x"\'',
    ),
)
@config_option
@click.option("--live", is_flag=True, help="Ask TMC, too, what each account may see.")
@click.option(
    "--route",
    "route",
    metavar="LABELS",
    help="Explain who is told of an alert with these labels, and why others are not.",
)
@json_option
def command(*, path: Path, live: bool, route: str | None, as_json: bool) -> None:
    """Check a configuration: everything that is wrong with it, each with file, line and key."""
    asked = None if route is None else _labels(route)
    if asked is not None and live:
        raise wrong_usage("tmcwatch check-config: --route asks the config alone, not --live")
    config = _usable(path, as_json=as_json)
    for warning in _warnings(config):
        click.echo(f"{path}: warning: {warning}", err=True)
    if asked is not None:
        _explain(config, asked, as_json=as_json)
        return
    seen = _ask(config) if live else []
    failure = _failure(seen)
    if as_json:
        print_json(
            {"file": str(path), "ok": failure is None, **_counts(config)}
            | ({"live": [one.as_json() for one in seen]} if live else {})
        )
    else:
        counts = ", ".join(_counted(number, name) for name, number in _counts(config).items())
        click.echo(f"{path}: ok: {counts}")
        for one in (one for one in seen if one.answered):
            click.echo(one.line())
    if failure is not None:
        raise failure


def _labels(text: str) -> dict[str, str]:
    try:
        return labels_from(text)
    except (MatcherError, OverflowError, RecursionError) as error:
        raise wrong_usage(f"tmcwatch check-config: --route: {error}") from error


def _explain(config: Config, labels: dict[str, str], *, as_json: bool) -> None:
    found = routed(config, labels, now=real_world(os.environ).now())
    if as_json:
        print_json(facts_of(found))
        return
    for line in lines_of(found):
        click.echo(f"  {one_line(line)}" if line.startswith(" ") else one_line(line))


def _usable(path: Path, *, as_json: bool) -> Config:
    """Load a file, or end the command with a line for each problem."""
    try:
        return _possible(path)
    except ConfigError as error:
        problems = [str(problem) for problem in error.problems]
        if as_json:
            print_json({"file": str(path), "ok": False, "problems": problems})
        raise wrong_usage(*problems) from error


def _possible(path: Path) -> Config:
    """Load a file that TMC's limits allow to work; raises ConfigError with all that is wrong."""
    config = checked(path)
    problems = [config.places.problem(key_text(key), text) for key, text in impossible(config)]
    if problems:
        raise ConfigError(problems)
    return config


def _warnings(config: Config) -> Iterator[str]:
    """Say what may be meant so, and rarely is."""
    if config.fallback is None and len(config.receivers) > 1:
        root = config.route.receiver
        yield f"no fallback: that another receiver cannot be told is told to {root!r}"
    for one in config.maintenance:
        # An expression such as name=~".*" is as wide, and meant so: whoever writes it knows.
        if not one.matchers:
            yield (
                f"maintenance {one.name!r} has no matchers: nothing at all that goes wrong in it "
                "is told before its end, not even that tmcwatch sees nothing"
            )
    for key, doubt in written_doubts(config):
        yield f"{_placed(config, key)}: {doubt}"


def _placed(config: Config, key: str) -> str:
    line = config.places.problem(key, "").line
    return key if line is None else f"{key} (line {line})"


def _ask(config: Config) -> list[Seen]:
    world = real_world(os.environ)
    # Each refusal becomes a line of its own: the log would only say it twice.
    configure("error", "console", stream=sys.stderr, clock=world.now)
    return anyio.run(partial(ask_all, config, world))


def _failure(seen: list[Seen]) -> Failed | None:
    """Answer with how the command ends: not reached at all weighs more than refused in parts."""
    lines = [line for one in seen for line in one.problems()]
    if not lines:
        return None
    is_cut_off = any(one.stopped is not None for one in seen)
    return unreachable(*lines) if is_cut_off else found_wrong(*lines)


def _counts(config: Config) -> dict[str, int]:
    return {
        "accounts": len(config.accounts),
        "receivers": len(config.receivers),
        "routes": 1 + sum(1 for _ in _branches(config.route.routes)),
        "labels": len(config.labels),
        "rules": len(config.every_rule),
    }


def _branches(routes: tuple[ChildRoute, ...]) -> Iterator[ChildRoute]:
    for route in routes:
        yield route
        yield from _branches(route.routes)


def _counted(number: int, name: str) -> str:
    return f"{number} {name.removesuffix('s') if number == 1 else name}"

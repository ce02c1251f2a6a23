"""The command `budget`: what a watch will ask of TMC, before anyone is banned."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import click

from tmcwatch.app import real_world
from tmcwatch.app.planning import Assumed, Shared, shared_budgets, use_of
from tmcwatch.app.surveying import SurveyError, survey
from tmcwatch.app.wiring import kinds_of
from tmcwatch.cli.configured import configured
from tmcwatch.cli.ending import found_wrong, unreachable, wrong_usage
from tmcwatch.cli.options import config_option, example, json_option, print_json
from tmcwatch.cli.planned import Planned, budget_json, planned, problems
from tmcwatch.cli.planned_lines import show
from tmcwatch.config import Config
from tmcwatch.domain.planning import AccountLoad
from tmcwatch.telemetry.logs import configure

_ASSUMED = Assumed()
Loads = list[list[AccountLoad]]


def _assumption(name: str, about: str, *, whole: bool = False) -> Callable[..., Any]:
    number = click.IntRange(min=0) if whole else click.FloatRange(min=0, max=10_000_000)
    return click.option(f"--{name}", type=number, metavar="NUMBER", help=about)


@click.command(
    "budget",
    epilog=example(
        "tmcwatch budget --config tmcwatch.yaml --tasks 1000 --plans 100",
        "tmcwatch budget --live --config tmcwatch.yaml",
    ),
)
@config_option
@click.option("--live", is_flag=True, help="Ask TMC what goes on: a dozen requests an account.")
@_assumption("tasks", f"Tasks in each account; {_ASSUMED.tasks} by default.", whole=True)
@_assumption("plans", f"Plans in each account; {_ASSUMED.plans} by default.", whole=True)
@_assumption(
    "runs-per-hour", "Runs of both; by default each runs once an hour, 4,000 in all at most."
)
@_assumption(
    "open", "Runs open at any time; by default a run lasts 3 minutes, and 200 are open at most."
)
@_assumption("long", "Of these, open for over an hour; by default a tenth.")
@_assumption("failures-per-hour", "Bad ends; by default one run in fifty.")
@_assumption("promotions", "Promotions running at any time; none by default.")
@json_option
def command(*, path: Path, live: bool, as_json: bool, **assumed: float | None) -> None:
    """Print what a configuration will ask of TMC each minute, and how soon an end is known.

    Without --live it is reckoned from assumptions, which the options change. Exit code 1: it
    does not fit into what api_share grants; what to change is told.
    """
    given = {name: value for name, value in assumed.items() if value is not None}
    if live and given:
        option = next(iter(given)).replace("_", "-")
        raise wrong_usage(f"--live counts itself: leave out --{option}")
    config = configured(path)
    shared = shared_budgets(config)
    loads = _asked(config, shared) if live else _reckoned(config, shared, given)
    plans = [
        planned(one, use_of(config, one, found)) for one, found in zip(shared, loads, strict=True)
    ]
    _print(path, plans, live=live, as_json=as_json)
    lines = [line for one in plans for line in problems(one)]
    if lines:
        raise found_wrong(*lines)


def _print(path: Path, plans: list[Planned], *, live: bool, as_json: bool) -> None:
    if as_json:
        print_json(_json(path, plans, live=live))
    else:
        show(plans, live=live)


def _json(path: Path, plans: list[Planned], *, live: bool) -> dict[str, object]:
    return {
        "file": str(path),
        "live": live,
        "fits": all(one.fits for one in plans),
        "budgets": [budget_json(one) for one in plans],
    }


def _reckoned(config: Config, shared: tuple[Shared, ...], given: dict[str, Any]) -> Loads:
    names = {"open": "open_runs", "long": "long_runs"}
    assumed = Assumed(**{names.get(name, name): value for name, value in given.items()})
    load = _consistent(assumed.load(kinds_of(config)))
    return [[load] * len(one.accounts) for one in shared]


def _consistent(load: AccountLoad) -> AccountLoad:
    for each in load.lists:
        if each.open_runs.long > each.open_runs.number:
            raise wrong_usage("--long is more than are open at any time: raise --open as well")
        if each.bad_ends_per_hour > each.runs_per_hour:
            raise wrong_usage(
                "--failures-per-hour is more than run: raise --runs-per-hour as well"
            )
    return load


def _asked(config: Config, shared: tuple[Shared, ...]) -> Loads:
    world = real_world(os.environ)
    # What fails becomes a line of its own: the log would only say it twice.
    configure("error", "console", stream=sys.stderr, clock=world.now)

    async def ask() -> Loads:
        return [await survey(config, one, world) for one in shared]

    try:
        return anyio.run(ask)
    except SurveyError as error:
        raise unreachable(str(error)) from error

"""A plan of requests as people read it: a table on a terminal, plain lines in a pipe."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import timedelta

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tmcwatch.cli.planned import Planned, families, span
from tmcwatch.domain.budget import CEILINGS, Family, Purpose
from tmcwatch.domain.fitting import Plan, Use
from tmcwatch.domain.spoken import span as spoken
from tmcwatch.domain.window import Reading

WORDS = {
    Purpose.HEAD: "what is new",
    Purpose.ENDS: "runs still open",
    Purpose.DETAIL: "what failures say",
    Purpose.NAMES: "names",
    Purpose.BACKFILL: "history",
    Purpose.AUDIT: "checking again",
}
READINGS = (
    "For a window of time TMC shows the runs that overlap it (as documented), or only those that "
    "were triggered in it (as reported): tmcwatch finds out which, once it runs. By trigger, runs "
    "that are still open have to be asked for besides. A plan fits if it does under both."
)
PIPE_WIDTH = 93
"""Of what is prose; a terminal wraps by its own width."""

SMALLEST = 0.05
"""What is less is not worth a figure."""
TELLING = 120.0
"""Seconds from which on minutes tell more."""


def show(plans: Sequence[Planned], *, live: bool) -> None:
    console = Console(highlight=False, emoji=False)
    for one in plans:
        if console.is_terminal:
            _draw(console, one, live=live)
        else:
            for line in _lines(one, live=live):
                click.echo(line)
    console.print(READINGS) if console.is_terminal else click.echo(
        textwrap.fill(READINGS, PIPE_WIDTH)
    )


def _lines(one: Planned, *, live: bool) -> Iterator[str]:
    yield _head(one)
    yield from _known(one, live=live)
    for plan in one.plans:
        where = f"windows by {plan.reading.value}"
        for family in families(plan):
            rates = [f"{each.value} {_rate(n)}" for each, n in plan.of(family).items() if n]
            parts = ", ".join(rates) or "nothing"
            yield f"{where}: {family.value}: {parts}: {_of_granted(one.use, plan, family)}"
        yield f"{where}: {_delays(plan)}"
        yield f"{where}: {_history(plan)}"
    yield f"budget of {one.names}: {_verdict(one)}"


def _known(one: Planned, *, live: bool) -> Iterator[str]:
    for name, load in zip(one.shared.names, one.use.loads, strict=True):
        runs = sum(each.runs_per_hour for each in load.lists)
        failures = sum(each.bad_ends_per_hour for each in load.lists)
        number = sum(each.open_runs.number for each in load.lists)
        long = sum(each.open_runs.long for each in load.lists)
        yield (
            f"account {name}: {'TMC says' if live else 'assumed'}: {load.tasks:,} tasks, "
            f"{load.plans:,} plans; an hour {runs:,.0f} runs, {failures:,.1f} failures; "
            f"open at a time {number:,.0f}, {long:,.0f} of them for over an hour"
        )


def _of_granted(use: Use, plan: Plan, family: Family) -> str:
    total, granted, ceiling = plan.total(family), use.granted(family), CEILINGS[family]
    return (
        f"{_rate(total)} a minute of {granted:,.1f} granted, "
        f"{total / ceiling:.1%} of TMC's {ceiling:,}"
    )


def _delays(plan: Plan) -> str:
    delay = plan.delay
    return (
        f"an end is known after {_said(delay.median)} at the median and {_said(delay.most)} at "
        f"most; nothing is missing, proven after {_said(delay.proven)}"
    )


def _history(plan: Plan) -> str:
    if not plan.history:
        return "no history is read"
    if plan.history_minutes is None:
        return f"nothing is left for the history, once {plan.history:,.0f} requests"
    within = spoken(timedelta(minutes=max(round(plan.history_minutes), 1)))
    return f"the history is once {plan.history:,.0f} requests more, within {within}"


def _draw(console: Console, one: Planned, *, live: bool) -> None:
    style = "green" if one.fits else "bold red"
    console.print(f"{escape(_head(one))}: [{style}]{_verdict(one)}[/]")
    for line in _known(one, live=live):
        console.print(line, markup=False)
    table = Table("requests a minute", "for", *(f"windows by {each.value}" for each in Reading))
    for family, purpose in sorted(
        {what for plan in one.plans for what in plan.demand}, key=_order
    ):
        rates = (_rate(plan.demand.get((family, purpose), 0.0)) for plan in one.plans)
        table.add_row(f"{family.value}: {purpose.value}", WORDS[purpose], *rates)
    table.add_section()
    for family in families(one.plans[0]):
        granted = f"of {one.use.granted(family):,.1f} granted, {CEILINGS[family]:,} TMC's limit"
        totals = (
            f"{_rate(plan.total(family))} ({plan.total(family) / CEILINGS[family]:.1%})"
            for plan in one.plans
        )
        table.add_row(f"{family.value}: all", granted, *totals)
    console.print(table)
    for plan in one.plans:
        console.print(f"windows by {plan.reading.value}: {_delays(plan)}; {_history(plan)}")


def _order(what: tuple[Family, Purpose]) -> tuple[int, int]:
    family, purpose = what
    return list(Family).index(family), list(Purpose).index(purpose)


def _head(one: Planned) -> str:
    return (
        f"budget of {one.names}: api_share {one.use.share:g}, beat {span(one.use.watching.beat)}"
    )


def _verdict(one: Planned) -> str:
    return "fits" if one.fits else "does not fit"


def _said(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < TELLING else spoken(timedelta(seconds=seconds))


def _rate(number: float) -> str:
    if not number:
        return "-"
    return f"{number:,.1f}" if number >= SMALLEST else "<0.1"

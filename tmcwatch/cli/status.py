"""The command `status`: what a running daemon watches, how far, and what it owes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tmcwatch.cli.asking import ask, token_from
from tmcwatch.cli.ending import found_wrong, one_line
from tmcwatch.cli.options import example, json_option, print_json
from tmcwatch.cli.rows import moment

Json = Mapping[str, Any]


@click.command(
    "status",
    epilog=example(
        "tmcwatch status", "tmcwatch status --url http://tmcwatch.example:10477 --json"
    ),
)
@click.option(
    "--url",
    envvar="TMCWATCH_URL",
    show_envvar=True,
    default="http://127.0.0.1:10477",
    show_default=True,
    help="Where the daemon answers.",
)
@click.option(
    "--token-file",
    envvar="TMCWATCH_TOKEN_FILE",
    show_envvar=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The bearer token, where the daemon asks for one.",
)
@json_option
def command(*, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show what a running daemon watches, how far it has read, and what it owes to whom.

    Exit code 1: it does not see everything in time; the reasons are told.
    """
    token = token_from(token_file)
    status = ask(url, "/api/v1/status", token=token)
    fresh = ask(url, "/-/fresh", token=token)
    if as_json:
        print_json(status | fresh)
    else:
        _show(status, fresh)
    if not fresh["fresh"]:
        raise found_wrong(*(f"not fresh: {reason}" for reason in fresh["reasons"]))


def _show(status: Json, fresh: Json) -> None:
    # Names are others' words: nothing in them is markup.
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        _draw(console, status, fresh)
        return
    for line in _lines(status, fresh):
        click.echo(one_line(line))


def _lines(status: Json, fresh: Json) -> Iterator[str]:
    yield f"tmcwatch {status['version']}: {_freshness(fresh)}"
    yield from _refused(status)
    for account in status["accounts"]:
        yield from _unread(account)
        for one in account["lists"]:
            yield (
                f"account {account['name']}: {one['kind']}s: "
                f"watermark {_age(one['watermark_age_seconds'])} old, "
                f"head {_age(one['head_age_seconds'])} old, open {_open(one)}, {_ended(one)}, "
                f"{_reading(one)}{_catching_up(one)}"
            )
        yield from _pressure(account)
    for one in status.get("promotions", ()):
        yield f"account {one['account']}: promotion {one['execution']}: {_promotion(one)}"
    for alert in status["alerts_firing"]:
        yield f"firing: {alert['rule']} ({alert['severity']}): {alert['number']}"
    for owed in status["outbox"]:
        yield (
            f"receiver {owed['receiver']}: {owed['pending']} to be told, {owed['dead']} given up"
            f"{_trouble(owed)}"
        )


def _draw(console: Console, status: Json, fresh: Json) -> None:
    style = "green" if fresh["fresh"] else "bold red"
    console.print(f"tmcwatch {status['version']}:", Text(_freshness(fresh), style=style))
    for line in _refused(status):
        console.print(Text(line, style="yellow"))
    _draw_lists(console, status)
    _draw_promotions(console, status.get("promotions", ()))
    if status["alerts_firing"]:
        firing = Table("firing", "severity", "alerts")
        for alert in status["alerts_firing"]:
            _add(firing, alert["rule"], alert["severity"], str(alert["number"]))
        console.print(firing)
    if status["outbox"]:
        owed = Table("receiver", "to be told", "given up", "trouble")
        for one in status["outbox"]:
            numbers = str(one["pending"]), str(one["dead"])
            _add(owed, one["receiver"], *numbers, _trouble(one).removeprefix("; ") or "none")
        console.print(owed)


def _refused(status: Json) -> Iterator[str]:
    at = status.get("config_refused_at")
    if at:
        yield f"config: refused at {at}, so an older one is in use: check-config tells why"


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(one_line(cell) for cell in cells))


def _trouble(owed: Json) -> str:
    """Say whether a receiver fails, and until when it is left alone."""
    failing = "; fails" if owed.get("failing") else ""
    until = owed.get("parked_until")
    return f"{failing}; left alone until {moment(until)}" if until else failing


def _draw_lists(console: Console, status: Json) -> None:
    read = Table("account", "list", "watermark", "head", "open", "succeeded", "failed", "other")
    lists = [(account["name"], one) for account in status["accounts"] for one in account["lists"]]
    for account, one in lists:
        ended = one["executions"]
        ages = (_age(one["watermark_age_seconds"]), _age(one["head_age_seconds"]))
        numbers = (str(ended[name]) for name in ("succeeded", "failed", "other"))
        _add(read, account, f"{one['kind']}s", *ages, _open(one), *numbers)
    if lists:
        console.print(read)
    for line in (line for account in status["accounts"] for line in _unread(account)):
        console.print(one_line(line))
    for account, one in lists:
        reads = (
            f"{account}: {one['kind']}s: {_reading(one)}; "
            f"a row may be {_age(one['settle_seconds'] or 0)} late{_catching_up(one)}"
        )
        console.print(one_line(reads))
    for line in (line for account in status["accounts"] for line in _pressure(account)):
        console.print(one_line(line), style="yellow")


def _unread(account: Json) -> Iterator[str]:
    if not account["lists"]:
        yield f"account {account['name']}: nothing read yet"


def _pressure(account: Json) -> Iterator[str]:
    """Say what keeps TMC from being asked as often as configured."""
    rate, granted = account["requests_per_second"], account["granted_per_second"]
    if rate is not None and rate < granted:
        beats = "".join(
            f"; {one['kind']}s are looked at every {_age(one['beat_seconds'])}"
            for one in account["lists"]
            if one["beat_seconds"] is not None
        )
        yield (
            f"account {account['name']}: TMC refuses more than {rate * 60:.0f} of the "
            f"{granted * 60:.0f} requests a minute allowed here{beats}"
        )
    if account["paused_until"] is not None:
        yield (
            f"account {account['name']}: TMC asked for a pause: no requests until "
            f"{account['paused_until']}"
        )


def _reading(one: Json) -> str:
    if one["reading"] == "unknown":
        return "how TMC reads windows is not known yet"
    return f"TMC reads windows by {one['reading']}"


def _catching_up(one: Json) -> str:
    if one["away_from"] is None:
        return ""
    return f"; catching up with {one['away_from']} to {one['away_to']}"


def _draw_promotions(console: Console, promotions: Sequence[Json]) -> None:
    if not promotions:
        return
    followed = Table("account", "promotion", "phase")
    for one in promotions:
        _add(followed, one["account"], one["execution"], _promotion(one))
    console.print(followed)


def _promotion(one: Json) -> str:
    phase = "given up, as TMC never knew it" if one["given_up"] else one["phase"]
    return f"{phase} ({one['name']})" if one["name"] else str(phase)


def _freshness(fresh: Json) -> str:
    return "sees everything in time" if fresh["fresh"] else "does not see everything in time"


def _open(one: Json) -> str:
    return ", ".join(f"{number} {phase}" for phase, number in one["open"].items()) or "none"


def _ended(one: Json) -> str:
    return ", ".join(f"{number} {result}" for result, number in one["executions"].items())


def _age(seconds: float) -> str:
    """Write an age in the two units that matter: `3 s`, `5 min 10 s`, `2 h 5 min`."""
    whole = max(int(seconds), 0)
    for size, unit, rest, small in ((3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // rest} {small}"
    return f"{whole} s"

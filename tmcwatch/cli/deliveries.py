"""The commands `deliveries pending`, `dead` and `replay`: what is owed, given up, sent again."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from tmcwatch.cli.asking import ask_list, tell, token_from
from tmcwatch.cli.ending import wrong_usage
from tmcwatch.cli.options import daemon_options, example, json_option, print_json
from tmcwatch.cli.rows import MOST, Shape, moment, show

Json = Mapping[str, Any]

PATH = "/api/v1/deliveries"


_receiver_option = click.option("--receiver", metavar="NAME", help="Only those of this receiver.")


@click.group(
    "deliveries",
    no_args_is_help=False,
    epilog=example("tmcwatch deliveries dead", "tmcwatch deliveries replay --receiver oncall"),
)
def command() -> None:
    """Show what is owed to whom and what was given up, and have that sent again."""


@command.command("pending", epilog=example("tmcwatch deliveries pending --receiver oncall"))
@_receiver_option
@daemon_options
@json_option
def pending(*, receiver: str | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show what a running daemon still owes, oldest first.

    What is `sending` was claimed for a send whose end is not known yet.
    """
    found = _asked("pending", receiver, url, token_file)
    if as_json:
        print_json(found)
        return
    show(found, Shape(nothing="nothing is owed", headings=_OWED, cells=_owed_cells))


@command.command("dead", epilog=example("tmcwatch deliveries dead --receiver oncall --json"))
@_receiver_option
@daemon_options
@json_option
def dead(*, receiver: str | None, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show what was given up, the last first: when, why, and the ID to replay it by.

    Exit code 0 also if there are some: `tmcwatch_dead_letters` is what to alert on.
    """
    found = _asked("dead", receiver, url, token_file)
    if as_json:
        print_json(found)
        return
    show(found, Shape(nothing="nothing was given up", headings=_DEAD, cells=_dead_cells))


@command.command(
    "replay",
    epilog=example(
        "tmcwatch deliveries replay 0f343b0931126a20f133d67c2b018a3b",
        "tmcwatch deliveries replay --receiver oncall --token-file token",
        "tmcwatch deliveries replay --all --yes",
    ),
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--receiver", metavar="NAME", help="Every dead one of this receiver.")
@click.option("--all", "everything", is_flag=True, help="Every dead one; asks before it does.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@daemon_options
@json_option
def replay(
    *,
    ids: Sequence[str],
    receiver: str | None,
    everything: bool,
    yes: bool,
    url: str,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Have a running daemon send dead deliveries once more, under the same key.

    Each tells what holds now: what is over by then is told as over. A receiver that refused the
    login is tried again at once. Exit code 1: there is no such ID or receiver.
    """
    body = _body(ids, receiver, everything=everything)
    token = token_from(token_file)
    if everything and not yes:
        _confirm()
    done = tell(url, f"{PATH}/replay", body, token=token)
    if as_json:
        print_json(done)
        return
    for line in _replayed_lines(done):
        click.echo(line)


def _body(ids: Sequence[str], receiver: str | None, *, everything: bool) -> dict[str, object]:
    """Answer with what is to be replayed; exactly one way of saying it is needed."""
    bodies: list[dict[str, object]] = []
    if ids:
        bodies.append({"ids": list(ids)})
    if receiver is not None:
        bodies.append({"receiver": receiver})
    if everything:
        bodies.append({"all": True})
    if len(bodies) != 1:
        raise wrong_usage("tmcwatch deliveries replay: one of IDs, --receiver or --all is needed")
    return bodies[0]


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise wrong_usage("tmcwatch deliveries replay: --all needs --yes where none can be asked")
    click.confirm("Send everything again that was given up?", abort=True, err=True)


def _replayed_lines(done: Json) -> Iterator[str]:
    yield f"{done['replayed']} to be sent again"
    if done["nothing_left"]:
        yield (
            f"{done['nothing_left']} settled: nothing was left to tell, "
            "or another message tells it"
        )
    if done["left"]:
        yield (
            f"{done['left']} left as they are: owed or told already, "
            "unreadable, or their target is no longer configured"
        )


_OWED = ("target", "owed since", "state", "attempts", "next try", "tells", "last error")
_DEAD = ("id", "target", "given up", "attempts", "tells", "why")


def _owed_cells(one: Json) -> Sequence[str]:
    due_at = max(one["due_at"], one.get("parked_until") or "")
    next_try = "now" if one["state"] == "sending" else moment(due_at)
    counts = (one["state"], str(one["attempts"]), next_try)
    return one["target"], moment(one["owed_since"]), *counts, _tells(one), one["error"] or "none"


def _dead_cells(one: Json) -> Sequence[str]:
    when = (moment(one["given_up_at"]), str(one["attempts"]))
    return one["id"], one["target"], *when, _tells(one), one["error"] or "not known"


def _tells(one: Json) -> str:
    return "; ".join(_told(part) for part in one["tells"]) or "what cannot be read"


def _told(part: Json) -> str:
    names = ", ".join(part["names"])
    more = ", …" if part["number"] > len(part["names"]) > 0 else ""
    what = f": {names}{more}" if names else ""
    return f"{part['number']} {part['alertname']} {part['status']}{what}"


def _asked(what: str, receiver: str | None, url: str, token_file: Path | None) -> Sequence[Json]:
    query = {"limit": str(MOST)} | ({"receiver": receiver} if receiver is not None else {})
    path = f"{PATH}/{what}?{urlencode(query)}"
    found: Sequence[Json] = ask_list(url, path, token=token_from(token_file))
    return found

"""The command `promotion watch`: have a daemon follow a promotion, and wait for its end."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import click

from tmcwatch.cli.asking import ask_list, tell, token_from
from tmcwatch.cli.ending import Ending, Failed, found_wrong, one_line, wrong_usage
from tmcwatch.cli.options import example, json_option, print_json
from tmcwatch.config.durations import duration_from

Json = Mapping[str, Any]

PATH = "/api/v1/promotions"
ASK_EVERY = 2.0
"""Seconds."""
OUT_OF_REACH_FOR = 60.0
"""Seconds that the daemon may be away while someone waits: it may be restarted meanwhile."""

_GOOD = frozenset({"succeeded", "analysed"})
_BAD = frozenset({"failed", "rejected", "defective"})
_SAID = {"rejected": "ended with warnings", "defective": "was made with defects"}
_SAID |= {"succeeded": "was made", "analysed": "was analysed"}
_EXAMPLE = "tmcwatch promotion watch 00000000-0000-4000-8000-000000009001"


@click.group("promotion", no_args_is_help=False, epilog=example(f"{_EXAMPLE} --wait"))
def command() -> None:
    """Follow a promotion, and wait for its end."""


@command.command(
    "watch",
    epilog=example(_EXAMPLE, f"{_EXAMPLE} --account prod --wait --timeout 30m"),
)
@click.argument("execution", metavar="ID")
@click.option("--account", metavar="NAME", help="Whose it is, where there are several accounts.")
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
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The bearer token, which must allow changes.",
)
@click.option("--wait", "waits", is_flag=True, help="Wait until the promotion is over.")
@click.option("--timeout", default="30m", show_default=True, help="How long to wait at most.")
@json_option
def watch(
    *,
    execution: str,
    account: str | None,
    url: str,
    token_file: Path | None,
    waits: bool,
    timeout: str,
    as_json: bool,
) -> None:
    """Have a running daemon follow a promotion by the ID of its execution.

    TMC lists no executions of promotions: whoever starts one says so here. Exit code with --wait:
    0 it was made, 1 it failed, had warnings or defects, or was not over in time.
    """
    token, most = token_from(token_file), _span(timeout)
    body = {"execution": execution} | ({"account": account} if account else {})
    followed = tell(url, PATH, body, token=token)
    if not waits:
        _show(followed, f"following promotion {followed['execution']}", as_json=as_json)
        return
    ended = anyio.run(partial(_wait, url, followed, token=token, most=most))
    _show(ended, _words(ended), as_json=as_json)
    if ended["phase"] in _BAD:
        raise Failed(code=Ending.FOUND)


async def _wait(url: str, followed: Json, *, token: str | None, most: timedelta) -> Json:
    """Ask until the promotion is over; answers with how it ended."""
    deadline = anyio.current_time() + most.total_seconds()
    reached_at = anyio.current_time()
    while True:
        try:
            found = await anyio.to_thread.run_sync(partial(ask_list, url, PATH, token=token))
        except Failed as error:
            away = anyio.current_time() - reached_at
            if error.code is not Ending.UNREACHABLE or away >= OUT_OF_REACH_FOR:
                raise
        else:
            reached_at = anyio.current_time()
            one = next((each for each in found if _is_same(each, followed)), followed)
            if one.get("phase") in _GOOD | _BAD:
                return one
        if anyio.current_time() + ASK_EVERY > deadline:
            raise found_wrong(f"promotion {followed['execution']}: not over in time")
        await anyio.sleep(ASK_EVERY)


def _is_same(one: Json, other: Json) -> bool:
    return (one["account"], one["execution"]) == (other["account"], other["execution"])


def _words(ended: Json) -> str:
    name = ended["name"] or ended["execution"]
    error = f": {ended['error']}" if ended["error"] else ""
    return f"promotion {name} {_SAID.get(ended['phase'], ended['phase'])}{error}"


def _show(content: Json, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(content)
    else:
        click.echo(one_line(words))


def _span(text: str) -> timedelta:
    duration = duration_from(text)
    if not duration:
        raise wrong_usage(f"--timeout: {text!r} is not a duration such as 90s or 30m")
    return duration

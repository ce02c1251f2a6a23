"""The commands `silence add`, `list` and `expire`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tmcwatch.cli.asking import ask_list, tell, tell_each, token_from
from tmcwatch.cli.ending import one_line
from tmcwatch.cli.ids import SHORT, checked_id, shortened
from tmcwatch.cli.options import daemon_options, example, json_option, print_json
from tmcwatch.cli.rows import Shape, moment, show

Json = Mapping[str, Any]

PATH = "/api/v1/silences"


@click.group(
    "silence",
    no_args_is_help=False,
    epilog=example(
        'tmcwatch silence add \'name=~"load_.*"\' --for 2h --comment "migration"',
        "tmcwatch silence list",
    ),
)
def command() -> None:
    """Keep alerts that match from being told for a while.

    An ID may be cut short as long as it is the only one that begins so.
    """


@command.command(
    "add",
    epilog=example(
        'tmcwatch silence add \'workspace="crm"\' --for 2h --comment "migration"',
        "tmcwatch silence add rule=failed 'name=~\"load_.*\"' --for 4h "
        '--starts 2026-11-27T22:00Z --comment "night shift" --by ann',
    ),
)
@click.argument("matchers", metavar="MATCHER...", nargs=-1, required=True)
@click.option("--for", metavar="DURATION", required=True, help="For how long.")
@click.option(
    "--starts",
    "starts_at",
    metavar="MOMENT",
    help="From when on, with its time zone; now without.",
)
@click.option("--comment", metavar="TEXT", required=True, help="Why.")
@click.option("--by", metavar="NAME", help="Who you are; noted beside the token's name.")
@daemon_options
@json_option
def add(
    *,
    matchers: Sequence[str],
    url: str,
    token_file: Path | None,
    as_json: bool,
    **said: str | None,
) -> None:
    """Add a silence of all alerts whose labels match every MATCHER, as in Alertmanager.

    Prints its id and how many alerts that are open now it is about. It ends by itself.
    """
    body: dict[str, object] = {name: text for name, text in said.items() if text is not None}
    body["matchers"] = list(matchers)
    done = tell(url, PATH, body, token=token_from(token_file))
    if as_json:
        print_json(done)
        return
    number = done["mutes"]
    alerts = "1 alert that is" if number == 1 else f"{number} alerts that are"
    about = f"about {alerts} open now, until {moment(done['ends_at'])}"
    click.echo(one_line(f"silence {done['id']}: {about}"))


@command.command("list", epilog=example("tmcwatch silence list --expired --json"))
@click.option("--expired", is_flag=True, help="Also those that are over.")
@daemon_options
@json_option
def list_(*, expired: bool, url: str, token_file: Path | None, as_json: bool) -> None:
    """List silences, those that end last first."""
    query = "?expired=true" if expired else ""
    found = ask_list(url, f"{PATH}{query}", token=token_from(token_file))
    if as_json:
        print_json(found)
        return
    show(shortened(found), _SHAPE)


@command.command("expire", epilog=example("tmcwatch silence expire 3f2a --token-file token"))
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@daemon_options
@json_option
def expire(*, ids: Sequence[str], url: str, token_file: Path | None, as_json: bool) -> None:
    """End silences now, one that has not begun included; what still fires is told then."""
    token = token_from(token_file)
    paths = [f"{PATH}/{checked_id(id_)}" for id_ in dict.fromkeys(ids)]
    done, failure = tell_each(url, paths, None, token=token, method="DELETE")
    if as_json:
        print_json(done)
    else:
        for one in done:
            click.echo(one_line(f"expired {one['id'][:SHORT]}: {' '.join(one['matchers'])}"))
    if failure is not None:
        raise failure


def _cells(one: Json) -> Sequence[str]:
    matchers = ", ".join(one["matchers"])
    times = (moment(one["starts_at"]), moment(one["ends_at"]))
    return one["id"], one["state"], matchers, *times, one["created_by"], one["comment"]


_SHAPE = Shape(
    nothing="no silence",
    headings=("id", "state", "matchers", "from", "until", "by", "comment"),
    cells=_cells,
)

"""The commands `alerts list`, `show`, `ack`, `snooze`, `note` and `close`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import click

from tmcwatch.cli.alert_lines import SHAPE, attended_line, lines_of
from tmcwatch.cli.asking import ask, ask_list, tell_each, token_from
from tmcwatch.cli.ending import one_line, wrong_usage
from tmcwatch.cli.ids import checked_id, shortened
from tmcwatch.cli.options import daemon_options, example, json_option, print_json
from tmcwatch.cli.rows import MOST, show
from tmcwatch.domain.matcher import Matcher, MatcherError, Operator, all_match, matcher_from

Json = Mapping[str, Any]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

PATH = "/api/v1/alerts"
STATES = ("open", "firing", "pending", "acknowledged", "snoozed", "muted", "resolved", "all")
_HERE = frozenset({Operator.MATCH, Operator.NOT_MATCH})
"""Matchers that we apply ourselves: the daemon takes them only from those who have a token."""

_note_option = click.option("--note", metavar="TEXT", help="What to say about it.")
_by_option = click.option(
    "--by", metavar="NAME", help="Who you are; noted beside the token's name."
)


def _lasting(text: str) -> Callable[[Decorated], Decorated]:
    return click.option("--for", metavar="DURATION", help=text)


@click.group(
    "alerts",
    no_args_is_help=False,
    epilog=example("tmcwatch alerts list", 'tmcwatch alerts ack 3f2a --for 4h --note "on it"'),
)
def command() -> None:
    """Show alerts, and say that you are on one, hear no more of it, or close it.

    An ID may be cut short as long as it is the only one that begins so.
    """


@command.command(
    "list",
    epilog=example(
        "tmcwatch alerts list",
        "tmcwatch alerts list --severity critical --matcher 'name=~\"load_.*\"'",
        "tmcwatch alerts list --state resolved --json",
    ),
)
@click.option("--rule", metavar="RULE", help="Only those of this rule.")
@click.option("--severity", metavar="SEVERITY", help="Only info, warning or critical ones.")
@click.option("--account", metavar="NAME", help="Only those of this account.")
@click.option(
    "--matcher",
    "matchers",
    metavar="MATCHER",
    multiple=True,
    help="Only those whose labels match, as in Alertmanager; may be given several times.",
)
@click.option(
    "--state",
    type=click.Choice(STATES),
    default="open",
    show_default=True,
    help="`open` is all but those that are over or pending, whose rule's `for` still runs.",
)
@daemon_options
@json_option
def list_(
    *,
    matchers: Sequence[str],
    url: str,
    token_file: Path | None,
    as_json: bool,
    **filters: str | None,
) -> None:
    """List alerts, those that changed last first."""
    conditions = [_matcher(text) for text in matchers]
    asked = [("matcher", str(one)) for one in conditions if one.operator not in _HERE]
    asked += [(name, value) for name, value in filters.items() if value is not None]
    path = f"{PATH}?{urlencode([*asked, ('limit', str(MOST))])}"
    answered = ask_list(url, path, token=token_from(token_file))
    found = [alert for alert in answered if all_match(conditions, alert["labels"])]
    if as_json:
        print_json(found)
        return
    show(shortened(found), SHAPE)
    if len(answered) == MOST > len(found):
        click.echo(f"only the first {MOST} were looked at", err=True)


@command.command("show", epilog=example("tmcwatch alerts show 3f2a"))
@click.argument("id_", metavar="ID")
@daemon_options
@json_option
def show_(*, id_: str, url: str, token_file: Path | None, as_json: bool) -> None:
    """Show one alert: labels, annotations, times, notes, and who was told what."""
    found = ask(url, f"{PATH}/{checked_id(id_)}", token=token_from(token_file))
    if as_json:
        print_json(found)
        return
    for line in lines_of(found):
        click.echo(one_line(line) if not line.startswith(" ") else f"  {one_line(line)}")


@command.command(
    "ack", epilog=example('tmcwatch alerts ack 3f2a --for 4h --note "on it" --token-file token')
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_lasting("For how long; without it until the alert ends.")
@_note_option
@_by_option
@daemon_options
@json_option
def ack(*, ids: Sequence[str], **rest: Any) -> None:  # noqa: ANN401 - options
    """Acknowledge alerts: somebody is on it, and it is told again only if it happens again."""
    _attend("acknowledge", ids, **rest)


@command.command("snooze", epilog=example("tmcwatch alerts snooze 3f2a --for 2h"))
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_lasting("For how long; without it until the alert ends.")
@_note_option
@_by_option
@daemon_options
@json_option
def snooze(*, ids: Sequence[str], **rest: Any) -> None:  # noqa: ANN401 - options
    """Snooze alerts: nothing but their end is told."""
    _attend("snooze", ids, **rest)


@command.command("note", epilog=example('tmcwatch alerts note 3f2a "the disk is full"'))
@click.argument("id_", metavar="ID")
@click.argument("text", metavar="TEXT")
@_by_option
@daemon_options
@json_option
def note(*, id_: str, text: str, **rest: Any) -> None:  # noqa: ANN401 - options
    """Write a note on an alert, also on one that is over."""
    _attend("note", [id_], note=text, **rest)


@command.command("close", epilog=example('tmcwatch alerts close 3f2a --note "a known fault"'))
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_note_option
@_by_option
@daemon_options
@json_option
def close(*, ids: Sequence[str], **rest: Any) -> None:  # noqa: ANN401 - options
    """End alerts by hand, as nothing else will; the next bad end opens new ones."""
    _attend("close", ids, **rest)


def _attend(
    act: str,
    ids: Sequence[str],
    *,
    url: str,
    token_file: Path | None,
    as_json: bool,
    **said: str | None,
) -> None:
    """Do it for each alert in turn; what fails for one does not keep it from the others."""
    body = {name: text for name, text in said.items() if text is not None}
    token = token_from(token_file)
    paths = [f"{PATH}/{checked_id(id_)}/{act}" for id_ in dict.fromkeys(ids)]
    done, failure = tell_each(url, paths, body, token=token)
    if as_json:
        print_json(done)
    else:
        for alert in done:
            click.echo(one_line(attended_line(act, alert)))
    if failure is not None:
        raise failure


def _matcher(text: str) -> Matcher:
    try:
        return matcher_from(text)
    except (MatcherError, OverflowError, RecursionError) as error:
        raise wrong_usage(f"tmcwatch alerts list: {error}") from error

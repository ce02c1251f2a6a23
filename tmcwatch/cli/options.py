"""Options that several commands have."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]")

config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="TMCWATCH_CONFIG",
    show_envvar=True,
    required=True,
    metavar="FILE",
    help="The configuration.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def daemon_options(function: Decorated) -> Decorated:
    """Add where the daemon answers, and by which token."""
    url = click.option(
        "--url",
        envvar="TMCWATCH_URL",
        show_envvar=True,
        default="http://127.0.0.1:10477",
        show_default=True,
        help="Where the daemon answers.",
    )
    token = click.option(
        "--token-file",
        envvar="TMCWATCH_TOKEN_FILE",
        show_envvar=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The bearer token, where the daemon asks for one; to change, it must allow changes.",
    )
    return url(token(function))


window_option = click.option(
    "--window",
    type=click.Choice(["overlap", "trigger", "started"]),
    default="overlap",
    show_default=True,
    help="How the simulated TMC reads `from` and `to`: overlap with the run, as documented, "
    "its trigger time, as reported from the field, or its start and finish alone.",
)


def example(*lines: str) -> str:
    """Answer with the end of a command's help; click keeps its lines as they are."""
    return "\n".join(("\b", "Example:", *(f"  {line}" for line in lines)))


def print_json(value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    click.echo(_BEYOND_ASCII.sub(_visible, text))


def _visible(found: re.Match[str]) -> str:
    """Escape what would steer a terminal, or cannot be written at all."""
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]

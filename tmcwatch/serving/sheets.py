"""Pages in HTML without scripts: whatever stands in them is escaped, names being others' words."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from tmcwatch.domain.alert import Severity
from tmcwatch.domain.attention import State
from tmcwatch.domain.harmless import cut, plain
from tmcwatch.domain.spoken import span

LONGEST_ERROR = 4_000
LONGEST_WORD = 300
_GRAVITY = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
_STYLE = (files("tmcwatch.serving") / "templates" / "style.css").read_text().rstrip()
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SECURITY: Mapping[str, str] = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    # Else a browser hides from us, too, which page a form was sent by.
    "referrer-policy": "same-origin",
}
"""Headers of every page."""

Facts = Mapping[str, object]


def alert_sheet(
    alert: Facts, silenced: Sequence[str], *, can_change: bool, now: datetime, zone: tzinfo
) -> str:
    """Answer with the page of one alert; `silenced` is what a silence made on it matches."""
    return _render(
        "alert.html.j2",
        now,
        zone,
        alert=alert,
        silenced=silenced,
        can_change=can_change,
    )


def list_sheet(alerts: Sequence[Facts], *, most: int, now: datetime, zone: tzinfo) -> str:
    """Answer with the page of what fires: first what nobody attends to, and the gravest of it."""
    gravest = sorted(alerts[:most], key=_rank)
    return _render("alerts.html.j2", now, zone, alerts=gravest, is_cut=len(alerts) > most)


def _rank(alert: Facts) -> tuple[bool, int]:
    gravity = _GRAVITY.index(Severity(str(alert["severity"])))
    return alert["state"] != State.FIRING.value, gravity


def problem_sheet(text: str) -> str:
    """Answer with a page that says why there is no other."""
    return _environment().get_template("problem.html.j2").render(text=text)


def _render(name: str, now: datetime, zone: tzinfo, **pieces: object) -> str:
    def when(text: str) -> str:
        moment = datetime.fromisoformat(text).astimezone(zone)
        year = "" if moment.year == now.astimezone(zone).year else f" {moment.year}"
        return f"{moment.day} {moment:%b}{year}, {moment:%H:%M} {moment.tzname() or ''}".rstrip()

    def since(text: str) -> str:
        length = now - datetime.fromisoformat(text)
        return span(length) if length >= timedelta(minutes=1) else "less than a minute"

    template = _environment().get_template(name)
    return template.render(when=when, since=since, **pieces)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tmcwatch.serving"),
        autoescape=True,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["web_address"] = _web_address
    environment.filters["beginning"] = cut
    environment.filters["verbatim"] = _verbatim
    environment.globals["longest_error"] = LONGEST_ERROR
    return environment


def _harmless(value: object) -> object:
    """Take out of a text what would turn it around, or hide in it; markup is our own."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _verbatim(text: str) -> Markup:
    """Keep the lines of a text, and what they are indented by."""
    lines = (
        line[: len(line) - len(line.lstrip(" \t"))] + plain(line) for line in text.splitlines()
    )
    return escape("\n".join(lines))


def _web_address(text: str) -> str:
    """Answer with an address that a link may lead to, or with nothing."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    is_web = parts.scheme in {"http", "https"} and bool(parts.netloc)
    return text if is_web and text.isprintable() and " " not in text else ""

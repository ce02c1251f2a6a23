"""Filling: texts of an operator in which `{name}` stands for what a message says."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from string import Formatter

from tmcwatch.domain.alert import Alert, EndReason
from tmcwatch.domain.built_in import NOTICES
from tmcwatch.domain.harmless import cut, plain, tagless
from tmcwatch.domain.message import Message, Words

LABELS = ("account", "environment", "workspace", "kind", "id", "name", "trigger")
ANNOTATIONS = ("error", "step", "reason", "link", "owner", "runbook_url")
MOMENTS = ("starts_at", "ends_at", "told_at")
TELLING_APART = frozenset({"state", "status", "title", "text", "ends_at", "firing"})
"""Those of which one at least differs once it is over."""
FIELDS = frozenset(
    {"state", "status", "title", "text", "firing", "summary", "rule", "severity"}
    | {*LABELS, *ANNOTATIONS, *MOMENTS}
)
LABEL = "label."
"""Before the name of any other label, such as `{label.team}`."""

_MOST_LISTED = 10
_LONGEST_VALUE = 1_000


def fields_in(template: str) -> frozenset[str]:
    """Answer with what a template names; raises ValueError with what is wrong with it."""
    names = set()
    for _, name, form, conversion in Formatter().parse(template):
        if name is None:
            continue
        if form or conversion:
            raise ValueError(f"{{{name}}} must stand without a format")
        is_label = name.startswith(LABEL) and name.removeprefix(LABEL).isidentifier()
        if name not in FIELDS and not is_label:
            raise ValueError(f"{{{name}}} is none of {', '.join(sorted(FIELDS))}, label.NAME")
        names.add(name)
    return frozenset(names)


def filled(template: str, message: Message, words: Words, *, longest: int) -> str:
    """Answer with the text, cut; what others wrote is harmless in it, whatever shows it."""
    parts = Formatter().parse(template)
    pieces = (
        literal + (_value(name, message, words) if name is not None else "")
        for literal, name, _, _ in parts
    )
    return cut("".join(pieces), longest)


def episodes(message: Message) -> tuple[Alert, ...]:
    """Answer with the alerts that begin and end; a notice does not, so nothing shows its state."""
    return tuple(alert for alert in message.alerts if alert.rule not in NOTICES)


def is_over(message: Message) -> bool:
    """Tell whether nothing of the group fires: neither what is listed nor what was told before."""
    return not _firing(message) and not message.told_before


def _firing(message: Message) -> tuple[Alert, ...]:
    return tuple(alert for alert in episodes(message) if alert.ends_at is None)


def _spoken_of(message: Message) -> tuple[Alert, ...]:
    """Answer with the alerts that make the state: those that fire, or all once it is over."""
    return episodes(message) if is_over(message) else _firing(message)


def _value(name: str, message: Message, words: Words) -> str:
    told = {
        "title": tagless(words.title),
        "text": tagless(words.text),
        "state": _state(message),
        "status": "resolved" if is_over(message) else "firing",
        "firing": str(len(_firing(message)) + message.told_before),
    }
    if name in told:
        return told[name]
    return _moment(name, message) if name in MOMENTS else _listed(name, message)


def _state(message: Message) -> str:
    if not is_over(message):
        return "FIRING"
    reasons = {alert.end_reason for alert in episodes(message)}
    return "RECOVERED" if reasons == {EndReason.RECOVERED} else "RESOLVED"


def _moment(name: str, message: Message) -> str:
    """Answer with a moment in UTC to the second, or nothing where it is not known yet."""
    alerts = _spoken_of(message)
    ends = [alert.ends_at for alert in alerts if alert.ends_at is not None]
    moments: Mapping[str, datetime | None] = {
        "starts_at": min((alert.starts_at for alert in alerts), default=None),
        "ends_at": max(ends) if ends and is_over(message) else None,
        "told_at": message.created_at,
    }
    moment = moments[name]
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def _listed(name: str, message: Message) -> str:
    """Answer with what the alerts have under a name, each once, and a word about those untold."""
    texts = _distinct(_text_of(name, alert) for alert in _spoken_of(message))
    others = f"{message.told_before} told before" if message.told_before else ""
    if name == "summary":
        return "; ".join([*texts, f"{others}, still firing"] if others else texts)
    label = name.removeprefix(LABEL)
    if label in message.group_labels:
        return _safe(message.group_labels[label])
    if name == "name" and not texts:
        return others
    return ", ".join(texts)


def _text_of(name: str, alert: Alert) -> str:
    match name:
        case "rule":
            return alert.rule
        case "severity":
            return alert.severity.value
        case _ if name.startswith(LABEL):
            return alert.labels.get(name.removeprefix(LABEL), "")
        case _ if name in LABELS:
            return alert.labels.get(name, "")
        case _:
            return alert.annotations.get(name, "") or alert.labels.get(name, "")


def _distinct(texts: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(safe for text in texts if (safe := _safe(text))))
    more = len(found) - _MOST_LISTED
    return found if more <= 0 else [*found[:_MOST_LISTED], f"and {more} more"]


def _safe(text: str) -> str:
    return tagless(plain(cut(text, _LONGEST_VALUE)))

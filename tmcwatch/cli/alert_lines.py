"""Alerts in lines and cells: how they stand, what was done about them, who was told."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tmcwatch.cli.ids import SHORT
from tmcwatch.cli.rows import Shape, moment

Json = Mapping[str, Any]

_DONE = {
    "acknowledge": "acknowledged",
    "snooze": "snoozed",
    "note": "noted",
    "close": "closed",
}


def lines_of(alert: Json) -> Iterator[str]:
    """Give everything that is known of one alert; what belongs to a line above is indented."""
    yield f"alert {alert['id']}: {_what(alert)}"
    yield f"state {alert['state']}, severity {alert['severity']}, {_runs(alert)}"
    yield from _standing(alert)
    opened, changed = moment(alert["opened_at"]), moment(alert["changed_at"])
    yield f"began {moment(alert['starts_at'])}, opened {opened}, changed {changed}"
    if alert["ends_at"]:
        yield f"over since {moment(alert['ends_at'])}: {alert['end_reason']}"
    yield "labels"
    yield from (f'  {name}="{text}"' for name, text in sorted(alert["labels"].items()))
    yield "annotations"
    yield from (f"  {name}: {text}" for name, text in sorted(alert["annotations"].items()))
    yield from _block("notes", [_note(note) for note in alert["notes"]])
    yield from _block("told", [_told(one) for one in alert["told"]])
    yield from _block("groups", [_group(one) for one in alert["groups"]])


def attended_line(act: str, alert: Json) -> str:
    """Say what was done about an alert, and how long it holds."""
    kept = {"acknowledge": alert["acknowledged"], "snooze": alert["snoozed"]}.get(act)
    holds = "" if kept is None else f" {_until(kept)}"
    return f"{_DONE[act]} {alert['id'][:SHORT]}{holds}: {_what(alert)}"


def _what(alert: Json) -> str:
    labels = alert["labels"]
    place = " / ".join(filter(None, (labels.get("environment"), labels.get("workspace"))))
    name = labels.get("name") or labels.get("id") or "unnamed"
    return f"{labels['alertname']} {name}" + (f" ({place})" if place else "")


def _runs(alert: Json) -> str:
    return "1 run" if alert["count"] == 1 else f"{alert['count']} runs"


def _until(kept: Json) -> str:
    return f"until {moment(kept['until'])}" if kept["until"] else "until it ends"


def _standing(alert: Json) -> Iterator[str]:
    if alert["state"] == "pending":
        due = moment(alert["due_at"])
        yield f"not told before {due}, as the `for` of its rule runs until then"
    for word in ("acknowledged", "snoozed"):
        kept = alert[word]
        if kept:
            since = moment(kept["at"])
            yield f"{word} by {kept['by'] or 'somebody'} at {since}, {_until(kept)}"
    for reason in alert["muted_by"]:
        yield f"muted by {reason}"


def _note(note: Json) -> str:
    text = f": {note['text']}" if note["text"] else ""
    return f"{moment(note['at'])} {note['author']} {note['act']}{text}"


def _told(one: Json) -> str:
    what = f"{one['status']} ({one['severity']})"
    tries = f", attempts {one['attempts']}" if one["state"] != "delivered" else ""
    said = f": {one['text']}" if one["text"] else ""
    return (
        f"{moment(one['changed_at'])} {one['target']} {what} {one['state']}{tries}{said}, "
        f"delivery {one['delivery']}"
    )


def _group(one: Json) -> str:
    told = one["told"] or "nothing yet"
    muted = f", muted by {one['muted']}" if one["muted"] else ""
    return f"receiver {one['receiver']}, told {told}{muted}"


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield title
        yield from (f"  {line}" for line in lines)


def _attention(alert: Json) -> str:
    return "; ".join(_standing(alert)) or "none"


def _cells(alert: Json) -> Sequence[str]:
    labels = alert["labels"]
    place = " / ".join(
        filter(None, (labels.get(name) for name in ("account", "environment", "workspace")))
    )
    state = alert["state"] if alert["end_reason"] is None else alert["end_reason"]
    return (
        alert["id"],
        state,
        alert["severity"],
        labels["alertname"],
        # Two lists of one account, or a task and a plan, may have the same name.
        labels.get("kind") or "none",
        labels.get("name") or labels.get("id") or "unnamed",
        place or "none",
        moment(alert["starts_at"]),
        str(alert["count"]),
        _attention(alert),
    )


SHAPE = Shape(
    nothing="no alert",
    headings=(
        *("id", "state", "severity", "rule", "kind", "name"),
        *("where", "since", "runs", "attention"),
    ),
    cells=_cells,
)

"""Messages as JSON, strictly: what cannot be read back exactly is refused, not guessed."""

import json
from typing import Any

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.message import Message
from tmcwatch.domain.storm import StormFacts
from tmcwatch.store.moments import loaded, stored


class FactsError(ValueError):
    """Stored facts are no message."""


def facts_of(message: Message) -> str:
    facts = {
        "key": message.key,
        "receiver": message.receiver,
        "group_key": message.group_key,
        "group_labels": dict(message.group_labels),
        "alerts": [_alert_facts(alert) for alert in message.alerts],
        "told_before": message.told_before,
        "created_at": stored(message.created_at),
        "external_url": message.external_url,
    }
    rest = {
        "updates": sorted(message.updates),
        "repeats": sorted(message.repeats),
        "storm": None if message.storm is None else _storm_facts(message.storm),
    }
    # Left out where there is nothing to say, so that the version before reads what it can say.
    facts |= {name: fact for name, fact in rest.items() if fact}
    return json.dumps(facts, separators=(",", ":"))


def message_from(facts: str) -> Message:
    """Read a message back. Raises FactsError on anything that `facts_of` does not write."""
    try:
        read = json.loads(facts)
        alerts = tuple(_alert_from(alert) for alert in read["alerts"])
        rest = read | {
            **{name: _text(read[name]) for name in ("key", "receiver", "group_key")},
            "external_url": _text(read["external_url"]),
            "alerts": alerts,
            "group_labels": _texts(read["group_labels"]),
            "created_at": loaded(_whole(read["created_at"])),
            "told_before": _whole(read["told_before"]),
            "updates": _ids(read.get("updates", [])),
            "repeats": _ids(read.get("repeats", [])),
            "storm": _storm_from(read["storm"]) if "storm" in read else None,
        }
        return Message(**rest)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise FactsError(f"stored facts are no message: {error!r}") from error


def _alert_facts(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": stored(alert.starts_at),
        "ends_at": stored(alert.ends_at),
        "end_reason": alert.end_reason.value if alert.end_reason else None,
        "count": alert.count,
        "opened_at": stored(alert.opened_at),
        "changed_at": stored(alert.changed_at),
    }


def _alert_from(facts: dict[str, Any]) -> Alert:
    ends_at, reason = facts["ends_at"], facts["end_reason"]
    rest = facts | {
        "id": AlertId(_text(facts["id"])),
        "rule": _text(facts["rule"]),
        "severity": Severity(facts["severity"]),
        "labels": _texts(facts["labels"]),
        "annotations": _texts(facts["annotations"]),
        "starts_at": loaded(_whole(facts["starts_at"])),
        "ends_at": None if ends_at is None else loaded(_whole(ends_at)),
        "end_reason": None if reason is None else EndReason(reason),
        "count": _whole(facts["count"]),
        "opened_at": loaded(_whole(facts["opened_at"])),
        "changed_at": loaded(_whole(facts["changed_at"])),
    }
    return Alert(**rest)


def _storm_facts(storm: StormFacts) -> dict[str, object]:
    return {
        "since": stored(storm.since),
        "firing": storm.firing,
        "over": storm.over,
        "recovered": storm.recovered,
        "counts": {name: dict(counts) for name, counts in storm.counts.items()},
    }


def _storm_from(facts: dict[str, Any]) -> StormFacts:
    rest = facts | {
        "since": loaded(_whole(facts["since"])),
        "counts": {
            _text(name): {_text(value): _whole(count) for value, count in counts.items()}
            for name, counts in facts["counts"].items()
        },
        **{name: _whole(facts[name]) for name in ("firing", "over", "recovered")},
    }
    return StormFacts(**rest)


def _ids(read: object) -> frozenset[AlertId]:
    if isinstance(read, list):
        return frozenset(AlertId(_text(id_)) for id_ in read)
    raise TypeError("not a list of ids")


def _text(read: object) -> str:
    if isinstance(read, str):
        return read
    raise TypeError("not a text")


def _texts(read: object) -> dict[str, str]:
    if isinstance(read, dict):
        return {name: _text(text) for name, text in read.items()}
    raise TypeError("not a mapping of texts")


def _whole(read: object) -> int:
    if isinstance(read, int) and not isinstance(read, bool):
        return read
    raise TypeError("not a whole number")

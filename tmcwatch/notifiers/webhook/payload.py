"""A message as Alertmanager's webhook says it, and what we know beyond that."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.message import Message, Words
from tmcwatch.domain.storm import StormFacts

LONGEST_TEXT = 10_000
NOT_ENDED = "0001-01-01T00:00:00Z"
"""What Alertmanager says of an alert that still fires."""


def payload(message: Message, words: Words) -> dict[str, object]:
    return {
        "version": "4",
        "groupKey": _clean(message.group_key),
        "truncatedAlerts": message.unlisted,
        "status": message.status.value,
        "receiver": _clean(message.receiver),
        "groupLabels": _texts(message.group_labels),
        "commonLabels": _in_common([_labels(alert) for alert in message.alerts]),
        "commonAnnotations": _in_common([_texts(alert.annotations) for alert in message.alerts]),
        "externalURL": _clean(message.external_url),
        "alerts": [_alert(alert) for alert in message.alerts],
        "tmcwatch": {
            "messageKey": _clean(message.key),
            "toldBefore": message.told_before,
            "title": _clean(words.title),
            "updates": sorted(_clean(id_) for id_ in message.updates),
            "repeats": sorted(_clean(id_) for id_ in message.repeats),
            "storm": None if message.storm is None else _storm(message.storm),
            "counts": {_clean(alert.id): alert.count for alert in message.alerts},
            "endReasons": {
                _clean(alert.id): alert.end_reason.value
                for alert in message.alerts
                if alert.end_reason
            },
        },
    }


def _storm(storm: StormFacts) -> dict[str, object]:
    return {
        "since": _moment(storm.since),
        "firing": storm.firing,
        "over": storm.over,
        "recovered": storm.recovered,
        "counts": {
            _clean(name): {_clean(value): count for value, count in counts.items()}
            for name, counts in storm.counts.items()
        },
    }


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "status": alert.status.value,
        "labels": _labels(alert),
        "annotations": _texts(alert.annotations),
        "startsAt": _moment(alert.starts_at),
        "endsAt": _moment(alert.ends_at) if alert.ends_at else NOT_ENDED,
        "generatorURL": _clean(alert.annotations.get("link", "")),
        "fingerprint": _clean(alert.id),
    }


def _labels(alert: Alert) -> dict[str, str]:
    return {"alertname": _clean(alert.rule), **_texts(alert.labels)}


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {_clean(name): _clean(text) for name, text in texts.items()}


def _clean(text: str) -> str:
    """Cut, and without lone surrogates, which strict readers of JSON refuse."""
    cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return cut.encode(errors="replace").decode()


def _in_common(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    shared = set.intersection(*(set(mapping.items()) for mapping in mappings)) if mappings else ()
    return dict(sorted(shared))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

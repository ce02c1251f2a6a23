"""A message as Alertmanager's webhook says it, and what we know beyond that."""

from collections.abc import Mapping, Sequence

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.message import Message, Words
from tmcwatch.domain.storm import StormFacts
from tmcwatch.notifiers.stating import clean, labels, moment, texts

NOT_ENDED = "0001-01-01T00:00:00Z"
"""What Alertmanager says of an alert that still fires."""


def payload(message: Message, words: Words) -> dict[str, object]:
    return {
        "version": "4",
        "groupKey": clean(message.group_key),
        "truncatedAlerts": message.unlisted,
        "status": message.status.value,
        "receiver": clean(message.receiver),
        "groupLabels": texts(message.group_labels),
        "commonLabels": _in_common([labels(alert) for alert in message.alerts]),
        "commonAnnotations": _in_common([texts(alert.annotations) for alert in message.alerts]),
        "externalURL": clean(message.external_url),
        "alerts": [_alert(alert) for alert in message.alerts],
        "tmcwatch": {
            "messageKey": clean(message.key),
            "toldBefore": message.told_before,
            "title": clean(words.title),
            "updates": sorted(clean(id_) for id_ in message.updates),
            "repeats": sorted(clean(id_) for id_ in message.repeats),
            "storm": None if message.storm is None else _storm(message.storm),
            "counts": {clean(alert.id): alert.count for alert in message.alerts},
            "endReasons": {
                clean(alert.id): alert.end_reason.value
                for alert in message.alerts
                if alert.end_reason
            },
        },
    }


def _storm(storm: StormFacts) -> dict[str, object]:
    return {
        "since": moment(storm.since),
        "firing": storm.firing,
        "over": storm.over,
        "recovered": storm.recovered,
        "counts": {
            clean(name): {clean(value): count for value, count in counts.items()}
            for name, counts in storm.counts.items()
        },
    }


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "status": alert.status.value,
        "labels": labels(alert),
        "annotations": texts(alert.annotations),
        "startsAt": moment(alert.starts_at),
        "endsAt": moment(alert.ends_at) if alert.ends_at else NOT_ENDED,
        "generatorURL": clean(alert.annotations.get("link", "")),
        "fingerprint": clean(alert.id),
    }


def _in_common(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    shared = set.intersection(*(set(mapping.items()) for mapping in mappings)) if mappings else ()
    return dict(sorted(shared))

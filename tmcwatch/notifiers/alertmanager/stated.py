"""An alert as Alertmanager's API takes it: what it would refuse is mended or left out."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict
from urllib.parse import urlsplit

from tmcwatch.domain.alert import Alert
from tmcwatch.notifiers.stating import clean, labels, moment, texts

_ADDRESS = re.compile(r"https?://(?:[!#-$&-;=?-Z_a-z~]|%[0-9A-Fa-f]{2})+")


class Stated(TypedDict, total=False):
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: str
    generatorURL: str


def stated(alert: Alert, *, now: datetime, until: datetime, link: str) -> Stated:
    """Answer with the alert, which holds `until` then unless it is over."""
    ends_at = until if alert.ends_at is None else alert.ends_at
    found = Stated(
        labels=_named(labels(alert)),
        annotations=_named(_annotations(alert, now)),
        startsAt=moment(alert.starts_at),
        endsAt=moment(max(ends_at, alert.starts_at)),
    )
    for address in (alert.annotations.get("link", ""), link):
        if _is_address(address):
            return found | Stated(generatorURL=address)
    return found


def _annotations(alert: Alert, now: datetime) -> dict[str, str]:
    found = texts(alert.annotations) | {"alert_id": clean(alert.id)}
    by = alert.attention.acknowledged_by if alert.attention.is_acknowledged(now) else None
    return found | ({"acknowledged_by": clean(by)} if by else {})


def _named(found: Mapping[str, str]) -> dict[str, str]:
    """Give names that Prometheus allows, and nothing that is empty, which says the same."""
    names = {re.sub(r"[^a-zA-Z0-9_]|^(?=\d)", "_", name): text for name, text in found.items()}
    return {name: text for name, text in names.items() if name and text}


def _is_address(text: str) -> bool:
    try:
        return bool(_ADDRESS.fullmatch(text) and urlsplit(text).hostname)
    except ValueError:
        return False

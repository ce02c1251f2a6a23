"""What an alert is in Alertmanager's JSON, as the webhook and its mirror state it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from tmcwatch.domain.alert import Alert

LONGEST_TEXT = 10_000


def labels(alert: Alert) -> dict[str, str]:
    return {"alertname": clean(alert.rule), **texts(alert.labels)}


def texts(given: Mapping[str, str]) -> dict[str, str]:
    return {clean(name): clean(text) for name, text in given.items()}


def clean(text: str) -> str:
    """Cut, and without lone surrogates, which strict readers of JSON refuse."""
    cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return cut.encode(errors="replace").decode()


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")

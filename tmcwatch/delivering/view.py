"""What a message says, as pieces that templates put together; nothing here is escaped yet."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from tmcwatch.delivering.alert_view import LONGEST_NAME, AlertView, Setting, alert_view, zoned_time
from tmcwatch.delivering.brevity import Brevity
from tmcwatch.delivering.escaping import Address, address
from tmcwatch.delivering.storm import counts_of, rest_of, summary_of
from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity, Status
from tmcwatch.domain.built_in import WATCHING
from tmcwatch.domain.harmless import cut
from tmcwatch.domain.message import Message

LONGEST_SENTENCE = 2_000
LONGEST_REFERENCE = 6
_LONGEST_KEY = 12
_LISTED_IN_STORM = 5

_GRAVITY = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
_TOPIC_FIRST = ("rule", "alertname", "environment", "workspace")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A message; `digest` has sentences instead of alerts where watching begins."""

    headline: str
    counts: str
    topic: str
    summary: str
    """In a storm, what it is all about; the alerts listed are the worst of it."""
    digest: tuple[str, ...]
    alerts: tuple[AlertView, ...]
    lone: AlertView | None
    """The only alert of the message, if it has one alone."""
    below_title: bool
    """Whether the title stands right above it, and need not be said again."""
    rest: str
    external: Address | None
    reference: str
    """Of this message: the beginning of its key."""
    note: str
    """What its reader should know of the message itself; mostly empty."""


def view_of(
    message: Message,
    *,
    time_zone: tzinfo,
    brevity: Brevity,
    below_title: bool = False,
    note: str = "",
) -> View:
    if message.storm is not None:
        listed_at_most = min(brevity.listed, _LISTED_IN_STORM)
        brevity = replace(brevity, listed=listed_at_most, whole=False)
    changes = _changes(message.alerts)
    alerts = sorted((a for a in message.alerts if a.id not in changes.gone), key=_rank)
    only_digest = bool(alerts) and all(alert.rule == WATCHING.name for alert in alerts)
    listed, unlisted = alerts[: brevity.listed], alerts[brevity.listed :]
    setting = Setting(
        day=message.created_at.astimezone(time_zone),
        external_url=message.external_url,
        brevity=brevity,
    )
    views = tuple(_told(alert, message, setting, changes) for alert in listed)
    return View(
        headline=f"Now watching {_accounts(alerts)}",
        counts=counts_of(message.storm) if message.storm else _counts(alerts),
        topic=_topic(message),
        summary=_summary(message, setting),
        digest=tuple(_sentence(alert) for alert in listed) if only_digest else (),
        alerts=() if only_digest else views,
        lone=views[0] if len(alerts) == 1 and not only_digest and not message.storm else None,
        below_title=below_title,
        rest=_rest(message, unlisted, brevity),
        external=address(message.external_url) if brevity.with_links else None,
        reference=message.key[:_LONGEST_KEY] if brevity.with_links else "",
        note=note,
    )


def _told(alert: Alert, message: Message, setting: Setting, changes: "_Changes") -> AlertView:
    return alert_view(
        alert,
        setting,
        before=changes.before.get(alert.id),
        update=alert.id in message.updates,
        reminder=alert.id in message.repeats,
    )


def reference_of(message: Message) -> str:
    """Answer with what all messages about the same alert, or group of several, have in common."""
    if len(message.alerts) == 1 and message.storm is None:
        return message.alerts[0].id[:LONGEST_REFERENCE]
    return hashlib.sha256(message.group_key.encode()).hexdigest()[:LONGEST_REFERENCE]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    """Alerts that became others: each is told with the one that took its place."""

    before: Mapping[AlertId, Alert]
    gone: frozenset[AlertId]


def _changes(alerts: Sequence[Alert]) -> _Changes:
    before: dict[AlertId, Alert] = {}
    for alert in alerts:
        if alert.end_reason is EndReason.SUPERSEDED:
            after = next((each for each in alerts if _takes_over(each, alert)), None)
            if after is not None and after.id not in before:
                before[after.id] = alert
    return _Changes(before=before, gone=frozenset(alert.id for alert in before.values()))


def _takes_over(alert: Alert, superseded: Alert) -> bool:
    if alert.id == superseded.annotations.get("superseded_by"):
        return True
    same = all(
        alert.labels.get(name) == superseded.labels.get(name) for name in ("account", "kind", "id")
    )
    return same and alert.end_reason is not EndReason.SUPERSEDED


def _rank(alert: Alert) -> tuple[bool, int, datetime]:
    return alert.status is Status.RESOLVED, _GRAVITY.index(alert.severity), alert.starts_at


def _accounts(alerts: Iterable[Alert]) -> str:
    names = dict.fromkeys(alert.labels.get("account", "") for alert in alerts)
    return cut(", ".join(filter(None, names)) or "TMC", LONGEST_NAME)


def _sentence(alert: Alert) -> str:
    fallback = f"Now watching {_accounts([alert])}."
    return cut(alert.annotations.get("summary") or fallback, LONGEST_SENTENCE)


def _counts(alerts: Sequence[Alert]) -> str:
    over = [alert for alert in alerts if alert.status is Status.RESOLVED]
    firing = [alert for alert in alerts if alert.status is Status.FIRING]
    critical = sum(alert.severity is Severity.CRITICAL for alert in firing)
    counts = []
    if firing or not over:
        worst = f" ({critical} critical)" if critical else ""
        counts.append(f"FIRING {len(firing)}{worst}")
    if over:
        recovered = all(alert.end_reason is EndReason.RECOVERED for alert in over)
        counts.append(f"{'RECOVERED' if recovered else 'RESOLVED'} {len(over)}")
    return ", ".join(counts)


def _topic(message: Message) -> str:
    labels = {name: text for name, text in message.group_labels.items() if text}
    first = [labels[name] for name in _TOPIC_FIRST if name in labels]
    others = [text for name, text in labels.items() if name not in _TOPIC_FIRST]
    rules = [alert.rule for alert in message.alerts]
    topics = dict.fromkeys(first + others or rules)
    return " · ".join(cut(topic, LONGEST_NAME // 2) for topic in list(topics)[:6])


def _summary(message: Message, setting: Setting) -> str:
    if message.storm is None:
        return ""
    since = zoned_time(message.storm.since, setting.day)
    return summary_of(message.storm, since=since, counted=setting.brevity.with_facts)


def _rest(message: Message, unlisted: Sequence[Alert], brevity: Brevity) -> str:
    sentences = []
    if message.storm is not None:
        sentences.append(rest_of(message.storm, listed=len(message.alerts) - len(unlisted)))
    elif unlisted:
        by_status = Counter(alert.status.value for alert in unlisted)
        counts = ", ".join(f"{count} {status}" for status, count in by_status.items())
        sentences.append(
            f"And {len(unlisted)} more" + (f": {counts}." if brevity.with_facts else ".")
        )
    if message.told_before and brevity.with_facts:
        sentences.append(f"{message.told_before} already told, still firing.")
    return " ".join(sentences).strip()

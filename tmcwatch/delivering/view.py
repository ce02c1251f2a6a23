"""What a message says, as pieces that templates put together; nothing here is escaped yet."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from tmcwatch.delivering.escaping import Address, address
from tmcwatch.delivering.storm import counts_of, rest_of
from tmcwatch.domain.alert import Alert, EndReason, Severity, Status
from tmcwatch.domain.built_in import ABOUT_OURSELVES, WATCHING
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.harmless import cut
from tmcwatch.domain.message import Message

MOST_LISTED = 20
LONGEST_NAME = 120
LONGEST_ERROR = 500
LONGEST_SENTENCE = 2_000
_REFERENCE_LENGTH = 12

_GRAVITY = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
_COLOURS = {Severity.INFO: "#1565c0", Severity.WARNING: "#ef6c00", Severity.CRITICAL: "#b71c1c"}
_CALM = "#2e7d32"
_PLAIN_FAILURES = {"failed", "plan_failed", "promotion_failed"}
_ENDS = {
    EndReason.RECOVERED: "recovered",
    EndReason.SUPERSEDED: "superseded",
    EndReason.SUBJECT_GONE: "gone",
    EndReason.PAUSED: "paused",
    EndReason.CLOSED: "closed",
    EndReason.EXPIRED: "expired",
    None: "resolved",
}
_TRIGGERS = {
    "scheduled": "scheduled",
    "manual": "started by hand",
    "webhook": "started by a webhook",
    "plan": "part of a plan",
}
_LISTS = {kind.value for kind in Kind}
_TOPIC_FIRST = ("rule", "alertname", "environment", "workspace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    name: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """One alert in a message."""

    headline: str
    subject: str
    place: str
    course: str
    severity: str
    runs: str
    colour: str
    facts: tuple[Fact, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A message; `digest` has sentences instead of alerts where watching begins."""

    headline: str
    counts: str
    topic: str
    digest: tuple[str, ...]
    alerts: tuple[AlertView, ...]
    lone: AlertView | None
    rest: str
    external: Address | None
    reference: str


def view_of(message: Message, *, time_zone: tzinfo) -> View:
    alerts = sorted(message.alerts, key=_rank)
    only_digest = bool(alerts) and all(alert.rule == WATCHING.name for alert in alerts)
    listed, unlisted = alerts[:MOST_LISTED], alerts[MOST_LISTED:]
    day = message.created_at.astimezone(time_zone)
    views = () if only_digest else tuple(_alert_view(alert, day) for alert in listed)
    return View(
        headline=f"Now watching {_accounts(alerts)}",
        counts=counts_of(message.storm) if message.storm else _counts(alerts),
        topic=_topic(message),
        digest=tuple(_sentence(alert) for alert in listed) if only_digest else (),
        alerts=views,
        lone=views[0] if len(alerts) == 1 and views else None,
        rest=f"{rest_of(message)} {_rest(unlisted, message.told_before)}".strip(),
        external=address(message.external_url),
        reference=message.key[:_REFERENCE_LENGTH],
    )


def _rank(alert: Alert) -> tuple[bool, int, datetime]:
    return alert.status is Status.RESOLVED, _GRAVITY.index(alert.severity), alert.starts_at


def _alert_view(alert: Alert, day: datetime) -> AlertView:
    over = alert.status is Status.RESOLVED
    what = _what(alert)
    return AlertView(
        headline=(_ENDS[alert.end_reason] if over else what).upper(),
        subject=_subject(alert.labels),
        place=" / ".join(_named(alert.labels, "environment", "workspace")),
        course=_course(alert, what, day),
        severity=alert.severity.value,
        runs=f"{alert.count} runs" if alert.count > 1 else "",
        colour=_CALM if over else _COLOURS[alert.severity],
        facts=tuple(_facts(alert)),
        links=tuple(_links(alert.annotations)),
    )


def _what(alert: Alert) -> str:
    """Answer with what happened; the subject says already whether it is a plan."""
    if alert.rule in _PLAIN_FAILURES:
        return "failed"
    return cut(alert.rule.replace("_", " "), LONGEST_NAME)


def _subject(labels: Mapping[str, str]) -> str:
    name = cut(labels.get("name") or labels.get("id") or "unnamed", LONGEST_NAME)
    kind = labels.get("kind", "task")
    if labels.get("rule") in ABOUT_OURSELVES:
        about = "workspace" if labels.get("workspace") else kind
        return f"{about}s of {name}" if kind in _LISTS else f"{about} {name}"
    return name if kind == "task" else f"{cut(kind, LONGEST_NAME)} {name}"


def _named(labels: Mapping[str, str], *names: str) -> list[str]:
    return [cut(labels[name], LONGEST_NAME) for name in names if labels.get(name)]


def _course(alert: Alert, what: str, day: datetime) -> str:
    """Answer with when it began and, once over, when it ended: one message may say both."""
    zone = alert.starts_at.astimezone(day.tzinfo).tzname() or ""
    began = _time(alert.starts_at, day)
    if alert.ends_at is None:
        return f"since {began} {zone}".rstrip()
    zone = alert.ends_at.astimezone(day.tzinfo).tzname() or ""
    ended = _time(alert.ends_at, day)
    return f"{what} {began}, {_ENDS[alert.end_reason]} {ended} {zone}".rstrip()


def _time(moment: datetime, day: datetime) -> str:
    local = moment.astimezone(day.tzinfo)
    if local.date() == day.date():
        return f"{local:%H:%M}"
    year = "" if local.year == day.year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M}"


def _facts(alert: Alert) -> Iterator[Fact]:
    labels, annotations = alert.labels, alert.annotations
    summary = _summary(alert)
    known = [annotations.get("step"), annotations.get("reason") or labels.get("reason")]
    step, reason = ("" if text and text in summary else text for text in known)
    texts = {
        "what": summary,
        "more": annotations.get("description"),
        "step": step,
        "reason": reason,
        "error": annotations.get("error"),
        "error handler": annotations.get("error_handler"),
        "usual": annotations.get("usual"),
        "owner": annotations.get("owner"),
        "about": " · ".join(_about(labels)),
    }
    for name, text in texts.items():
        if text and not text.isspace():
            yield Fact(name=name, text=cut(text, LONGEST_ERROR))


def _summary(alert: Alert) -> str:
    """Answer with the summary, unless it says only what the headline says."""
    summary = alert.annotations.get("summary", "")
    headline = f"{_subject(alert.labels)} {_what(alert)}"
    return "" if summary.removeprefix("task ") == headline else summary


def _about(labels: Mapping[str, str]) -> Iterator[str]:
    for name in ("account", "engine", "team"):
        for text in _named(labels, name):
            yield f"{name} {text}"
    trigger = labels.get("trigger", "")
    if trigger in _TRIGGERS:
        yield _TRIGGERS[trigger]


def _links(annotations: Mapping[str, str]) -> Iterator[Link]:
    for name, annotation in (("open in TMC", "link"), ("runbook", "runbook_url")):
        where = address(annotations.get(annotation, ""))
        if where:
            yield Link(name=name, address=where)


def _accounts(alerts: list[Alert]) -> str:
    names = dict.fromkeys(alert.labels.get("account", "") for alert in alerts)
    return cut(", ".join(filter(None, names)) or "TMC", LONGEST_NAME)


def _sentence(alert: Alert) -> str:
    fallback = f"Now watching {_accounts([alert])}."
    return cut(alert.annotations.get("summary") or fallback, LONGEST_SENTENCE)


def _counts(alerts: list[Alert]) -> str:
    over = [alert for alert in alerts if alert.status is Status.RESOLVED]
    firing = len(alerts) - len(over)
    recovered = all(alert.end_reason is EndReason.RECOVERED for alert in over)
    counts = [f"FIRING {firing}"] if firing or not over else []
    if over:
        counts.append(f"{'RECOVERED' if recovered else 'RESOLVED'} {len(over)}")
    return ", ".join(counts)


def _topic(message: Message) -> str:
    labels = {name: text for name, text in message.group_labels.items() if text}
    first = [labels[name] for name in _TOPIC_FIRST if name in labels]
    others = [text for name, text in labels.items() if name not in _TOPIC_FIRST]
    rules = [alert.rule for alert in message.alerts]
    topics = dict.fromkeys(first + others or rules)
    return " · ".join(cut(topic, LONGEST_NAME // 2) for topic in list(topics)[:6])


def _rest(unlisted: list[Alert], told_before: int) -> str:
    sentences = []
    if unlisted:
        by_status = Counter(alert.status.value for alert in unlisted)
        counts = ", ".join(f"{count} {status}" for status, count in by_status.items())
        sentences.append(f"And {len(unlisted)} more: {counts}.")
    if told_before:
        sentences.append(f"{told_before} already told, still firing.")
    return " ".join(sentences)

"""What a message says of one alert: what, where, since when, how bad, what else, what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from tmcwatch.delivering.brevity import Brevity
from tmcwatch.delivering.escaping import Address, address
from tmcwatch.domain.alert import Alert, EndReason, Severity, Status
from tmcwatch.domain.built_in import ABOUT_OURSELVES
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.harmless import cut
from tmcwatch.domain.spoken import span

LONGEST_NAME = 120
LONGEST_TEXT = 2_000
"""Characters of a label or an annotation that templates are given as they are."""
_TELLING = 4
"""Characters of the shortest text that is found again, and not by chance."""

_COLOURS = {Severity.INFO: "#1565c0", Severity.WARNING: "#b45309", Severity.CRITICAL: "#b71c1c"}
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
_ESSENTIAL = (("step", "step"), ("reason", "reason"), ("error", "error"))
_UNUSUAL = (
    ("error handler", "error_handler"),
    ("more", "description"),
    ("tasks", "failed_tasks"),
    ("run time", "run_time"),
    ("usual", "usual"),
    ("last success", "last_success"),
    ("stuck since", "stuck_since"),
    ("failures in a row", "failures_in_a_row"),
    ("same error", "same_error"),
    ("engine", "engine"),
    ("flapping", "flapping"),
)
"""What each fact is called, and the annotation that has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    name: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is the same for every alert of a message."""

    day: datetime
    """When the message was made, in the time zone of its readers."""
    external_url: str
    brevity: Brevity


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """One alert in a message, in words that are not escaped yet."""

    id: str
    headline: str
    marker: str
    """What must be seen first, such as `CRITICAL`; mostly empty."""
    subject: str
    place: str
    course: str
    severity: str
    remarks: str
    """How many runs, who is on it, and whether it was told before."""
    colour: str
    is_over: bool
    facts: tuple[Fact, ...]
    links: tuple[Link, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def alert_view(
    alert: Alert,
    setting: Setting,
    *,
    before: Alert | None = None,
    update: bool = False,
    reminder: bool = False,
) -> AlertView:
    """Put one alert into words; it may have taken the place of one `before`.

    An `update` is worse than it was told, a `reminder` is as it was told.
    """
    over = alert.status is Status.RESOLVED
    what = _what(alert.rule)
    critical = alert.severity is Severity.CRITICAL and not over
    return AlertView(
        id=alert.id,
        headline=_headline(alert, what, before),
        marker=("NOW CRITICAL" if update else "CRITICAL") if critical else "",
        subject=subject(alert.labels),
        place=" / ".join(named(alert.labels, "environment", "workspace")),
        course=_course(alert, what, setting.day) if setting.brevity.with_course else "",
        severity=f"now {alert.severity}" if update and not over else alert.severity.value,
        remarks=" · ".join(_remarks(alert, setting.day, reminder=reminder)),
        colour=_CALM if over else _COLOURS[alert.severity],
        is_over=over,
        facts=tuple(_facts(alert, setting, before)),
        links=tuple(_links(alert, setting)),
        labels=_cut(alert.labels),
        annotations=_cut(alert.annotations),
    )


def _cut(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: cut(text, LONGEST_TEXT) for name, text in texts.items()}


def subject(labels: Mapping[str, str]) -> str:
    name = cut(labels.get("name") or labels.get("id") or "unnamed", LONGEST_NAME)
    kind = labels.get("kind", "task")
    if labels.get("rule") in ABOUT_OURSELVES:
        about = "workspace" if labels.get("workspace") else kind
        return f"{about}s of {name}" if kind in _LISTS else f"{about} {name}"
    return name if kind == "task" else f"{cut(kind, LONGEST_NAME)} {name}"


def named(labels: Mapping[str, str], *names: str) -> list[str]:
    return [cut(labels[name], LONGEST_NAME) for name in names if labels.get(name)]


def spoken_time(moment: datetime, day: datetime) -> str:
    """Say a moment to someone who reads it on that day, such as `10:02` or `3 May 11:02`."""
    local = moment.astimezone(day.tzinfo)
    if local.date() == day.date():
        return f"{local:%H:%M}"
    year = "" if local.year == day.year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M}"


def zoned_time(moment: datetime, day: datetime) -> str:
    zone = moment.astimezone(day.tzinfo).tzname() or ""
    return f"{spoken_time(moment, day)} {zone}".rstrip()


def _what(rule: str) -> str:
    """Answer with what happened; the subject says already whether it is a plan."""
    if rule in _PLAIN_FAILURES:
        return "failed"
    return cut(rule.replace("_", " "), LONGEST_NAME)


def _headline(alert: Alert, what: str, before: Alert | None) -> str:
    """Answer with what happened; one thing that became another is told as that change."""
    if before is not None:
        return f"{_what(before.rule)} → {what}".upper()
    return (_ENDS[alert.end_reason] if alert.status is Status.RESOLVED else what).upper()


def _course(alert: Alert, what: str, day: datetime) -> str:
    """Answer with when it began and, once over, when it ended: one message may say both."""
    if alert.ends_at is None:
        return _since(alert, day)
    began = spoken_time(alert.starts_at, day)
    ended = zoned_time(alert.ends_at, day)
    return f"{what} {began}, {_ENDS[alert.end_reason]} {ended}{_after(alert)}"


def _since(alert: Alert, day: datetime) -> str:
    return f"since {zoned_time(alert.starts_at, day)}"


def _after(alert: Alert) -> str:
    length = span(alert.ends_at - alert.starts_at) if alert.ends_at else ""
    return f" (after {length})" if length and length != "0 min" else ""


def _remarks(alert: Alert, day: datetime, *, reminder: bool) -> Iterator[str]:
    if alert.count > 1:
        yield f"{alert.count} runs"
    attention = _attention(alert, day)
    if attention:
        yield attention
    if reminder and alert.status is Status.FIRING:
        yield "told before"


def _attention(alert: Alert, day: datetime) -> str:
    """Answer with who said to be on it, or that it is put off; nothing once it is over."""
    said = alert.attention
    if alert.status is Status.RESOLVED:
        return ""
    if said.is_acknowledged(day):
        who = cut(said.acknowledged_by or "someone", LONGEST_NAME)
        return f"acknowledged by {who}{_until(said.acknowledged_until, day)}"
    return f"snoozed{_until(said.snoozed_until, day)}" if said.is_snoozed(day) else ""


def _until(moment: datetime | None, day: datetime) -> str:
    return f" until {spoken_time(moment, day)}" if moment else ""


def _facts(alert: Alert, setting: Setting, before: Alert | None) -> Iterator[Fact]:
    brevity = setting.brevity
    if not brevity.with_facts:
        return
    found = dict(_essential(alert, setting.day, before))
    if brevity.whole and alert.status is Status.FIRING:
        found |= dict(_others(alert, setting.day))
    for name, text in found.items():
        if text and not text.isspace():
            yield Fact(name=name, text=cut(text, brevity.longest_text))


def _essential(alert: Alert, day: datetime, before: Alert | None) -> Iterator[tuple[str, str]]:
    summary = _summary(alert)
    yield "what", summary
    if before is not None:
        yield "before", f"{_what(before.rule)} {_since(before, day)}"
    for name, annotation in _ESSENTIAL:
        text = alert.annotations.get(annotation) or ""
        if name == "reason":
            text = text or alert.labels.get("reason", "")
        if name == "error" or not _says(summary, text):
            yield name, text


def _others(alert: Alert, day: datetime) -> Iterator[tuple[str, str]]:
    summary = _summary(alert)
    for name, annotation in _UNUSUAL:
        text = alert.annotations.get(annotation, "")
        if not _says(summary, text):
            yield name, _in_local_time(text, day)
    yield "owner", alert.annotations.get("owner", "")
    yield "about", " · ".join(_about(alert))


def _summary(alert: Alert) -> str:
    """Answer with the summary, unless it says only what the headline says."""
    summary = alert.annotations.get("summary", "")
    headline = f"{subject(alert.labels)} {_what(alert.rule)}"
    return "" if summary.removeprefix("task ") == headline else summary


def _says(summary: str, text: str) -> bool:
    """Tell whether a summary holds a text; a number may stand in it for something else."""
    return len(text) >= _TELLING and text in summary


def _in_local_time(text: str, day: datetime) -> str:
    """Say a moment as readers do; other texts stay as they are."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo is None else zoned_time(moment, day)


def _about(alert: Alert) -> Iterator[str]:
    labels = alert.labels
    for name in ("account", "engine", "team"):
        if name == "engine" and alert.annotations.get("engine"):
            continue
        for text in named(labels, name):
            yield f"{name} {text}"
    trigger = labels.get("trigger", "")
    if trigger in _TRIGGERS:
        yield _TRIGGERS[trigger]


def _links(alert: Alert, setting: Setting) -> Iterator[Link]:
    if not setting.brevity.with_links:
        return
    wanted = [("open in TMC", alert.annotations.get("link", ""))]
    if setting.brevity.whole:
        wanted.append(("runbook", alert.annotations.get("runbook_url", "")))
    if setting.external_url and alert.status is Status.FIRING:
        page = f"{setting.external_url.rstrip('/')}/alerts/{quote(alert.id, safe='')}"
        wanted.append(("acknowledge or silence", page))
    for name, text in wanted:
        where = address(text)
        if where:
            yield Link(name=name, address=where)

"""Messages as they may come: what an operator's templates are tried with before they are used."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import MappingProxyType

from tmcwatch.domain.alert import Alert, AlertId, Attention, EndReason, Severity
from tmcwatch.domain.message import Message
from tmcwatch.domain.moment import moment_text
from tmcwatch.domain.storm import StormFacts

_TWO = datetime(2026, 11, 20, 2, 2, tzinfo=UTC)
_IDS = (f"{number * 0x3F2A910D17AA4E55 % 2**64:016x}" for number in count(1))


def _alert(
    name: str,
    *,
    rule: str = "failed",
    severity: Severity = Severity.WARNING,
    minutes: int = 0,
    end: EndReason | None = None,
    labels: Mapping[str, str] = MappingProxyType({}),
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> Alert:
    begun = _TWO + timedelta(minutes=minutes)
    fixed = {"alertname": rule, "rule": rule, "severity": severity.value, "account": "prod"}
    where = {"environment": "PROD", "workspace": "finance", "kind": "task", "name": name}
    return Alert(
        id=AlertId(next(_IDS)),
        rule=rule,
        severity=severity,
        labels=fixed | where | {"id": f"id-of-{name}", "trigger": "scheduled"} | dict(labels),
        annotations={"latest_at": moment_text(begun)} | dict(annotations),
        starts_at=begun,
        ends_at=begun + timedelta(minutes=7) if end else None,
        end_reason=end,
        count=3 if annotations else 1,
        opened_at=begun,
        changed_at=begun,
    )


def _message(*alerts: Alert, told_before: int = 0, **group_labels: str) -> Message:
    return Message(
        key="9d17aa4e55c03b1f",
        receiver="oncall",
        group_key="{}:{rule=failed}",
        group_labels={"account": "prod", "environment": "PROD", **group_labels},
        alerts=alerts,
        told_before=told_before,
        created_at=_TWO + timedelta(minutes=10),
        external_url="https://tmcwatch.example.org/",
    )


_LINK = "https://tmc.eu.cloud.talend.com/operations/run-history/65f0c1d2?tab=log&step=2"

_FAILURE = replace(
    _alert(
        "load_customers",
        severity=Severity.CRITICAL,
        labels={"team": "data", "engine": "engine-7"},
        annotations={
            "summary": "task load_customers failed at 2 Load: DISK_FULL",
            "step": "2 Load",
            "reason": "DISK_FULL",
            "error": "java.io.IOException: No space left on device\n\tat java.base/sun.nio.ch."
            "FileDispatcherImpl.write0(Native Method)\n\tat customers.load_customers_0_1."
            "load_customers.tFileOutputDelimited_1Process(load_customers.java:4711)",
            "description": "Feeds the morning report of finance.",
            "run_time": "48 min, usually 12 min",
            "usual": "ends by 01:40 UTC",
            "last_success": "2026-11-19T02:13:00+00:00",
            "failures_in_a_row": "3",
            "same_error": "2 other tasks: load_orders, load_items",
            "engine": "engine-7, available",
            "owner": "data team, phone 4711",
            "link": _LINK,
            "runbook_url": "https://wiki.example.org/runbooks/load_customers",
        },
    ),
    attention=Attention(acknowledged_by="ann", acknowledged_at=_TWO),
)
_SEVERAL = _message(
    _alert(
        "nightly_close",
        rule="plan_failed",
        severity=Severity.CRITICAL,
        minutes=1,
        labels={"kind": "plan"},
        annotations={
            "summary": "plan nightly_close failed at 4 Book (book_ledger)",
            "step": "4 Book",
            "failed_tasks": "book_ledger",
            "error_handler": "ran",
            "link": _LINK,
        },
    ),
    _alert("load_orders", minutes=2, annotations={"error": "Connection refused", "link": _LINK}),
    _alert("load_items", minutes=3, annotations={"error": "Connection refused", "link": _LINK}),
    _alert("load_prices", minutes=-50, end=EndReason.RECOVERED),
    _alert("load_stores", minutes=-40, end=EndReason.RECOVERED),
    told_before=4,
    rule="failed",
)
_DIGEST = _message(
    _alert(
        "prod",
        rule="watching",
        severity=Severity.INFO,
        labels={"kind": "account", "environment": "", "workspace": ""},
        annotations={
            "summary": "Now watching prod: 2,014 tasks and 120 plans, 37 of them failing, the"
            " oldest since 3 May 2026."
        },
    )
)
_ENDS = _message(
    *(_alert(f"task_{end.value}", rule="misfired", end=end) for end in EndReason),
    rule="misfired",
)

_STORM = replace(
    _message(
        *(_alert(f"load_{n}", annotations={"error": "Connection refused"}) for n in range(20)),
        rule="failed",
    ),
    storm=StormFacts(
        since=_TWO,
        firing=4_812,
        over=2,
        recovered=2,
        counts={
            "rule": {"failed": 4_800, "misfired": 14},
            "environment": {"PROD": 4_700, "TEST": 114},
            "account": {"prod": 4_814},
        },
    ),
)
_CHANGES = _message(
    _alert("load_sales", severity=Severity.CRITICAL, annotations={"error": "Disk full"}),
    _alert("load_stock", rule="late", end=EndReason.SUPERSEDED),
    _alert("load_stock", rule="missed", minutes=7),
    _alert("load_taxes", minutes=-600, annotations={"error": "Disk full"}),
    rule="failed",
)

SAMPLES: Mapping[str, Message] = {
    "failure": _message(_FAILURE, rule="failed"),
    "several": _SEVERAL,
    "changes": replace(
        _CHANGES,
        updates=frozenset({_CHANGES.alerts[0].id}),
        repeats=frozenset({_CHANGES.alerts[3].id}),
    ),
    "storm": _STORM,
    "digest": _DIGEST,
    "ends": _ENDS,
}
"""One of everything a message can be, by name."""

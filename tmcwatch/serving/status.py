"""The status as JSON: who is watched, how far, at what rate, and what is owed."""

from collections.abc import Mapping
from datetime import datetime

from tmcwatch.domain.execution import AccountName
from tmcwatch.domain.snapshot import ListState, OutboxState, Snapshot, SubjectState


def status_of(
    snapshot: Snapshot,
    *,
    version: str,
    rates: Mapping[AccountName, float],
) -> Mapping[str, object]:
    """Answer with the status; `rates` are the requests per second allowed to each account."""
    accounts = sorted({one.account for one in snapshot.lists} | rates.keys())
    return {
        "version": version,
        "at": _text(snapshot.at),
        "accounts": [
            {
                "name": account,
                "requests_per_second": rates.get(account),
                "lists": [
                    _list(one, snapshot) for one in snapshot.lists if one.account == account
                ],
            }
            for account in accounts
        ],
        "alerts_firing": [
            {"rule": rule, "severity": severity, "number": number}
            for (rule, severity), number in sorted(snapshot.alerts_firing.items())
        ],
        "outbox": [_outbox(one) for one in snapshot.outbox],
    }


def _list(one: ListState, snapshot: Snapshot) -> Mapping[str, object]:
    watched = [
        subject
        for subject in snapshot.subjects
        if (subject.account, subject.subject.kind) == (one.account, one.kind)
    ]
    return {
        "kind": one.kind.value,
        "watermark": _text(one.watermark),
        "watermark_age_seconds": (snapshot.at + one.skew - one.watermark).total_seconds(),
        "head_age_seconds": (snapshot.at - one.head_at).total_seconds(),
        "history_from": _text(one.history_from),
        "history_to": _text(one.history_to),
        "away_from": _text(one.away.start) if one.away else None,
        "away_to": _text(one.away.end) if one.away else None,
        "second_pass": _text(one.checked_to),
        "settle_seconds": one.settle.total_seconds() if one.settle is not None else None,
        "reading": one.reading.value if one.reading else "unknown",
        "open": {phase.value: number for phase, number in sorted(one.open.items())},
        "subjects": len(watched),
        "executions": _executions(watched),
    }


def _executions(watched: list[SubjectState]) -> Mapping[str, int]:
    return {
        "succeeded": sum(one.succeeded for one in watched),
        "failed": sum(one.failed for one in watched),
        "other": sum(one.other for one in watched),
    }


def _outbox(one: OutboxState) -> Mapping[str, object]:
    return {
        "receiver": one.receiver,
        "pending": one.pending,
        "oldest": _text(one.oldest_at),
        "dead": one.dead,
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}Z"

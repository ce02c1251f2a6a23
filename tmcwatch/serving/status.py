"""The status as JSON: who is watched, how far, at what rate, and what is owed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.snapshot import ListState, OutboxState, Snapshot, SubjectState


class Asking(NamedTuple):
    """How an account is asked at present, in requests per second."""

    rate: float
    granted: float
    """What the configuration allows; the rate is less while TMC refuses that."""
    paused_until: datetime | None
    beats: Mapping[Kind, timedelta]
    """How long after the look before the last look at each list began."""


def status_of(
    snapshot: Snapshot,
    *,
    version: str,
    asking: Mapping[AccountName, Asking],
) -> Mapping[str, object]:
    """Answer with the status of what was read, and of how each account is asked."""
    accounts = sorted({one.account for one in snapshot.lists} | asking.keys())
    return {
        "version": version,
        "at": moment_text(snapshot.at),
        "accounts": [
            {
                "name": account,
                **_asking(asking.get(account)),
                "lists": [
                    _list(one, snapshot) | _beat(asking.get(account), one.kind)
                    for one in snapshot.lists
                    if one.account == account
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


def _asking(one: Asking | None) -> dict[str, object]:
    return {
        "requests_per_second": None if one is None else one.rate,
        "granted_per_second": None if one is None else one.granted,
        "paused_until": None if one is None else moment_text(one.paused_until),
    }


def _beat(one: Asking | None, kind: Kind) -> dict[str, object]:
    beat = None if one is None else one.beats.get(kind)
    return {"beat_seconds": None if beat is None else beat.total_seconds()}


def _list(one: ListState, snapshot: Snapshot) -> dict[str, object]:
    watched = [
        subject
        for subject in snapshot.subjects
        if (subject.account, subject.subject.kind) == (one.account, one.kind)
    ]
    return {
        "kind": one.kind.value,
        "watermark": moment_text(one.watermark),
        "watermark_age_seconds": (snapshot.at + one.skew - one.watermark).total_seconds(),
        "head_age_seconds": (snapshot.at - one.head_at).total_seconds(),
        "history_from": moment_text(one.history_from),
        "history_to": moment_text(one.history_to),
        "away_from": moment_text(one.away.start) if one.away else None,
        "away_to": moment_text(one.away.end) if one.away else None,
        "second_pass": moment_text(one.checked_to),
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
        "oldest": moment_text(one.oldest_at),
        "dead": one.dead,
        "failing": one.is_failing,
        "parked_until": moment_text(one.parked_until),
    }


def moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}Z"

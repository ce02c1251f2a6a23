"""Silences: alerts that match are not told for a while, as someone wished."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.built_in import NOTICES
from tmcwatch.domain.episode import Ownership, alert_id
from tmcwatch.domain.execution import AccountName
from tmcwatch.domain.matcher import Matcher, Operator, all_match
from tmcwatch.domain.ourselves import Concern, opened
from tmcwatch.domain.rule import Rule

WORTH_A_REMINDER = 4
"""How many times as long as the reminder comes ahead a silence lasts that is given one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """One silence; times are ours. One that was ended early has `ends_at` then."""

    id: str
    matchers: tuple[Matcher, ...]
    created_by: str
    comment: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime

    def is_active(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at

    def mutes(self, labels: Mapping[str, str], now: datetime) -> bool:
        return self.is_active(now) and all_match(self.matchers, labels)


def is_worth_a_reminder(silence: Silence, ahead: timedelta) -> bool:
    """Tell whether it lasts so long that someone may have forgotten it."""
    return silence.ends_at - silence.starts_at >= WORTH_A_REMINDER * ahead


def reminder(
    silence: Silence,
    rule: Rule,
    firing: Iterable[Alert],
    *,
    ownership: Iterable[Ownership],
    now: datetime,
) -> Alert | None:
    """Answer with the word that a silence is about to end, None where it mutes nothing.

    It is of the account that the silence names, so that it finds the way of what is muted.
    """
    muted = sum(alert.rule not in NOTICES and silence.mutes(alert.labels, now) for alert in firing)
    if not muted:
        return None
    return opened(
        rule,
        Concern(account=_account(silence), kind="silence", id=silence.id),
        _reminding(silence, muted),
        id_=alert_id(rule.name, silence.id, silence.ends_at.isoformat()),
        starts_at=now,
        ownership=ownership,
        now=now,
    )


def _account(silence: Silence) -> AccountName:
    named = (
        matcher.value
        for matcher in silence.matchers
        if matcher.label == "account" and matcher.operator is Operator.EQUAL
    )
    return AccountName(next(named, ""))


def _reminding(silence: Silence, muted: int) -> str:
    about = ", ".join(str(matcher) for matcher in silence.matchers)
    why = f" ({silence.comment})" if silence.comment else ""
    what = "1 alert that still fires" if muted == 1 else f"{muted:,} alerts that still fire"
    return (
        f"The silence of {about} by {silence.created_by}{why} ends at "
        f"{silence.ends_at:%Y-%m-%d %H:%M} UTC. It mutes {what}, to be told then."
    )

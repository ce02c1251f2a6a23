"""Throttling: whether TMC refuses calls again and again, unlike in a calm search for its limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName

THROTTLED = "throttled"

BEAT = timedelta(minutes=1)
REFUSED_PART = 0.02
"""Of the calls of a minute. To find out what TMC bears takes one refusal in some 500 calls, and
where calls are so rare that this is more of a minute, it happens once in ten minutes at most."""
TROUBLED_MINUTES = 10
WITHIN_MINUTES = 15
CALM_MINUTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What TMC made of the calls of one family so far."""

    served: int = 0
    refused: int = 0
    """Refusals of calls that were under way together are one."""
    is_paused: bool = False
    """Whether nothing is asked at present, because TMC refused."""


def is_troubled(before: Calls, after: Calls) -> bool:
    """Tell whether TMC refused more in a minute than a calm search for its limit meets."""
    served, refused = after.served - before.served, after.refused - before.refused
    if refused == 0:
        return after.is_paused and served == 0
    return refused >= REFUSED_PART * (served + refused)


def is_throttled(troubled: Sequence[bool], *, was: bool) -> bool:
    """Tell by the last minutes, the newest last, whether it goes on again and again."""
    if was:
        return len(troubled) < CALM_MINUTES or any(troubled[-CALM_MINUTES:])
    return sum(troubled[-WITHIN_MINUTES:]) >= TROUBLED_MINUTES


def throttled_since(troubled: Sequence[bool], *, now: datetime) -> datetime:
    """Answer with when the first of the last minutes in trouble began."""
    recent = troubled[-WITHIN_MINUTES:]
    return now - (len(recent) - recent.index(True)) * BEAT


def throttled(account: AccountName, troubled: Sequence[bool], *, now: datetime) -> Condition:
    """Answer with the condition that TMC refuses what is asked for an account."""
    minutes = sum(troubled[-WITHIN_MINUTES:])
    return Condition(
        rule=THROTTLED,
        account=account,
        text=(
            f"TMC refused requests for {account} in {minutes} of the last {WITHIN_MINUTES} "
            "minutes: others behind the same address use up its limit, or too much is asked. "
            "What is new is seen late. Lower api_share or raise watch.beat (tmcwatch budget), or "
            "find out who else asks"
        ),
        since=throttled_since(troubled, now=now),
    )

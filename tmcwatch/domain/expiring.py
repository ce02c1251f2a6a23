"""Tokens that expire: when to remind of one, and in which words."""

from datetime import date, datetime, timedelta

REMINDERS = (timedelta(days=14), timedelta(days=3), timedelta(days=1))
"""How long before the day on which a token expires it is told of, the earliest first."""


def reminder(expires: date, now: datetime) -> timedelta | None:
    """Answer with the latest reminder whose time has come, None before the first.

    A token counts as expired from the beginning of its day, in UTC: TMC names no hour.
    """
    left = datetime(expires.year, expires.month, expires.day, tzinfo=now.tzinfo) - now
    due = [ahead for ahead in REMINDERS if left <= ahead]
    return due[-1] if due else None


def expiry_text(account: str, expires: date, now: datetime) -> str:
    """Say when the token of an account expires, and what to do."""
    days = (expires - now.date()).days
    when = f"in {days} days" if days > 1 else "tomorrow" if days == 1 else "today"
    told = f"expires on {expires:%-d %B %Y}, {when}" if days >= 0 else "has expired by now"
    return (
        f"The token of {account} {told}: make a new one in TMC, and change token_expires with it."
    )

"""Conditions: what is wrong with the watching itself, for as long as it lasts."""

from dataclasses import dataclass
from datetime import datetime

from tmcwatch.domain.execution import AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One stretch of time in which one rule about ourselves held."""

    rule: str
    account: AccountName
    kind: str = ""
    """Of a list, or of a receiver; empty where it is about the account as a whole."""
    subject: str = ""
    """What it is about, such as a workspace's id; empty for the list or the account."""
    name: str = ""
    """The subject's name for people."""
    text: str
    """What is wrong, in a sentence."""
    since: datetime
    until: datetime | None = None
    """None while it lasts."""

"""Limits: from when on the rules that weigh something hold, unless the config says otherwise."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Each is read by the rule that it is about, and by no other."""

    waiting: timedelta = timedelta(minutes=30)
    """stuck: the longest time from the trigger to the start."""
    stopping: timedelta = timedelta(minutes=30)
    """stuck: the longest time a stop may take."""
    delay: timedelta = timedelta(minutes=10)
    """started_late: the longest time from the trigger to the start that is not told."""
    ratio: float = 0.05
    """rejected_ratio: the largest share of rejected rows that is not told."""
    calm_after: int = 3
    """flapping: how many successes in a row end it."""


USUAL = Limits()

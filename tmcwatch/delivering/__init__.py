"""Who gets told: the outbox is sent and mirrors are kept in step, one worker per target."""

from tmcwatch.delivering.mirroring import Mirror, keep_in_step
from tmcwatch.delivering.service import Means, Observed, OnUncertain, Target, deliver
from tmcwatch.delivering.words import words_for

__all__ = [
    "Means",
    "Mirror",
    "Observed",
    "OnUncertain",
    "Target",
    "deliver",
    "keep_in_step",
    "words_for",
]

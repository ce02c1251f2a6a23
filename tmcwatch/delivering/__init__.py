"""Who gets told: the outbox is sent, one worker per target."""

from tmcwatch.delivering.service import Means, Observed, OnUncertain, Target, deliver
from tmcwatch.delivering.words import words_for

__all__ = ["Means", "Observed", "OnUncertain", "Target", "deliver", "words_for"]

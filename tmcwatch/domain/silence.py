"""Silences: alerts that match are not told for a while, as someone wished."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tmcwatch.domain.matcher import Matcher, all_match


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

"""The refreshes of open executions: what a budget affords is dealt out among its lists by need."""

from datetime import timedelta

from tmcwatch.api.budget import Budget
from tmcwatch.domain.budget import Family
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.following import part_of
from tmcwatch.polling.looking import STRETCH

REFRESH_SHARE = 0.7
"""How much of what the budget affords while a look may last open executions may take."""


class Refreshes:
    """Deals out the refreshes of one beat among the lists that draw on one budget."""

    def __init__(self, budget: Budget, beat: timedelta) -> None:
        self._budget = budget
        self._beat = beat
        self._wanted: dict[tuple[AccountName, Kind], int] = {}

    def of(self, account: AccountName, kind: Kind, wanted: int) -> int:
        """Answer with how many of the requests that a list wants it may make now."""
        # What the others wanted last is what they will want next.
        self._wanted[account, kind] = wanted
        afforded = self._budget.affords(Family.PROCESSING, STRETCH * self._beat) * REFRESH_SHARE
        return part_of(wanted, by_all=sum(self._wanted.values()), afforded=afforded)

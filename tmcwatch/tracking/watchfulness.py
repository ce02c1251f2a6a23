"""Watchfulness: begins and ends the conditions in which we see nothing, or are not let in."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.observation import (
    Looked,
    LookFailed,
    LookProblem,
    Moment,
    NamesRead,
    Observation,
)
from tmcwatch.domain.sight import (
    REFUSED_FOR,
    Marks,
    Sight,
    after_failure,
    after_look,
    blind_since,
    blind_text,
    refused_text,
    sight,
)
from tmcwatch.store.conditions import begin_condition, end_condition, lasting_conditions
from tmcwatch.store.engine import Connection
from tmcwatch.store.marks import load_marks

BLIND = "blind"
UNAUTHORIZED = "account_unauthorized"

_List: TypeAlias = tuple[AccountName, Kind]


class Watchfulness:
    """Keeps in mind when each list was read, so that the usual beat costs no statement for it."""

    def __init__(
        self,
        lists: Collection[_List],
        *,
        limit: timedelta,
        settle: timedelta,
        started_at: datetime,
    ) -> None:
        self._limit = limit
        self._settle = settle
        self._started_at = started_at
        self._marks = {one: Marks(counted_from=started_at, settle=settle) for one in sorted(lists)}
        self._refused: dict[AccountName, LookFailed | None] = {}
        """The first refusal of each account's token, None where it was accepted since."""
        self._lasting: set[tuple[str, AccountName, str]] = set()

    def begin(self, connection: Connection) -> None:
        """Take up what the store remembers; what is no longer watched is in no condition."""
        found = load_marks(connection, counted_from=self._started_at, settle=self._settle)
        self._marks |= {one: marks for one, marks in found.items() if one in self._marks}
        self._lasting.clear()
        for condition in lasting_conditions(connection):
            if self._is_watched(condition):
                self._lasting.add((condition.rule, condition.account, condition.kind))
            else:
                _end(connection, replace(condition, until=self._started_at))

    def after(self, observation: Observation) -> tuple[Condition, ...]:
        """Answer with the conditions that begin, or end, with an observation."""
        match observation:
            case Looked():
                self._accepted(observation.account, observation.at)
                self._mark(observation)
            case NamesRead():
                self._accepted(observation.account, observation.at)
            case LookFailed():
                self._failed(observation)
            case Moment():
                pass
        now = observation.at
        return (*self._refusals(now), *self._blindness(now))

    def committed(self, changes: Iterable[Condition]) -> None:
        """Take note that the store has these changes."""
        for condition in changes:
            key = condition.rule, condition.account, condition.kind
            if condition.until is None:
                self._lasting.add(key)
            else:
                self._lasting.discard(key)

    def _is_watched(self, condition: Condition) -> bool:
        if not condition.account:
            return True  # a receiver's, which tracking knows nothing of
        kinds = {kind.value for account, kind in self._marks if account == condition.account}
        return condition.kind in kinds or (not condition.kind and bool(kinds))

    def _accepted(self, account: AccountName, now: datetime) -> None:
        if self._refused.get(account) is not None:
            # What the refusal hid is not held against the lists that are looked at in a moment.
            self._marks |= {
                one: replace(marks, counted_from=now, is_heard=False)
                for one, marks in self._marks.items()
                if one[0] == account
            }
        self._refused[account] = None

    def _mark(self, looked: Looked) -> None:
        one = looked.account, looked.kind
        if one in self._marks:
            self._marks[one] = after_look(self._marks[one], looked)

    def _failed(self, failed: LookFailed) -> None:
        if failed.problem is LookProblem.UNAUTHORIZED and not self._refused.get(failed.account):
            self._refused[failed.account] = failed
        if failed.kind is None:
            return
        one = failed.account, failed.kind
        if one in self._marks:
            self._marks[one] = after_failure(self._marks[one], failed)

    def _refusals(self, now: datetime) -> Iterator[Condition]:
        for account, failed in self._refused.items():
            lasts = (UNAUTHORIZED, account, "") in self._lasting
            if failed is None and lasts:
                yield Condition(rule=UNAUTHORIZED, account=account, text="", since=now, until=now)
            elif failed is not None and not lasts and now - failed.at >= REFUSED_FOR:
                yield Condition(
                    rule=UNAUTHORIZED,
                    account=account,
                    text=refused_text(account, failed),
                    since=failed.at,
                )

    def _blindness(self, now: datetime) -> Iterator[Condition]:
        for (account, kind), marks in self._marks.items():
            lasts = (BLIND, account, kind.value) in self._lasting
            seen = sight(marks, self._limit, now=now)
            if seen is Sight.SEEING and lasts:
                yield Condition(
                    rule=BLIND, account=account, kind=kind.value, text="", since=now, until=now
                )
            elif seen is Sight.BLIND and not lasts and not self._is_refused(account):
                lists = f"{kind.value}s of {account}"
                yield Condition(
                    rule=BLIND,
                    account=account,
                    kind=kind.value,
                    text=blind_text(lists, marks, self._limit, now=now),
                    since=blind_since(marks, self._limit, now=now),
                )

    def _is_refused(self, account: AccountName) -> bool:
        """Tell whether a refused token explains that nothing is seen."""
        known = self._refused.get(account) is not None
        return known or (UNAUTHORIZED, account, "") in self._lasting


def write_changes(connection: Connection, changes: Iterable[Condition]) -> None:
    """Begin and end conditions."""
    for condition in changes:
        if condition.until is None:
            begin_condition(connection, condition)
        else:
            _end(connection, condition)


def _end(connection: Connection, condition: Condition) -> None:
    end_condition(
        connection,
        condition.rule,
        condition.account,
        kind=condition.kind,
        subject=condition.subject,
        at=condition.until or condition.since,
    )

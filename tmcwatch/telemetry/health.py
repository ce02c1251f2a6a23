"""Health: whether the daemon lives, can be asked, and sees everything in time."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.snapshot import ListState

Watched = tuple[AccountName, Kind]


class Verdict(NamedTuple):
    ok: bool
    reasons: tuple[str, ...] = ()
    """Why not, one line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    ok: bool
    at: datetime
    text: str


class Health:
    """What the parts of the daemon say of themselves, judged when someone asks."""

    def __init__(self) -> None:
        self._started = False
        self._store_problem: str | None = "not open yet"
        self._store_heals = True
        self.config_refused_at: datetime | None = None
        """When the newest config was refused; the one before it is in use since."""
        self._watched: frozenset[Watched] = frozenset()
        self._looks: dict[Watched, _Look] = {}

    def started(self) -> None:
        """Take note that all parts run."""
        self._started = True

    def store_works(self) -> None:
        """Take note that the store was read or written, which says nothing of a damaged page."""
        if self._store_heals:
            self._store_problem = None

    @property
    def is_store_up(self) -> bool:
        return self._store_problem is None

    def store_fails(self, text: str, *, heals: bool = True) -> None:
        """Take note that the store fails; what does not heal by itself is shown until the end."""
        if self._store_heals:
            self._store_problem, self._store_heals = text, heals

    def watch(self, lists: Collection[Watched]) -> None:
        """Judge these lists from now on, and no other."""
        self._watched = frozenset(lists)
        self._looks = {key: look for key, look in self._looks.items() if key in self._watched}

    def looked(self, account: AccountName, kind: Kind, *, at: datetime) -> None:
        self._looks[account, kind] = _Look(ok=True, at=at, text="")

    def look_failed(self, account: AccountName, kind: Kind, *, at: datetime, text: str) -> None:
        self._looks[account, kind] = _Look(ok=False, at=at, text=text)

    def look_waits(
        self, account: AccountName, kind: Kind, *, at: datetime, until: datetime
    ) -> None:
        """Take note that TMC wants no request before a moment; a first look counts as tried."""
        text = f"TMC wants no request before {until:%Y-%m-%d %H:%M:%SZ}"
        self._looks.setdefault((account, kind), _Look(ok=False, at=at, text=text))

    def healthy(self) -> Verdict:
        """Say that the loop turns, which it proves by asking here."""
        return Verdict(ok=True)

    def ready(self) -> Verdict:
        """Say whether it may be asked. Freshness is no part of it: TMC may be down for long."""
        return _verdict(self._not_ready())

    def fresh(
        self, now: datetime, lists: Sequence[ListState], *, young_enough: timedelta
    ) -> Verdict:
        """Say whether every watched list is read, and proven to be complete, up to lately.

        `lists` are as committed; `young_enough` is how old head and watermark may be.
        """
        return _verdict(self._not_fresh(now, lists, young_enough))

    def _not_ready(self) -> Iterator[str]:
        if not self._started:
            yield "starting"
        if self._store_problem is not None:
            yield f"store: {self._store_problem}"
        for account, kind in sorted(self._watched - self._looks.keys()):
            yield f"account {account}: no look at its {kind.value}s yet"

    def _not_fresh(
        self, now: datetime, lists: Sequence[ListState], young_enough: timedelta
    ) -> Iterator[str]:
        if self._store_problem is not None:
            yield f"store: {self._store_problem}"
        read = {(one.account, one.kind): one for one in lists}
        for account, kind in sorted(self._watched):
            stale = _stale(now, read.get((account, kind)), young_enough)
            if stale is not None:
                why = self._why(account, kind)
                yield f"account {account}: {kind.value}s: {stale}{why}"

    def _why(self, account: AccountName, kind: Kind) -> str:
        look = self._looks.get((account, kind))
        if look is None or look.ok:
            return ""
        return f": last look failed at {look.at:%Y-%m-%d %H:%M:%SZ}: {look.text}"


def _stale(now: datetime, one: ListState | None, young_enough: timedelta) -> str | None:
    if one is None:
        return "never read"
    learned = one.settle or timedelta()
    # The watermark is on TMC's clock, which may be off by minutes.
    on_tmc = now + one.skew
    for name, age in (("head", now - one.head_at), ("watermark", on_tmc - one.watermark)):
        if age > young_enough + learned:
            old, limit = age.total_seconds(), (young_enough + learned).total_seconds()
            return f"{name} is {old:.0f} s old, the limit is {limit:.0f} s"
    return None


def _verdict(problems: Iterator[str]) -> Verdict:
    reasons = tuple(problems)
    return Verdict(ok=not reasons, reasons=reasons)

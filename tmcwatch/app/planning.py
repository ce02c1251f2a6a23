"""From the config to the plan of its requests: who shares a budget, and what draws on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from tmcwatch.app.refreshes import REFRESH_SHARE
from tmcwatch.app.remembering import TRIGGERS_KNOWN
from tmcwatch.app.wiring import judges_rows, kinds_of
from tmcwatch.config import Account, Config
from tmcwatch.config.problems import KeyPath
from tmcwatch.domain.advising import heads_fit, heads_of, least_for_heads
from tmcwatch.domain.budget import Family
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.fitting import Use
from tmcwatch.domain.planning import AccountLoad, Habits, ListLoad, OpenRuns, Watching
from tmcwatch.polling.audit import EVERY as AUDIT_LOG_EVERY
from tmcwatch.polling.catching_up import ROWS_WANTED
from tmcwatch.polling.checking import (
    CHECK_EVERY,
    DAY,
    DAY_EVERY,
    SAMPLE_EVERY,
    SAMPLE_WIDTH,
    SECOND_PASS_WIDTH,
)
from tmcwatch.polling.looking import STRETCH
from tmcwatch.polling.promotions import MOST_AT_ONCE as PROMOTIONS_AT_ONCE

log = structlog.get_logger()

# As it is looked for once a minute, half of one more has come together on average.
_SECOND_PASS = (SECOND_PASS_WIDTH + CHECK_EVERY / 2).total_seconds()

HABITS = Habits(
    refresh_share=REFRESH_SHARE,
    stretch=STRETCH,
    triggers_known=TRIGGERS_KNOWN,
    details={Kind.TASK: 1, Kind.PLAN: 3},
    rows_wanted=ROWS_WANTED,
    audited=(
        (_SECOND_PASS, _SECOND_PASS),
        (SAMPLE_WIDTH.total_seconds(), SAMPLE_EVERY.total_seconds()),
        (DAY.total_seconds(), DAY_EVERY.total_seconds()),
    ),
    audit_log_every=AUDIT_LOG_EVERY.total_seconds(),
    most_promotions=PROMOTIONS_AT_ONCE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The accounts that draw on one budget, by their place in the config."""

    accounts: Mapping[int, Account]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(account.name for account in self.accounts.values())

    @property
    def share(self) -> float:
        return next(iter(self.accounts.values())).api_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What goes on in an account where TMC is not asked; what is None follows from the rest."""

    tasks: int = 200
    plans: int = 20
    runs_per_hour: float | None = None
    """Of tasks and plans. By default each runs once an hour, as far as TMC can bear it."""
    open_runs: float | None = None
    """At any time. By default a run lasts three minutes, and TMC runs no more than it can."""
    long_runs: float | None = None
    """Of these, triggered over an hour ago. By default a tenth."""
    failures_per_hour: float | None = None
    """By default one run in fifty."""
    promotions: float = 0.0

    def load(self, kinds: Sequence[Kind]) -> AccountLoad:
        """Answer with the load, dealt out evenly among tasks and plans."""
        return AccountLoad(
            tasks=self.tasks,
            plans=self.plans,
            lists=tuple(self._list(kind) for kind in kinds),
            promotions=self.promotions,
        )

    def _list(self, kind: Kind) -> ListLoad:
        subjects = self.tasks if kind is Kind.TASK else self.plans
        part = subjects / max(self.tasks + self.plans, 1)
        most = MOST_AT_ONCE / THREE_MINUTES
        runs = _given(self.runs_per_hour, min(self.tasks + self.plans, most))
        number = _given(self.open_runs, min(runs * THREE_MINUTES, MOST_AT_ONCE))
        return ListLoad(
            kind=kind,
            runs_per_hour=runs * part,
            bad_ends_per_hour=_given(self.failures_per_hour, runs / 50) * part,
            open_runs=OpenRuns(
                number=number * part, long=_given(self.long_runs, number / 10) * part
            ),
        )


THREE_MINUTES = 3 / 60
MOST_AT_ONCE = 200
"""TMC skips what would be more in one account."""


def shared_budgets(config: Config) -> tuple[Shared, ...]:
    """Answer with the budgets of a config, and who draws on each."""
    found: dict[str, dict[int, Account]] = {}
    for place, account in enumerate(config.accounts):
        found.setdefault(account.budget_name, {})[place] = account
    return tuple(Shared(accounts=accounts) for accounts in found.values())


def use_of(config: Config, shared: Shared, loads: Sequence[AccountLoad]) -> Use:
    """Answer with how the accounts of one budget, in their order, will use it."""
    watch = config.watch
    return Use(
        loads=tuple(loads),
        share=shared.share,
        watching=Watching(
            beat=watch.beat.total_seconds(),
            settle=watch.settle.floor.total_seconds(),
            names_every=watch.names.every.total_seconds(),
            history=watch.history.total_seconds(),
            audit_log=watch.promotions.audit_log,
            judges_rows=judges_rows(config),
        ),
        habits=HABITS,
    )


def impossible(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Give where and why a config asks for more than its budgets grant, whatever runs."""
    for found in _too_small(config):
        yield ("watch", "beat"), _text(*found)


def warn(config: Config) -> None:
    """Log each budget that does not suffice for reading the lists alone."""
    for shared, use in _too_small(config):
        least = least_for_heads(use)
        log.warning(
            "budget_too_small",
            accounts=list(shared.names),
            requests_per_minute=round(heads_of(use), 1),
            granted_per_minute=round(use.granted(Family.PROCESSING), 1),
            least_beat_seconds=least.beat,
            least_api_share=least.share,
        )


def _too_small(config: Config) -> list[tuple[Shared, Use]]:
    nothing = Assumed(runs_per_hour=0, open_runs=0).load(kinds_of(config))
    uses = (
        (shared, use_of(config, shared, [nothing] * len(shared.accounts)))
        for shared in shared_budgets(config)
    )
    return [(shared, use) for shared, use in uses if not heads_fit(use)]


def _text(shared: Shared, use: Use) -> str:
    least = least_for_heads(use)
    ways = [f"{least.beat:g}s or more"] if least.beat else []
    ways += [f"accounts[].api_share of {least.share:g} or more"] if least.share else []
    ways += ["fewer accounts or lists on one budget"]
    whose = ", ".join(shared.names)
    return (
        f"reading the lists of {whose} alone takes {heads_of(use):.1f} requests a minute, and "
        f"api_share grants {use.granted(Family.PROCESSING):.1f}; allowed: {', or '.join(ways)}"
    )


def _given(value: float | None, default: float) -> float:
    return default if value is None else value

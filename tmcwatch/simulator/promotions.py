"""Promotions: what moves from one environment to the next, and the lives of their executions."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, pairwise
from typing import NamedTuple

from tmcwatch.simulator.execution import FOREVER, Change, scattered
from tmcwatch.simulator.scenario import Scenario
from tmcwatch.simulator.tenant import Environment, Plan, Task, Tenant, Workspace

STARTED = "PROMOTION_STARTED"
ENDS = ("PROMOTED", "PROMOTION_WARNING", "PROMOTION_FAILED", "ANALIZED")
GENERIC_ERROR = "target engine not found"
# Environments are promoted towards production, whatever the order they are listed in.
RANKS = {"DEV": 0, "TEST": 1, "PROD": 9}
MIDDLE = 5


class Promotion(NamedTuple):
    """A definition: everything of its source environment goes to its target environment."""

    id: str
    name: str
    source: Environment
    target: Environment
    workspaces: tuple[Workspace, ...]
    tasks: tuple[Task, ...]
    plans: tuple[Plan, ...]


class PromotionRun(NamedTuple):
    """One execution of a promotion; times are epoch milliseconds, `triggered` is its start."""

    number: int
    promotion: Promotion
    triggered: int
    finished: int
    end: str
    defective: bool = False
    broken: frozenset[str] = frozenset()
    """Names of the tasks and plans that were not promoted."""
    error: str | None = None
    own_id: str | None = None

    @property
    def execution_id(self) -> str:
        number = self.number
        return self.own_id or f"{scattered(number):08x}-0000-4000-a000-{number:012x}"

    @property
    def kind(self) -> str:
        return "promotion"

    @property
    def name(self) -> str:
        return self.promotion.name

    @property
    def subject_id(self) -> str:
        return self.promotion.id

    @property
    def reason(self) -> None:
        return None

    def status(self, at: int) -> str:
        return self.end if at >= self.finished else STARTED

    def changes(self) -> list[Change]:
        """Return every change of state: when, and twice its status, for there is no finer one."""
        moments = sorted({self.triggered, self.finished} - {FOREVER})
        return [
            Change(moment, self.status(moment), self.status(moment), None) for moment in moments
        ]


class Promotions:
    """The promotions of a tenant and their executions, which nobody can list."""

    def __init__(self, scenario: Scenario, tenant: Tenant, *, first_number: int) -> None:
        self.definitions = tuple(_definitions(scenario, tenant))
        self.runs: list[PromotionRun] = []
        self._numbers = count(first_number)

    def definition(self, wanted: str) -> Promotion | None:
        """Find a promotion by id or by name."""
        return next((each for each in self.definitions if wanted in {each.id, each.name}), None)

    def run(self, execution_id: str, *, now: int) -> PromotionRun | None:
        """Find an execution that has begun."""
        return next((run for run in self.begun(now) if run.execution_id == execution_id), None)

    def begun(self, now: int) -> Iterator[PromotionRun]:
        return (run for run in self.runs if run.triggered <= now)

    def alive_since(self, earliest: int) -> Iterator[PromotionRun]:
        return (run for run in self.runs if run.finished >= earliest)

    def forget(self, before: int) -> None:
        self.runs = [run for run in self.runs if run.finished >= before]

    def start(  # noqa: PLR0913 - every detail of a run may be scripted, all by name
        self,
        promotion: Promotion,
        *,
        at: int,
        lasts: int,
        ends: str,
        error: str | None,
        broken: Sequence[str],
        defective: bool,
        execution_id: str | None,
    ) -> PromotionRun:
        if ends not in {*ENDS, STARTED}:
            raise ValueError(f"{ends!r} is no status of promotions")
        went_wrong = ends in {"PROMOTION_WARNING", "PROMOTION_FAILED"}
        run = PromotionRun(
            number=next(self._numbers),
            promotion=promotion,
            triggered=at,
            finished=FOREVER if ends == STARTED else at + lasts,
            end=ends,
            defective=defective,
            broken=_broken(promotion, broken) if went_wrong or broken else frozenset(),
            error=error or (GENERIC_ERROR if went_wrong else None),
            own_id=execution_id,
        )
        self.runs.append(run)
        return run


def _broken(promotion: Promotion, names: Sequence[str]) -> frozenset[str]:
    """Check the names of what breaks; where none is given it is the first thing promoted."""
    known = [task.name for task in promotion.tasks] + [plan.name for plan in promotion.plans]
    strangers = set(names) - set(known)
    if strangers:
        raise ValueError(f"{promotion.name!r} promotes no {min(strangers)!r}")
    return frozenset(names or known[:1])


def _definitions(scenario: Scenario, tenant: Tenant) -> Iterator[Promotion]:
    ranked = sorted(tenant.environments, key=lambda each: RANKS.get(each.name, MIDDLE))
    for n, (source, target) in enumerate(pairwise(ranked)):
        yield Promotion(
            id=f"66b0{scenario.seed & 0xFFFF:04x}{6:04x}{n:012x}",
            name=f"{source.name} to {target.name}",
            source=source,
            target=target,
            workspaces=tuple(_in(source, tenant.workspaces)),
            tasks=tuple(each for each in tenant.tasks if each.workspace.environment == source),
            plans=tuple(each for each in tenant.plans if each.workspace.environment == source),
        )


def _in(environment: Environment, workspaces: Iterable[Workspace]) -> Iterator[Workspace]:
    return (each for each in workspaces if each.environment == environment)

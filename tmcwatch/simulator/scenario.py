"""What a simulated tenant is like: how much runs, how long, how it ends, and what is staged."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long runs last: log-normal within bounds, and a share of long ones beyond an hour."""

    median: timedelta = timedelta(seconds=90)
    sigma: float = 1.2
    minimum: timedelta = timedelta(milliseconds=200)
    maximum: timedelta = timedelta(hours=12)
    long_share: float = 0.0
    dispatch: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """The shares of runs that do not end well; the rest succeed."""

    failed: float = 0.02
    rejected: float = 0.005
    deploy_failed: float = 0.002
    terminated: float = 0.004
    timed_out: float = 0.002
    shut_down: float = 0.001
    misfired: float = 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShape:
    """How many tasks each step runs side by side, and whether steps have an error handler."""

    steps: tuple[int, ...] = (1, 2, 1)
    handlers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedTaskRun:
    """A task run that the script makes happen `after` the start."""

    after: timedelta
    task: str
    lasts: timedelta = timedelta(seconds=3)
    ends: str = "EXECUTION_SUCCESS"
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedPlanRun:
    """A plan run that the script makes happen `after` the start."""

    after: timedelta
    plan: str
    fails_at_step: int | None = None
    step_lasts: timedelta = timedelta(seconds=3)
    error: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A stretch that begins `after` the start and has so many `times` the usual traffic."""

    after: timedelta
    lasts: timedelta
    times: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A tenant as a value. Equal scenarios make equal worlds, run by run.

    A name in `task_names` or `plan_names` may be placed: "environment/workspace/name". Tasks and
    plans beyond the given names are made up and dealt out evenly. `executions_per_day` counts the
    task executions of plans too. What the script names is left out of the background traffic.
    `bursts` come one after the other, and do not overlap.
    """

    name: str
    seed: int = 1
    environments: tuple[str, ...] = ("PROD",)
    workspaces: tuple[str, ...] = ("finance",)
    tasks: int = 20
    task_names: tuple[str, ...] = ()
    plans: int = 3
    plan_names: tuple[str, ...] = ()
    plan_shapes: tuple[PlanShape, ...] = (PlanShape(),)
    executions_per_day: float = 1000.0
    plan_runs_per_day: float = 20.0
    at_once: int | None = None
    """How many task runs may run at once: others wait, except those of plans."""
    durations: Durations = field(default_factory=Durations)
    endings: Endings = field(default_factory=Endings)
    late_share: float = 0.0
    late_by: timedelta = timedelta(seconds=3)
    history: timedelta = timedelta(days=10)
    keeps: timedelta = timedelta(days=11)
    script: tuple[StagedTaskRun | StagedPlanRun, ...] = ()
    script_every: timedelta | None = None
    bursts: tuple[Burst, ...] = ()


def small() -> Scenario:
    """Return twenty tasks and three plans, at most 2,000 executions a day."""
    return Scenario(
        name="small",
        environments=("PROD", "TEST"),
        workspaces=("finance", "sales"),
        executions_per_day=1500,
        plan_runs_per_day=60,
        late_share=0.01,
        history=timedelta(days=1),
    )


def tenant_a() -> Scenario:
    """Return a large tenant: 1,000 tasks, 100 plans, 24,000 executions a day, ten days of them."""
    return Scenario(
        name="tenant-a",
        environments=("DEV", "TEST", "PROD"),
        workspaces=("finance", "sales", "logistics", "crm", "reporting"),
        tasks=1000,
        plans=100,
        plan_shapes=(
            PlanShape(),
            PlanShape(steps=(1, 1), handlers=False),
            PlanShape(steps=(2, 3)),
        ),
        executions_per_day=24_000,
        plan_runs_per_day=1000,
        durations=Durations(long_share=0.01),
        late_share=0.01,
    )


def tenant_b() -> Scenario:
    """Return a very large tenant: 30,000 tasks, and 200,000 executions of 80 s on average a day.

    That is 185 at any time, of the 200 that TMC allows at once: at busy times some wait. The
    tasks of plans do not, so that for one moment in a thousand there are a few more than 200.
    """
    return Scenario(
        name="tenant-b",
        environments=("DEV", "TEST", "PROD"),
        workspaces=tuple(f"domain_{number:02d}" for number in range(20)),
        tasks=30_000,
        plans=1000,
        plan_shapes=(
            PlanShape(),
            PlanShape(steps=(1, 1), handlers=False),
            PlanShape(steps=(2, 3)),
        ),
        executions_per_day=200_000,
        plan_runs_per_day=5000,
        at_once=195,
        durations=Durations(
            median=timedelta(seconds=42.4),
            sigma=1.0,
            long_share=0.001,
            dispatch=timedelta(seconds=3),
        ),
        late_share=0.01,
        history=timedelta(hours=2),
        keeps=timedelta(hours=12),
    )


def busy() -> Scenario:
    """Return a fast world for real time: runs of half a second to five, about five a second."""
    return Scenario(
        name="busy",
        tasks=30,
        plans=3,
        executions_per_day=5 * 86_400,
        plan_runs_per_day=8_640,
        durations=Durations(
            median=timedelta(seconds=1.5),
            sigma=0.6,
            minimum=timedelta(seconds=0.5),
            maximum=timedelta(seconds=5),
            dispatch=timedelta(milliseconds=150),
        ),
        endings=Endings(failed=0.06, rejected=0.02, terminated=0.01, misfired=0.02),
        history=timedelta(minutes=10),
        keeps=timedelta(hours=3),
    )


def demo() -> Scenario:
    """Return a lively tenant whose script shows failures and a recovery within half a minute."""
    seconds = _seconds
    return Scenario(
        name="demo",
        environments=("PROD", "TEST"),
        workspaces=("crm", "sales", "finance"),
        tasks=len(_DEMO_TASKS),
        task_names=_DEMO_TASKS,
        plans=2,
        plan_names=("PROD/sales/nightly_sales", "PROD/finance/close_of_day"),
        plan_shapes=(PlanShape(), PlanShape(steps=(1, 1))),
        executions_per_day=14_400,
        plan_runs_per_day=1440,
        durations=Durations(
            median=seconds(6), sigma=0.5, maximum=seconds(25), dispatch=seconds(0.5)
        ),
        endings=Endings(failed=0.01, misfired=0.002),
        history=timedelta(hours=6),
        script=(
            StagedTaskRun(
                after=seconds(4),
                task="load_customers",
                ends="EXECUTION_FAILED",
                error="component tDBOutput_2: ORA-12541: TNS: no listener",
            ),
            StagedTaskRun(
                after=seconds(14),
                task="sync_contacts",
                lasts=seconds(1),
                ends="DEPLOY_FAILED",
                reason="MAX_DEPLOYMENT_ATTEMPTS_REACHED",
            ),
            StagedPlanRun(
                after=seconds(8), plan="nightly_sales", fails_at_step=2, step_lasts=seconds(4)
            ),
            StagedTaskRun(after=seconds(26), task="load_customers"),
        ),
        script_every=timedelta(minutes=5),
    )


def scenarios() -> dict[str, Scenario]:
    """Return what can be asked for by name."""
    return {value.name: value for value in (small(), tenant_a(), tenant_b(), busy(), demo())}


def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


_DEMO_TASKS = (
    "PROD/crm/load_customers",
    "PROD/crm/sync_contacts",
    "PROD/crm/score_leads",
    "PROD/sales/extract_orders",
    "PROD/sales/load_orders",
    "PROD/sales/refresh_prices",
    "PROD/sales/publish_sales",
    "PROD/finance/post_invoices",
    "PROD/finance/match_payments",
    "TEST/crm/try_customers",
    "TEST/sales/try_orders",
    "TEST/finance/try_invoices",
)

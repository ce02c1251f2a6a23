"""What a tenant owns: environments, workspaces, tasks and plans, made from a scenario."""

import random
from dataclasses import dataclass

from tmcwatch.simulator.scenario import PlanShape, Scenario

VERBS = ("load", "extract", "sync", "clean", "publish", "check", "merge", "archive")
NOUNS = ("orders", "invoices", "stock", "prices", "customers", "ledger", "shipments", "leads")
TAGS = ("critical", "nightly", "gdpr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    id: str
    name: str
    default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    id: str
    name: str
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    id: str
    name: str
    workspace: Workspace
    artifact_id: str
    engine_id: str
    tags: tuple[str, ...]
    timeout: int
    version: str = "1.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    id: str
    name: str
    tasks: tuple[Task, ...]
    handler: "Step | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    id: str
    name: str
    workspace: Workspace
    steps: tuple[Step, ...]

    @property
    def planned(self) -> int:
        return sum(len(step.tasks) for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    account_id: str
    environments: tuple[Environment, ...]
    workspaces: tuple[Workspace, ...]
    tasks: tuple[Task, ...]
    plans: tuple[Plan, ...]

    def task(self, wanted: str) -> Task | None:
        """Find a task by id or by name."""
        return next((task for task in self.tasks if wanted in {task.id, task.name}), None)

    def plan(self, wanted: str) -> Plan | None:
        """Find a plan by id or by name."""
        return next((plan for plan in self.plans if wanted in {plan.id, plan.name}), None)

    def workspace(self, wanted: str) -> Workspace | None:
        """Find a workspace by id, or the first one of that name."""
        return next((each for each in self.workspaces if wanted in {each.id, each.name}), None)


def tenant_of(scenario: Scenario) -> Tenant:
    dice = random.Random(f"{scenario.seed}/tenant")
    environments = tuple(
        Environment(id=_hex_id(scenario, 1, n), name=name, default=n == 0)
        for n, name in enumerate(scenario.environments)
    )
    places = [(environment, name) for environment in environments for name in scenario.workspaces]
    workspaces = tuple(
        Workspace(id=_hex_id(scenario, 2, n), name=name, environment=environment)
        for n, (environment, name) in enumerate(places)
    )
    tasks = tuple(_task(scenario, n, workspaces, dice) for n in range(scenario.tasks))
    tasks_of: dict[str, list[Task]] = {}
    for task in tasks:
        tasks_of.setdefault(task.workspace.id, []).append(task)
    plans = tuple(_plan(scenario, n, tasks_of, dice) for n in range(scenario.plans))
    account = f"{scenario.seed:08x}-0000-4000-8000-000000900000"
    return Tenant(
        account_id=account,
        environments=environments,
        workspaces=workspaces,
        tasks=tasks,
        plans=plans,
    )


def _task(
    scenario: Scenario, n: int, workspaces: tuple[Workspace, ...], dice: random.Random
) -> Task:
    made_up = f"{VERBS[n % 8]}_{NOUNS[n // 8 % 8]}_{n:04d}"
    given = scenario.task_names[n] if n < len(scenario.task_names) else made_up
    name, workspace = _placed(given, workspaces, n)
    return Task(
        id=_hex_id(scenario, 3, n),
        name=name,
        workspace=workspace,
        artifact_id=_hex_id(scenario, 4, n),
        engine_id=_hex_id(scenario, 5, n % 7),
        tags=tuple(tag for tag in TAGS if dice.random() < 0.3),  # noqa: PLR2004
        timeout=dice.choice((30, 60, 240)),
    )


def _plan(
    scenario: Scenario, n: int, tasks_of: dict[str, list[Task]], dice: random.Random
) -> Plan:
    given = scenario.plan_names[n] if n < len(scenario.plan_names) else f"plan_{n:03d}"
    # A plan lives where tasks live: an empty workspace would leave it nothing to run.
    homes = tuple(tasks[0].workspace for tasks in tasks_of.values())
    name, workspace = _placed(given, homes, n)
    own = tasks_of[workspace.id]
    shape = scenario.plan_shapes[n % len(scenario.plan_shapes)]
    steps = tuple(
        _step(scenario, n, position, own, shape=shape, dice=dice)
        for position in range(len(shape.steps))
    )
    return Plan(
        id=f"{scenario.seed:08x}-0000-4000-8000-{n:012x}",
        name=name,
        workspace=workspace,
        steps=steps,
    )


def _step(
    scenario: Scenario,
    plan: int,
    position: int,
    own: list[Task],
    *,
    shape: PlanShape,
    dice: random.Random,
) -> Step:
    ids = f"{scenario.seed:08x}-{position:04x}-4000-{{}}-{plan:012x}"
    count = min(shape.steps[position], len(own))
    handler = Step(
        id=ids.format("b000"), name=f"on failure of step {position + 1}", tasks=(dice.choice(own),)
    )
    return Step(
        id=ids.format("a000"),
        name=f"step {position + 1}",
        tasks=tuple(dice.sample(own, count)),
        handler=handler if shape.handlers else None,
    )


def _placed(given: str, workspaces: tuple[Workspace, ...], n: int) -> tuple[str, Workspace]:
    if "/" not in given:
        return given, workspaces[n % len(workspaces)]
    environment, workspace, name = given.split("/")
    for each in workspaces:
        if (each.environment.name, each.name) == (environment, workspace):
            return name, each
    raise ValueError(f"{given!r}: the scenario has no such environment and workspace")


def _hex_id(scenario: Scenario, kind: int, n: int) -> str:
    return f"66b0{scenario.seed & 0xFFFF:04x}{kind:04x}{n:012x}"

"""A TMC to try against: a simulated tenant on loopback that knows only TMC's contract.

Make a `Simulator` from a scenario, then either talk to `api_app(simulator)` and
`control_app(simulator)` as ASGI applications, or serve both on sockets with `served`.
"""

from tmcwatch.simulator.control import control_app
from tmcwatch.simulator.faults import BadOption, Fault, Faults, UnknownFault
from tmcwatch.simulator.front import api_app
from tmcwatch.simulator.queries import OLD_DIALECT, Dialect
from tmcwatch.simulator.scenario import (
    Burst,
    Durations,
    Endings,
    PlanShape,
    Scenario,
    StagedPlanRun,
    StagedTaskRun,
    busy,
    demo,
    scenarios,
    small,
    tenant_a,
    tenant_b,
)
from tmcwatch.simulator.serving import Addresses, served
from tmcwatch.simulator.simulator import Reading, Simulator
from tmcwatch.simulator.tenant import Environment, Plan, Task, Tenant, Workspace
from tmcwatch.simulator.world import UnknownSubject, World

__all__ = [
    "OLD_DIALECT",
    "Addresses",
    "BadOption",
    "Burst",
    "Dialect",
    "Durations",
    "Endings",
    "Environment",
    "Fault",
    "Faults",
    "Plan",
    "PlanShape",
    "Reading",
    "Scenario",
    "Simulator",
    "StagedPlanRun",
    "StagedTaskRun",
    "Task",
    "Tenant",
    "UnknownFault",
    "UnknownSubject",
    "Workspace",
    "World",
    "api_app",
    "busy",
    "control_app",
    "demo",
    "scenarios",
    "served",
    "small",
    "tenant_a",
    "tenant_b",
]

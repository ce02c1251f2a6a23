"""The situations in which the monitors are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tmcwatch.simulator import Burst, Scenario

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What happens once all monitors have settled, and how long what happens is measured.

    The trouble begins with the measuring and lasts as long as it says: `bursts` times the usual
    traffic, or faults of TMC. What began and ended within `measured` counts; it may be found out
    until `settled` later, and is missed if it is not known by then.
    """

    name: str
    settles: timedelta = 3.5 * MINUTE
    measured: timedelta
    found_within: timedelta = 4 * MINUTE
    trouble: timedelta = timedelta(0)
    bursts: float = 1.0
    faults: Mapping[str, Mapping[str, str | float]] = field(default_factory=dict)

    def on(self, scenario: Scenario) -> Scenario:
        """Answer with the scenario as this situation has it."""
        if self.bursts == 1.0:
            return scenario
        burst = Burst(after=self.settles, lasts=self.trouble, times=self.bursts)
        return replace(scenario, bursts=(burst,))


SITUATIONS = (
    Situation(name="steady", measured=10 * MINUTE),
    Situation(name="burst, 20 times", measured=10 * MINUTE, trouble=3 * MINUTE, bursts=20.0),
    Situation(
        name="storm of 429, every second request",
        measured=25 * MINUTE,
        found_within=12 * MINUTE,
        trouble=20 * MINUTE,
        faults={"throttle": {"share": 0.5}},
    ),
    Situation(
        name="outage, 503 or no answer at all",
        measured=35 * MINUTE,
        trouble=30 * MINUTE,
        faults={"reset": {"share": 0.5}, "error": {"status": 503}},
    ),
)

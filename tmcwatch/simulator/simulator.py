"""The simulator: a world under a simulated clock, its faults and its journal."""

from collections.abc import Callable
from datetime import datetime

from tmcwatch.simulator.faults import Faults
from tmcwatch.simulator.index import Reading
from tmcwatch.simulator.journal import Journal
from tmcwatch.simulator.queries import Dialect
from tmcwatch.simulator.scenario import Scenario
from tmcwatch.simulator.tokens import ServiceAccount, Tokens
from tmcwatch.simulator.view import View
from tmcwatch.simulator.world import World, milliseconds

__all__ = ["Reading", "Simulator"]


class Simulator:
    """A TMC whose time starts when it is made and runs `speed` times as fast as `now`.

    `window` is how `from` and `to` are read: as documented (overlap with the run), as reported
    from the field (the trigger time alone), or by start and finish alone, so that what has not
    started is in no window. Where there is no real connection to drop,
    `connection_lost` makes the exception that is raised in its place.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        now: Callable[[], datetime],
        window: Reading = "overlap",
        token: str = "demo",  # noqa: S107 - opens nothing but the simulator
        speed: float = 1.0,
        dialect: Dialect | None = None,
        connection_lost: Callable[[str], Exception] = ConnectionResetError,
    ) -> None:
        self.scenario = scenario
        self.window: Reading = window
        self.token = token
        self.service_account = ServiceAccount()
        self.tokens = Tokens(token, self.service_account, seed=scenario.seed)
        self.dialect = dialect or Dialect()
        self.connection_lost = connection_lost
        self.faults = Faults(scenario.seed)
        self.journal = Journal()
        self.start = now()
        self._now = now
        self._speed = speed
        self._world = World(scenario, start=self.start)

    @property
    def world(self) -> World:
        """The world as it is now."""
        self._world.advance(self.time())
        return self._world

    def time(self) -> datetime:
        """Return the simulated time, as it truly is; `clock_skew` shifts only what TMC shows."""
        return self.start + (self._now() - self.start) * self._speed

    def view(self, path: str, *, skew: int = 0) -> View:
        """Look at the world through the faults that take hold of a request."""
        world = self.world
        late = self.faults.strike("late", path)
        unknown = self.faults.strike("unknown_status", path)
        return View(
            now=milliseconds(world.now),
            skew=skew,
            late_by=int(late.number("seconds") * 1000) if late else 0,
            late_share=late.share if late else 0.0,
            lost=self._lost(path, world),
            hidden=world.hidden(),
            unseen=world.unseen(),
            unknown_share=unknown.share if unknown else 0.0,
            unknown_status=unknown.text("status") if unknown else "",
            unknown_state=unknown.text("execution_status") if unknown else "",
            errors_in_lists=self.dialect.errors_in_lists,
        )

    def _lost(self, path: str, world: World) -> frozenset[str]:
        fault = self.faults.strike("lost_workspace", path)
        if fault is None:
            return frozenset()
        wanted = fault.text("workspace") or world.tenant.workspaces[0].id
        return frozenset(
            each.id for each in world.tenant.workspaces if wanted in {each.id, each.name}
        )

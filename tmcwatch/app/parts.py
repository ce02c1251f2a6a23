"""The parts of the daemon that outlive a reload."""

from dataclasses import dataclass, field

from tmcwatch.api.budget import Budget
from tmcwatch.app.beats import Beats
from tmcwatch.store.engine import Store, StoreDamagedError
from tmcwatch.supervisor import Bell
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What outlives a reload."""

    store: Store
    metrics: Metrics
    health: Health
    beats: Beats
    budgets: dict[str, Budget] = field(default_factory=dict)
    """By name; those of the accounts that are watched."""
    changed: Bell = field(default_factory=Bell)
    """Wakes whoever decides."""
    owed: Bell = field(default_factory=Bell)
    """Wakes whoever delivers."""


def store_fails(health: Health, error: Exception) -> None:
    """Show that the store fails: a full disk until it works again, damage until a restart."""
    health.store_fails(str(error), heals=not isinstance(error, StoreDamagedError))

"""What the demo shows at one moment, and what it sums up at the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tmcwatch.cli.demonstration.inbox import Told
from tmcwatch.domain.execution import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things answer while the demo runs."""

    metrics: str
    simulator: str
    control: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One transition, with the name a person knows it by."""

    at: datetime
    kind: str
    name: str
    place: str
    phase: Phase
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRead:
    """How far a list of an account was read."""

    account: str
    kind: str
    watermark_age: timedelta
    open: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    executions: int = 0
    """Seen, those of the history included."""
    transitions: int = 0
    opened: int = 0
    ended: int = 0
    told: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    elapsed: timedelta
    lists: tuple[ListRead, ...] = ()
    requests_per_second: float = 0.0
    """In the last seconds."""
    allowed_per_second: float = 0.0
    not_fresh: tuple[str, ...] = ()
    fresh_happenings: tuple[Happening, ...] = ()
    """Since the scene before, oldest first."""
    happenings: tuple[Happening, ...] = ()
    """The latest, oldest first."""
    told: tuple[Told, ...] = ()
    """The latest, oldest first."""
    totals: Totals = Totals()


def summary(scene: Scene) -> tuple[str, str]:
    """Say what the demo did, in lines that fit a narrow terminal."""
    totals, seconds = scene.totals, scene.elapsed.total_seconds()
    seen = f"{totals.executions} executions seen, {totals.transitions} transitions"
    alerts = f"{totals.opened} alerts opened, {totals.ended} ended"
    made = f"{totals.told} messages told, {totals.requests} requests made"
    return f"The demo ran for {seconds:.0f} s: {seen},", f"{alerts}, {made}."

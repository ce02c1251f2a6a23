"""A walk down the routing tree: which routes take an alert, and why the others do not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tmcwatch.domain.matcher import Matcher
from tmcwatch.domain.routing import Route

Path = tuple[int, ...]
"""Where a route stands: the place of each branch on the way to it; the root is `()`."""


class Outcome(StrEnum):
    TAKES = "takes"
    """The alert is told here."""
    TOLD_ALREADY = "told_already"
    """It would take it, but a route before it tells the same receiver."""
    PASSES_ON = "passes_on"
    """It matches, and a branch of it takes the alert."""
    DIFFERS = "differs"
    """A matcher does not hold."""
    NOT_ASKED = "not_asked"
    """A branch before it has taken the alert, and does not `continue`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What became of the alert at one route."""

    path: Path
    route: Route
    outcome: Outcome
    failing: tuple[Matcher, ...] = ()
    """The matchers that do not hold, where it differs."""
    taken_by: Path | None = None
    """The route before it that keeps it from being asked, or from telling."""


def walked(root: Route, labels: Mapping[str, str]) -> tuple[Step, ...]:
    """Answer with a step for each route that the walk comes to, in the order of the tree.

    Below a route that differs or is not asked nothing is looked at.
    """
    told: dict[str, Path] = {}
    return tuple(_once(step, told) for step in _walked(root, labels, ()))


def _once(step: Step, told: dict[str, Path]) -> Step:
    """Let each receiver be told by the first of its routes."""
    if step.outcome is not Outcome.TAKES:
        return step
    first = told.setdefault(step.route.receiver, step.path)
    if first == step.path:
        return step
    return replace(step, outcome=Outcome.TOLD_ALREADY, taken_by=first)


def _walked(route: Route, labels: Mapping[str, str], path: Path) -> Iterator[Step]:
    below: list[Step] = []
    taken_by: Path | None = None
    is_taken = False
    for place, child in enumerate(route.routes):
        here = (*path, place)
        failing = tuple(one for one in child.matchers if not one.matches(labels))
        if taken_by is not None:
            step = Step(path=here, route=child, outcome=Outcome.NOT_ASKED, taken_by=taken_by)
            below.append(step)
        elif failing:
            step = Step(path=here, route=child, outcome=Outcome.DIFFERS, failing=failing)
            below.append(step)
        else:
            below += _walked(child, labels, here)
            is_taken = True
            taken_by = None if child.goes_on else here
    outcome = Outcome.PASSES_ON if is_taken else Outcome.TAKES
    yield Step(path=path, route=route, outcome=outcome)
    yield from below

"""Falling back: that a receiver fails is told to another one."""

from collections.abc import Sequence
from dataclasses import replace

from tmcwatch.domain.matcher import Matcher, Operator
from tmcwatch.domain.parking import FAILING
from tmcwatch.domain.routing import Route


def stand_in(failing: str, preferred: Sequence[str]) -> str | None:
    """Answer with the first of the preferred receivers that is another one, None without any."""
    return next((one for one in preferred if one != failing), None)


def with_fallback(root: Route, *, fallback: str | None, receivers: Sequence[str]) -> Route:
    """Answer with a tree in which no receiver is told by itself that it fails.

    What would go to it goes to the fall-back receiver, or where that is none or the same, to that
    of the root, else to any other. Branches of the tree say so, so that groups, and whoever asks
    about routes, see what happens.
    """
    first = () if fallback is None else (fallback,)
    return _with_branches(root, (*first, root.receiver, *receivers))


def _with_branches(route: Route, preferred: Sequence[str]) -> Route:
    branches = tuple(_with_branches(branch, preferred) for branch in route.routes)
    other = stand_in(route.receiver, preferred)
    if other is None:
        return replace(route, routes=branches)
    instead = replace(
        route,
        receiver=other,
        matchers=(_is("rule", FAILING), _is("name", route.receiver)),
        goes_on=False,
        stands_in=True,
        routes=(),
    )
    # After the others: whom a branch tells, the route itself would not tell.
    return replace(route, routes=(*branches, instead))


def _is(label: str, value: str) -> Matcher:
    return Matcher(label=label, operator=Operator.EQUAL, value=value)

"""Routing: which receivers an alert goes to and how its messages are grouped (Alertmanager)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tmcwatch.domain.matcher import Matcher, all_match


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A node of the tree, with every setting already inherited from its parent."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False
    """Alertmanager's `continue`: later siblings are asked too."""
    group_by: tuple[str, ...] = ("account", "environment", "rule")
    group_wait: timedelta = timedelta(seconds=30)
    group_interval: timedelta = timedelta(minutes=5)
    repeat_interval: timedelta | None = None
    """None to repeat by the nature of each rule."""
    muted_in: tuple[str, ...] = ()
    """Time intervals in which nothing is told here."""
    active_in: tuple[str, ...] = ()
    """Time intervals outside of which nothing is told here; without any, it always is."""
    routes: tuple["Route", ...] = ()
    stands_in: bool = False
    """Whether it tells instead of a receiver that fails: only whom no other route tells."""


def routes_for(root: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """Answer with the deepest matching routes, in tree order; the root always matches."""
    found = tuple(_matching(root, labels))
    told = {route.receiver for route in found if not route.stands_in}
    kept = []
    for route in found:
        if route.stands_in and route.receiver in told:
            continue
        told.add(route.receiver)
        kept.append(route)
    return tuple(kept)


def _matching(route: Route, labels: Mapping[str, str]) -> Iterator[Route]:
    found = False
    for child in route.routes:
        if all_match(child.matchers, labels):
            found = True
            yield from _matching(child, labels)
            if not child.goes_on:
                break
    if not found:
        yield route


def every_route(root: Route) -> Iterator[Route]:
    """Give all routes of the tree, parents first."""
    yield root
    for child in root.routes:
        yield from every_route(child)


def group_labels(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """Answer with the labels that alerts of one group share; `...` groups by all of them."""
    if route.group_by == ("...",):
        return dict(labels)
    return {name: labels.get(name, "") for name in route.group_by}

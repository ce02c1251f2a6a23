"""What the config says about alerts, in the domain's words."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from tmcwatch.domain.episode import Ownership
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.grouping import Group
from tmcwatch.domain.inhibition import Inhibition, topology
from tmcwatch.domain.maintenance import Maintenance
from tmcwatch.domain.muting import Intervals
from tmcwatch.domain.routing import Route, every_route, group_labels
from tmcwatch.domain.rule import Rule
from tmcwatch.domain.scope import Scope
from tmcwatch.domain.storm import StormLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who is told: each target gets the message, and is retried, on its own."""

    targets: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    """Those that are owed no messages, but shown what fires."""
    send_resolved: bool = True
    storm: StormLimit | None = None
    """None to tell everything, however much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLinks:
    """How runs of an account are linked; an empty template makes no links."""

    template: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutes:
    """What the config says may mute alerts."""

    intervals: Intervals = field(default_factory=dict)
    inhibitions: tuple[Inhibition, ...] = topology()
    maintenance: tuple[Maintenance, ...] = ()
    silence_reminder: timedelta = timedelta(hours=1)
    """How long before its end someone is reminded of a silence; zero for not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    rules: tuple[Rule, ...]
    ownership: tuple[Ownership, ...] = ()
    root: Route
    receivers: Mapping[str, Receiver]
    accounts: Mapping[AccountName, AccountLinks]
    kinds: frozenset[Kind] = frozenset(Kind)
    """What is watched of each account."""
    scopes: Mapping[AccountName, Scope] = field(default_factory=dict)
    """Of the accounts that are not watched as a whole."""
    expiries: Mapping[AccountName, date] = field(default_factory=dict)
    """The days on which tokens expire, where the config names them."""
    external_url: str = ""
    mutes: Mutes = Mutes()

    @property
    def targets(self) -> frozenset[str]:
        """Every way of telling every receiver that is owed messages, as in the outbox."""
        return frozenset(name for one in self.receivers.values() for name in one.targets)

    @property
    def ways(self) -> frozenset[str]:
        """Every way of telling every receiver, mirrors included."""
        return self.targets | {name for one in self.receivers.values() for name in one.mirrors}


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """Answer with the key of the group that an alert with `labels` is in on `route`."""
    matchers = [str(matcher) for matcher in route.matchers]
    shared = sorted(group_labels(route, labels).items())
    return json.dumps([route.receiver, matchers, shared], ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The routes of a tree, found by the groups that are theirs."""

    by_place: Mapping[str, Sequence[Route]]

    def route_of(self, group: Group) -> Route | None:
        """Answer with the route of today's tree that this group belongs to."""
        routes = self.by_place.get(_place_in(group.key), ())
        return next((r for r in routes if group_key(r, group.labels) == group.key), None)

    def interval_of(self, receiver: str) -> timedelta:
        """Answer with the longest time that a receiver's groups wait between two messages."""
        routes = (route for those in self.by_place.values() for route in those)
        intervals = (route.group_interval for route in routes if route.receiver == receiver)
        return max(intervals, default=timedelta())


def routes_of(root: Route) -> Routes:
    by_place: defaultdict[str, list[Route]] = defaultdict(list)
    for route in every_route(root):
        by_place[_place_in(group_key(route, {}))].append(route)
    return Routes(by_place=by_place)


def _place_in(key: str) -> str:
    """Answer with the part of a group's key that all groups of a route have in common."""
    receiver, matchers, _ = json.loads(key)
    return json.dumps([receiver, matchers])

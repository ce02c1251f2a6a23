"""What the config says about alerts, in the domain's words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from tmcwatch.domain.episode import Ownership
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.routing import Route, group_labels
from tmcwatch.domain.rule import Rule
from tmcwatch.domain.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who is told: each target gets the message, and is retried, on its own."""

    targets: tuple[str, ...]
    send_resolved: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLinks:
    """How runs of an account are linked; an empty template makes no links."""

    template: str = ""
    region: str = ""


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

    @property
    def targets(self) -> frozenset[str]:
        """Every way of telling every receiver, as in the outbox."""
        return frozenset(name for one in self.receivers.values() for name in one.targets)


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """Answer with the key of the group that an alert with `labels` is in on `route`."""
    matchers = [str(matcher) for matcher in route.matchers]
    shared = sorted(group_labels(route, labels).items())
    return json.dumps([route.receiver, matchers, shared], ensure_ascii=False)

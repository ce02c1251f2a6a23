"""Timelines of alerts, each with its routes, told to Alertmanager and to us in the same words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

TEAM = {
    "receiver": "team",
    "group_by": ["env"],
    "group_wait": "1s",
    "group_interval": "2s",
    "repeat_interval": "1h",
}
"""Times are chosen so that steps happen a good half second from any moment that one looks."""
SETTLES_WITHIN = 4.0
"""Seconds after the last step, in which everything is told."""
_STEP = re.compile(r"(?P<at>[\d.]+)s? (?P<verb>\w+) (?P<what>\S+)(?P<rest>.*)")


class Verb(StrEnum):
    FAILS = "fails"
    RECOVERS = "recovers"
    RISES = "rises"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    at: float
    verb: Verb
    what: str
    """The name of an alert, or the matcher of a silence."""
    labels: Mapping[str, str] = field(default_factory=dict)
    until: float = 0.0
    """Of a silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What happens when, and who is to be told."""

    name: str
    steps: tuple[Step, ...]
    route: Mapping[str, Any]
    deaf_to_ends: frozenset[str] = frozenset()
    """Receivers with `send_resolved: false`."""
    muting: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of the config: `inhibit_rules` and `time_intervals`."""

    @property
    def receivers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_receivers(self.route)))

    @property
    def until(self) -> float:
        return max(max(step.at, step.until) for step in self.steps) + SETTLES_WITHIN


def _receivers(route: Mapping[str, Any]) -> list[str]:
    below = [name for child in route.get("routes", ()) for name in _receivers(child)]
    return ([route["receiver"]] if "receiver" in route else []) + below


def step(line: str) -> Step:
    """Read `0.5s fails a env=prod severity=info`, `2s recovers a`, `2s silence name="a" 4s`."""
    found = _STEP.fullmatch(line.strip())
    assert found, line
    verb, words = Verb(found["verb"]), found["rest"].split()
    until = float(words.pop().removesuffix("s")) if verb is Verb.SILENCE else 0.0
    labels = dict(word.split("=", 1) for word in words)
    return Step(at=float(found["at"]), verb=verb, what=found["what"], labels=labels, until=until)


def timeline(name: str, steps: str, *, deaf: str = "", muting: Any = None, **route: Any):
    """Make a timeline from lines, and from what its route has beyond that of the team."""
    return Timeline(
        name=name,
        steps=tuple(step(line) for line in steps.strip().splitlines()),
        route=TEAM | route,
        deaf_to_ends=frozenset(deaf.split()),
        muting=muting or {},
    )


def child(receiver: str | None, *matchers: str, **changes: Any) -> dict[str, Any]:
    named = {"receiver": receiver} if receiver else {}
    return named | {"matchers": list(matchers)} | changes


EXPLAINED = {
    "inhibit_rules": [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity="warning"'],
            "equal": ["env"],
        }
    ]
}
DAY = {"start_time": "00:00", "end_time": "24:00"}
CALENDAR = {
    "time_intervals": [
        {"name": "always", "intervals": [{"times": [DAY]}]},
        {"name": "long ago", "intervals": [{"years": ["1999"]}]},
    ]
}
TIMELINES = (
    timeline("batching", "0s fails a\n0.3s fails b"),
    timeline("merging", "0s fails a\n1.9s fails b\n2.1s fails c"),
    timeline("two groups", "0s fails a env=prod\n0s fails b env=test\n2s fails c env=test"),
    timeline("resolved", "0s fails a\n2s recovers a"),
    timeline("one of two resolved", "0s fails a\n0s fails b\n2s recovers b"),
    timeline("resolved before it was told", "0s fails a\n0.3s recovers a"),
    timeline(
        "resolved before it was told, in a group that was",
        "0s fails a\n1.8s fails b\n2.2s recovers b",
    ),
    timeline(
        "repeated", "0s fails a\n0s fails b\n6s recovers a\n6s recovers b", repeat_interval="3s"
    ),
    timeline("fails again", "0s fails a\n2s recovers a\n6s fails a"),
    timeline("fails again before its end was told", "0s fails a\n1.8s recovers a\n2.2s fails a"),
    timeline("quiet for longer than the interval", "0s fails a\n3.7s fails b\n4.3s fails c"),
    timeline("quiet, and then on both sides of a tick", "0s fails a\n4.5s fails b\n5.4s fails c"),
    timeline(
        "continue",
        "0s fails a severity=critical\n0s fails b\n2s recovers a",
        routes=[
            child("oncall", 'severity="critical"', **{"continue": True}),
            child("audit", 'name=~"a|b"'),
        ],
    ),
    timeline(
        "without continue",
        "0s fails a severity=critical",
        routes=[child("oncall", 'severity="critical"'), child("audit", 'name="a"')],
    ),
    timeline(
        "nested routes",
        "0s fails a env=prod severity=critical\n0s fails b env=prod\n0s fails c env=test",
        routes=[child("prod", 'env="prod"', routes=[child("oncall", 'severity="critical"')])],
    ),
    timeline(
        "a child takes over and changes",
        "0s fails a\n2s fails b\n2s fails c env=test",
        routes=[child(None, 'env!="test"', group_by=["name"])],
    ),
    timeline("grouped by all labels", "0s fails a\n0s fails b\n2s recovers a", group_by=["..."]),
    timeline("grouped by nothing", "0s fails a env=prod\n0s fails b env=test", group_by=[]),
    timeline("ends are not wanted", "0s fails a\n2s recovers a\n4s fails b", deaf="team"),
    timeline(
        "a matcher for what is missing",
        "0s fails a team=core\n0s fails b",
        routes=[child("core", 'team="core"'), child("nobody", 'team=""')],
    ),
    timeline(
        "two routes to one receiver",
        "0s fails a",
        routes=[
            child("team", 'name="a"', group_by=["name"], **{"continue": True}),
            child("team", 'env="prod"'),
        ],
    ),
    timeline("severity rises", "0s fails a\n2s rises a severity=critical\n4s recovers a"),
    timeline("inhibited", "0s fails a severity=critical\n0.3s fails b", muting=EXPLAINED),
    timeline(
        "inhibited only in the same place",
        "0s fails a severity=critical\n0.3s fails b env=test",
        muting=EXPLAINED,
    ),
    timeline(
        "the cause ends first",
        "0s fails a severity=critical\n0.3s fails b\n2s recovers a",
        muting=EXPLAINED,
    ),
    timeline(
        "cause and effect end together",
        "0s fails a severity=critical\n0.3s fails b\n2s recovers a\n2s recovers b",
        muting=EXPLAINED,
    ),
    timeline(
        "inhibited after it was told",
        "0s fails a\n2s fails b severity=critical\n4s recovers a\n6s recovers b",
        muting=EXPLAINED,
    ),
    timeline("silenced until it expires", '0s silence name="a" 4.3s\n0.3s fails a'),
    timeline("silenced and over", '0s silence name="a" 4.3s\n0.3s fails a\n2.3s recovers a'),
    timeline("silenced beside others", '0s silence name="a" 8s\n0.3s fails a\n0.3s fails b'),
    timeline("silenced after it was told", '0s fails a\n2s silence name="a" 6s\n4s recovers a'),
    timeline(
        "muted in an interval",
        "0s fails a\n2s recovers a",
        muting=CALENDAR,
        routes=[child("team", 'name="a"', mute_time_intervals=["always"])],
    ),
    timeline(
        "outside the active interval",
        "0s fails a",
        muting=CALENDAR,
        routes=[child("team", 'name="a"', active_time_intervals=["long ago"])],
    ),
    timeline(
        "muted in one branch only",
        "0s fails a",
        muting=CALENDAR,
        routes=[
            child("quiet", 'name="a"', mute_time_intervals=["always"], **{"continue": True}),
            child("audit", 'name="a"', active_time_intervals=["always"]),
        ],
    ),
)
NOTHING = frozenset(
    {
        "resolved before it was told",
        "silenced and over",
        "muted in an interval",
        "outside the active interval",
    }
)
"""The timelines of which Alertmanager tells nothing at all."""
DIFFERENCES: Mapping[str, str] = {
    "resolved before it was told": (
        "What was over before its group was due is told, in one message that says both;"
        " Alertmanager says nothing."
    ),
    "fails again before its end was told": (
        "An alert never reopens: the end of the one and the new one are told together;"
        " to Alertmanager it never ended."
    ),
    "quiet, and then on both sides of a tick": (
        "In a group that was quiet for `group_interval`, news waits `group_wait` for company;"
        " Alertmanager tells at each tick of the interval, which may part what happens together."
    ),
    "two routes to one receiver": (
        "A receiver is told of an alert once, by the first route that leads to it;"
        " Alertmanager tells it in a group of each."
    ),
    "severity rises": (
        "A severity that rises is told as a change of the same alert;"
        " to Alertmanager that is another alert, and the one before is over."
    ),
    "the cause ends first": (
        "What broke while its cause lasted stays explained by it;"
        " Alertmanager tells it once the cause is over."
    ),
    "inhibited after it was told": (
        "What was told is counted as firing until it is over, also while something explains it;"
        " Alertmanager leaves it out."
    ),
    "cause and effect end together": (
        "The end of an alert that was never told, as it was muted, is not told;"
        " Alertmanager tells it."
    ),
    "silenced after it was told": (
        "The end of an alert that was told is told once the silence is over;"
        " Alertmanager never tells it."
    ),
}
"""The timelines that are told otherwise on purpose, and why."""

"""What `check-config --route` tells: who gets an alert with certain labels, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tmcwatch.alerting.settings import Receiver, Settings
from tmcwatch.app.wiring import settings_of
from tmcwatch.cli.doubts import doubts
from tmcwatch.cli.muted_now import muted_now
from tmcwatch.config import Config, rules_of
from tmcwatch.config.durations import duration_text
from tmcwatch.domain.built_in import WATCHING
from tmcwatch.domain.labels import labels_text
from tmcwatch.domain.matcher import Matcher, all_match
from tmcwatch.domain.repeating import STATES_AFTER, VERDICTS_AFTER
from tmcwatch.domain.routing import Route
from tmcwatch.domain.rule import rule_named
from tmcwatch.domain.walk import Outcome, Path, Step, walked

_USUAL = f"{duration_text(VERDICTS_AFTER)}, or {duration_text(STATES_AFTER)} for lasting states"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """An alert that there might be, and its way down the tree."""

    given: Mapping[str, str]
    assumed: Mapping[str, str]
    """What follows from what was given."""
    owned: Sequence[tuple[int, tuple[Matcher, ...], Mapping[str, str]]]
    """What entries of `labels` add, by their place."""
    labels: Mapping[str, str]
    steps: Sequence[Step]
    doubts: Sequence[str]
    """What no alert of this config has."""
    settings: Settings
    now: datetime
    lines: Mapping[str, int]
    """Where the keys of the config stand in its file."""

    def place(self, key: str) -> str:
        """Write a key with its line."""
        line = self.lines.get(key)
        return key if line is None else f"{key} (line {line})"

    def route(self, path: Path) -> str:
        if self.is_written(path):
            return self.place(key_of(path))
        return f"the fall-back of {self.route(path[:-1])}"

    def muted(self, step: Step) -> str | None:
        """Answer why an alert that begins now would not be told there, if it would not."""
        return muted_now(self.settings.mutes, step.route, self.labels, self.now)

    def is_written(self, path: Path) -> bool:
        """Tell whether a route stands in the file: fall-backs are added to it."""
        return not path or key_of(path) in self.lines

    @property
    def receivers(self) -> list[str]:
        """Name who is told, each once."""
        takers = (step.route.receiver for step in self.steps if step.outcome is Outcome.TAKES)
        return list(dict.fromkeys(takers))


def routed(config: Config, given: Mapping[str, str], *, now: datetime) -> Routed:
    settings = settings_of(config)
    assumed = _assumed(config, given)
    labels = {**given, **assumed}
    owned = []
    for place, owner in enumerate(settings.ownership):
        if all_match(owner.matchers, labels):
            owned.append((place, owner.matchers, owner.labels))
            labels |= owner.labels
    labels |= assumed  # what a rule adds goes before what the config adds to all
    return Routed(
        given=given,
        assumed=assumed,
        owned=owned,
        labels=labels,
        steps=walked(settings.root, labels),
        doubts=list(doubts(config, given)),
        settings=settings,
        now=now,
        lines=config.places.lines,
    )


def lines_of(found: Routed) -> Iterator[str]:
    """Explain it, those who are told first."""
    yield f"an alert with {labels_text(found.given)}"
    if found.assumed:
        yield f"  taken to have {labels_text(found.assumed)} as well, as its rule has"
    for place, matchers, labels in found.owned:
        why = _conditions(matchers) or "it has no matchers"
        yield f"  gets {labels_text(labels)} from {found.place(f'labels[{place}]')}, as {why}"
    for doubt in found.doubts:
        yield f"  but {doubt}"
    for step in found.steps:
        if step.outcome is Outcome.TAKES:
            yield from _told(step, found)
    for step in found.steps:
        if step.outcome is not Outcome.TAKES and found.is_written(step.path):
            yield _passed(step, found)


def facts_of(found: Routed) -> dict[str, object]:
    """Answer with the same as JSON can say it."""
    return {
        "labels": dict(found.labels),
        "doubts": list(found.doubts),
        "receivers": found.receivers,
        "routes": [
            {
                "route": key_of(step.path),
                "is_fallback": not found.is_written(step.path),
                "outcome": step.outcome.value,
                "receiver": step.route.receiver,
                "matchers": [str(matcher) for matcher in step.route.matchers],
                "failing": [str(matcher) for matcher in step.failing],
                "taken_by": None if step.taken_by is None else key_of(step.taken_by),
                "continue": step.route.goes_on,
                "group_by": list(step.route.group_by),
                **_waits(step.route),
                "mute_time_intervals": list(step.route.muted_in),
                "active_time_intervals": list(step.route.active_in),
                "muted_now": found.muted(step),
            }
            for step in found.steps
            if step.outcome is Outcome.TAKES or found.is_written(step.path)
        ],
    }


def key_of(path: Path) -> str:
    """Write where a route stands as the config's key: `route.routes[0].routes[1]`."""
    return "route" + "".join(f".routes[{place}]" for place in path)


def _told(step: Step, found: Routed) -> Iterator[str]:
    route = step.route
    why = _conditions(route.matchers)
    if not step.path:
        why = "no branch matches" if route.routes else "there are no branches"
    yield f"told to {route.receiver} by {found.route(step.path)}, as {why or 'it has no matchers'}"
    receiver = found.settings.receivers[route.receiver]
    if receiver.mirrors:
        yield f"  shown by {', '.join(receiver.mirrors)}, each alert on its own, and its end"
    if receiver.targets or not receiver.mirrors:
        yield from _grouped(route, receiver)
    if route.muted_in:
        yield f"  not during {', '.join(route.muted_in)}"
    if route.active_in:
        yield f"  only during {', '.join(route.active_in)}"
    muted = found.muted(step)
    if muted is not None:
        yield f"  but not now: {muted}"
    if route.goes_on:
        yield "  continue: true, so that the branches after it are asked as well"


def _grouped(route: Route, receiver: Receiver) -> Iterator[str]:
    ends = "ends too" if receiver.send_resolved else "not when it is over"
    yield f"  by {', '.join(receiver.targets) or 'nothing: it has no way of telling'}; {ends}"
    shared = ", ".join(route.group_by) or "nothing: all of the route are one group"
    yield f"  grouped by {'all labels' if route.group_by == ('...',) else shared}"
    yield "  " + ", ".join(f"{name} {text}" for name, text in _waits(route).items())


def _passed(step: Step, found: Routed) -> str:
    key, receiver = found.route(step.path), step.route.receiver
    if step.outcome is Outcome.DIFFERS:
        return f"not told to {receiver} by {key}: {_differences(step.failing, found.labels)}"
    before = found.route(step.taken_by or ())
    if step.outcome is Outcome.TOLD_ALREADY:
        return f"not told to {receiver} by {key} once more: {before} tells it already"
    if step.outcome is Outcome.NOT_ASKED:
        return f"not told to {receiver} by {key}: {before} takes it first, without continue"
    return f"not told to {receiver} by {key} itself: a branch of it takes it"


def _differences(failing: Iterable[Matcher], labels: Mapping[str, str]) -> str:
    return " and ".join(
        f"{matcher} does not hold, "
        + (
            f"{matcher.label} is {labels[matcher.label]!r}"
            if matcher.label in labels
            else f"it has no {matcher.label}"
        )
        for matcher in failing
    )


def _conditions(matchers: Iterable[Matcher]) -> str:
    texts = [str(matcher) for matcher in matchers]
    return f"{' and '.join(texts)} {'hold' if len(texts) > 1 else 'holds'}" if texts else ""


def _waits(route: Route) -> dict[str, str]:
    repeat = route.repeat_interval
    return {
        "group_wait": duration_text(route.group_wait),
        "group_interval": duration_text(route.group_interval),
        "repeat_interval": _USUAL if repeat is None else duration_text(repeat),
    }


def _assumed(config: Config, given: Mapping[str, str]) -> dict[str, str]:
    """Answer with what an alert of the given rule has besides."""
    name = given.get("rule") or given.get("alertname")
    if name is None:
        return {}
    rule = rule_named((*rules_of(config), WATCHING), name, given)
    own = {} if rule is None else {"severity": rule.severity.value, **rule.labels}
    usual = {"alertname": name, "rule": name, **own}
    return {label: text for label, text in usual.items() if label not in given}

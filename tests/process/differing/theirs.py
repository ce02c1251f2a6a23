"""The same timelines through a real Alertmanager, all at once and in real time."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import yaml

from tests.process.differing.timetables import Step, Timeline, Verb
from tests.process.differing.told import Labels, Notification, Told, labels_of
from tests.receiving import Receiver

OURS = "timeline"
"""The label that parts the timelines from each other."""


def config_for(timelines: Iterable[Timeline], inbox: str) -> str:
    """Write the configuration of an Alertmanager that serves all timelines side by side."""
    timelines = tuple(timelines)
    receivers = [
        {
            "name": f"{timeline.name}/{name}",
            "webhook_configs": [
                {
                    "url": f"http://{inbox}/",
                    "send_resolved": name not in timeline.deaf_to_ends,
                }
            ],
        }
        for timeline in timelines
        for name in timeline.receivers
    ]
    routes = [
        _route(timeline, timeline.route) | {"matchers": [f'{OURS}="{timeline.name}"']}
        for timeline in timelines
    ]
    inhibitions = [
        _inhibition(timeline, rule)
        for timeline in timelines
        for rule in timeline.muting.get("inhibit_rules", ())
    ]
    intervals = [
        {
            "name": f"{timeline.name}/{interval['name']}",
            "time_intervals": interval["intervals"],
        }
        for timeline in timelines
        for interval in timeline.muting.get("time_intervals", ())
    ]
    return yaml.safe_dump(
        {
            "route": {"receiver": "nobody", "routes": routes},
            "receivers": [{"name": "nobody"}, *receivers],
            "inhibit_rules": inhibitions,
            "time_intervals": intervals,
        }
    )


def _route(timeline: Timeline, route: Mapping[str, Any]) -> dict[str, Any]:
    named = dict(route)
    if "receiver" in named:
        named["receiver"] = f"{timeline.name}/{named['receiver']}"
    for key in ("mute_time_intervals", "active_time_intervals"):
        if key in named:
            named[key] = [f"{timeline.name}/{name}" for name in named[key]]
    if "routes" in named:
        named["routes"] = [_route(timeline, below) for below in named["routes"]]
    return named


def _inhibition(timeline: Timeline, rule: Mapping[str, Any]) -> dict[str, Any]:
    only = f'{OURS}="{timeline.name}"'
    return {
        "source_matchers": [*rule["source_matchers"], only],
        "target_matchers": [*rule["target_matchers"], only],
        "equal": rule.get("equal", []),
    }


def play(timelines: Sequence[Timeline], address: str) -> None:
    """Let everything happen at its time, and wait until everything is told."""
    steps = [(step.at, timeline, step) for timeline in timelines for step in timeline.steps]
    began = time.monotonic()
    with httpx.Client(base_url=f"{address}/api/v2", timeout=10) as http:
        api = _Api(http)
        for at, timeline, step in sorted(steps, key=lambda each: each[0]):
            time.sleep(max(began + at - time.monotonic(), 0))
            api.pass_on(timeline, step)
    # That nothing more is told shows only by waiting.
    time.sleep(max(timeline.until for timeline in timelines) - (time.monotonic() - began))


class _Api:
    """What Alertmanager is told by: alerts by their labels, and silences."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._firing: dict[tuple[str, str], dict[str, Any]] = {}

    def pass_on(self, timeline: Timeline, step: Step) -> None:
        now, key = datetime.now(UTC), (timeline.name, step.what)
        match step.verb:
            case Verb.FAILS:
                labels = labels_of(step) | {OURS: timeline.name}
                self._fire(key, {"labels": labels, "startsAt": now.isoformat()})
            case Verb.RISES:
                # Other labels are another alert to it: the one before is over.
                before = self._end(key, now)
                self._fire(key, before | {"labels": before["labels"] | step.labels})
            case Verb.RECOVERS:
                self._end(key, now)
            case Verb.SILENCE:
                self._post("/silences", _silence(timeline, step, now))

    def _fire(self, key: tuple[str, str], alert: dict[str, Any]) -> None:
        ends_at = datetime.now(UTC) + timedelta(hours=1)
        self._firing[key] = alert
        self._post("/alerts", [alert | {"endsAt": ends_at.isoformat()}])

    def _end(self, key: tuple[str, str], now: datetime) -> dict[str, Any]:
        alert = self._firing.pop(key)
        self._post("/alerts", [alert | {"endsAt": now.isoformat()}])
        return alert

    def _post(self, path: str, body: object) -> None:
        self._http.post(path, json=body).raise_for_status()


def _silence(timeline: Timeline, step: Step, now: datetime) -> dict[str, object]:
    name, value = step.what.split("=", 1)
    matched = {name: value.strip('"'), OURS: timeline.name}
    return {
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in matched.items()
        ],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(seconds=step.until - step.at)).isoformat(),
        "createdBy": "a test",
        "comment": "compared",
    }


def told_to(inbox: Receiver) -> dict[str, Told]:
    """Answer with what Alertmanager told, by timeline, in the terms that both sides share."""
    told: dict[str, Told] = {}
    known: dict[str, frozenset[str]] = {}
    for message in [received.json for received in inbox.received]:
        timeline, receiver = message["receiver"].split("/", 1)
        firing = _names(message["alerts"], "firing")
        before = known.get(message["groupKey"], frozenset())
        known[message["groupKey"]] = firing
        resolved = _names(message["alerts"], "resolved")
        is_repeat = firing == before and not resolved
        notification = Notification(
            firing=firing if is_repeat else firing - before,
            resolved=resolved,
            number_firing=len(firing),
        )
        told.setdefault(timeline, Told()).add(receiver, _group(message), notification)
    return told


def _names(alerts: Sequence[Mapping[str, Any]], status: str) -> frozenset[str]:
    return frozenset(one["labels"]["name"] for one in alerts if one["status"] == status)


def _group(message: Mapping[str, Any]) -> Labels:
    return frozenset(pair for pair in message["groupLabels"].items() if pair[0] != OURS)

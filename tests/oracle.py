"""What ought to be told, worked out from the simulator's truth alone, and what was told."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any

from tmcwatch.simulator import Simulator

RULES = {
    ("task", "EXECUTION_FAILED"): "failed",
    ("task", "DEPLOY_FAILED"): "deploy_failed",
    ("task", "EXECUTION_REJECTED"): "rejected",
    ("task", "EXECUTION_TERMINATED"): "terminated",
    ("task", "EXECUTION_TERMINATED_TIMEOUT"): "timed_out",
    ("task", "EXECUTION_TERMINATED_SHUTDOWN"): "shut_down",
    ("plan", "EXECUTION_FAILED"): "plan_failed",
    ("plan", "EXECUTION_MISFIRED"): "misfired",
    ("promotion", "PROMOTION_FAILED"): "promotion_failed",
    ("promotion", "PROMOTION_WARNING"): "promotion_warning",
}
OF_SEVERAL_RUNS = {
    "misfired_parallel",
    "misfired_limit",
    "misfired_engine",
    "plan_step_failed",
    "stuck",
    "started_late",
}
"""Rules that look at more than one end of one run: their own tests tell what is right."""
SUCCESSES = {"EXECUTION_SUCCESS", "PROMOTED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alert as a receiver knows it, without what may differ from run to run."""

    rule: str
    kind: str
    subject: str
    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a receiver made of its messages, each taken once."""

    episodes: frozenset[Episode]
    repeats: tuple[str, ...]
    """Alerts that were told of twice as firing, or twice as resolved."""
    notices: int
    """How often it was told that an account is now watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    at: datetime
    kind: str
    subject: str
    rule: str | None
    """None for a success."""


def episodes(
    truth: Iterable[Mapping[str, Any]],
    watched_from: Mapping[str, datetime],
    *,
    inside_plans: Collection[str] = (),
    until: datetime | None = None,
) -> frozenset[Episode]:
    """Answer with the episodes that the truth makes.

    `truth` is the simulator's, from the trigger of every run on; `watched_from` says by kind when
    the watch began. What ended before is history; what ended after `until` is left out.
    `inside_plans` are the task executions that a plan started: their bad ends are their plan's.
    """
    ends = sorted(_ends(truth, inside_plans), key=attrgetter("at"))
    begun: dict[tuple[str, str], dict[str, Episode]] = {}
    over: list[Episode] = []
    for end in ends:
        if end.at < watched_from[end.kind] or (until is not None and end.at > until):
            continue
        open_ones = begun.setdefault((end.kind, end.subject), {})
        if end.rule is None:
            over += (replace(episode, ends_at=end.at) for episode in open_ones.values())
            open_ones.clear()
        else:
            open_ones.setdefault(end.rule, _opened(end, end.rule))
    return frozenset(over).union(*(open_ones.values() for open_ones in begun.values()))


def told(messages: Iterable[Mapping[str, Any]], *, until: datetime | None = None) -> Told:
    """Answer with what a receiver of webhooks knows after its messages, in order of arrival.

    With `until`, as it stood then: later episodes and later ends are left out.
    """
    said: Counter[tuple[str, str]] = Counter()
    newest: dict[str, Episode] = {}
    notices = 0
    for alert in (alert for message in messages for alert in message["alerts"]):
        if alert["labels"]["rule"] == "watching":
            notices += 1
            continue
        if alert["labels"]["rule"] in OF_SEVERAL_RUNS:
            continue
        said[alert["fingerprint"], alert["status"]] += 1
        newest[alert["fingerprint"]] = _episode(alert)
    return Told(
        episodes=frozenset(_as_of(newest.values(), until)),
        repeats=tuple(f"{alert} {status}" for (alert, status), count in said.items() if count > 1),
        notices=notices,
    )


def runs_inside_plans(simulator: Simulator) -> frozenset[str]:
    """Answer with the task executions that a plan started."""
    return frozenset(run.execution_id for run in simulator.world.tasks.runs if run.plan)


def _opened(end: _End, rule: str) -> Episode:
    return Episode(rule=rule, kind=end.kind, subject=end.subject, starts_at=end.at)


def _ends(truth: Iterable[Mapping[str, Any]], inside_plans: Collection[str]) -> Iterator[_End]:
    changes: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for change in truth:
        changes.setdefault((change["kind"], change["execution_id"]), []).append(change)
    for (kind, execution), life in changes.items():
        last = life[-1]
        rule = _rule(last)
        if rule == "misfired" and _is_told_with_others(last["reason"] or ""):
            continue
        if rule is None and last["execution_status"] not in SUCCESSES:
            continue  # not over
        if rule is not None and kind == "task" and execution in inside_plans:
            continue
        yield _End(at=_shown_end(life), kind=kind, subject=last["id"], rule=rule)


def _is_told_with_others(reason: str) -> bool:
    """Tell whether one such misfire opens nothing of its own: excused, counted or shared.

    What several runs open together has tests of its own: when it ends depends on other runs.
    """
    return reason.endswith(
        ("_PAUSED", "_LIMIT_REACHED", "_FORBIDDEN", "_CONTAINER_NOT_FOUND")
    ) or ("_UNAVAILABLE" in reason)


def _rule(change: Mapping[str, Any]) -> str | None:
    rule = RULES.get((change["kind"], change["execution_status"]))
    return "misfired" if rule == "deploy_failed" and change["reason"] else rule


def _shown_end(life: list[Mapping[str, Any]]) -> datetime:
    """Answer with the end as TMC shows it: a run rejected before its start shows its trigger."""
    states = {change["execution_status"] for change in life}
    never_began = "EXECUTION_REJECTED" in states and "STARTING_FLOW_EXECUTION" not in states
    return _moment((life[0] if never_began else life[-1])["at"])


def _episode(alert: Mapping[str, Any]) -> Episode:
    labels = alert["labels"]
    return Episode(
        rule=labels["rule"],
        kind=labels["kind"],
        subject=labels["id"],
        starts_at=_moment(alert["startsAt"]),
        ends_at=_moment(alert["endsAt"]) if alert["status"] == "resolved" else None,
    )


def _as_of(known: Iterable[Episode], until: datetime | None) -> Iterator[Episode]:
    for episode in known:
        if until is None or episode.starts_at <= until:
            later = until is not None and episode.ends_at is not None and episode.ends_at > until
            yield replace(episode, ends_at=None) if later else episode


def _moment(given: datetime | str) -> datetime:
    return given if isinstance(given, datetime) else datetime.fromisoformat(given)

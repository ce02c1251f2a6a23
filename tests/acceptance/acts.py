"""What may happen in a timetable, by the words that say it."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias

import httpx

from tests.domain.telling import row
from tmcwatch.config.durations import duration_from
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName, ExecutionId, Kind, Phase, Trigger
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.silence import Silence
from tmcwatch.store.alerts import open_alerts
from tmcwatch.store.attention import save_attention
from tmcwatch.store.conditions import begin_condition, end_condition
from tmcwatch.store.silences import add_silence, expire_silence, newest_silences

Act: TypeAlias = Callable[..., Awaitable[None]]

ENDS = {
    "fails": Phase.FAILED,
    "succeeds": Phase.SUCCEEDED,
    "times out": Phase.TIMED_OUT,
    "rejects rows": Phase.REJECTED,
}
BY_HAND = " by hand"


def _span(text: str) -> timedelta:
    length = duration_from(text)
    assert length is not None, f"{text!r} is no duration"
    return length


def _see(play: Any, name: str, phase: Phase, kind: Kind = Kind.TASK, **changes: Any) -> None:
    """Let a run that began a second ago be seen in this phase."""
    play.runs += 1
    subject = play.subject(name, kind)
    now = play.now()
    facts: dict[str, Any] = {"kind": kind, "id": ExecutionId(f"run-{play.runs}")}
    facts |= {"subject": subject.id, "triggered_at": now - timedelta(seconds=1)}
    if phase is not Phase.MISFIRED:
        facts |= {"started_at": now - timedelta(seconds=1)}
    facts |= {"ended_at": now}
    play.look(row(phase, **(facts | changes)), kind=kind)


async def _ends(play: Any, names: str, end: str, **how: str | None) -> None:
    changes: dict[str, Any] = {"trigger": Trigger.MANUAL} if how["by_hand"] else {}
    before = how["before"]
    if before:  # found later than it happened
        at = play.now() - _span(before)
        changes |= {"triggered_at": at, "started_at": at, "ended_at": at}
    for name in _names(names):
        _see(play, name, ENDS[end], **changes)


async def _plan_ends(play: Any, name: str, end: str) -> None:
    _see(play, name, ENDS[end], Kind.PLAN)


async def _misfires(play: Any, names: str, reason: str) -> None:
    for name in _names(names):
        _see(play, name, Phase.MISFIRED, reason=reason)


def _names(text: str) -> Iterable[str]:
    """Read `A`, `A and B` or `T1 to T40`."""
    found = re.fullmatch(r"(\D+)(\d+) to \1(\d+)", text)
    if found:
        return [f"{found[1]}{i}" for i in range(int(found[2]), int(found[3]) + 1)]
    return re.split(r", | and ", text)


async def _stops(play: Any) -> None:
    await play.cease()


async def _starts(play: Any) -> None:
    await play.begin()


async def _restarts(play: Any) -> None:
    await play.cease()
    await play.begin()


async def _reloads(play: Any, name: str) -> None:
    """End and begin with another configuration, as a reload does."""
    play.use(name)
    await _restarts(play)


async def _answers(play: Any, receiver: str, status: str, after: str | None = None) -> None:
    headers = {"retry-after": str(int(_span(after).total_seconds()))} if after else {}
    play.inboxes.answers[receiver] = httpx.Response(int(status), headers=headers)


async def _silence(play: Any, matcher: str, length: str) -> None:
    silence = Silence(
        id=f"silence-{matcher}",
        matchers=(matcher_from(matcher),),
        created_by="ann",
        comment="known",
        created_at=play.now(),
        starts_at=play.now(),
        ends_at=play.now() + _span(length),
    )
    play.store.write(partial(add_silence, silence=silence))
    play.changed.ring()


async def _unsilence(play: Any) -> None:
    for silence in play.store.read(partial(newest_silences, most=99)):
        play.store.write(partial(expire_silence, id_=silence.id, now=play.now()))
    play.changed.ring()


async def _acknowledges(play: Any, name: str, length: str | None = None) -> None:
    until = play.now() + _span(length) if length else None
    changes = {"acknowledged_by": "ann", "acknowledged_at": play.now()}
    _attend(play, name, changes | {"acknowledged_until": until})


async def _snoozes(play: Any, name: str, length: str | None = None) -> None:
    until = play.now() + _span(length) if length else None
    _attend(play, name, {"snoozed_at": play.now(), "snoozed_until": until})


def _attend(play: Any, name: str, changes: dict[str, Any]) -> None:
    alert = _alert(play, name)
    attention = replace(alert.attention, **changes)
    play.store.write(partial(save_attention, id_=alert.id, attention=attention))
    play.changed.ring()


def _alert(play: Any, name: str) -> Alert:
    found: list[Alert] = [
        one for one in play.store.read(open_alerts) if one.labels["name"] == name
    ]
    assert found, f"no alert of {name} is open"
    return found[0]


async def _refuses(play: Any, account: str) -> None:
    condition = Condition(
        rule="account_unauthorized",
        account=AccountName(account),
        text=f"{account} refuses our token",
        since=play.now(),
    )
    play.store.write(partial(begin_condition, condition=condition))
    play.changed.ring()


async def _takes_back(play: Any, account: str) -> None:
    work = partial(
        end_condition, rule="account_unauthorized", account=AccountName(account), at=play.now()
    )
    play.store.write(work)
    play.changed.ring()


_NAMES = r"(?P<names>[\w ,]+?)"
_LENGTH = r"(?P<length>[\dsmhd]+)"
_END = rf"(?P<end>{'|'.join(ENDS)})"
ACTS: tuple[tuple[re.Pattern[str], Act], ...] = tuple(
    (re.compile(pattern), act)
    for pattern, act in (
        (r"it stops", _stops),
        (r"it starts", _starts),
        (r"it restarts", _restarts),
        (r"it reloads (?P<name>\w+)", _reloads),
        (r"(?P<receiver>\w+) answers (?P<status>\d+)( after (?P<after>\w+))?", _answers),
        (rf"ann silences (?P<matcher>\S+) for {_LENGTH}", _silence),
        (r"ann ends her silence", _unsilence),
        (rf"ann acknowledges (?P<name>\w+)( for {_LENGTH})?", _acknowledges),
        (rf"ann snoozes (?P<name>\w+)( for {_LENGTH})?", _snoozes),
        (r"(?P<account>\w+) refuses the token", _refuses),
        (r"(?P<account>\w+) takes the token again", _takes_back),
        (rf"plan (?P<name>\w+) {_END}", _plan_ends),
        (rf"{_NAMES} {_END}(?P<by_hand>{BY_HAND})?( (?P<before>[\dsmhd]+) before)?", _ends),
        (rf"{_NAMES} misfires? with (?P<reason>\w+)", _misfires),
    )
)
"""The words of each, and who acts it."""

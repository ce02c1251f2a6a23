"""Muting: which members of a group are not told, why, and judged at which moment."""

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from tests.domain.telling import alert, at
from tmcwatch.domain.alert import Alert, EndReason, Status
from tmcwatch.domain.grouping import Member
from tmcwatch.domain.inhibition import causes_among, topology
from tmcwatch.domain.interval import Span, TimeInterval
from tmcwatch.domain.maintenance import Maintenance, MaintenanceWindow
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.muting import Muting, Suppression, muted_in, suppression_of
from tmcwatch.domain.routing import Route
from tmcwatch.domain.silence import Silence

ROUTE = Route(receiver="team")
LABELS = {"rule": "failed", "name": "load", "account": "prod", "kind": "task", "id": "t1"}


def failed(minute: float = 0, **changes: Any) -> Alert:
    found: dict[str, Any] = {"labels": LABELS, "starts_at": at(minute), "opened_at": at(minute)}
    found |= {"annotations": {"latest_at": at(minute).isoformat()}, "changed_at": at(minute)}
    return alert("a", **(found | changes))


def over(one: Alert, minute: float) -> Alert:
    found: dict[str, Any] = {"ends_at": at(minute), "changed_at": at(minute)}
    return replace(one, end_reason=EndReason.RECOVERED, **found)


def silence(*matchers: str, start: float = -10, end: float = 60, id_: str = "s1") -> Silence:
    return Silence(
        id=id_,
        matchers=tuple(map(matcher_from, matchers or ["name=load"])),
        created_by="ann",
        comment="",
        created_at=at(start),
        starts_at=at(start),
        ends_at=at(end),
    )


def window(start: float, end: float, matcher: str = "name=load") -> MaintenanceWindow:
    maintenance = Maintenance(
        name="nightly",
        cron="0 2 * * *",
        duration=timedelta(minutes=end - start),
        time_zone=UTC,
        matchers=(matcher_from(matcher),),
    )
    return MaintenanceWindow(maintenance=maintenance, start=at(start), end=at(end))


def why(
    one: Alert,
    minute: float,
    *,
    told: Status | None = None,
    route: Route = ROUTE,
    **parts: Any,
) -> str | None:
    muting = Muting(at=at(minute), **parts)
    return muted_in(muting, route, [Member(alert=one, told=told)]).get(one.id)


def test_without_anything_that_mutes_everything_is_told():
    assert muted_in(Muting(at=at(0)), ROUTE, [Member(alert=failed())]) == {}


@pytest.mark.parametrize(
    ("minute", "reason"), [(-11, None), (-10, "silence s1"), (59, "silence s1"), (60, None)]
)
def test_a_silence_mutes_what_it_matches_from_its_start_to_its_end(minute, reason):
    assert why(failed(), minute, silences=(silence(),)) == reason
    assert why(failed(), minute, silences=(silence("name=other"),)) is None


def test_a_silence_does_not_swallow_the_word_that_it_ends():
    labels = {"rule": "silence_ending", "id": "s1", "account": "prod"}
    ending = failed(rule="silence_ending", labels=labels)
    assert why(ending, 1, silences=(silence("account=prod"),)) is None
    others = (silence("account=prod"), silence("account=prod", id_="s2"))
    assert why(ending, 1, silences=others) == "silence s2"


@pytest.mark.parametrize(("minute", "reason"), [(29, "maintenance nightly"), (30, None)])
def test_what_goes_wrong_in_maintenance_is_muted_until_that_is_over(minute, reason):
    assert why(failed(5), minute, windows=(window(0, 30),)) == reason


def test_what_went_wrong_before_maintenance_is_told_in_it():
    assert why(failed(-1), 5, windows=(window(0, 30),)) is None
    again = replace(failed(-1), annotations={"latest_at": at(1).isoformat()})
    assert why(again, 5, windows=(window(0, 30),)) == "maintenance nightly"


def test_maintenance_of_others_mutes_nothing():
    assert why(failed(5), 6, windows=(window(0, 30, "name=other"),)) is None


def test_a_state_began_when_it_began():
    blind = failed(5, rule="blind", annotations={})
    assert why(blind, 9, windows=(window(0, 30),)) == "maintenance nightly"
    assert why(blind, 9, windows=(window(6, 30),)) is None


@pytest.mark.parametrize(("ended", "reason"), [(29, True), (31, False)])
def test_what_began_and_ended_in_one_stretch_is_not_told_after_it(ended, reason):
    one = over(failed(5), ended)
    found = why(one, 33, windows=(window(0, 30),)), why(one, 33, silences=(silence(end=30),))
    assert found == (("maintenance nightly", "silence s1") if reason else (None, None))


def test_the_end_of_what_was_told_before_is_told_after_the_silence():
    one = over(failed(-20), 29)
    silences = (silence(end=30),)
    assert why(one, 29, told=Status.FIRING, silences=silences) == "silence s1"
    assert why(one, 33, told=Status.FIRING, silences=silences) is None


EVENING = {"evening": (TimeInterval(times=(Span(first=18 * 60, last=24 * 60 - 1),)),)}
NIGHT = {"night": (TimeInterval(times=(Span(first=0, last=359),)),)}


@pytest.mark.parametrize(
    ("hour", "muted", "active"),
    [
        (5.9, None, "outside evening"),
        (6, "interval evening", None),
        (11, "interval evening", None),
    ],
)
def test_a_route_is_shut_in_some_intervals_and_outside_of_others(hour, muted, active):
    shut = Route(receiver="team", muted_in=("evening",))
    opened = Route(receiver="team", active_in=("evening",))
    one = failed()
    assert why(one, hour * 60, route=shut, intervals=EVENING) == muted
    assert why(one, hour * 60, route=opened, intervals=EVENING) == active


def test_a_route_is_open_in_any_of_its_active_intervals():
    route = Route(receiver="team", active_in=("evening", "night"))
    intervals = {**EVENING, **NIGHT}
    assert why(failed(), 13 * 60, route=route, intervals=intervals) is None
    assert why(failed(), 60, route=route, intervals=intervals) == "outside evening, night"


def test_a_shut_route_mutes_its_whole_group():
    members = [Member(alert=failed(id=name)) for name in "ab"]
    route = Route(receiver="team", muted_in=("evening",))
    muting = Muting(at=at(6 * 60), intervals=EVENING)
    assert set(muted_in(muting, route, members)) == {"a", "b"}


def test_the_effect_of_something_names_its_cause():
    blind = failed(rule="blind", labels=LABELS | {"rule": "blind"})
    cause = failed(
        id="c", rule="account_unauthorized", labels=LABELS | {"rule": "account_unauthorized"}
    )
    causes = causes_among(topology(), [cause])
    assert why(blind, 1, causes=causes) == "inhibited by c"


@pytest.mark.parametrize(
    ("reason", "suppression"),
    [
        ("interval nights", Suppression.INTERVAL),
        ("outside office, weekend", Suppression.INTERVAL),
        ("silence s1", Suppression.SILENCE),
        ("maintenance patches", Suppression.MAINTENANCE),
        ("inhibited by a1", Suppression.INHIBITION),
    ],
)
def test_each_reason_is_of_a_kind_that_metrics_name(reason, suppression):
    assert suppression_of(reason) is suppression

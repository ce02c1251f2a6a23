"""Grouping: when a group speaks and what its message lists, as timelines."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import NOON, alert
from tmcwatch.domain.alert import Alert, EndReason, Status
from tmcwatch.domain.built_in import WATCHING
from tmcwatch.domain.grouping import (
    Group,
    Member,
    about_to_tell,
    due_for,
    flush,
    told_notices,
)
from tmcwatch.domain.routing import Route

ROUTE = Route(receiver="team")  # waits 30 s, then 5 min, repeats after 24 h
GROUP = Group(key="g", receiver="team", labels={})
DAY = timedelta(hours=24)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def over(one: Alert, reason: EndReason = EndReason.RECOVERED) -> Alert:
    return replace(one, ends_at=NOON, end_reason=reason)


A, B = alert("a"), alert("b")


def flushed(*members: Member, group=GROUP, now=NOON, send_resolved=True):
    return flush(group, members, ROUTE, send_resolved=send_resolved, now=now)


def told(one: Alert) -> Member:
    return Member(alert=one, told=Status.FIRING)


MEMBERS = [
    Member(alert=A),
    told(B),
    told(over(alert("c"))),
    told(over(alert("d"), EndReason.CLOSED)),
    Member(alert=over(alert("e"))),
]


@pytest.mark.parametrize("send_resolved", [True, False])
def test_what_a_group_is_about_to_tell_is_what_its_next_message_lists(send_resolved):
    lists = flushed(*MEMBERS, send_resolved=send_resolved).alerts
    awaited = about_to_tell(MEMBERS, send_resolved=send_resolved)
    assert awaited == {one.id for one in lists}
    assert len(awaited) == (3 if send_resolved else 2)


def test_a_new_group_waits_for_company():
    assert due_for(GROUP, ROUTE, has_members=False, now=NOON).flush_at == after(30)


def test_company_does_not_prolong_the_wait():
    waiting = replace(GROUP, flush_at=after(30))
    assert due_for(waiting, ROUTE, has_members=True, now=after(29)) is waiting


@pytest.mark.parametrize(("seconds", "due"), [(1, 300), (299, 300), (300, 300), (5000, 5000)])
def test_a_group_that_was_told_waits_for_its_interval(seconds, due):
    group = replace(GROUP, flushed_at=NOON, flush_at=NOON + DAY)
    assert due_for(group, ROUTE, has_members=True, now=after(seconds)).flush_at == after(due)


def test_a_group_that_emptied_waits_for_company_again():
    group = replace(GROUP, flushed_at=NOON)
    assert due_for(group, ROUTE, has_members=False, now=after(10)).flush_at == after(40)


def test_opened_alerts_are_told_once_and_counted_from_then_on():
    first = flushed(Member(alert=A))
    assert (first.alerts, first.told_before, first.group.number) == ((A,), 0, 1)
    assert first.group.flush_at == NOON + DAY
    second = flushed(*first.kept, Member(alert=B), group=first.group, now=after(300))
    assert (second.alerts, second.told_before, second.group.number) == ((B,), 1, 2)


def test_a_group_with_nothing_new_says_nothing():
    first = flushed(told(A), group=replace(GROUP, number=4, flushed_at=NOON), now=after(300))
    assert (first.alerts, first.group.number) == ((), 4)
    assert first.group.flush_at == NOON + DAY


def test_what_still_fires_is_repeated_after_the_repeat_interval():
    group = replace(GROUP, number=1, flushed_at=NOON)
    assert flushed(told(A), group=group, now=NOON + DAY - timedelta(seconds=1)).alerts == ()
    again = flushed(told(A), group=group, now=NOON + DAY)
    assert (again.alerts, again.told_before, again.group.number) == ((A,), 0, 2)
    assert again.group.flush_at == NOON + 2 * DAY


def test_an_end_is_told_and_leaves_the_group():
    ended = flushed(told(over(A)), told(B), group=replace(GROUP, number=1, flushed_at=NOON))
    assert (ended.alerts, ended.told_before) == ((over(A),), 1)
    assert ended.kept == (told(B),)


def test_a_group_whose_alerts_are_all_over_is_not_looked_at_again():
    ended = flushed(told(over(A)), group=replace(GROUP, number=1, flushed_at=NOON))
    assert (ended.kept, ended.group.flush_at) == ((), None)


def test_an_alert_over_before_it_was_told_is_told_in_one_message():
    assert flushed(Member(alert=over(A))).alerts == (over(A),)
    assert flushed(Member(alert=over(A)), send_resolved=False).alerts == (over(A),)


def test_a_receiver_that_wants_no_ends_hears_none():
    ended = flushed(told(over(A)), send_resolved=False)
    assert (ended.alerts, ended.kept, ended.group.number) == ((), (), 0)


@pytest.mark.parametrize("said", [None, Status.FIRING])
def test_an_alert_closed_by_a_person_leaves_in_silence(said):
    ended = flushed(Member(alert=over(A, EndReason.CLOSED), told=said))
    assert (ended.alerts, ended.kept) == ((), ())


def test_a_notice_is_told_once_and_leaves():
    notice = replace(A, rule=WATCHING.name)
    first = flushed(Member(alert=notice), told(B))
    assert (first.alerts, first.kept) == ((notice,), (told(B),))
    assert told_notices(first.alerts) == (notice,)
    assert told_notices([A]) == ()


STEP = st.tuples(st.sampled_from(["open", "end", "wait"]), st.integers(0, 3), st.integers(1, 900))


@given(st.lists(STEP, max_size=30), st.booleans())
def test_every_alert_is_told_once_as_firing_and_once_as_over(steps, send_resolved):
    members: dict[str, Member] = {}
    group, now, said, born = GROUP, NOON, [], 0
    for act, number, seconds in [*steps, ("wait", 0, 600), ("wait", 0, 600)]:
        now += timedelta(seconds=seconds)
        firing = sorted(n for n, m in members.items() if m.alert.status is Status.FIRING)
        if act == "open":
            group = due_for(group, ROUTE, has_members=bool(members), now=now)
            born += 1
            members[f"a{born}"] = Member(alert=alert(f"a{born}"))
        elif act == "end" and number < len(firing):
            one = members[firing[number]]
            members[firing[number]] = replace(one, alert=over(one.alert))
            group = due_for(group, ROUTE, has_members=True, now=now)
        if group.flush_at is not None and group.flush_at <= now:
            result = flush(group, [*members.values()], ROUTE, send_resolved=send_resolved, now=now)
            said += [(one.id, one.status) for one in result.alerts]
            group = result.group
            members = {kept.alert.id: kept for kept in result.kept}
    assert len(said) == len(set(said))
    assert {name for name, _ in said} == {f"a{n}" for n in range(1, born + 1)}
    assert all(member.told for member in members.values())

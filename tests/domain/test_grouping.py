"""Grouping: when a group speaks and what its message lists, as timelines."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import NOON, alert, at
from tmcwatch.domain.alert import Alert, AlertId, Attention, EndReason, Severity, Status
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


def flushed(*members: Member, group=GROUP, now=NOON, route=ROUTE, muted=None, send_resolved=True):
    quiet = muted or {}
    return flush(group, members, route, muted=quiet, send_resolved=send_resolved, now=now)


def told(one: Alert, **changes) -> Member:
    facts: dict[str, Any] = {
        "told": Status.FIRING,
        "told_at": NOON,
        "told_severity": Severity.WARNING,
    }
    return Member(alert=one, **(facts | changes))


TOLD = replace(GROUP, number=1, flushed_at=NOON)
NEXT = after(300)  # when a group that was told at noon may speak again
MEMBERS = [
    Member(alert=A),
    told(B),
    told(over(alert("c"))),
    told(over(alert("d"), EndReason.CLOSED)),
    Member(alert=over(alert("e"))),
    Member(alert=over(alert("f"), EndReason.CLOSED)),
]


@pytest.mark.parametrize("send_resolved", [True, False])
def test_what_a_group_is_about_to_tell_is_what_its_next_message_lists(send_resolved):
    lists = flushed(*MEMBERS, send_resolved=send_resolved).alerts
    awaited = about_to_tell(MEMBERS, send_resolved=send_resolved)
    assert awaited == {one.id for one in lists}
    assert len(awaited) == (4 if send_resolved else 2)


def test_a_new_group_waits_for_company():
    assert due_for(GROUP, ROUTE, has_members=False, now=NOON).flush_at == after(30)


def test_company_does_not_prolong_the_wait():
    waiting = replace(GROUP, flush_at=after(30))
    assert due_for(waiting, ROUTE, has_members=True, now=after(29)) is waiting


@pytest.mark.parametrize(("seconds", "due"), [(1, 300), (270, 300), (299, 329), (5000, 5030)])
def test_news_waits_for_company_and_for_the_interval_of_a_group_that_was_told(seconds, due):
    group = replace(TOLD, flush_at=NOON + DAY)
    assert due_for(group, ROUTE, has_members=True, now=after(seconds)).flush_at == after(due)


def test_two_recoveries_a_second_apart_are_one_message():
    group = replace(TOLD, flush_at=NOON + DAY)
    group = due_for(group, ROUTE, has_members=True, now=after(5000))
    group = due_for(group, ROUTE, has_members=True, now=after(5001))
    ended = flushed(told(over(A)), told(over(B)), group=group, now=after(5030))
    assert (group.flush_at, len(ended.alerts)) == (after(5030), 2)


def test_a_group_that_emptied_waits_for_company_again():
    assert due_for(TOLD, ROUTE, has_members=False, now=after(10)).flush_at == after(40)


def test_a_group_that_emptied_is_new_again_and_need_not_wait_for_its_interval():
    assert flushed(Member(alert=A), group=TOLD, now=after(40)).alerts == (A,)


def test_a_group_that_is_woken_before_its_interval_has_passed_says_nothing_yet():
    woken = flushed(told(over(A)), Member(alert=B), group=TOLD, now=after(10))
    assert (woken.alerts, woken.group.flush_at, len(woken.kept)) == ((), NEXT, 2)


def test_opened_alerts_are_told_once_and_counted_from_then_on():
    first = flushed(Member(alert=A))
    assert (first.alerts, first.told_before, first.group.number) == ((A,), 0, 1)
    assert first.group.flush_at == NOON + DAY
    second = flushed(*first.kept, Member(alert=B), group=first.group, now=NEXT)
    assert (second.alerts, second.told_before, second.group.number) == ((B,), 1, 2)
    assert second.repeats == second.updates == frozenset()


def test_a_group_with_nothing_new_says_nothing():
    first = flushed(told(A), group=replace(TOLD, number=4), now=NEXT)
    assert (first.alerts, first.group.number) == ((), 4)
    assert first.group.flush_at == NOON + DAY


def test_what_still_fires_is_repeated_after_the_repeat_interval():
    assert flushed(told(A), group=TOLD, now=NOON + DAY - timedelta(seconds=1)).alerts == ()
    again = flushed(told(A), group=TOLD, now=NOON + DAY)
    assert (again.alerts, again.told_before, again.group.number) == ((A,), 0, 2)
    assert again.repeats == {"a"}
    assert again.group.flush_at == NOON + 2 * DAY


def test_states_are_repeated_sooner_than_verdicts_unless_the_config_says_when():
    state = told(alert("s", rule="blind"))
    group = flushed(told(A), state, group=TOLD, now=NEXT).group
    assert group.flush_at == NOON + timedelta(hours=4)
    again = flushed(told(A), state, group=TOLD, now=NOON + timedelta(hours=4))
    assert (again.alerts, again.told_before) == ((state.alert,), 1)
    assert flushed(*again.kept, group=again.group, now=NOON + DAY).repeats == {"a", "s"}
    hourly = replace(ROUTE, repeat_interval=timedelta(hours=1))
    both = flushed(told(A), state, group=TOLD, route=hourly, now=after(3600))
    assert both.repeats == {"a", "s"}


def test_news_in_a_group_puts_off_the_repeat_of_what_it_counts_beside():
    news = flushed(told(A), Member(alert=B), group=TOLD, now=NOON + DAY - timedelta(hours=1))
    assert (news.told_before, news.group.flush_at) == (1, NOON + 2 * DAY - timedelta(hours=1))


def test_a_severity_that_rose_is_told_as_an_update():
    worse = replace(A, severity=Severity.CRITICAL)
    change = flushed(told(worse), told(B), group=TOLD, now=NEXT)
    assert (change.alerts, change.updates, change.told_before) == ((worse,), {"a"}, 1)
    assert flushed(*change.kept, group=change.group, now=after(600)).alerts == ()


def test_a_severity_that_was_not_noted_when_it_was_told_has_not_risen():
    assert flushed(told(A, told_severity=None), group=TOLD, now=NEXT).alerts == ()


def test_an_end_is_told_and_leaves_the_group():
    ended = flushed(told(over(A)), told(B), group=TOLD, now=NEXT)
    assert (ended.alerts, ended.told_before) == ((over(A),), 1)
    assert ended.kept == (told(B, told_at=NEXT),)


def test_a_group_whose_alerts_are_all_over_is_not_looked_at_again():
    ended = flushed(told(over(A)), group=TOLD, now=NEXT)
    assert (ended.kept, ended.group.flush_at) == ((), None)


def test_an_alert_over_before_it_was_told_is_told_in_one_message():
    assert flushed(Member(alert=over(A))).alerts == (over(A),)
    assert flushed(Member(alert=over(A)), send_resolved=False).alerts == (over(A),)


def test_a_receiver_that_wants_no_ends_hears_none():
    ended = flushed(told(over(A)), send_resolved=False)
    assert (ended.alerts, ended.kept, ended.group.number) == ((), (), 0)


def test_what_a_person_closes_is_told_to_those_who_know_of_it_alone():
    closed = over(A, EndReason.CLOSED)
    assert flushed(told(closed)).alerts == (closed,)
    untold = flushed(Member(alert=closed))
    assert (untold.alerts, untold.kept) == ((), ())


def test_a_notice_is_told_once_and_leaves():
    notice = replace(A, rule=WATCHING.name)
    first = flushed(Member(alert=notice), told(B))
    assert (first.alerts, first.kept) == ((notice,), (told(B),))
    assert told_notices(first.alerts) == (notice,)
    assert told_notices([A]) == ()


def test_what_is_muted_is_not_told_and_stays_as_it_was_told():
    quiet = {A.id: "silence 1"}
    first = flushed(Member(alert=A), told(B), group=TOLD, now=NEXT, muted=quiet)
    assert (first.alerts, first.group.number) == ((), 1)
    assert first.kept == (Member(alert=A, muted="silence 1"), told(B))
    assert first.group.flush_at == after(600)
    assert flushed(*first.kept, group=first.group, now=after(600)).alerts == (A,)


def test_the_end_of_what_was_told_waits_until_it_is_muted_no_longer():
    quiet = {A.id: "silence 1"}
    silent = flushed(told(over(A)), group=TOLD, now=NEXT, muted=quiet)
    assert (silent.alerts, silent.group.flush_at) == ((), after(600))
    assert flushed(*silent.kept, group=silent.group, now=after(600)).alerts == (over(A),)


def test_what_began_and_ended_while_it_was_muted_is_never_told():
    silent = flushed(Member(alert=over(A)), muted={A.id: "silence 1"})
    assert (silent.alerts, silent.kept, silent.group.flush_at) == ((), (), None)


def acknowledged(one: Alert, minute: float = 1, until: float | None = None) -> Alert:
    ends = None if until is None else at(until)
    attention = Attention(
        acknowledged_by="ann", acknowledged_at=at(minute), acknowledged_until=ends
    )
    return replace(one, attention=attention)


def snoozed(one: Alert, until: float | None = None) -> Alert:
    ends = None if until is None else at(until)
    return replace(one, attention=Attention(snoozed_at=at(1), snoozed_until=ends))


def test_what_is_acknowledged_is_not_repeated():
    quiet = flushed(told(acknowledged(A)), group=TOLD, now=NOON + DAY)
    assert (quiet.alerts, quiet.group.flush_at) == ((), None)


def test_what_is_acknowledged_is_told_again_if_it_had_more_runs():
    broken = replace(acknowledged(A), count=2, changed_at=after(600))
    assert flushed(told(broken), group=TOLD, now=NEXT).group.flush_at == NOON + DAY
    again = flushed(told(broken), group=TOLD, now=NOON + DAY)
    assert again.repeats == {"a"}
    assert again.group.flush_at is None


def test_news_beside_what_is_acknowledged_does_not_hide_that_it_had_more_runs():
    broken = replace(acknowledged(A), count=2, changed_at=after(600))
    news = flushed(told(broken), Member(alert=B), group=TOLD, now=after(700))
    assert flushed(*news.kept, group=news.group, now=NOON + DAY).repeats == {"a"}


@pytest.mark.parametrize("attended", [acknowledged, snoozed])
def test_what_someone_is_on_is_told_again_when_that_runs_out(attended):
    group = flushed(told(attended(A, until=60)), group=TOLD, now=NEXT).group
    assert group.flush_at == at(60)
    again = flushed(told(attended(A, until=60)), group=group, now=at(60))
    assert (again.repeats, again.group.flush_at) == ({"a"}, at(60) + DAY)


@pytest.mark.parametrize("attended", [acknowledged, snoozed])
def test_the_end_of_what_someone_is_on_is_told(attended):
    ended = over(attended(A))
    assert flushed(told(ended), group=TOLD, now=NEXT).alerts == (ended,)


def test_a_rise_is_told_of_what_is_acknowledged_but_not_of_what_is_snoozed():
    worse = replace(A, severity=Severity.CRITICAL)
    assert flushed(told(acknowledged(worse)), group=TOLD, now=NEXT).updates == {"a"}
    quiet = flushed(told(snoozed(worse, until=60)), group=TOLD, now=NEXT)
    assert (quiet.alerts, quiet.group.flush_at) == ((), at(60))
    assert flushed(*quiet.kept, group=quiet.group, now=at(60)).updates == {"a"}


def test_what_is_snoozed_before_it_was_told_is_told_when_that_runs_out():
    quiet = flushed(Member(alert=snoozed(A, until=60)), Member(alert=B))
    assert (quiet.alerts, quiet.group.flush_at) == ((B,), at(60))
    assert flushed(*quiet.kept, group=quiet.group, now=at(60)).alerts == (snoozed(A, until=60),)


STEP = st.tuples(
    st.sampled_from(["open", "end", "close", "rise", "snooze", "acknowledge", "mute", "wait"]),
    st.integers(0, 3),
    st.integers(1, 900),
)


class Story:
    """A group that lives through what happens to its alerts, and what it tells meanwhile."""

    def __init__(self, *, send_resolved: bool) -> None:
        self.send_resolved = send_resolved
        self.group, self.now, self.born = GROUP, NOON, 0
        self.members: dict[str, Member] = {}
        self.muted: dict[AlertId, str] = {}
        self.said: list[tuple[str, Status, Severity]] = []
        self.snoozed: set[str] = set()
        self.closed_untold: set[str] = set()
        self.muted_once: set[str] = set()

    def open(self) -> None:
        self.wake()
        self.born += 1
        self.members[f"a{self.born}"] = Member(alert=alert(f"a{self.born}"))

    def wake(self) -> None:
        self.group = due_for(self.group, ROUTE, has_members=bool(self.members), now=self.now)

    def change(self, act: str, number: int) -> None:
        firing = sorted(n for n, m in self.members.items() if not m.is_over)
        if number >= len(firing):
            return
        name = firing[number]
        member = self.members[name]
        if act == "mute":
            self.muted_once.add(name)
            self.muted[member.alert.id] = "silence 1"
            return
        if act == "close" and member.told is None:
            self.closed_untold.add(name)
        if act == "snooze":
            self.snoozed.add(name)
        self.members[name] = replace(member, alert=self.changed(member.alert, act))
        self.wake()

    def changed(self, one: Alert, act: str) -> Alert:
        match act:
            case "end" | "close":
                reason = EndReason.RECOVERED if act == "end" else EndReason.CLOSED
                self.snoozed.discard(one.id)
                return over(one, reason)
            case "rise":
                return replace(one, severity=Severity.CRITICAL)
            case "snooze":
                return replace(one, attention=Attention(snoozed_at=self.now))
            case _:
                return replace(one, attention=Attention(acknowledged_at=self.now))

    def look(self) -> None:
        if self.group.flush_at is None or self.group.flush_at > self.now:
            return
        result = flushed(
            *self.members.values(),
            group=self.group,
            now=self.now,
            muted=self.muted,
            send_resolved=self.send_resolved,
        )
        listed = {one.id for one in result.alerts}
        assert listed.isdisjoint(self.snoozed | self.muted.keys())
        assert result.updates | result.repeats <= listed
        self.said += [(one.id, one.status, one.severity) for one in result.alerts]
        self.group = result.group
        self.members = {kept.alert.id: kept for kept in result.kept}


@given(st.lists(STEP, max_size=30), st.booleans())
def test_every_alert_is_told_once_as_firing_once_as_worse_and_once_as_over(steps, send_resolved):
    story = Story(send_resolved=send_resolved)
    for act, number, seconds in [*steps, ("unmute", 0, 1), *[("wait", 0, 600)] * 3]:
        story.now += timedelta(seconds=seconds)
        if act == "open":
            story.open()
        elif act == "unmute":
            story.muted = {}
        elif act != "wait":
            story.change(act, number)
        story.look()
    assert len(story.said) == len(set(story.said))
    ends = [name for name, status, _ in story.said if status is Status.RESOLVED]
    assert len(ends) == len(set(ends))
    everyone = {f"a{n}" for n in range(1, story.born + 1)}
    silent = story.snoozed | story.closed_untold | story.muted_once
    assert everyone - silent <= {name for name, _, _ in story.said}
    waiting = [m for n, m in story.members.items() if n not in story.snoozed]
    assert all(member.told and not member.is_over for member in waiting)

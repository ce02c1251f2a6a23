"""Groups in the store: their members, what each was told, and which are due."""

from datetime import timedelta
from typing import Any

import pytest

from tests.domain.telling import NOON, alert, at
from tmcwatch.domain.alert import Alert, AlertId, Severity, Status
from tmcwatch.domain.grouping import Group, Member
from tmcwatch.domain.storm import Storm
from tmcwatch.store import groups
from tmcwatch.store.alerts import save_alerts
from tmcwatch.store.groups import Looked, Place
from tmcwatch.store.opening import open_store
from tmcwatch.store.storms import save_storm

GROUP = Group(key="g", receiver="team", labels={"rule": "failed"}, number=3, flush_at=at(1))


@pytest.fixture
def connection(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'watch.db'}")
    with store.engine.begin() as connection:
        yield connection
    store.close()


def kept(name: str, **changes) -> Alert:
    labels = {"account": "prod", "kind": "task", "id": name}
    return alert(name, labels=labels, **changes)


def told(name: str, **changes) -> Member:
    facts: dict[str, Any] = {
        "told": Status.FIRING,
        "told_at": at(2),
        "told_severity": Severity.WARNING,
    }
    return Member(alert=kept(name), **(facts | changes))


def test_groups_and_their_members_come_back_as_they_were(connection):
    groups.save_groups(connection, [GROUP])
    save_alerts(connection, [kept("b"), kept("a")])
    assert groups.peopled(connection, ["g"]) == set()
    groups.add_members(connection, [("g", AlertId(one)) for one in ("a", "b", "a")])
    before = groups.load_members(connection, "g")
    assert before == (Member(alert=kept("a")), Member(alert=kept("b")))
    looked = Looked(group=GROUP, before=before, kept=[told("a", muted="silence 1")])
    groups.save_looked(connection, [looked])
    assert groups.load_members(connection, "g") == (told("a", muted="silence 1"),)
    assert groups.load_group(connection, "g") == GROUP
    assert groups.load_group(connection, "unknown") is None
    assert groups.peopled(connection, ["g", "other"]) == {"g"}


def test_joining_a_group_twice_leaves_what_was_told(connection):
    save_alerts(connection, [kept("a")])
    groups.save_looked(connection, [Looked(group=GROUP, before=(), kept=[told("a")])])
    groups.add_members(connection, [("g", AlertId("a"))])
    assert groups.load_members(connection, "g") == (told("a"),)


def test_the_places_of_an_alert_are_its_groups_and_what_was_told_there(connection):
    groups.save_looked(connection, [Looked(group=GROUP, before=(), kept=[told("a")])])
    groups.save_groups(connection, [Group(key="h", receiver="oncall", labels={})])
    groups.add_members(connection, [("h", AlertId("a"))])
    place = Place(
        group="g",
        receiver="team",
        told=Status.FIRING,
        told_at=at(2),
        told_severity=Severity.WARNING,
    )
    found = groups.places_of(connection, [AlertId("a"), AlertId("b")])
    assert found.keys() == {"a"}
    assert found[AlertId("a")][0] == place
    groups.remove_members(connection, [("g", AlertId("a"))])
    assert groups.groups_of(connection, AlertId("a")) == {"h"}
    groups.leave_groups(connection, [AlertId("a")])
    assert groups.groups_of(connection, AlertId("a")) == set()


def test_groups_are_looked_at_when_they_are_due_longest_overdue_first(connection):
    due = [("late", 1), ("later", 2), ("not yet", 9)]
    groups.save_groups(
        connection,
        [Group(key=key, receiver="team", labels={}, flush_at=at(minute)) for key, minute in due],
    )
    assert groups.next_flush_at(connection) == at(1)
    found = groups.due_groups(connection, at(2), most=9)
    assert [group.key for group in found] == ["late", "later"]


def test_groups_of_a_receiver_in_a_storm_are_not_looked_at_one_by_one(connection):
    calm = Group(key="c", receiver="oncall", labels={}, flush_at=at(2))
    groups.save_groups(connection, [GROUP, calm])
    save_storm(connection, "team", Storm(since=NOON))
    assert groups.due_groups(connection, at(5), most=9) == (calm,)
    assert groups.next_flush_at(connection) == at(2)


@pytest.mark.parametrize(("due", "woken"), [(None, 5), (9, 5), (1, 1)])
def test_the_groups_of_an_alert_are_woken_but_never_put_off(connection, due, woken):
    at_first = None if due is None else at(due)
    groups.save_groups(connection, [Group(key="g", receiver="team", labels={}, flush_at=at_first)])
    groups.add_members(connection, [("g", AlertId("a"))])
    groups.wake_groups(connection, AlertId("a"), at(5))
    groups.wake_groups(connection, AlertId("nobody"), at(0))
    group = groups.load_group(connection, "g")
    assert group is not None
    assert group.flush_at == at(woken)


def test_a_group_that_is_dropped_keeps_its_number(connection):
    groups.save_groups(connection, [GROUP])
    groups.add_members(connection, [("g", AlertId("a"))])
    groups.drop_group(connection, "g")
    group = groups.load_group(connection, "g")
    assert group is not None
    assert (group.number, group.flush_at) == (3, None)
    assert groups.peopled(connection, ["g"]) == set()


def test_thousands_of_groups_are_asked_for_at_once(connection):
    keys = [f"g{number}" for number in range(2_000)]
    made = [Group(key=key, receiver="team", labels={}, flushed_at=NOON) for key in keys]
    groups.save_groups(connection, made)
    groups.add_members(connection, [(key, AlertId(key)) for key in keys])
    save_alerts(connection, [kept(key, changed_at=NOON + timedelta(hours=1)) for key in keys])
    assert groups.load_groups(connection, keys).keys() == set(keys)
    assert all(len(these) == 1 for these in groups.members_of(connection, keys).values())
    assert len(groups.places_of(connection, [AlertId(key) for key in keys])) == len(keys)

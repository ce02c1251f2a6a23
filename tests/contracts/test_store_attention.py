"""What people did about alerts, in the store: beside what alerting writes, and found again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.remembering import rows_in, url_of
from tests.domain.telling import NOON, alert, at
from tmcwatch.domain.alert import Alert, AlertId, Attention, EndReason, Severity, Status
from tmcwatch.domain.attention import Act, Note
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.grouping import Group
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.message import Message
from tmcwatch.domain.silence import Silence
from tmcwatch.store import outbox, schema
from tmcwatch.store.alerts import load_alert, save_alerts
from tmcwatch.store.attention import add_note, notes_of, save_attention
from tmcwatch.store.groups import add_members, save_groups
from tmcwatch.store.opening import open_store
from tmcwatch.store.retention import forget
from tmcwatch.store.search import (
    Query,
    alerts_beginning,
    find_alerts,
    memberships_of,
    muted_alerts,
    silences_beginning,
    tellings_of,
)
from tmcwatch.store.silences import add_silence

ATTENTION = Attention(
    acknowledged_by="oncall/ann",
    acknowledged_at=at(1),
    acknowledged_until=at(60),
    snoozed_at=at(2),
    snoozed_until=None,
)


@pytest.fixture
def store(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    yield store
    store.close()


@pytest.fixture
def connection(store):
    with store.engine.connect() as connection:
        yield connection


def one(name="3f2a", *, minute=0.0, rule="failed", account="prod", **changes) -> Alert:
    labels = {"account": account, "kind": "task", "id": "t1", "name": name}
    facts = {"labels": labels, "rule": rule, "changed_at": at(minute)}
    return alert(name, **(facts | changes))


def over(name, minute=0.0):
    return one(name, minute=minute, ends_at=at(minute), end_reason=EndReason.RECOVERED)


def note(name, act=Act.NOTED, text="", minute=0.0):
    return Note(alert=AlertId(name), at=at(minute), author="oncall/ann", act=act, text=text)


def everything(_):
    return True


def ids(found):
    return [alert.id for alert in found]


def test_what_people_said_is_read_back_with_the_alert(connection):
    save_alerts(connection, [one()])
    save_attention(connection, AlertId("3f2a"), ATTENTION)
    assert load_alert(connection, AlertId("3f2a")) == one(attention=ATTENTION)


def test_what_alerting_writes_leaves_what_people_said(connection):
    save_alerts(connection, [one()])
    save_attention(connection, AlertId("3f2a"), ATTENTION)
    save_alerts(connection, [one(count=2)])
    assert load_alert(connection, AlertId("3f2a")) == one(count=2, attention=ATTENTION)


def test_what_people_said_can_be_taken_back(connection):
    save_alerts(connection, [one()])
    save_attention(connection, AlertId("3f2a"), ATTENTION)
    save_attention(connection, AlertId("3f2a"), Attention())
    assert load_alert(connection, AlertId("3f2a")) == one()


def test_notes_are_given_in_the_order_they_were_written(connection):
    written = [note("b", Act.ACKNOWLEDGED, "first", 5), note("a", text="öther\nline", minute=1)]
    for each in written:
        add_note(connection, each)
    add_note(connection, note("c"))
    assert notes_of(connection, [AlertId("a"), AlertId("b")]) == tuple(written)
    assert notes_of(connection, []) == ()


def test_notes_go_when_their_alert_is_forgotten_and_not_before(store):
    def put(connection):
        save_alerts(connection, [over("old"), one("open")])
        add_note(connection, note("old"))
        add_note(connection, note("open"))

    store.write(put)
    limit, both = at(10), [AlertId("old"), AlertId("open")]
    assert store.write(lambda connection: forget(connection, limit, told=0)) == 2
    assert store.read(lambda connection: notes_of(connection, both)) == (note("open"),)
    assert rows_in(store, schema.alerts) == 1


def test_an_id_is_found_by_its_beginning(connection):
    save_alerts(connection, [one("3f2a"), one("3f2b"), one("77")])
    assert alerts_beginning(connection, "3f2a", most=3) == ["3f2a"]
    assert alerts_beginning(connection, "7", most=3) == ["77"]
    assert alerts_beginning(connection, "3f", most=3) == ["3f2a", "3f2b"]
    assert alerts_beginning(connection, "3f", most=1) == ["3f2a"]
    assert alerts_beginning(connection, "x", most=3) == []


@pytest.mark.parametrize("beginning", ["%", "_", "3_2a", "\\"])
def test_nothing_in_an_id_stands_for_anything_else(connection, beginning):
    save_alerts(connection, [one("3f2a")])
    assert alerts_beginning(connection, beginning, most=3) == []


def test_a_whole_id_is_alone_even_where_others_begin_with_it(connection):
    save_alerts(connection, [one("3f"), one("3f2a")])
    assert alerts_beginning(connection, "3f", most=3) == ["3f"]


def test_a_silence_is_found_by_its_beginning(connection):
    for name in ("a1", "a2"):
        silence = Silence(
            id=name,
            matchers=(matcher_from("rule=failed"),),
            created_by="oncall",
            comment="",
            created_at=NOON,
            starts_at=NOON,
            ends_at=at(60),
        )
        add_silence(connection, silence)
    assert silences_beginning(connection, "a", most=3) == ["a1", "a2"]
    assert silences_beginning(connection, "a2", most=3) == ["a2"]


def test_alerts_are_found_newest_first(connection):
    save_alerts(connection, [one("a", minute=1), over("b", 3), one("c", minute=2)])
    assert ids(find_alerts(connection, Query(), everything, most=9)) == ["b", "c", "a"]
    assert ids(find_alerts(connection, Query(), everything, most=2)) == ["b", "c"]
    assert ids(find_alerts(connection, Query(is_over=False), everything, most=9)) == ["c", "a"]
    assert ids(find_alerts(connection, Query(is_over=True), everything, most=9)) == ["b"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(rules=["misfired"]), ["b"]),
        (Query(rules=["misfired", "failed"]), ["d", "c", "b", "a"]),
        (Query(severities=[Severity.CRITICAL]), ["c"]),
        (Query(accounts=["test"]), ["d"]),
        (Query(rules=["failed"], accounts=["prod"]), ["c", "a"]),
        (Query(rules=["other"]), []),
    ],
)
def test_alerts_are_narrowed_by_what_the_store_knows(connection, query, found):
    saved = [
        one("a"),
        one("b", minute=1, rule="misfired"),
        one("c", minute=2, severity=Severity.CRITICAL),
        one("d", minute=3, account="test"),
    ]
    save_alerts(connection, saved)
    assert ids(find_alerts(connection, query, everything, most=9)) == found


def test_a_search_goes_on_until_enough_fit(connection):
    save_alerts(connection, [one(f"{n:04}", minute=-n, count=n % 600 + 1) for n in range(1201)])
    found = find_alerts(connection, Query(), lambda alert: alert.count == 600, most=2)
    assert ids(found) == ["0599", "1199"]


def member(connection, group, alert_id, *, muted=None):
    save_groups(connection, [Group(key=group, receiver=group.upper(), labels={})])
    add_members(connection, [(group, AlertId(alert_id))])
    same = (schema.members.c.group_key == group) & (schema.members.c.alert == alert_id)
    connection.execute(schema.members.update().where(same).values(muted=muted))


def test_why_alerts_are_muted_is_said_once_for_each_reason(connection):
    save_alerts(connection, [one("a"), one("b"), one("c")])
    member(connection, "g", "a", muted="maintenance nightly")
    member(connection, "h", "a", muted="maintenance nightly")
    member(connection, "i", "a", muted="interval weekend")
    member(connection, "g", "b")
    assert muted_alerts(connection) == {"a": ["maintenance nightly", "interval weekend"]}


def test_the_groups_of_an_alert_tell_who_knows(connection):
    save_alerts(connection, [one("a")])
    member(connection, "g", "a", muted="interval weekend")
    [found] = memberships_of(connection, AlertId("a"))
    assert (found.receiver, found.told, found.muted) == ("G", None, "interval weekend")


def delivery(number, *alerts, target="team/log"):
    id_ = delivery_id(target, "g", number)
    created_at = NOON + timedelta(minutes=number)
    message = Message(
        key=id_,
        receiver=target.split("/")[0],
        group_key="g",
        group_labels={},
        alerts=alerts,
        created_at=created_at,
    )
    return Delivery(
        id=id_,
        target=target,
        number=number,
        message=message,
        state=State.PENDING,
        attempts=0,
        due_at=created_at,
    )


def test_it_is_told_which_deliveries_tell_of_an_alert(connection):
    first, last = delivery(1, one("3f2a"), one("b")), delivery(2, over("3f2a", 1))
    outbox.owe(connection, first)
    outbox.claim(connection, first.id, at(1))
    outbox.delivered(connection, first.id, "200", at(1))
    outbox.owe(connection, last)
    outbox.owe(connection, delivery(3, one("b")))
    told = tellings_of(connection, one("3f2a"))
    assert [(one.id, one.status, one.state, one.text) for one in told] == [
        (first.id, Status.FIRING, State.DELIVERED, "200"),
        (last.id, Status.RESOLVED, State.PENDING, ""),
    ]


def test_a_delivery_that_only_speaks_of_the_id_does_not_tell_of_it(connection):
    outbox.owe(connection, delivery(1, replace(one("b"), annotations={"x": "3f2a"})))
    assert tellings_of(connection, one("3f2a")) == ()

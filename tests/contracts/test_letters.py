"""Letters of the outbox: listed for people, and replayed in one transaction, harmlessly twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity, Status
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.grouping import Group, Member
from tmcwatch.domain.message import Message
from tmcwatch.domain.parking import Trouble
from tmcwatch.store import letters, outbox
from tmcwatch.store.alerts import save_alerts
from tmcwatch.store.engine import StoreError
from tmcwatch.store.groups import Looked, save_looked
from tmcwatch.store.opening import open_store
from tmcwatch.store.parked import parked_targets, save_trouble
from tmcwatch.store.schema import deliveries

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
NOON = TEN + timedelta(hours=2)
TARGET = "oncall/webhook"
OTHER = "team/log"
TARGETS = {TARGET: True, OTHER: True}


def alert(name="a", *, over=False):
    return Alert(
        id=AlertId(name),
        rule="failed",
        severity=Severity.WARNING,
        labels={"name": name, "account": "prod", "kind": "task", "id": name},
        starts_at=TEN,
        ends_at=TEN + timedelta(minutes=9) if over else None,
        end_reason=EndReason.RECOVERED if over else None,
        opened_at=TEN,
        changed_at=TEN,
    )


def owed(number, *, group="g", target=TARGET, minute=0, over=False):
    made_at = TEN + timedelta(minutes=minute)
    id_ = delivery_id(target, group, number)
    message = Message(
        key=id_,
        receiver=target.split("/")[0],
        group_key=group,
        group_labels={},
        alerts=(alert(group, over=over),),
        created_at=made_at,
    )
    return Delivery(
        id=id_,
        target=target,
        number=number,
        message=message,
        state=State.PENDING,
        attempts=0,
        due_at=made_at,
    )


def owe(connection, *owing):
    for delivery in owing:
        save_alerts(connection, delivery.message.alerts)
        outbox.owe(connection, delivery)


def die(connection, *dying, at=TEN):
    """Try each of these, and give it up."""
    for delivery in dying:
        owe(connection, delivery)
        outbox.claim(connection, delivery.id, at)
        outbox.bury(connection, delivery.id, "host: answered 400", at)


def again(connection, *replayed, targets=TARGETS):
    ids = [delivery.id for delivery in replayed]
    return letters.replay(connection, ids, targets=targets, now=NOON)


def states(connection):
    query = select(deliveries.c.state).order_by(deliveries.c.group_key, deliveries.c.number)
    return list(connection.scalars(query))


@pytest.fixture
def store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'watch.db'}")
    yield store
    store.close()


@pytest.fixture
def connection(store):
    with store.engine.begin() as connection:
        yield connection


def test_what_is_owed_is_listed_oldest_first_and_of_one_receiver(connection):
    late, early = owed(1, group="late", minute=9), owed(1, group="early", minute=3)
    other = owed(1, target=OTHER, minute=5)
    owe(connection, late, early, other)
    die(connection, owed(1, group="dead"))
    outbox.claim(connection, late.id, TEN)
    outbox.postpone(connection, early.id, NOON, "host: answered 503", now=TEN)
    found = letters.owed_letters(connection, None, most=9)
    assert [one.id for one in found] == [early.id, other.id, late.id]
    assert [one.state for one in found] == [State.PENDING, State.PENDING, State.SENDING]
    assert (found[0].due_at, found[0].error) == (NOON, "host: answered 503")
    assert found[0].alerts == early.message.alerts
    assert [one.id for one in letters.owed_letters(connection, "team", most=9)] == [other.id]
    assert [one.id for one in letters.owed_letters(connection, None, most=1)] == [early.id]


def test_what_was_given_up_is_listed_the_last_first(connection):
    die(connection, owed(1, group="first"))
    die(connection, owed(1, group="second", target=OTHER), at=NOON)
    owe(connection, owed(1, group="owed"))
    first, second = reversed(letters.dead_letters(connection, None, most=9))
    assert (first.attempts, first.error) == (1, "host: answered 400")
    assert (second.changed_at, second.receiver) == (NOON, "team")
    assert letters.dead_letters(connection, "oncall", most=9) == (first,)


def test_a_letter_that_cannot_be_read_is_listed_and_stays_dead(connection):
    die(connection, owed(1))
    connection.execute(deliveries.update().values(facts="{"))
    (found,) = letters.dead_letters(connection, None, most=9)
    assert found.alerts == ()
    assert again(connection, owed(1)) == letters.Replay(due=0, nothing_left=0)
    assert states(connection) == ["dead"]


def test_a_replayed_letter_is_due_under_its_key_with_its_attempts_counted_afresh(connection):
    die(connection, owed(1))
    assert again(connection, owed(1)) == letters.Replay(due=1, nothing_left=0)
    assert outbox.next_due(connection, TARGET, NOON - timedelta(seconds=1)) == []
    (found,) = outbox.next_due(connection, TARGET, NOON)
    message = replace(owed(1).message, created_at=NOON)
    assert found == replace(owed(1), due_at=NOON, message=message)
    (listed,) = letters.owed_letters(connection, None, most=9)
    assert (listed.owed_since, listed.error) == (TEN, "host: answered 400")


def test_a_second_replay_changes_nothing(store):
    store.write(lambda c: die(c, owed(1)))
    store.write(lambda c: again(c, owed(1)))
    before = store.read(lambda c: c.execute(select(deliveries)).all())
    assert store.write(lambda c: again(c, owed(1))).due == 0
    assert store.read(lambda c: c.execute(select(deliveries)).all()) == before


@pytest.mark.parametrize("state", ["sending", "delivered"])
def test_what_is_not_dead_is_left_alone(connection, state):
    owe(connection, owed(1))
    connection.execute(deliveries.update().values(state=state))
    assert again(connection, owed(1)).due == 0
    assert states(connection) == [state]


def test_a_letter_whose_target_is_gone_stays_dead(connection):
    die(connection, owed(1))
    assert again(connection, owed(1), targets={OTHER: True}).due == 0
    assert letters.dead_ids(connection, None, [OTHER]) == []
    assert states(connection) == ["dead"]


def test_a_letter_with_nothing_left_to_tell_is_settled_with_the_reason(connection):
    die(connection, owed(1), owed(2, over=True))
    replayed = again(connection, owed(1), owed(2))
    assert replayed == letters.Replay(due=1, nothing_left=1)
    assert states(connection) == ["delivered", "pending"]
    receipts = connection.scalars(select(deliveries.c.receipt)).all()
    assert letters.NOTHING_LEFT in receipts


def test_a_replayed_letter_goes_before_the_later_ones_of_its_group(connection):
    die(connection, owed(1))
    owe(connection, replace(owed(2), message=replace(owed(2).message, alerts=(alert("b"),))))
    again(connection, owed(1))
    (due,) = outbox.next_due(connection, TARGET, NOON)
    assert due.number == 1


def test_what_is_owed_next_is_not_merged_into_a_replayed_letter(connection):
    die(connection, owed(1))
    again(connection, owed(1))
    owe(connection, owed(2, over=True))
    assert states(connection) == ["pending", "pending"]


def test_an_end_that_was_accepted_later_is_not_told_again(connection):
    die(connection, owed(1))
    owe(connection, owed(2, over=True))
    outbox.claim(connection, owed(2).id, TEN)
    outbox.delivered(connection, owed(2).id, "200", TEN)
    assert again(connection, owed(1)) == letters.Replay(due=0, nothing_left=1)


@pytest.mark.parametrize(("send_resolved", "due"), [(True, 0), (False, 1)])
def test_an_end_that_the_group_is_about_to_tell_is_left_to_it(connection, send_resolved, due):
    die(connection, owed(1))
    save_alerts(connection, [alert("g", over=True)])
    member = Member(alert=alert("g"), told=Status.FIRING, told_at=TEN)
    group = Group(key="g", receiver="oncall", labels={})
    save_looked(connection, [Looked(group=group, before=(), kept=[member])])
    replayed = again(connection, owed(1), targets={TARGET: send_resolved})
    assert replayed == letters.Replay(due=due, nothing_left=1 - due)


def test_each_group_and_target_is_told_its_own(connection):
    die(connection, owed(1), owed(1, target=OTHER), owed(1, group="other", over=True))
    ids = letters.dead_ids(connection, None, TARGETS)
    assert letters.replay(connection, ids, targets=TARGETS, now=NOON).due == 3
    assert letters.dead_ids(connection, None, TARGETS) == []
    told = {
        (one.target, alert.id): alert.status
        for one in letters.owed_letters(connection, None, most=9)
        for alert in one.alerts
    }
    assert told == {
        (TARGET, "g"): Status.FIRING,
        (OTHER, "g"): Status.FIRING,
        (TARGET, "other"): Status.RESOLVED,
    }


def test_dead_ones_are_found_of_one_receiver_and_unknown_ids_named(connection):
    die(connection, owed(1), owed(1, target=OTHER))
    assert letters.dead_ids(connection, "team", TARGETS) == [owed(1, target=OTHER).id]
    assert letters.unknown_ids(connection, [owed(1).id, "x", "y"]) == ["x", "y"]


def test_a_replay_that_breaks_off_has_changed_nothing(store):
    both = owed(1), owed(1, group="other")
    store.write(lambda c: die(c, *both))
    full = """CREATE TRIGGER full BEFORE UPDATE ON deliveries WHEN new.group_key = 'other'
              BEGIN SELECT RAISE(FAIL, 'no space left'); END"""
    store.write(lambda c: c.exec_driver_sql(full))
    with pytest.raises(StoreError):
        store.write(lambda c: again(c, *both))
    assert store.read(states) == ["dead", "dead"]
    store.write(lambda c: c.exec_driver_sql("DROP TRIGGER full"))
    assert store.write(lambda c: again(c, *both)).due == 2


@pytest.mark.parametrize(("refused", "left"), [(True, {OTHER}), (False, {TARGET, OTHER})])
def test_a_replay_ends_that_a_target_is_left_alone_as_it_refused_the_login(
    connection, refused, left
):
    later = NOON + timedelta(minutes=10)
    for target in (TARGET, OTHER):
        save_trouble(connection, target, Trouble(since=NOON, until=later, refused=refused))
    die(connection, owed(1))
    again(connection, owed(1))
    assert parked_targets(connection, NOON).keys() == left

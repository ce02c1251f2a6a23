"""The outbox: owed once, in order, merged while untried, and kept through a crash."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, select

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity, Status
from tmcwatch.domain.delivery import Delivery, State, delivery_id
from tmcwatch.domain.message import Message, merged
from tmcwatch.domain.storm import StormFacts
from tmcwatch.store import outbox
from tmcwatch.store.engine import Store
from tmcwatch.store.facts import FactsError, facts_of, message_from
from tmcwatch.store.precedence import storm_key
from tmcwatch.store.schema import deliveries, metadata

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
TARGET = "oncall/webhook"


def alert(name: str = "a", *, over: bool = False) -> Alert:
    return Alert(
        id=AlertId(name),
        rule="failed",
        severity=Severity.WARNING,
        labels={"alertname": "failed", "name": name},
        annotations={"error": "boom"},
        starts_at=TEN,
        ends_at=TEN + timedelta(minutes=9) if over else None,
        end_reason=EndReason.RECOVERED if over else None,
        opened_at=TEN,
        changed_at=TEN,
    )


def message(*alerts: Alert, group: str = "g", key: str = "k", told_before: int = 0) -> Message:
    return Message(
        key=key,
        receiver="oncall",
        group_key=group,
        group_labels={"rule": "failed"},
        alerts=alerts or (alert(),),
        told_before=told_before,
        created_at=TEN,
    )


def owed(number: int, *alerts: Alert, group: str = "g", target: str = TARGET, told: int = 0):
    return Delivery(
        id=delivery_id(target, group, number),
        target=target,
        number=number,
        message=message(*alerts, group=group, key=f"{group}-{number}", told_before=told),
        state=State.PENDING,
        attempts=0,
        due_at=TEN,
    )


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'watch.db'}")
    metadata.create_all(store.engine)
    yield store
    store.close()


@pytest.fixture
def connection(store):
    with store.engine.begin() as connection:
        yield connection


def due(connection, target: str = TARGET) -> Delivery:
    (delivery,) = outbox.next_due(connection, target, TEN)
    return delivery


def taken(connection) -> Delivery:
    (delivery,) = outbox.take(connection, TARGET, TEN, most=1)
    return delivery


def row(connection, delivery: Delivery):
    return connection.execute(select(deliveries).where(deliveries.c.id == delivery.id)).one()


def test_a_delivery_comes_back_as_it_was_owed(connection):
    assert outbox.owe(connection, owed(1))
    assert due(connection) == owed(1)


def test_the_same_delivery_is_owed_once(connection):
    assert outbox.owe(connection, owed(1))
    assert not outbox.owe(connection, owed(1))
    assert outbox.pending_count(connection) == 1


def test_nothing_is_due_before_its_time(connection):
    outbox.owe(connection, owed(1))
    assert outbox.next_due(connection, TARGET, TEN - timedelta(seconds=1)) == []
    assert outbox.next_due_at(connection, TARGET) == TEN


def test_an_empty_outbox_has_nothing_next(connection):
    assert outbox.take(connection, TARGET, TEN, most=1) == []
    assert outbox.next_due_at(connection, TARGET) is None


def test_what_is_claimed_is_committed_as_being_sent(store):
    store.write(lambda c: outbox.owe(c, owed(1)))
    delivery = store.write(taken)
    assert delivery.state is State.SENDING
    assert delivery.attempts == 1
    assert store.read(lambda c: outbox.uncertain(c, TARGET)) == [delivery.id]
    assert store.write(lambda c: outbox.take(c, TARGET, TEN, most=1)) == []


def test_a_later_message_waits_for_an_earlier_one_of_its_group(connection):
    outbox.owe(connection, owed(1))
    first = taken(connection)
    outbox.owe(connection, owed(2))
    assert outbox.next_due(connection, TARGET, TEN) == []
    later = TEN + timedelta(minutes=5)
    outbox.postpone(connection, first.id, later, "busy", now=TEN)
    assert outbox.next_due(connection, TARGET, TEN) == []
    assert outbox.next_due_at(connection, TARGET) == later


@pytest.mark.parametrize("end", ["delivered", "bury"])
def test_the_next_message_follows_once_the_earlier_one_is_settled(connection, end):
    outbox.owe(connection, owed(1))
    first = taken(connection)
    outbox.owe(connection, owed(2))
    getattr(outbox, end)(connection, first.id, "text", TEN)
    assert due(connection).number == 2


def test_other_groups_and_targets_do_not_wait(connection):
    outbox.owe(connection, owed(1))
    taken(connection)
    outbox.owe(connection, owed(2))
    outbox.owe(connection, owed(1, group="other"))
    outbox.owe(connection, owed(2, target="oncall/log"))
    assert due(connection).message.group_key == "other"
    assert due(connection, "oncall/log").number == 2
    assert outbox.pending_count(connection, "oncall/log") == 1


def test_a_receipt_is_kept_and_the_error_before_it_forgotten(connection):
    outbox.owe(connection, owed(1))
    outbox.postpone(connection, owed(1).id, TEN, "busy", now=TEN)
    outbox.delivered(connection, owed(1).id, "200", TEN)
    kept = row(connection, owed(1))
    assert (kept.state, kept.receipt, kept.error) == ("delivered", "200", None)


def test_a_released_delivery_is_sent_again_under_its_key(connection):
    outbox.owe(connection, owed(1))
    first = taken(connection)
    outbox.release(connection, first.id, TEN)
    second = taken(connection)
    assert (second.id, second.message.key, second.attempts) == (first.id, first.message.key, 2)


def test_untried_messages_of_a_group_become_one(connection):
    outbox.owe(connection, owed(1, alert("a")))
    assert outbox.owe(connection, owed(2, alert("a", over=True), alert("b")))
    only = due(connection)
    assert outbox.pending_count(connection) == 1
    assert (only.id, only.message.key) == (owed(1).id, "g-1")
    assert [(a.id, a.status) for a in only.message.alerts] == [
        ("a", Status.RESOLVED),
        ("b", Status.FIRING),
    ]


def test_a_message_that_was_tried_is_left_as_it_is(connection):
    outbox.owe(connection, owed(1))
    taken(connection)
    outbox.postpone(connection, owed(1).id, TEN, "busy", now=TEN)
    outbox.owe(connection, owed(2))
    assert outbox.pending_count(connection) == 2


def test_a_merged_message_counts_as_told_only_what_was_told():
    both = merged(message(alert("a")), message(alert("b"), told_before=4))
    assert [a.id for a in both.alerts] == ["a", "b"]
    assert both.told_before == 3


def test_unreadable_facts_are_buried_and_hold_up_nobody(connection):
    for number in (1, 2):
        outbox.owe(connection, owed(1, group=f"g{number}"))
    broken = owed(1, group="g1")
    connection.execute(deliveries.update().where(deliveries.c.id == broken.id).values(facts="{"))
    outbox.owe(connection, owed(2, group="g1"))
    assert due(connection).message.group_key in {"g1", "g2"}
    assert row(connection, broken).state == "dead"
    assert outbox.pending_count(connection) == 2


def test_retention_forgets_what_is_settled_in_bounded_steps(connection):
    for number in range(1, 5):
        outbox.owe(connection, owed(1, group=str(number)))
    for number in range(1, 4):
        outbox.delivered(connection, owed(1, group=str(number)).id, "200", TEN)
    later = TEN + timedelta(seconds=1)
    assert outbox.forget(connection, TEN, 9) == 0
    assert outbox.forget(connection, later, 2) == 2
    assert outbox.forget(connection, later, 2) == 1
    assert connection.scalar(select(func.count()).select_from(deliveries)) == 1


STORM = storm_key("oncall")


def made(delivery: Delivery, minute: float) -> Delivery:
    moment = TEN + timedelta(minutes=minute)
    return replace(delivery, message=replace(delivery.message, created_at=moment))


def summary(number: int, minute: float, *alerts: Alert) -> Delivery:
    facts = StormFacts(since=TEN, firing=9, over=0, recovered=0)
    delivery = owed(number, *alerts, group=STORM)
    return made(replace(delivery, message=replace(delivery.message, storm=facts)), minute)


def sent_in_turn(connection) -> list[tuple[str, int]]:
    """Send what is due until nothing is; answers with the groups and numbers."""
    turns = []
    while claimed := outbox.take(connection, TARGET, TEN, most=9):
        for delivery in claimed:
            turns.append((delivery.message.group_key, delivery.number))
            outbox.delivered(connection, delivery.id, "200", TEN)
    return turns


def test_a_summary_waits_for_what_was_owed_before_it_and_holds_up_what_comes_after(connection):
    outbox.owe_all(connection, [made(owed(1, group="b"), 0), made(owed(1, group="a"), 0)])
    outbox.owe(connection, summary(1, 1))
    outbox.owe(connection, made(owed(1, group="c"), 2))
    turns = [group for group, _ in sent_in_turn(connection)]
    assert sorted(turns[:2]) == ["a", "b"]
    assert turns[2:] == [STORM, "c"]


def test_an_end_waits_for_the_summary_that_told_its_alert_even_where_its_group_could_merge(
    connection,
):
    outbox.owe(connection, made(owed(1, alert("other")), 0))
    outbox.owe(connection, summary(1, 1))
    outbox.owe(connection, made(owed(2, alert("a", over=True)), 2))
    assert sent_in_turn(connection) == [("g", 1), (STORM, 1), ("g", 2)]


def test_a_summary_that_a_receiver_refuses_for_now_holds_up_that_target_alone(connection):
    outbox.owe(connection, summary(1, 1))
    first = taken(connection)
    outbox.owe_all(connection, [made(owed(1), 2), made(owed(1, target="oncall/log"), 2)])
    later = TEN + timedelta(minutes=5)
    outbox.postpone(connection, first.id, later, "busy", now=TEN)
    assert outbox.take(connection, TARGET, TEN, most=9) == []
    assert outbox.next_due_at(connection, TARGET) == later
    assert due(connection, "oncall/log").number == 1
    outbox.bury(connection, first.id, "gone", TEN)
    assert due(connection).number == 1


def test_two_summaries_stay_two_as_nobody_knows_what_the_first_would_say_by_now(connection):
    outbox.owe(connection, summary(1, 1))
    outbox.owe(connection, summary(2, 2))
    assert sent_in_turn(connection) == [(STORM, 1), (STORM, 2)]


def test_many_are_owed_at_once_as_they_are_one_by_one(connection):
    outbox.owe(connection, owed(1, alert("a"), group="0"))
    many = [owed(1, group=str(number)) for number in range(1_200)]
    assert outbox.owe_all(connection, many) == 1_199
    assert outbox.owe_all(connection, [owed(2, alert("b"), group="0"), *many]) == 1
    assert outbox.pending_count(connection) == 1_200
    asked = select(deliveries.c.facts).where(deliveries.c.group_key == "0")
    assert [one.id for one in message_from(connection.scalar(asked)).alerts] == ["a", "b"]


OWING = st.tuples(st.just("owe"), st.sampled_from(["a", "b", STORM]))
SENDING = st.tuples(st.just("send"), st.sampled_from(["accept", "postpone", "bury"]))


@pytest.mark.uncounted
@given(st.lists(OWING | SENDING, max_size=40))
def test_nothing_is_sent_before_what_may_have_told_its_alerts_was_settled(acts):
    engine = create_engine("sqlite://")
    metadata.create_all(engine, tables=[deliveries])
    rows: dict[str, tuple[int, str]] = {}
    is_open: set[str] = set()
    with engine.begin() as connection:
        for minute, (act, what) in enumerate(acts):
            if act == "owe":
                number = 1 + sum(group == what for _, group in rows.values())
                one = summary(number, minute) if what == STORM else owed(number, group=what)
                outbox.owe(connection, made(one, minute))
                if _is_owed(connection, one):
                    rows[one.id] = (minute, what)
                    is_open.add(one.id)
            elif claimed := outbox.take(connection, TARGET, TEN + timedelta(days=1), most=3):
                assert not any(_waits(rows, one.id, is_open - {one.id}) for one in claimed)
                for one in claimed:
                    _settle(connection, one, what, is_open)
    engine.dispose()


def _is_owed(connection, delivery: Delivery) -> bool:
    """Tell whether the delivery has a row of its own: it was not merged into an earlier one."""
    asked = select(deliveries.c.id).where(deliveries.c.id == delivery.id)
    return connection.scalar(asked) is not None


def _waits(rows, id_, is_open) -> bool:
    """Tell whether something is open that was owed before, of the same group or of all groups."""
    since, group = rows[id_]
    before = [rows[other][1] for other in is_open if rows[other][0] < since]
    return STORM in before or group in before or (group == STORM and bool(before))


def _settle(connection, delivery: Delivery, how: str, is_open: set[str]) -> None:
    if how == "postpone":
        outbox.postpone(connection, delivery.id, TEN, "busy", now=TEN)
        return
    is_open.discard(delivery.id)
    settle = outbox.delivered if how == "accept" else outbox.bury
    settle(connection, delivery.id, "text", TEN)


@pytest.mark.parametrize("looking", [outbox._NEXT_AT, outbox._NEXT])
def test_looking_for_work_uses_the_indexes(connection, looking):
    asked = looking.limit(1).params(asked_target=TARGET, now=0)
    statement = asked.compile(connection, compile_kwargs={"literal_binds": True})
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
    steps = [step.detail for step in plan]
    assert any("ix_deliveries_target" in step for step in steps)
    assert any("ix_deliveries_group" in step for step in steps)
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in steps)


texts = st.text(max_size=20)
moments = st.timedeltas(timedelta(days=-20_000), timedelta(days=60_000)).map(TEN.__add__)
mappings = st.dictionaries(texts, texts, max_size=3)
alerts = st.builds(
    Alert,
    id=texts.map(AlertId),
    rule=texts,
    severity=st.sampled_from(Severity),
    labels=mappings,
    annotations=mappings,
    starts_at=moments,
    ends_at=st.none() | moments,
    end_reason=st.none() | st.sampled_from(EndReason),
    count=st.integers(0, 10**9),
    opened_at=moments,
    changed_at=moments,
)
messages = st.builds(
    Message,
    key=texts,
    receiver=texts,
    group_key=texts,
    group_labels=mappings,
    alerts=st.lists(alerts, max_size=4).map(tuple),
    updates=st.frozensets(texts.map(AlertId), max_size=3),
    repeats=st.frozensets(texts.map(AlertId), max_size=3),
    told_before=st.integers(0, 10**6),
    storm=st.none()
    | st.builds(
        StormFacts,
        since=moments,
        firing=st.integers(0, 10**6),
        over=st.integers(0, 10**6),
        recovered=st.integers(0, 10**6),
        counts=st.dictionaries(
            texts, st.dictionaries(texts, st.integers(0, 10**6), max_size=2), max_size=2
        ),
    ),
    created_at=moments,
    external_url=texts,
)


@given(messages)
def test_facts_survive_the_store(facts):
    assert message_from(facts_of(facts)) == facts


@pytest.mark.uncounted
@given(messages, messages)
def test_a_merged_message_lists_every_alert_once_in_its_newest_state(older, newer):
    listed = {a.id: a for a in merged(older, newer).alerts}
    assert len(listed) == len(merged(older, newer).alerts)
    assert listed == {a.id: a for a in older.alerts + newer.alerts}


def test_what_says_no_more_than_before_is_written_as_before():
    assert json.loads(facts_of(message())).keys().isdisjoint({"updates", "repeats", "storm"})


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"told_before":0', '"told_before":0,"updates":"a"'),
        ('"told_before":0', '"told_before":0,"repeats":[1]'),
        ('"told_before":0', '"told_before":0,"storm":[]'),
        ('"told_before":0', '"told_before":0,"storm":{"since":0,"counts":[]}'),
        ('"key":"k"', '"key":1'),
        ('"told_before":0', '"told_before":true'),
        ('"count":1', '"count":1.5'),
        ('"count":1', '"count":1,"extra":1'),
        ('"external_url":""', '"more":""'),
        ('"labels":{', '"labels":[],"labelz":{'),
        ('{"rule":"failed"}', "[]"),
        ('"severity":"warning"', '"severity":"terrible"'),
        ('"created_at":', '"created_at":999999999'),
        ('"created_at":', '"created_at":"soon","at":'),
        ('"key":"k"', '"key"'),
    ],
)
def test_facts_that_are_no_message_are_refused(right, wrong):
    text = facts_of(message())
    assert right in text
    with pytest.raises(FactsError):
        message_from(text.replace(right, wrong, 1))


def test_facts_that_are_not_even_a_mapping_are_refused():
    with pytest.raises(FactsError):
        message_from("[]")


def test_the_newest_deliveries_are_shown_with_moments_as_everywhere(connection):
    outbox.owe(connection, owed(1))
    (shown,) = outbox.newest_deliveries(connection, 10)
    moments = [shown[name] for name in ("created_at", "changed_at", "due_at")]
    assert moments == ["2026-11-20T10:00:00Z"] * 3

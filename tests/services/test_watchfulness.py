"""Watchfulness: who is blind and who is not let in, over virtual hours and restarts."""

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from tests.domain.telling import PROD, at
from tests.threads import inline
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.observation import (
    Looked,
    LookFailed,
    LookProblem,
    Moment,
    NamesRead,
    Observation,
)
from tmcwatch.domain.window import Window
from tmcwatch.store.conditions import lasting_conditions, untold_conditions
from tmcwatch.supervisor import Bell
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics
from tmcwatch.tracking.notices import discrepancy_found
from tmcwatch.tracking.service import Tracker
from tmcwatch.tracking.watchfulness import Watchfulness

TEST = AccountName("test")


class Told:
    """A tracker that is told observations, restarted at will."""

    def __init__(self, store, *lists) -> None:
        self.store = store
        self.lists = lists or ((PROD, Kind.TASK),)
        self.transactions = 0

    async def _in_thread(self, work, /, *arguments):
        self.transactions += 1
        return await inline(work, *arguments)

    async def of(self, *observations: Observation, started: float | None = None) -> None:
        tracker = Tracker(
            store=self.store,
            in_thread=self._in_thread,
            changed=Bell(),
            metrics=Metrics(version="test"),
            health=Health(),
            watchfulness=Watchfulness(
                self.lists,
                limit=timedelta(minutes=5),
                settle=timedelta(seconds=10),
                started_at=observations[0].at if started is None else at(started),
            ),
        )
        send, receive = anyio.create_memory_object_stream[Observation](99)
        async with send, receive:
            for observation in observations:
                await send.send(observation)
            await send.aclose()
            await tracker.run(receive)

    @property
    def lasting(self):
        found = self.store.read(lasting_conditions)
        return [(one.rule, one.account, one.kind, one.since) for one in found]

    @property
    def all(self):
        found = self.store.read(lambda connection: untold_conditions(connection, most=99))
        return [(one.rule, one.since, one.until) for _, one in found]


def look(minute: float, account=PROD, kind=Kind.TASK, **changes) -> Looked:
    facts = {"watermark": at(minute - 0.2)} | changes
    return Looked(account=account, kind=kind, at=at(minute), rows=(), **facts)


def first(minute: float, account=PROD, kind=Kind.TASK) -> Looked:
    return look(minute, account, kind, watched_from=at(minute))


def fail(minute: float, problem=LookProblem.UNREACHABLE, account=PROD, kind=Kind.TASK):
    return LookFailed(account=account, kind=kind, at=at(minute), problem=problem, text="503")


def refused(minute: float, **changes):
    return fail(minute, LookProblem.UNAUTHORIZED, **changes)


def moment(minute: float) -> Moment:
    return Moment(at=at(minute))


@pytest.fixture
def told(store):
    return Told(store)


async def test_a_list_that_fails_for_five_minutes_is_blind_until_it_is_read(told):
    await told.of(first(0), fail(1), fail(4.9))
    assert told.lasting == []
    await told.of(first(5), fail(6), fail(10.1))
    assert told.lasting == [("blind", PROD, "task", at(5))]
    await told.of(fail(30), look(31))
    assert told.lasting == []
    assert told.all == [("blind", at(5), at(31))]


async def test_silence_alone_makes_blind(told):
    await told.of(first(0), moment(5), moment(5.1))
    assert [rule for rule, *_ in told.lasting] == ["blind"]


async def test_a_restart_neither_ends_nor_repeats_what_lasts(told):
    await told.of(first(0), fail(6))
    await told.of(moment(7), fail(7.1), fail(8.5), started=7)
    assert told.all == [("blind", at(0), None)]


async def test_after_hours_of_being_down_a_first_look_that_succeeds_is_not_blind(told):
    await told.of(first(0))
    await told.of(moment(300), look(300.2, watermark=at(60)), moment(300.4))
    assert told.all == []


async def test_each_list_is_judged_by_itself(store):
    told = Told(store, (PROD, Kind.TASK), (PROD, Kind.PLAN), (TEST, Kind.TASK))
    await told.of(
        *(first(0, account, kind) for account, kind in told.lists),
        fail(5.5),
        look(5.6, kind=Kind.PLAN),
        look(5.7, account=TEST),
    )
    assert told.lasting == [("blind", PROD, "task", at(0))]


async def test_a_refused_token_is_told_after_a_minute_and_explains_that_nothing_is_seen(told):
    await told.of(first(0), refused(1), fail(1.9), refused(2.1), refused(60))
    assert told.lasting == [("account_unauthorized", PROD, "", at(1))]
    await told.of(fail(61), moment(70), started=61)
    assert told.lasting == [("account_unauthorized", PROD, "", at(1))]
    await told.of(look(71), started=61)
    assert told.all == [("account_unauthorized", at(1), at(71))]


async def test_a_single_refusal_is_not_told(told):
    await told.of(first(0), refused(1), look(1.2), refused(3), look(3.1))
    assert told.all == []


async def test_what_a_refusal_hid_is_not_held_against_the_other_list(store):
    told = Told(store, (PROD, Kind.TASK), (PROD, Kind.PLAN))
    both = (first(0), first(0, kind=Kind.PLAN))
    ends = (refused(60, kind=None), look(61), moment(61.1), look(61.2, kind=Kind.PLAN))
    await told.of(*both, refused(1), refused(2.1, kind=Kind.PLAN), *ends)
    assert told.all == [("account_unauthorized", at(1), at(61))]


async def test_names_that_are_read_show_that_the_token_is_accepted(told):
    names = NamesRead(account=PROD, at=at(4), subjects=(), complete=True)
    await told.of(first(0), refused(1), refused(3), names)
    assert told.all == [("account_unauthorized", at(1), at(4))]


async def test_what_is_no_longer_watched_is_in_no_condition(store):
    both = Told(store, (PROD, Kind.TASK), (TEST, Kind.TASK))
    await both.of(first(0), first(0, account=TEST), refused(1, account=TEST), refused(6))
    await Told(store, (PROD, Kind.TASK)).of(moment(7))
    assert [account for _, account, *_ in both.lasting] == []
    assert len(both.all) == 1


async def test_the_usual_beat_costs_no_transaction_of_its_own(told):
    await told.of(first(0))
    told.transactions = 0
    await told.of(look(1), moment(1), look(1.1), moment(1.1))
    assert told.transactions == 1 + 2  # to begin, and one for each look


async def test_a_gap_is_told_once_however_often_it_is_found(told):
    gap = Window(start=at(-9_000), end=at(-8_000))
    longer = replace(gap, end=at(-7_000))
    await told.of(first(0), look(1, gap=gap), look(2, gap=longer))
    assert told.all == [("gap", at(1), at(1))]


def test_each_discrepancy_is_told(told):
    window = Window(start=at(-60), end=at(0))
    for minute in (1, 2):
        told.store.write(
            lambda connection, minute=minute: discrepancy_found(
                connection, PROD, Kind.TASK, window=window, number=2, at=at(minute)
            )
        )
    assert told.all == [
        ("audit_discrepancy", at(1), at(1)),
        ("audit_discrepancy", at(2), at(2)),
    ]

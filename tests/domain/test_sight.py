"""Sight: old and unproven lists make blind, slow ones and foreign clocks do not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.telling import PROD, at
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.observation import Learned, Looked, LookFailed, LookProblem
from tmcwatch.domain.sight import (
    Marks,
    Sight,
    after_failure,
    after_look,
    blind_since,
    blind_text,
    patience,
    sight,
)

LIMIT = timedelta(minutes=5)
STARTED = Marks(counted_from=at(-60), settle=timedelta(seconds=10))
READ = replace(STARTED, is_heard=True, head_at=at(0), watermark=at(-0.2), moved_at=at(0))
SEEING, BLIND, UNDECIDED = Sight.SEEING, Sight.BLIND, Sight.UNDECIDED


def looked(minute: float, **changes) -> Looked:
    return Looked(account=PROD, kind=Kind.TASK, at=at(minute), rows=(), **changes)


def failed(minute: float, problem=LookProblem.UNREACHABLE, text="503 Service Unavailable"):
    return LookFailed(account=PROD, kind=Kind.TASK, at=at(minute), problem=problem, text=text)


@pytest.mark.parametrize(
    ("marks", "minute", "expected"),
    [
        (READ, 0, SEEING),
        (READ, 5, SEEING),
        (READ, 5.1, BLIND),
        # Read, but nothing proven any more.
        (replace(READ, head_at=at(7)), 7, BLIND),
        (replace(READ, head_at=at(4)), 4, SEEING),
        # Far behind, but moving: an outage is caught up with.
        (replace(READ, watermark=at(-600)), 1, SEEING),
        (replace(READ, watermark=at(-600), head_at=at(6)), 6, BLIND),
        # TMC's clock is ten minutes off, either way.
        (replace(READ, watermark=at(-10.2), skew=timedelta(minutes=-10)), 4, SEEING),
        (replace(READ, watermark=at(9.8), skew=timedelta(minutes=10), head_at=at(7)), 7, BLIND),
        # TMC's clock was set back: the watermark waits for it, and is young all the same.
        (replace(READ, watermark=at(20), head_at=at(15)), 15, SEEING),
        # Never read: counted from the start of the process.
        (STARTED, -56, UNDECIDED),
        (STARTED, -54, BLIND),
        (replace(STARTED, is_heard=True), -56, UNDECIDED),
        # Read by a process before: blind at once, but for the first minute and the first look.
        (replace(STARTED, head_at=at(-300), watermark=at(-300)), -58, UNDECIDED),
        (replace(STARTED, head_at=at(-300), watermark=at(-300), is_heard=True), -59.1, UNDECIDED),
        (replace(STARTED, head_at=at(-300), watermark=at(-300), is_heard=True), -58.9, BLIND),
        # A fresh head from before the start shows nothing of now.
        (replace(STARTED, head_at=at(-61), watermark=at(-61)), -59.5, UNDECIDED),
    ],
)
def test_a_list_is_seen_while_its_head_is_read_and_its_watermark_young_or_moving(
    marks, minute, expected
):
    assert sight(marks, LIMIT, now=at(minute)) is expected


@pytest.mark.parametrize(("beat", "minutes"), [(10, 5), (30, 5), (31, 310 / 60), (600, 100)])
def test_patience_is_ten_beats_and_at_least_five_minutes(beat, minutes):
    assert patience(timedelta(seconds=beat)) == timedelta(minutes=minutes)


def test_a_look_that_proves_nothing_moves_the_head_alone():
    marks = after_look(READ, looked(1))
    assert (marks.head_at, marks.watermark, marks.moved_at) == (at(1), at(-0.2), at(0))


def test_a_look_behind_the_head_moves_the_watermark_alone():
    marks = after_look(READ, looked(1, head=False, watermark=at(0.5)))
    assert (marks.head_at, marks.watermark, marks.moved_at) == (at(0), at(0.5), at(1))


def test_a_watermark_that_was_passed_before_has_not_moved():
    assert after_look(READ, looked(1, watermark=at(-0.2))).moved_at == at(0)


def test_a_longer_settle_lag_is_waited_for():
    learned = Learned(settle=timedelta(minutes=9))
    marks = replace(after_look(READ, looked(1, learned=learned)), head_at=at(10))
    assert sight(marks, LIMIT, now=at(10)) is SEEING


def test_the_text_says_what_failed_last_and_since_when():
    marks = after_failure(READ, failed(3))
    text = blind_text("tasks of prod", marks, LIMIT, now=at(6))
    assert text == (
        "No look at tasks of prod succeeded since 2026-11-20 12:00 UTC: 503 Service Unavailable"
    )
    assert blind_since(marks, LIMIT, now=at(6)) == at(0)


def test_the_text_of_an_unproven_list_keeps_its_reason_through_the_next_look():
    unproven = failed(5.9, LookProblem.UNPROVEN, "the total changed")
    marks = after_look(after_failure(replace(READ, watermark=at(-1)), unproven), looked(6))
    text = blind_text("tasks of prod", marks, LIMIT, now=at(6))
    assert text == (
        "TMC's list of tasks of prod changes while it is read: nothing after 2026-11-20 11:59 UTC "
        "is proven to be complete: the total changed"
    )
    assert blind_since(marks, LIMIT, now=at(6)) == at(-1)


def test_a_look_that_proves_something_forgets_what_failed():
    assert after_look(after_failure(READ, failed(3)), looked(4, watermark=at(4))).failed is None

"""Messages: whether anything fires of what they are about, and two that become one."""

from typing import Any

import pytest

from tests.domain.telling import NOON, alert
from tmcwatch.domain.alert import AlertId, EndReason, Status
from tmcwatch.domain.message import Message, merged
from tmcwatch.domain.storm import StormFacts

A, OVER = alert("a"), alert("a", ends_at=NOON, end_reason=EndReason.RECOVERED)


def message(*alerts, **changes) -> Message:
    facts: dict[str, Any] = {"key": "k", "receiver": "r", "group_key": "g", "group_labels": {}}
    return Message(**(facts | {"alerts": alerts, "created_at": NOON} | changes))


def summary(firing: int, over: int) -> StormFacts:
    return StormFacts(since=NOON, firing=firing, over=over, recovered=over)


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (message(A), Status.FIRING),
        (message(OVER), Status.RESOLVED),
        (message(OVER, told_before=1), Status.FIRING),
        (message(OVER, alert("b")), Status.FIRING),
        (message(OVER, storm=summary(1, 9)), Status.FIRING),
        (message(OVER, storm=summary(0, 9)), Status.RESOLVED),
    ],
)
def test_a_message_fires_while_anything_does_that_it_is_about(one, status):
    assert one.status is status


def test_a_summary_counts_what_it_does_not_list():
    assert message(A, storm=summary(7, 2)).unlisted == 8
    assert message(A, told_before=3).unlisted == 0


@pytest.mark.parametrize(
    ("older", "newer", "both"),
    [
        ({}, {"updates"}, {}),  # nobody was told of it yet
        ({}, {"repeats"}, {}),
        ({"repeats"}, {"updates"}, {"updates"}),
        ({"updates"}, {"repeats"}, {"updates"}),
        ({"repeats"}, {"repeats"}, {"repeats"}),
    ],
)
def test_what_two_messages_would_have_told_anew_is_new_in_the_one_they_become(older, newer, both):
    def flagged(names):
        return message(A, **dict.fromkeys(names, frozenset({A.id})))

    one = merged(flagged(older), flagged(newer))
    expected = flagged(both)
    assert (one.updates, one.repeats) == (expected.updates, expected.repeats)


def test_an_end_that_is_merged_into_a_repeat_is_an_end():
    one = merged(message(A, repeats=frozenset({A.id})), message(OVER))
    assert (one.alerts, one.repeats, one.updates) == ((OVER,), frozenset(), frozenset())


def test_a_change_told_by_the_newer_alone_keeps_its_kind():
    one = merged(message(A), message(alert("b"), updates=frozenset({AlertId("b")})))
    assert one.updates == {"b"}

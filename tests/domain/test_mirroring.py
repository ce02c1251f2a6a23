"""What a mirror shows of our alerts, and what it no longer shows."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import NOON, alert, at
from tmcwatch.domain.alert import Alert, EndReason
from tmcwatch.domain.mirroring import label_set, mirrored, withdrawn

NOTICE = {"rule": "gap", "labels": {"rule": "gap"}}


def over(name, minute, **changes):
    ended = {"ends_at": at(minute), "changed_at": at(minute), "end_reason": EndReason.RECOVERED}
    return alert(name, **(ended | changes))


def names(alerts):
    return [(one.id, one.status.value) for one in alerts]


def test_what_fires_is_shown_however_old_it_is():
    assert names(mirrored([alert("a")], now=at(60 * 24 * 30))) == [("a", "firing")]


def test_what_is_over_is_shown_as_over_for_fifteen_minutes():
    assert names(mirrored([over("a", 1)], now=at(15))) == [("a", "resolved")]
    assert mirrored([over("a", 1)], now=at(16)) == ()


def test_an_end_of_which_we_learn_late_is_shown_from_then_on():
    late = over("a", 1, changed_at=at(100))
    assert names(mirrored([late], now=at(110))) == [("a", "resolved")]


def test_what_waits_for_the_time_of_its_rule_is_not_shown():
    assert mirrored([alert("a", due_at=at(15))], now=NOON) == ()


@pytest.mark.parametrize("older", [over("a", 1), over("a", 3)], ids=["before", "seen after"])
def test_what_fires_goes_before_an_earlier_episode_of_the_same_labels(older):
    newer = alert("b", labels=older.labels, changed_at=at(2))
    assert names(mirrored([older, newer], now=at(4))) == [("b", "firing")]
    assert names(mirrored([newer, older], now=at(4))) == [("b", "firing")]


def test_of_two_that_are_over_the_later_one_is_shown():
    shown = mirrored([over("a", 3), over("b", 2, labels={"name": "a"})], now=at(4))
    assert names(shown) == [("a", "resolved")]


def test_a_notice_fires_for_a_while_though_it_ended_by_being_told():
    notice = over("n", 0, **NOTICE)
    assert names(mirrored([notice], now=at(14))) == [("n", "firing")]
    (ended,) = mirrored([notice], now=at(16))
    assert ended.ends_at == at(15)
    assert mirrored([notice], now=at(31)) == ()


def test_a_notice_that_nobody_was_told_of_fires_no_longer_either():
    (ended,) = mirrored([alert("n", **NOTICE)], now=at(16))
    assert ended.ends_at == at(15)


def test_the_labels_from_before_a_rise_are_over_once_it_rose():
    before = mirrored([alert("a", labels={"severity": "warning"})], now=at(0))
    current = mirrored([alert("a", labels={"severity": "critical"})], now=at(1))
    (gone,) = withdrawn(before, current, now=at(1))
    assert (gone.labels, gone.ends_at) == ({"severity": "warning"}, at(1))


def test_what_was_withdrawn_is_shown_as_over_for_fifteen_minutes_from_then():
    first = withdrawn([alert("a")], [], now=at(5))
    assert withdrawn(first, [], now=at(19)) == first
    assert withdrawn(first, [], now=at(20)) == ()


def test_what_is_shown_again_is_not_withdrawn():
    gone = withdrawn([alert("a")], [], now=at(5))
    assert withdrawn(gone, [alert("b", labels={"name": "a"})], now=at(6)) == ()


def test_an_end_that_is_shown_is_not_withdrawn_anew():
    ended = [over("a", 1)]
    assert withdrawn(ended, [], now=at(1) + timedelta(minutes=15)) == ()


episodes = st.builds(
    lambda number, name, opened, lasts: alert(
        f"{name}{number}",
        labels={"name": name},
        opened_at=at(opened),
        changed_at=at(opened + (lasts or 0)),
        ends_at=None if lasts is None else at(opened + lasts),
    ),
    number=st.integers(0, 99),
    name=st.sampled_from("abc"),
    opened=st.integers(0, 60),
    lasts=st.none() | st.integers(0, 60),
)


@given(st.lists(st.lists(episodes, max_size=6), max_size=6), st.integers(1, 20))
def test_each_label_set_is_shown_once_and_fires_exactly_where_one_of_its_alerts_does(looks, beat):
    pushed: tuple[Alert, ...] = ()
    for number, alerts in enumerate(looks):
        now = at(120 + number * beat)
        current = mirrored(alerts, now=now)
        gone = withdrawn(pushed, current, now=now)
        before, pushed = pushed, current + gone
        labels = [label_set(one) for one in pushed]
        assert len(labels) == len(set(labels))
        firing = {label_set(one) for one in alerts if one.ends_at is None}
        assert {label_set(one) for one in pushed if one.ends_at is None} == firing
        # What was shown as firing is never just forgotten.
        assert {label_set(one) for one in before if one.ends_at is None} <= set(labels)

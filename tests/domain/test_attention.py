"""How an alert stands with people, and what they do about it."""

from datetime import timedelta

import pytest

from tests.domain.telling import NOON, alert, at
from tmcwatch.domain.alert import UNATTENDED, AlertId, Attention, EndReason
from tmcwatch.domain.attention import Act, Note, State, attended, states_of


def done(act, minute=0.0, author="ann"):
    return Note(alert=AlertId("a"), at=at(minute), author=author, act=act, text="")


def states(one, *, is_muted=False, minute=0.0):
    return states_of(one, is_muted=is_muted, now=at(minute))


def test_an_alert_that_nobody_attends_to_fires():
    assert states(alert()) == (State.FIRING,)


def test_an_alert_that_is_over_is_resolved_whatever_was_said_of_it():
    attention = Attention(acknowledged_at=NOON, snoozed_at=NOON)
    over = alert(ends_at=NOON, end_reason=EndReason.RECOVERED, attention=attention)
    assert states(over, is_muted=True) == (State.RESOLVED,)


def test_an_alert_whose_rule_still_waits_is_pending():
    assert states(alert(due_at=at(5)), is_muted=True) == (State.PENDING,)


def test_an_alert_is_called_by_the_person_who_is_on_it_first():
    attention = Attention(acknowledged_by="ann", acknowledged_at=NOON, snoozed_at=NOON)
    found = states(alert(attention=attention), is_muted=True)
    assert found == (State.ACKNOWLEDGED, State.SNOOZED, State.MUTED)


@pytest.mark.parametrize(
    ("act", "state"), [(Act.ACKNOWLEDGED, State.ACKNOWLEDGED), (Act.SNOOZED, State.SNOOZED)]
)
def test_what_is_said_holds_until_its_time_is_over(act, state):
    attention = attended(UNATTENDED, done(act), until=at(10))
    one = alert(attention=attention)
    assert states(one, minute=9.9) == (state,)
    assert states(one, minute=10) == (State.FIRING,)


@pytest.mark.parametrize("act", [Act.ACKNOWLEDGED, Act.SNOOZED])
def test_without_a_time_it_holds_until_the_alert_ends(act):
    one = alert(attention=attended(UNATTENDED, done(act), until=None))
    years_later = NOON + timedelta(days=4000)
    assert states_of(one, is_muted=False, now=years_later) != (State.FIRING,)


def test_whoever_acknowledges_last_is_on_it():
    first = attended(UNATTENDED, done(Act.ACKNOWLEDGED, 0, "ann"), until=None)
    second = attended(first, done(Act.ACKNOWLEDGED, 5, "bob"), until=at(60))
    assert second == Attention(
        acknowledged_by="bob", acknowledged_at=at(5), acknowledged_until=at(60)
    )


def test_to_snooze_leaves_whoever_is_on_it():
    taken = attended(UNATTENDED, done(Act.ACKNOWLEDGED), until=None)
    assert attended(taken, done(Act.SNOOZED), until=None).acknowledged_by == "ann"


@pytest.mark.parametrize("act", [Act.NOTED, Act.CLOSED])
def test_a_note_and_a_close_change_nothing_of_that(act):
    taken = attended(UNATTENDED, done(Act.ACKNOWLEDGED), until=None)
    assert attended(taken, done(act, 5, "bob"), until=None) == taken

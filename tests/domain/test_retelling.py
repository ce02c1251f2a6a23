"""What dead letters tell when they are sent again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity, Status
from tmcwatch.domain.built_in import WATCHING
from tmcwatch.domain.delivery import Delivery, DeliveryId, State
from tmcwatch.domain.message import Message
from tmcwatch.domain.retelling import retold

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
NOON = TEN + timedelta(hours=2)


def alert(name="a", *, over=False, rule="failed", reason=EndReason.RECOVERED):
    return Alert(
        id=AlertId(name),
        rule=rule,
        severity=Severity.WARNING,
        labels={"name": name},
        starts_at=TEN,
        ends_at=TEN + timedelta(minutes=9) if over else None,
        end_reason=reason if over else None,
        opened_at=TEN,
        changed_at=TEN,
    )


def letter(number, *alerts, state=State.DEAD):
    return Delivery(
        id=DeliveryId(str(number)),
        target="oncall/webhook",
        number=number,
        message=Message(
            key=f"key-{number}",
            receiver="oncall",
            group_key="g",
            group_labels={},
            alerts=alerts,
            created_at=TEN,
        ),
        state=state,
        attempts=3,
        due_at=TEN,
    )


def retelling(*letters, now=(), awaited=()):
    """Answer with the alerts that each letter tells, where `now` is how they are."""
    messages = retold(letters, {one.id: one for one in now}, awaited=awaited, now=NOON)
    return {id_: [(a.id, a.status) for a in m.alerts] for id_, m in messages.items()}


def test_a_letter_keeps_its_key_and_is_made_now():
    (message,) = retold([letter(1, alert())], {AlertId("a"): alert()}, now=NOON).values()
    assert message == replace(letter(1, alert()).message, created_at=NOON)


def test_an_alert_is_told_as_it_is_now():
    told = retelling(letter(1, alert("a"), alert("b")), now=[alert("a", over=True), alert("b")])
    assert told == {"1": [("a", Status.RESOLVED), ("b", Status.FIRING)]}


def test_a_severity_that_rose_is_told():
    risen = replace(alert(), severity=Severity.CRITICAL)
    (message,) = retold([letter(1, alert())], {risen.id: risen}, now=NOON).values()
    assert message.severity is Severity.CRITICAL


def test_an_alert_is_told_by_the_last_letter_that_lists_it():
    letters = letter(1, alert("a"), alert("b")), letter(2, alert("a", over=True))
    told = retelling(*letters, now=[alert("a", over=True), alert("b")])
    assert told == {"1": [("b", Status.FIRING)], "2": [("a", Status.RESOLVED)]}


def test_what_a_later_message_still_tells_is_left_to_it():
    later = letter(2, alert("a", over=True), state=State.PENDING)
    told = retelling(letter(1, alert("a")), later, now=[alert("a", over=True)])
    assert told == {"1": []}


def test_an_end_that_was_accepted_is_not_told_again_but_what_fires_is():
    accepted = letter(2, alert("a", over=True), alert("b"), state=State.DELIVERED)
    letters = letter(1, alert("a"), alert("b")), accepted
    told = retelling(*letters, now=[alert("a", over=True), alert("b")])
    assert told == {"1": [("b", Status.FIRING)]}


def test_what_the_group_is_about_to_tell_is_left_to_it():
    told = retelling(letter(1, alert("a")), now=[alert("a", over=True)], awaited={AlertId("a")})
    assert told == {"1": []}


def test_what_an_earlier_message_still_tells_is_told_again():
    earlier = letter(1, alert("a"), state=State.SENDING)
    told = retelling(earlier, letter(2, alert("a", over=True)), now=[alert("a", over=True)])
    assert told == {"2": [("a", Status.RESOLVED)]}


def test_what_was_closed_is_told_to_those_who_know_of_it_alone():
    closed = alert("a", over=True, reason=EndReason.CLOSED)
    assert retelling(letter(1, alert("a")), now=[closed]) == {"1": []}
    assert retelling(letter(2, closed), now=[closed]) == {"2": [("a", Status.RESOLVED)]}


def test_what_is_forgotten_never_fires_again_but_its_end_may_be_told():
    told = retelling(letter(1, alert("a"), alert("b", over=True)), now=[])
    assert told == {"1": [("b", Status.RESOLVED)]}


def test_a_notice_is_told_as_it_was_though_telling_ended_it():
    digest = alert("now-watching", rule=WATCHING.name)
    ended = replace(digest, ends_at=TEN, end_reason=EndReason.CLOSED)
    assert retelling(letter(1, digest), now=[ended]) == {"1": [("now-watching", Status.FIRING)]}

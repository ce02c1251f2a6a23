"""Parking: how long a target that fails is left alone, and what is said of it."""

from datetime import timedelta

from tests.domain.telling import at
from tmcwatch.domain.parking import Trouble, after_failure, failing, is_known_refusal, told_at

FAILED = Trouble(since=at(0), until=at(0))


def test_a_failure_alone_leaves_the_target_to_its_other_messages():
    assert after_failure(None, now=at(0), refused=False) == FAILED


def test_trouble_is_as_old_as_its_first_failure():
    again = after_failure(FAILED, now=at(7), refused=False)
    assert again == FAILED
    assert told_at(again) == at(15)


def test_a_target_that_asked_to_wait_is_left_alone_until_then():
    assert after_failure(FAILED, now=at(1), refused=False, wait_until=at(9)).until == at(9)


def test_another_failure_does_not_shorten_what_it_asked_for():
    asked = after_failure(None, now=at(0), refused=False, wait_until=at(9))
    assert after_failure(asked, now=at(0), refused=False).until == at(9)
    assert after_failure(asked, now=at(1), refused=False, wait_until=at(5)).until == at(9)
    assert after_failure(asked, now=at(0), refused=True).until == at(10)


def test_a_refused_login_is_tried_every_ten_minutes():
    parked = after_failure(None, now=at(0), refused=True)
    assert parked == Trouble(since=at(0), until=at(10), refused=True)
    assert after_failure(parked, now=at(10), refused=True).until == at(20)


def test_only_the_first_refusal_is_news_whatever_else_fails_in_between():
    first = after_failure(None, now=at(0), refused=True)
    broken = after_failure(first, now=at(10), refused=False)
    assert not is_known_refusal(None, refused=True)
    assert is_known_refusal(broken, refused=True)
    assert not is_known_refusal(first, refused=False)


def said(trouble, *, waiting=0, given_up=0):
    return failing(
        "oncall/webhook", "oncall", trouble, waiting=waiting, given_up=given_up, error="a: 503"
    ).text


def test_the_text_says_who_since_when_how_many_why_and_what_to_do():
    assert said(FAILED, waiting=1_200) == (
        "oncall/webhook has accepted no message since 2026-11-20 12:00 UTC: a: 503. 1,200 "
        "messages wait, 0 messages were given up. What waits is tried again for 72 hours: see "
        "whether it can be reached from here"
    )


def test_the_text_says_how_to_send_again_what_was_given_up():
    text = said(FAILED, given_up=1)
    assert "1 message was given up" in text
    assert text.endswith("then: tmcwatch deliveries replay --receiver oncall")


def test_the_text_of_a_refused_login_says_so():
    parked = Trouble(since=at(0), until=at(0) + timedelta(minutes=10), refused=True)
    assert "oncall/webhook has refused the login since" in said(parked, waiting=1)
    assert "1 message waits" in said(parked, waiting=1)

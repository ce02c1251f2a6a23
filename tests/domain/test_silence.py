"""Silences: what they mute, and when someone is reminded of one."""

from datetime import timedelta

import pytest

from tests.domain.telling import alert, at
from tmcwatch.domain.built_in import BUILT_IN, SILENCE_ENDING
from tmcwatch.domain.episode import Ownership
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.silence import Silence, is_worth_a_reminder, reminder

RULE = BUILT_IN[SILENCE_ENDING]
HOUR = timedelta(hours=1)


def silence(*matchers: str, minutes: float = 240, comment: str = "") -> Silence:
    return Silence(
        id="s1",
        matchers=tuple(map(matcher_from, matchers)),
        created_by="ann",
        comment=comment,
        created_at=at(0),
        starts_at=at(0),
        ends_at=at(minutes),
    )


@pytest.mark.parametrize(
    ("minutes", "ahead", "is_worth"),
    [
        (240, HOUR, True),
        (239, HOUR, False),
        (40, timedelta(minutes=10), True),
    ],
)
def test_only_a_silence_much_longer_than_the_time_ahead_is_worth_a_reminder(
    minutes, ahead, is_worth
):
    assert is_worth_a_reminder(silence("a=b", minutes=minutes), ahead) is is_worth


def reminding(one: Silence, *firing, minute: float = 180):
    ownership = [Ownership(matchers=(matcher_from("account=prod"),), labels={"team": "fin"})]
    return reminder(one, RULE, firing, ownership=ownership, now=at(minute))


LOADS = [alert(name, labels={"name": name, "account": "prod"}) for name in ("load", "load_2")]


def test_a_reminder_says_what_ends_when_and_how_much_it_mutes():
    told = reminding(silence('name=~"load.*"', 'account="prod"', comment="patching"), *LOADS)
    assert told.annotations["summary"] == (
        'The silence of name=~"load.*", account="prod" by ann (patching) ends at '
        "2026-11-20 16:00 UTC. It mutes 2 alerts that still fire, to be told then."
    )
    assert (told.rule, told.severity) == ("silence_ending", "info")
    named = {name: told.labels[name] for name in ("account", "kind", "id", "team")}
    assert named == {"account": "prod", "kind": "silence", "id": "s1", "team": "fin"}


def test_a_reminder_of_no_account_in_particular_has_none():
    told = reminding(silence('account=~"prod"'), *LOADS[:1])
    assert told.labels["account"] == ""
    assert "by ann ends at" in told.annotations["summary"]
    assert "It mutes 1 alert that still fires" in told.annotations["summary"]


def test_a_silence_that_mutes_nothing_is_not_told_of():
    assert reminding(silence("name=other"), *LOADS) is None
    notice = alert("n", rule="gap", labels={"name": "load"})
    assert reminding(silence("name=load"), notice) is None


def test_a_reminder_is_the_same_whenever_it_is_made_anew():
    one = silence("name=load")
    assert reminding(one, *LOADS).id == reminding(one, *LOADS, minute=181).id

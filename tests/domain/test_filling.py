"""Filling: what stands for a name in a text of the config, and that none of it does harm."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.domain.alert import Alert, AlertId, EndReason, Severity
from tmcwatch.domain.filling import FIELDS, fields_in, filled, is_over
from tmcwatch.domain.message import Message, Words

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
WORDS = Words(title="a title", text="a text\nof lines", markdown="", html="")
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]|<[A-Za-z/!?]")


def alert(name="load", *, over=False, starts=TEN, rule="failed", **labels):
    return Alert(
        id=AlertId(name),
        rule=rule,
        severity=Severity.WARNING,
        labels={"account": "acme", "name": name, **labels},
        annotations={"summary": f"{name} failed", "error": "boom"},
        starts_at=starts,
        ends_at=starts + timedelta(minutes=9) if over else None,
        end_reason=EndReason.RECOVERED if over else None,
        opened_at=starts,
        changed_at=starts,
    )


def message(*alerts, told_before=0, **group_labels):
    return Message(
        key="k",
        receiver="team",
        group_key="g",
        group_labels=group_labels,
        alerts=alerts,
        told_before=told_before,
        created_at=TEN + timedelta(minutes=1),
    )


def said(template, *alerts, longest=1_000, **more):
    return filled(template, message(*alerts, **more), WORDS, longest=longest)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{{name}}}", "{load}"),
        ("{title}: {text}", "a title: a text\nof lines"),
        ("{state} {status} {firing}", "FIRING firing 1"),
        ("{rule} {severity} {error}", "failed warning boom"),
        ("{starts_at} {ends_at}|{told_at}", "2026-11-20T10:00:00Z |2026-11-20T10:01:00Z"),
        ("{label.team}|{label.none}|{owner}", "finance||"),
    ],
)
def test_a_name_stands_for_what_the_message_says(template, text):
    assert said(template, alert(team="finance")) == text


@pytest.mark.parametrize(
    "template", ["{nmae}", "{name!r}", "{name:>9}", "{}", "{0}", "{name", "}", "{label.a.b}"]
)
def test_a_text_with_an_unknown_name_or_form_is_refused(template):
    with pytest.raises(ValueError, match=r"none of|format|'}'|Single|\{"):
        fields_in(template)


def test_several_alerts_are_listed_each_once_and_only_those_that_fire():
    alerts = [alert("a"), alert("b", over=True), alert("c")]
    assert said("{name} {account}: {summary}", *alerts) == "a, c acme: a failed; c failed"


def test_the_times_of_several_alerts_are_the_first_beginning_and_the_last_end():
    late = alert("b", over=True, starts=TEN + timedelta(hours=1))
    times = said("{starts_at} {ends_at}", alert("a", over=True), late)
    assert times == "2026-11-20T10:00:00Z 2026-11-20T11:09:00Z"


def test_what_the_whole_group_has_in_common_is_known_even_of_those_told_before():
    text = said("{account} {environment} {error}", alert(over=True), told_before=1, account="acme")
    assert text == "acme  "


def test_many_alerts_are_counted_beyond_the_first():
    names = said("{name}", *(alert(f"n{number}") for number in range(14)))
    assert names.endswith("n9, and 4 more")


def test_an_end_that_is_no_recovery_is_not_called_one():
    gone = replace(alert(over=True), end_reason=EndReason.SUBJECT_GONE)
    assert said("{state}", gone) == "RESOLVED"


def test_a_group_is_over_when_nothing_told_now_or_before_fires():
    assert is_over(message(alert(over=True)))
    assert not is_over(message(alert(over=True), told_before=1))
    assert not is_over(message(alert("a", over=True), alert("b")))


@given(st.text(), st.sampled_from(sorted(FIELDS - {"title", "text"} | {"label.team"})))
def test_whatever_others_write_is_one_bounded_line_without_controls_and_tags(hostile, name):
    text = "<script>\n" + hostile
    bad = replace(alert(text, team=text), annotations=dict.fromkeys(FIELDS, text))
    shown = said(f"{{{name}}}", bad, longest=50)
    assert len(shown) <= 50
    assert not HARMFUL.search(shown)
    assert "\n" not in shown

"""Words: what a person reads, and that no hostile text becomes markup in any format."""

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmcwatch.delivering import words_for
from tmcwatch.delivering.escaping import Address, address
from tmcwatch.domain.alert import Alert, AlertId, Attention, EndReason, Severity
from tmcwatch.domain.message import Message, Words
from tmcwatch.domain.storm import StormFacts

NINE = datetime(2026, 11, 20, 9, 2, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
LINK = "https://tmc.example.org/run?id=1&tab=log"


def alert(
    name: str = "load_customers",
    *,
    rule: str = "failed",
    end: EndReason | None = None,
    severity: Severity = Severity.WARNING,
    count: int = 1,
    begun: datetime = NINE,
    annotations: dict[str, str] | None = None,
    **labels: str,
) -> Alert:
    where = {"account": "acme", "environment": "PROD", "workspace": "finance", "kind": "task"}
    return Alert(
        id=AlertId(hashlib.sha256(f"{name}{rule}{end}".encode(errors="replace")).hexdigest()[:16]),
        rule=rule,
        severity=severity,
        labels={"alertname": rule, **where, "id": "65f0", "name": name, **labels},
        annotations=annotations or {},
        starts_at=begun,
        ends_at=NINE + timedelta(minutes=7) if end else None,
        end_reason=end,
        count=count,
        opened_at=NINE,
        changed_at=NINE,
    )


def message(*alerts: Alert, told_before: int = 0, **group_labels: str) -> Message:
    return Message(
        key="3f2a9c0d17aa4e55",
        receiver="oncall",
        group_key="g",
        group_labels=group_labels,
        alerts=alerts,
        told_before=told_before,
        created_at=NINE + timedelta(minutes=1),
        external_url="https://watch.example.org/",
    )


def words(*alerts: Alert, told_before: int = 0, **group_labels: str) -> Words:
    return words_for(message(*alerts, told_before=told_before, **group_labels), time_zone=PARIS)


def test_one_alert_is_told_with_everything_that_is_known():
    told = words(
        alert(
            count=3,
            trigger="scheduled",
            team="data",
            annotations={
                "summary": "task load_customers failed: DISK_FULL",
                "step": "2 Load",
                "reason": "DISK_FULL",
                "error": "java.io.IOException:\n\tno space left",
                "link": LINK,
                "runbook_url": "https://wiki.example.org/a b",
            },
        )
    )
    assert told.title == "FAILED: load_customers (PROD / finance)"
    assert told.text.splitlines() == [
        "FAILED: load_customers (PROD / finance)",
        "since 10:02 CET · warning · 3 runs",
        "what: task load_customers failed: DISK_FULL",
        "step: 2 Load",
        "error: java.io.IOException: no space left",
        "about: account acme · team data · scheduled",
        f"open in TMC: {LINK}",
        "acknowledge or silence: https://watch.example.org/alerts/7ed747fe939d7e09",
        "",
        "message 3f2a9c0d17aa",
    ]


def test_a_summary_that_says_only_what_the_headline_says_is_left_out():
    told = words(alert(annotations={"summary": "task load_customers failed"}))
    assert "what:" not in told.text


def test_a_reason_that_no_summary_says_is_a_fact_of_its_own():
    assert "\nreason: DISK_FULL\n" in words(alert(reason="DISK_FULL")).text


def test_opened_and_over_is_said_in_one_line():
    told = words(alert(end=EndReason.RECOVERED))
    assert told.title == "RECOVERED: load_customers (PROD / finance)"
    assert "failed 10:02, recovered 10:09 CET" in told.text


@pytest.mark.parametrize("reason", [reason for reason in EndReason if reason != "recovered"])
def test_only_a_recovery_is_told_as_one(reason):
    told = words(alert(end=reason))
    assert "recovered" not in (told.title + told.text + told.markdown + told.html).lower()


def test_a_plan_is_named_as_one():
    told = words(alert("nightly", rule="plan_failed", kind="plan"))
    assert told.title == "FAILED: plan nightly (PROD / finance)"


def test_another_rule_is_named_by_its_own_word():
    assert words(alert(rule="deploy_failed")).title.startswith("DEPLOY FAILED: load_customers")
    told = words(alert(rule="misfired", end=EndReason.RECOVERED))
    assert "misfired 10:02, recovered 10:09" in told.text


def test_several_alerts_are_counted_in_the_title():
    told = words(
        alert("a", rule="plan_failed"), alert("b"), rule="plan_failed", environment="PROD", x=""
    )
    assert told.title == "[FIRING 2] plan_failed · PROD"


def test_what_is_over_is_counted_beside_what_is_not():
    over = [alert("b", end=EndReason.RECOVERED), alert("c", end=EndReason.RECOVERED)]
    assert words(alert("a"), *over).title == "[FIRING 1, RECOVERED 2] failed"
    assert words(*over, account="acme").title == "[RECOVERED 2] acme"
    assert words(alert("a", end=EndReason.EXPIRED), *over).title == "[RESOLVED 3] failed"


def test_the_worst_comes_first_and_what_is_over_last():
    told = words(
        alert("over", severity=Severity.CRITICAL, end=EndReason.RECOVERED),
        alert("mild", severity=Severity.INFO),
        alert("bad", severity=Severity.CRITICAL),
    )
    order = [told.text.index(name) for name in ("bad", "mild", "over")]
    assert order == sorted(order)


def test_what_became_something_else_is_told_as_one_change():
    late = alert("a", rule="late", end=EndReason.SUPERSEDED)
    missed = alert("a", rule="missed", begun=NINE + timedelta(minutes=7))
    told = words(late, missed)
    assert told.title == "LATE → MISSED: a (PROD / finance)"
    assert "before: late since 10:02 CET" in told.text
    assert "since 10:09 CET · warning" in told.text
    assert "SUPERSEDED" not in told.text


def test_what_took_the_place_of_another_is_found_by_its_name():
    missed = alert("plan", rule="plan_failed", kind="plan", id="p")
    late = alert("a", rule="late", end=EndReason.SUPERSEDED)
    named = replace(late, annotations={"superseded_by": missed.id})
    assert words(named, missed).title == "LATE → FAILED: plan plan (PROD / finance)"
    assert words(named).title == "SUPERSEDED: a (PROD / finance)"


def test_something_critical_is_marked_in_the_title():
    assert words(alert(severity=Severity.CRITICAL)).title.startswith("[CRITICAL] FAILED: load")
    over = alert(severity=Severity.CRITICAL, end=EndReason.RECOVERED)
    assert words(over).title.startswith("RECOVERED: load")
    two = words(alert("a", severity=Severity.CRITICAL), alert("b"))
    assert two.title == "[FIRING 2 (1 critical)] failed"


def test_what_is_worse_than_it_was_told_is_told_as_that():
    worse = alert(severity=Severity.CRITICAL)
    told = words_for(replace(message(worse), updates=frozenset({worse.id})), time_zone=PARIS)
    assert told.title == "[NOW CRITICAL] FAILED: load_customers (PROD / finance)"
    assert "since 10:02 CET · now critical" in told.text
    assert "· now critical" in told.html


def test_a_reminder_says_that_it_was_told_before():
    one = alert()
    told = words_for(replace(message(one), repeats=frozenset({one.id})), time_zone=PARIS)
    assert "since 10:02 CET · warning · told before" in told.text


@pytest.mark.parametrize(
    ("attention", "said"),
    [
        (Attention(acknowledged_by="ann", acknowledged_at=NINE), " · acknowledged by ann"),
        (
            Attention(acknowledged_at=NINE, acknowledged_until=NINE + timedelta(hours=2)),
            " · acknowledged by someone until 12:02",
        ),
        (Attention(acknowledged_at=NINE, acknowledged_until=NINE), ""),
        (
            Attention(snoozed_at=NINE, snoozed_until=NINE + timedelta(days=1)),
            " · snoozed until 21 Nov 10:02",
        ),
    ],
)
def test_who_is_on_it_is_said(attention, said):
    told = words(replace(alert(), attention=attention))
    assert f"since 10:02 CET · warning{said}\n" in f"{told.text}\n"


def test_moments_are_told_in_the_readers_time():
    told = words(alert(annotations={"last_success": "2026-11-19T23:30:00+00:00", "usual": "7"}))
    assert "last success: 00:30 CET" in told.text
    assert "usual: 7" in told.text


def test_messages_about_one_alert_have_a_reference_in_common():
    fired, over = words(alert()), words(replace(alert(), ends_at=NINE))
    assert fired.reference == over.reference == alert().id[:6]
    several = words(alert("a"), alert("b")), words(alert("c"), alert("d"), alert("e"))
    assert several[0].reference == several[1].reference != fired.reference


def test_there_is_a_page_to_acknowledge_what_fires():
    page = f"https://watch.example.org/alerts/{alert().id}"
    assert f"acknowledge or silence: {page}" in words(alert()).text
    assert page not in words(alert(end=EndReason.RECOVERED)).text
    without = words_for(replace(message(alert()), external_url=""), time_zone=PARIS)
    assert "acknowledge" not in without.text


def test_what_is_beyond_twenty_is_counted():
    alerts = [alert(f"task_{n:02}") for n in range(24)]
    told = words(*alerts, alert("z", end=EndReason.RECOVERED), told_before=41)
    assert told.text.count("FAILED:") == 20
    assert "And 5 more: 4 firing, 1 resolved. 41 already told, still firing." in told.text


def test_a_storm_says_how_much_there_is_and_what_it_is_about():
    listed = [alert(f"task_{n:02}") for n in range(20)]
    rules = {"failed": 4_800, "misfired": 200, **{f"r{n}": 1 for n in range(9)}}
    counts = {"rule": rules, "environment": {"PROD": 5_009}, "account": {}}
    storm = StormFacts(since=NINE, firing=5_009, over=2, recovered=1, counts=counts)
    told = words_for(replace(message(*listed), storm=storm), time_zone=PARIS)
    assert told.title == "[STORM: FIRING 5,009, RESOLVED 2] failed"
    summary = "5,011 alerts since 10:02 CET, by rule: failed 4,800, misfired 200,"
    assert told.text.startswith(summary)
    assert told.text.count("FAILED:") == 5
    assert "And 5,006 more." in told.text
    assert "r8" not in told.text
    over = replace(storm, firing=0, over=4_812, recovered=4_812)
    ends = (alert("a", end=EndReason.RECOVERED), alert("b", end=EndReason.RECOVERED))
    told = words_for(replace(message(*ends), storm=over), time_zone=PARIS)
    assert told.title == "[STORM: RECOVERED 4,812] failed"


def test_another_day_or_year_is_said():
    assert (
        "since 3 May 11:02 CEST" in words(alert(begun=datetime(2026, 5, 3, 9, 2, tzinfo=UTC))).text
    )
    assert (
        "since 3 May 2025 11:02" in words(alert(begun=datetime(2025, 5, 3, 9, 2, tzinfo=UTC))).text
    )


def test_the_beginning_of_watching_is_one_sentence():
    digest = "Now watching acme: 2,014 tasks, 37 of them failing, the oldest since 3 May."
    told = words(alert("acme", rule="watching", annotations={"summary": digest}))
    assert told.title == "Now watching acme"
    assert told.text.splitlines()[0] == digest
    assert "FIRING" not in told.text


def test_an_alert_without_a_name_is_told_by_its_id():
    assert words(alert("")).title == "FAILED: 65f0 (PROD / finance)"


def test_a_message_without_alerts_is_still_a_message():
    assert words(rule="failed").title == "[FIRING 0] failed"


def test_a_long_error_is_cut():
    told = words(alert(annotations={"error": "x" * 1_000_000}))
    assert 490 < told.text.count("x") < 510
    assert len(told.html) < 3_000


def test_a_name_cannot_call_a_whole_channel():
    told = words(alert("@everyone @here"))
    assert not re.search("@(everyone|here)", told.title + told.text + told.markdown + told.html)


@pytest.mark.parametrize(
    "text",
    ["javascript:alert(1)", "https://", "http://[", "ftp://x/", "https://a b/", "x" * 3000, ""],
)
def test_what_is_no_web_address_is_no_link(text):
    assert address(text) is None


def test_an_address_cannot_leave_its_place():
    assert address("https://x/\">)<'é") == "https://x/%22%3E%29%3C%27%C3%A9"


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


HARMLESS = re.compile("[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]*")
hostile = st.one_of(
    st.text(st.characters(), max_size=60),
    st.text("<>&\"'`*_[]()#|~!\\\n\r\t -+=.1@$:/", max_size=60),
    st.sampled_from(
        ["<!channel>", "</td><script>x</script>", "[a](javascript:b)", "`" * 9, "\u202etxt.exe"]
    ),
)


@given(hostile, hostile, hostile)
@settings(max_examples=60)
def test_no_text_changes_the_structure_of_a_message(name, place, error):
    def with_texts(name: str, place: str, error: str) -> Words:
        one = alert(name, environment=place, annotations={"error": error, "step": "s"})
        return words(one, told_before=1)

    calm = with_texts("n", "p", "e") if place else with_texts("n", "", "e")
    told = with_texts(f"n{name}", place and f"p{place}", f"e{error}")
    assert Tags(told.html).tags == Tags(calm.html).tags
    assert len(told.text.splitlines()) == len(calm.text.splitlines())
    assert len(told.markdown.splitlines()) == len(calm.markdown.splitlines())
    assert len(told.title.splitlines()) == 1
    assert all(
        HARMLESS.fullmatch(part) for part in (told.title, told.text, told.markdown, told.html)
    )


@given(st.text(max_size=50))
def test_an_address_holds_only_what_every_format_takes(text):
    found = address(f"https://example.org/{text}")
    assert found is None or re.fullmatch(r"[A-Za-z0-9\-._~:/?#@&=+,;%$]+", found)
    assert found is None or isinstance(found, Address)

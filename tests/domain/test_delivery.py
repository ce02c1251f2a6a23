"""Deliveries and links: ids that never repeat by chance, waits that stay bounded."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import NOON, alert
from tmcwatch.domain.alert import Severity, Status
from tmcwatch.domain.delivery import FIRST_RETRY, LONGEST_RETRY, delivery_id, retry_wait
from tmcwatch.domain.link import DEFAULT, FIELDS, fields_of, run_link
from tmcwatch.domain.message import Message


def test_the_same_decision_has_the_same_id_and_no_other_has_it():
    ids = [("a/b", "g", 1), ("a", "b/g", 1), ("a/b", "g", 11), ("a/b", "g1", 1)]
    assert delivery_id("a/b", "g", 1) == delivery_id("a/b", "g", 1)
    assert len({delivery_id(*parts) for parts in ids}) == len(ids)


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 2), (1, 4), (5, 64), (9, 600)])
def test_the_wait_doubles_up_to_ten_minutes(attempts, seconds):
    assert retry_wait(attempts, jitter=0) == timedelta(seconds=seconds / 2)
    assert retry_wait(attempts, jitter=0.5) == timedelta(seconds=seconds * 0.75)


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_million_attempts_wait_no_longer_than_the_longest(attempts, jitter):
    assert FIRST_RETRY / 2 <= retry_wait(attempts, jitter=jitter) <= LONGEST_RETRY


def test_a_link_is_made_of_what_is_known():
    values = dict.fromkeys(FIELDS, "x") | {"id": "a/b?c"}
    assert fields_of(DEFAULT) < FIELDS
    assert "/standard/a%2Fb%3Fc/execution/x/" in run_link(DEFAULT, values)


@pytest.mark.parametrize("unknown", [None, ""])
def test_without_all_its_fields_there_is_no_link(unknown):
    assert run_link("http://tmc/{id}/{region}", {"id": "a", "region": unknown}) == ""
    assert run_link("http://tmc/{id}/{region}", {"id": "a"}) == ""


@pytest.mark.parametrize("template", ["", "http://tmc/runs"])
def test_a_template_without_fields_links_to_no_run(template):
    assert run_link(template, {"id": "a"}) == ""


@pytest.mark.parametrize("template", ["{", "}", "{id"])
def test_a_malformed_template_is_refused(template):
    with pytest.raises(ValueError, match=r"encountered|expected"):
        fields_of(template)


def test_a_message_is_as_bad_as_the_worst_of_its_alerts():
    bad, mild = alert("a", severity=Severity.CRITICAL, ends_at=NOON), alert("b")
    message = Message(
        key="k", receiver="r", group_key="g", group_labels={}, alerts=(bad, mild), created_at=NOON
    )
    assert (message.severity, message.status) == (Severity.CRITICAL, Status.FIRING)

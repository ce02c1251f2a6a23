"""Silences in the store, and the alerts that may be causes of others."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.contracts.remembering import url_of
from tests.domain.telling import alert, at
from tmcwatch.domain.alert import Alert, EndReason, Severity
from tmcwatch.domain.inhibition import Sought
from tmcwatch.domain.matcher import Matcher, Operator, matcher_from
from tmcwatch.domain.silence import Silence
from tmcwatch.store.alerts import possible_causes, save_alerts
from tmcwatch.store.opening import open_store
from tmcwatch.store.silences import (
    active_silences,
    add_silence,
    ending_silences,
    expire_silence,
    load_silence,
    newest_silences,
    take_note_of_reminder,
)

HOSTILE = r'name=~"a\"b\\.*\n|é"'


@pytest.fixture
def store(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    yield store
    store.close()


def silence(id_: str = "s1", start: float = 0, end: float = 60, *matchers: str) -> Silence:
    return Silence(
        id=id_,
        matchers=tuple(map(matcher_from, matchers or ["name=load"])),
        created_by="ann",
        comment="why",
        created_at=at(start),
        starts_at=at(start),
        ends_at=at(end),
    )


def put(store, *silences: Silence) -> None:
    for one in silences:
        store.write(partial(add_silence, silence=one))


def ids(found: Iterable[Silence]) -> list[str]:
    return [one.id for one in found]


def test_a_silence_comes_back_as_it_was_written(store):
    one = silence("s1", 0, 60, HOSTILE, "severity!=critical")
    put(store, one)
    assert store.read(partial(load_silence, id_="s1")) == one
    assert store.read(partial(load_silence, id_="s2")) is None


@pytest.mark.parametrize(
    ("minute", "since", "found"),
    [(-1, None, []), (0, None, ["a"]), (59, None, ["a"]), (60, None, ["b"]), (70, 59, ["a", "b"])],
)
def test_those_that_hold_or_did_since_then_are_active(store, minute, since, found):
    put(store, silence("b", 60, 90), silence("a", 0, 60))
    earliest = None if since is None else at(since)
    active = store.read(partial(active_silences, now=at(minute), since=earliest))
    assert ids(active) == found


def test_an_expired_silence_holds_no_longer_and_is_expired_once(store):
    put(store, silence(), silence("later", 100, 200))
    assert store.write(partial(expire_silence, id_="s1", now=at(10)))
    assert store.read(partial(active_silences, now=at(10))) == ()
    assert not store.write(partial(expire_silence, id_="s1", now=at(11)))
    assert store.write(partial(expire_silence, id_="later", now=at(11)))
    assert store.read(partial(active_silences, now=at(150))) == ()
    assert not store.write(partial(expire_silence, id_="nobody's", now=at(11)))


def test_the_newest_are_those_that_end_last(store):
    put(store, silence("a", 0, 60), silence("b", 0, 90), silence("c", 0, 30))
    assert ids(store.read(partial(newest_silences, most=2))) == ["b", "a"]


def test_a_silence_ends_soon_until_that_was_announced(store):
    put(store, silence("soon", 0, 60), silence("later", 0, 61), silence("not yet", 31, 60))
    ask = partial(ending_silences, now=at(30), before=at(60))
    assert ids(store.read(ask)) == ["soon"]
    store.write(partial(take_note_of_reminder, ids=["soon"]))
    assert store.read(ask) == ()
    assert store.read(partial(ending_silences, now=at(60), before=at(60))) == ()


def opened(name: str, rule: str = "failed", minute: float = 0, **changes: Any) -> Alert:
    labels = {"account": "prod", "kind": "task", "id": name, "rule": rule}
    facts = {"rule": rule, "labels": labels, "starts_at": at(minute), "changed_at": at(minute)}
    return alert(name, **(facts | changes))


def over(one: Alert, minute: float) -> Alert:
    reason = EndReason.RECOVERED
    return replace(one, ends_at=at(minute), end_reason=reason, changed_at=at(minute))


def causes(store, since: float, *asked: Sought) -> list[str]:
    found = store.read(partial(possible_causes, asked=asked, since=at(since)))
    return [one.id for one in found]


def seek(rule: str, *matchers: str, severities: Iterable[Severity] = Severity) -> Sought:
    return Sought(
        rules=frozenset({rule}),
        severities=frozenset(severities),
        matchers=tuple(map(matcher_from, matchers)),
    )


def test_causes_are_of_the_sought_rules_and_fire_or_ended_of_late(store):
    kept = [opened("fires", minute=-9999), over(opened("late", minute=2), 10)]
    others = [
        over(opened("long over", minute=1), 9),
        opened("pending", due_at=at(30)),
        opened("other", "rejected"),
    ]
    store.write(lambda c: save_alerts(c, [*others, *reversed(kept)]))
    assert causes(store, 10, seek("failed")) == ["fires", "late"]


def test_causes_may_be_sought_by_severity_by_labels_and_by_several_rules(store):
    loud = opened("loud", severity=Severity.CRITICAL)
    store.write(lambda c: save_alerts(c, [opened("calm"), loud, opened("gone", "rejected", 1)]))
    critical = seek("failed", severities=[Severity.CRITICAL])
    assert causes(store, 0, critical, seek("rejected")) == ["loud", "gone"]
    assert causes(store, 0, seek("failed", "id=calm")) == ["calm"]
    assert causes(store, 0) == []


def test_a_label_of_a_cause_may_be_any_text(store):
    name = 'a%b_c\\"é\n'
    labels = {"account": "prod", "kind": "task", "id": "t1", "name": name}
    store.write(lambda c: save_alerts(c, [opened("x", labels=labels), opened("y")]))
    exactly = Matcher(label="name", operator=Operator.EQUAL, value=name)
    assert causes(store, 0, replace(seek("failed"), matchers=(exactly,))) == ["x"]
    nameless = replace(exactly, value="")
    assert causes(store, 0, replace(seek("failed"), matchers=(nameless,))) == ["y"]

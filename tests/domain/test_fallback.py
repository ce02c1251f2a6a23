"""Falling back: who is told that a receiver fails."""

import pytest

from tests.services.deciding import route
from tmcwatch.domain.fallback import stand_in, with_fallback
from tmcwatch.domain.routing import routes_for

RECEIVERS = ("team", "oncall", "plans")


def told(labels, *routes, fallback=None, receivers=RECEIVERS):
    tree = with_fallback(route("team", routes=routes), fallback=fallback, receivers=receivers)
    return [found.receiver for found in routes_for(tree, labels)]


def fails(name, **labels):
    return {"rule": "delivery_failing", "kind": "receiver", "name": name, **labels}


def test_a_receiver_that_fails_is_told_to_the_fallback():
    assert told(fails("team"), fallback="oncall") == ["oncall"]


def test_what_does_not_go_to_the_failing_receiver_goes_where_it_always_went():
    assert told(fails("oncall"), fallback="plans") == ["team"]
    assert told({"rule": "failed", "name": "team"}, fallback="oncall") == ["team"]


def test_the_fallback_itself_is_told_to_the_receiver_of_the_root_or_else_another():
    branch = route("oncall", 'kind="receiver"')
    assert told(fails("oncall"), branch, fallback="oncall") == ["team"]
    assert told(fails("team"), fallback="team") == ["oncall"]


def test_without_a_fallback_any_other_receiver_is_told():
    assert told(fails("team")) == ["oncall"]
    assert told(fails("oncall"), route("oncall", 'kind="receiver"')) == ["team"]


def test_where_there_is_no_other_receiver_the_only_one_stays():
    assert told(fails("team"), receivers=("team",)) == ["team"]


def test_of_several_that_a_route_yields_only_the_failing_one_is_replaced():
    every = 'kind="receiver"'
    branches = route("oncall", every, goes_on=True), route("plans", every)
    assert told(fails("plans"), *branches, fallback="team") == ["oncall", "team"]


def test_nobody_is_told_twice_who_is_told_anyway_or_stands_in_twice():
    every = 'kind="receiver"'
    told_anyway = route("plans", every, goes_on=True), route("oncall", every)
    assert told(fails("plans"), *told_anyway, fallback="oncall") == ["oncall"]
    twice = route("plans", every, goes_on=True), route("plans", every)
    assert told(fails("plans"), *twice, fallback="oncall") == ["oncall"]


def test_it_is_grouped_as_its_route_says():
    tree = with_fallback(route("team", group_by=("rule",)), fallback="oncall", receivers=RECEIVERS)
    (found,) = routes_for(tree, fails("team"))
    assert found.group_by == ("rule",)


@pytest.mark.parametrize(("failing", "found"), [("a", "b"), ("b", "a"), ("c", "a")])
def test_the_first_that_is_another_one_stands_in(failing, found):
    assert stand_in(failing, ["a", "b"]) == found


def test_nobody_stands_in_for_the_only_one():
    assert stand_in("a", ["a", "a"]) is None

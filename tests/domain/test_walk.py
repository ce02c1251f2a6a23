"""The walk down the routing tree: the same takers as routing has, and a reason for the rest."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.routing import Route, routes_for
from tmcwatch.domain.walk import Outcome, walked


def route(receiver, *matchers, **changes):
    found = tuple(matcher_from(text) for text in matchers)
    return replace(Route(receiver=receiver, matchers=found), **changes)


TREE = route(
    "team",
    routes=(
        route("oncall", 'severity="critical"', goes_on=True),
        route("finance", 'team="finance"', routes=(route("plans", 'kind="plan"'),)),
        route("rest", 'severity!="info"'),
    ),
)


def outcomes(**labels):
    return {step.path: (step.route.receiver, step.outcome) for step in walked(TREE, labels)}


def test_the_root_takes_what_no_branch_matches():
    found = outcomes(severity="info")
    assert found.pop(()) == ("team", Outcome.TAKES)
    assert {outcome for _, outcome in found.values()} == {Outcome.DIFFERS}


def test_a_branch_takes_and_the_root_passes_on():
    found = outcomes(severity="warning")
    assert found[()] == ("team", Outcome.PASSES_ON)
    assert found[2,] == ("rest", Outcome.TAKES)


def test_the_branches_after_one_that_takes_are_not_asked_and_it_is_named():
    steps = {step.path: step for step in walked(TREE, {"team": "finance"})}
    assert steps[2,].outcome is Outcome.NOT_ASKED
    assert steps[2,].taken_by == (1,)


def test_with_continue_the_branches_after_it_are_asked():
    found = outcomes(severity="critical", team="finance")
    assert found[0,] == ("oncall", Outcome.TAKES)
    assert found[1,] == ("finance", Outcome.TAKES)


def test_a_matching_branch_below_takes_before_the_one_above():
    found = outcomes(team="finance", kind="plan")
    assert found[1,] == ("finance", Outcome.PASSES_ON)
    assert found[1, 0] == ("plans", Outcome.TAKES)


def test_a_receiver_that_a_route_before_tells_is_told_there():
    tree = replace(TREE, routes=(route("oncall", goes_on=True), route("oncall")))
    steps = {step.path: step for step in walked(tree, {})}
    assert steps[0,].outcome is Outcome.TAKES
    assert (steps[1,].outcome, steps[1,].taken_by) == (Outcome.TOLD_ALREADY, (0,))


def test_what_does_not_hold_is_named_and_nothing_below_is_looked_at():
    steps = {step.path: step for step in walked(TREE, {"kind": "plan"})}
    assert [str(one) for one in steps[1,].failing] == ['team="finance"']
    assert (1, 0) not in steps


MATCHERS = st.sampled_from(['a="1"', 'a!="1"', 'b="1"', 'b=~"1|2"', 'a=""'])
LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"))


def routes(branches):
    return st.builds(
        lambda receiver, matchers, goes_on, below: route(
            receiver, *matchers, goes_on=goes_on, routes=tuple(below)
        ),
        st.sampled_from("xyz"),
        st.lists(MATCHERS, max_size=2),
        st.booleans(),
        branches,
    )


TREES = st.recursive(
    routes(st.just([])), lambda trees: routes(st.lists(trees, max_size=3)), max_leaves=8
)


@given(TREES, LABELS)
def test_those_who_take_are_those_who_are_told(root, labels):
    telling = {Outcome.TAKES, Outcome.TOLD_ALREADY}
    takers = [step.route for step in walked(root, labels) if step.outcome in telling]
    assert tuple(takers) == routes_for(root, labels)


@given(TREES, LABELS)
def test_each_receiver_is_told_by_the_first_of_its_routes(root, labels):
    takers = [step.route for step in walked(root, labels) if step.outcome is Outcome.TAKES]
    receivers = [one.receiver for one in takers]
    assert receivers == list(dict.fromkeys(one.receiver for one in routes_for(root, labels)))

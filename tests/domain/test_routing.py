"""Routing: the deepest matching routes in tree order, as Alertmanager's."""

from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.routing import Route, every_route, group_labels, routes_for


def route(receiver: str, *matchers: str, goes_on: bool = False, routes=()) -> Route:
    return Route(
        receiver=receiver,
        matchers=tuple(matcher_from(text) for text in matchers),
        goes_on=goes_on,
        routes=tuple(routes),
    )


TREE = route(
    "everyone",
    routes=[
        route("archive", goes_on=True),
        route(
            "crm",
            "team=crm",
            routes=[
                route("crm-night", "severity=critical", goes_on=True),
                route("crm-plans", "kind=plan"),
                route("never", "kind=plan"),
            ],
        ),
        route("night", "severity=critical"),
        route("crm-again", "team=crm"),
    ],
)


def receivers(**labels: str) -> list[str]:
    return [found.receiver for found in routes_for(TREE, labels)]


def test_the_root_takes_what_nobody_else_does():
    assert [found.receiver for found in routes_for(route("all"), {"a": "b"})] == ["all"]


def test_a_route_that_goes_on_lets_its_siblings_match_too():
    assert receivers(severity="critical") == ["archive", "night"]
    assert receivers() == ["archive"]


def test_the_first_match_that_does_not_go_on_ends_the_search():
    assert receivers(team="crm") == ["archive", "crm"]


def test_a_parent_is_left_out_where_a_child_matches():
    assert receivers(team="crm", kind="plan") == ["archive", "crm-plans"]


def test_a_child_that_goes_on_does_not_let_its_parents_siblings_match():
    assert receivers(team="crm", severity="critical") == ["archive", "crm-night"]
    both = receivers(team="crm", severity="critical", kind="plan")
    assert both == ["archive", "crm-night", "crm-plans"]


def test_every_route_of_the_tree_is_given_parents_first():
    given = [found.receiver for found in every_route(TREE)]
    inside = ["crm", "crm-night", "crm-plans", "never"]
    assert given == ["everyone", "archive", *inside, "night", "crm-again"]


LABELS = {"account": "prod", "rule": "failed", "name": "load"}


def test_a_group_shares_the_labels_it_is_grouped_by():
    assert group_labels(route("all"), LABELS) == {
        "account": "prod",
        "environment": "",
        "rule": "failed",
    }


def test_three_dots_group_by_all_labels_and_nothing_by_none():
    assert group_labels(Route(receiver="all", group_by=("...",)), LABELS) == LABELS
    assert group_labels(Route(receiver="all", group_by=()), LABELS) == {}

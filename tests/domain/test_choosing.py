"""Choosing among tasks and plans."""

import pytest

from tests.telemetry.snapshots import task
from tmcwatch.domain.choosing import Choice
from tmcwatch.domain.episode import Ownership
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.matcher import matcher_from

SUBJECTS = (
    task("t1", name="load_orders"),
    task("t2", name="load_orders", workspace="SALES"),
    task("p1", kind=Kind.PLAN, name="nightly"),
)


def choice(*matchers, **owned):
    ownership = [
        Ownership(matchers=(matcher_from(f'workspace="{workspace}"'),), labels={"team": team})
        for workspace, team in owned.items()
    ]
    return Choice(matchers=tuple(map(matcher_from, matchers)), ownership=tuple(ownership))


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ([], []),
        (['name=~"load_.*"'], ["t1", "t2"]),
        (['name=~"load_.*"', 'workspace!="SALES"'], ["t1"]),
        (['kind="plan"', 'account="prod"', 'environment="PROD"', 'id="p1"'], ["p1"]),
        (['kind="engine"'], []),
    ],
)
def test_what_all_matchers_match_is_chosen_and_without_a_matcher_nothing(matchers, expected):
    assert [one.subject.id for one in choice(*matchers).among(SUBJECTS)] == expected


def test_labels_of_the_config_choose_as_well():
    chosen = choice('team="north"', SALES="north", FIN="south").among(SUBJECTS)
    assert [one.subject.id for one in chosen] == ["t2"]

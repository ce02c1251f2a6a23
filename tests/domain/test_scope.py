"""Scope: both filters must let a task through; one whose place is unknown is watched."""

from dataclasses import replace

import pytest

from tests.domain.telling import LOAD
from tmcwatch.domain.execution import UNKNOWN, Workspace
from tmcwatch.domain.scope import EVERYTHING, Scope

FINANCE = Workspace(id="w", name="finance", environment_id="e", environment="PROD")
TRADE = Workspace(id="w2", name="trade", environment_id="e2", environment="TEST")


def scope(environments=(), workspaces=()):
    return Scope(environments=frozenset(environments), workspaces=frozenset(workspaces))


@pytest.mark.parametrize(
    ("environments", "workspaces", "expected"),
    [
        ([], [], True),
        (["PROD"], [], True),
        (["e"], [], True),
        (["TEST"], [], False),
        (["TEST", "PROD"], [], True),
        (["prod"], [], False),
        ([], ["finance"], True),
        ([], ["w"], True),
        ([], ["PROD/finance"], True),
        ([], ["e/finance"], True),
        ([], ["TEST/finance"], False),
        ([], ["trade"], False),
        (["PROD"], ["trade", "finance"], True),
        (["PROD"], ["trade"], False),
        (["TEST"], ["finance"], False),
        # Not one for the other: an environment is no workspace.
        (["finance"], [], False),
        ([], ["PROD"], False),
    ],
)
def test_an_environment_and_a_workspace_let_through_what_they_name(
    environments, workspaces, expected
):
    assert scope(environments, workspaces).includes(LOAD) is expected
    assert scope(environments, workspaces).includes_workspace(FINANCE) is expected


def test_a_task_whose_place_is_unknown_is_watched():
    stranger = replace(
        LOAD, environment=UNKNOWN, environment_id=None, workspace=UNKNOWN, workspace_id=None
    )
    assert scope(["TEST"], ["trade"]).includes(stranger)


def test_an_id_decides_where_the_name_is_unknown():
    nameless = replace(LOAD, workspace=UNKNOWN)
    assert scope([], ["w"]).includes(nameless)


def test_what_is_named_and_not_visible_is_told():
    named = scope(["PROD", "PRD"], ["PROD/finance", "TEST/finance", "w2", "trade", "x"])
    assert named.unseen([FINANCE, TRADE]) == (
        "environment 'PRD'",
        "workspace 'TEST/finance'",
        "workspace 'x'",
    )
    assert EVERYTHING.unseen([]) == ()

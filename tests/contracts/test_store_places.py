"""Places in the store: what is outside of the scope, and workspaces that vanish and return."""

from dataclasses import replace

import pytest

from tests.contracts.remembering import url_of
from tests.domain.telling import LOAD, PROD, at
from tmcwatch.domain.execution import AccountName, Kind, SubjectId, Workspace
from tmcwatch.domain.observation import NamesRead
from tmcwatch.domain.scope import Scope
from tmcwatch.store.conditions import untold_conditions
from tmcwatch.store.opening import open_store
from tmcwatch.store.snapshot import read_snapshot
from tmcwatch.store.subjects import failing, outside_subjects
from tmcwatch.store.workspaces import Changed, save_workspaces
from tmcwatch.tracking.absorbing import absorb_names

FINANCE = Workspace(id="w", name="finance", environment_id="e", environment="PROD")
TRADE = Workspace(id="w2", name="trade", environment_id="e2", environment="TEST")
SELL = replace(
    LOAD,
    id=SubjectId("t2"),
    workspace_id="w2",
    workspace="trade",
    environment_id="e2",
    environment="TEST",
)
ONLY_PROD = Scope(environments=frozenset({"PROD"}))


@pytest.fixture
def store(tmp_path):
    store = open_store(url_of(tmp_path / "watch.db"))
    yield store
    store.close()


def read(store, *, scope=ONLY_PROD, workspaces=(FINANCE, TRADE), minute=0):
    names = NamesRead(
        account=PROD, at=at(minute), subjects=(LOAD, SELL), complete=True, workspaces=workspaces
    )
    store.write(lambda connection: absorb_names(connection, names, scope))


def outside(store, kind=Kind.TASK, account=PROD):
    ids = [LOAD.id, SELL.id, SubjectId("stranger")]
    return store.read(lambda connection: outside_subjects(connection, account, kind, ids))


def test_what_is_outside_of_the_scope_is_known_as_such(store):
    read(store)
    assert outside(store) == {SELL.id}
    assert outside(store, Kind.PLAN) == outside(store, account=AccountName("x")) == frozenset()


def test_the_next_names_with_another_scope_decide_anew(store):
    read(store)
    read(store, scope=Scope(environments=frozenset({"TEST"})))
    assert outside(store) == {LOAD.id}
    read(store, scope=Scope())
    assert outside(store) == frozenset()


def test_what_is_outside_is_in_no_snapshot_counter_or_digest(store):
    read(store)
    snapshot = store.read(lambda connection: read_snapshot(connection, at(0)))
    assert [one.subject.id for one in snapshot.subjects] == [LOAD.id]
    assert {one.environment for one in snapshot.counters} == {"PROD"}
    assert store.read(lambda connection: failing(connection, PROD)).tasks == 1


def save(store, *visible, account=PROD):
    return store.write(lambda connection: save_workspaces(connection, account, visible))


def test_workspaces_are_lost_and_regained_once(store):
    nothing = Changed(lost=(), regained=())
    assert save(store, FINANCE, TRADE) == nothing
    assert save(store, TRADE) == Changed(
        lost=(replace(FINANCE, environment_id=None),), regained=()
    )
    assert save(store, TRADE) == nothing
    assert save(store, FINANCE, TRADE) == Changed(lost=(), regained=(FINANCE,))
    assert save(store, FINANCE, account=AccountName("x")) == nothing
    assert save(store, FINANCE, TRADE) == nothing


def conditions(store):
    found = store.read(lambda connection: untold_conditions(connection, most=9))
    return [(one.rule, one.subject, one.since, one.until) for _, one in found]


def test_a_lost_workspace_is_a_condition_until_it_is_seen_again(store):
    read(store)
    read(store, workspaces=(TRADE,), minute=15)
    assert conditions(store) == [("workspace_lost", "w", at(15), None)]
    read(store, minute=30)
    assert conditions(store) == [("workspace_lost", "w", at(15), at(30))]


def test_workspaces_that_are_not_told_are_not_lost(store):
    read(store)
    read(store, workspaces=None, minute=15)
    assert conditions(store) == []


def test_a_workspace_outside_of_the_scope_is_not_missed_and_an_id_is_as_good_as_a_name(store):
    read(store)
    read(store, workspaces=(FINANCE,), minute=15)
    assert conditions(store) == []
    by_id = Scope(environments=frozenset({"e"}))
    read(store, workspaces=(TRADE,), scope=by_id, minute=30)
    assert [subject for _, subject, *_ in conditions(store)] == ["w"]

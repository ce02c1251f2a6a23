"""Workspaces in the store: which of them an account sees, and which it no longer does."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from tmcwatch.domain.execution import AccountName, Workspace
from tmcwatch.store.schema import subjects, workspaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What changed since the workspaces were read before."""

    lost: tuple[Workspace, ...]
    regained: tuple[Workspace, ...]


def save_workspaces(
    connection: Connection, account: AccountName, visible: Iterable[Workspace]
) -> Changed:
    """Write which workspaces an account sees; answers with what that changes."""
    query = select(workspaces).where(workspaces.c.account == account)
    known = {values.id: values for values in connection.execute(query)}
    seen = {workspace.id: workspace for workspace in visible}
    gone = [values for id_, values in known.items() if values.visible and id_ not in seen]
    homes = _environments_of(connection, account, [values.id for values in gone])
    lost = tuple(_workspace(values, homes.get(values.id)) for values in gone)
    regained = tuple(
        workspace for id_, workspace in seen.items() if id_ in known and not known[id_].visible
    )
    rows = [_values(account, one, visible=True) for one in seen.values()]
    rows += [_values(account, one, visible=False) for one in lost]
    if rows:
        statement = insert(workspaces)
        replaced = {name: statement.excluded[name] for name in ("name", "environment", "visible")}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["account", "id"], set_=replaced), rows
        )
    return Changed(lost=lost, regained=regained)


def _environments_of(
    connection: Connection, account: AccountName, ids: Collection[str]
) -> Mapping[str, str]:
    """Answer with the environments' ids, which only tasks and plans tell of lost workspaces."""
    if not ids:
        return {}
    query = select(subjects.c.workspace_id, subjects.c.environment_id).where(
        subjects.c.account == account,
        subjects.c.workspace_id.in_(list(ids)),
        subjects.c.environment_id.is_not(None),
    )
    found = connection.execute(query)
    return {values.workspace_id: values.environment_id for values in found}


def _workspace(values: Any, environment_id: str | None) -> Workspace:  # noqa: ANN401 - a row
    return Workspace(
        id=values.id,
        name=values.name,
        environment_id=environment_id,
        environment=values.environment,
    )


def _values(account: AccountName, workspace: Workspace, *, visible: bool) -> dict[str, object]:
    return {
        "account": account,
        "id": workspace.id,
        "name": workspace.name,
        "environment": workspace.environment,
        "visible": visible,
    }

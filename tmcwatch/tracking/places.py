"""Places: which workspaces an account sees, and which it no longer does."""

from collections.abc import Iterable
from datetime import datetime

from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import AccountName, Workspace
from tmcwatch.domain.scope import Scope
from tmcwatch.store.capture import restart_checks
from tmcwatch.store.conditions import begin_condition, end_condition
from tmcwatch.store.engine import Connection
from tmcwatch.store.workspaces import save_workspaces

LOST = "workspace_lost"


def note_workspaces(
    connection: Connection,
    account: AccountName,
    visible: Iterable[Workspace],
    scope: Scope,
    *,
    at: datetime,
) -> None:
    """Begin and end conditions of the workspaces that are watched, as they vanish and return."""
    changed = save_workspaces(connection, account, visible)
    for workspace in changed.lost:
        if scope.includes_workspace(workspace):
            begin_condition(connection, _lost(account, workspace, at))
    for workspace in changed.regained:
        end_condition(connection, LOST, account, subject=workspace.id, at=at)
    if changed.regained:
        restart_checks(connection, account, at)


def _lost(account: AccountName, workspace: Workspace, at: datetime) -> Condition:
    return Condition(
        rule=LOST,
        account=account,
        subject=workspace.id,
        name=workspace.name,
        text=(
            f"Workspace {workspace.name} of {workspace.environment} is no longer visible to this "
            f"token of {account}: a lost permission, or it was deleted. Nothing that runs in it "
            "is seen"
        ),
        since=at,
    )

"""Scope: which environments and workspaces of an account are watched."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tmcwatch.domain.execution import UNKNOWN, Subject, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the config names; both filters must let a task or plan through, and an empty one does.

    Each entry is a name or an id; a workspace may be written `ENV/name` as well.
    """

    environments: frozenset[str] = frozenset()
    workspaces: frozenset[str] = frozenset()

    def includes(self, subject: Subject) -> bool:
        """Tell whether a task or plan is watched; one whose place TMC does not tell is."""
        return self.includes_workspace(
            Workspace(
                id=subject.workspace_id or "",
                name=subject.workspace,
                environment_id=subject.environment_id,
                environment=subject.environment,
            )
        )

    def includes_workspace(self, workspace: Workspace) -> bool:
        """Tell whether what is in a workspace is watched."""
        return _lets_through(
            self.environments, _names_of_environment(workspace), workspace.environment
        ) and _lets_through(self.workspaces, _names_of_workspace(workspace), workspace.name)

    def unseen(self, visible: Iterable[Workspace]) -> tuple[str, ...]:
        """Answer with the entries that fit none of the `visible` workspaces."""
        visible = tuple(visible)
        environments = {name for one in visible for name in _names_of_environment(one)}
        workspaces = {name for one in visible for name in _names_of_workspace(one)}
        return (
            *(f"environment {name!r}" for name in sorted(self.environments - environments)),
            *(f"workspace {name!r}" for name in sorted(self.workspaces - workspaces)),
        )


EVERYTHING = Scope()


def _lets_through(wanted: Collection[str], names: Collection[str], name: str) -> bool:
    return not wanted or name == UNKNOWN or any(one in wanted for one in names)


def _names_of_environment(workspace: Workspace) -> frozenset[str]:
    return frozenset(filter(None, (workspace.environment_id, workspace.environment)))


def _names_of_workspace(workspace: Workspace) -> frozenset[str]:
    exact = (f"{environment}/{workspace.name}" for environment in _names_of_environment(workspace))
    return frozenset(filter(None, (workspace.id, workspace.name, *exact)))

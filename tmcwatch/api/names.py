"""The names TMC gives to tasks, plans, workspaces and environments."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tmcwatch.api.payloads import (
    LONGEST_BAD_ROW,
    Id,
    Payload,
    Unreadable,
    parsed_list,
    raw_page,
    validated,
)
from tmcwatch.domain.execution import UNKNOWN, BadRow, Kind, Subject, SubjectId, Workspace

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesPage:
    """One page of tasks or plans; `size` counts the rows TMC sent, bad ones included."""

    subjects: tuple[Subject, ...]
    bad: tuple[BadRow, ...] = ()
    total: int | None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    id: str
    name: str


class _Environment(Payload):
    id: str | None = None
    name: str | None = None


class _Workspace(Payload):
    id: str | None = None
    name: str | None = None
    environment: _Environment | None = None


class _ListedExecutable(Payload):
    executable: Id
    name: str | None = None
    workspace: _Workspace | None = None


class _DetailedTask(Payload):
    """What lists call `executable` is the `id` of a task's detail."""

    id: Id
    name: str | None = None
    workspace: _Workspace | None = None


def names_page(kind: Kind, body: bytes) -> NamesPage:
    """Answer with the tasks or plans of a page; a bad row never costs its neighbours."""
    raw = raw_page(body)
    subjects: list[Subject] = []
    bad: list[BadRow] = []
    for item in raw.items:
        try:
            subjects.append(listed_subject(kind, item))
        except Unreadable as problem:
            bad.append(_bad_name(kind, item, problem))
    return NamesPage(
        subjects=tuple(subjects), bad=tuple(bad), total=raw.total, size=len(raw.items)
    )


def listed_subject(kind: Kind, raw: object) -> Subject:
    found = validated(_ListedExecutable, raw)
    return _subject(kind, found.executable, found.name, found.workspace)


def detailed_task(raw: object) -> Subject:
    found = validated(_DetailedTask, raw)
    return _subject(Kind.TASK, found.id, found.name, found.workspace)


def detailed_plan(raw: object) -> Subject:
    return listed_subject(Kind.PLAN, raw)


def workspaces(body: bytes) -> tuple[Workspace, ...]:
    return _each(body, _workspace)


def environments(body: bytes) -> tuple[Environment, ...]:
    return _each(body, _environment)


def _each(body: bytes, read: Callable[[object], _Value]) -> tuple[_Value, ...]:
    """Read what can be read: a name that is missing is looked for again."""
    values = []
    for raw in parsed_list(body):
        try:
            values.append(read(raw))
        except Unreadable:
            continue
    return tuple(values)


def _workspace(raw: object) -> Workspace:
    found = validated(_Workspace, raw)
    identity = _needed(found.id)
    home = found.environment or _Environment()
    return Workspace(
        id=identity,
        name=found.name or identity,
        environment_id=home.id,
        environment=home.name or UNKNOWN,
    )


def _environment(raw: object) -> Environment:
    found = validated(_Environment, raw)
    identity = _needed(found.id)
    return Environment(id=identity, name=found.name or identity)


def _needed(identity: str | None) -> str:
    if not identity:
        raise Unreadable("id: missing")
    return identity


def _subject(kind: Kind, identity: str, name: str | None, where: _Workspace | None) -> Subject:
    workspace = where or _Workspace()
    environment = workspace.environment or _Environment()
    return Subject(
        kind=kind,
        id=SubjectId(identity),
        name=name or identity,
        workspace_id=workspace.id,
        workspace=workspace.name or UNKNOWN,
        environment_id=environment.id,
        environment=environment.name or UNKNOWN,
    )


def _bad_name(kind: Kind, raw: object, problem: Unreadable) -> BadRow:
    # Only what names it is kept: parameters of a task may hold secrets.
    kept = {"executable", "id", "name", "workspace"}
    told = {k: v for k, v in raw.items() if k in kept} if isinstance(raw, dict) else None
    text = json.dumps(told, ensure_ascii=False)[:LONGEST_BAD_ROW]
    return BadRow(kind=kind, id=None, problem=str(problem), text=text)

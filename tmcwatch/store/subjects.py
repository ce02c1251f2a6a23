"""Tasks and plans in the store: their names, their last runs and their counters."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, false, func, select, true, update
from sqlalchemy.dialects.sqlite import Insert, insert

from tmcwatch.domain.execution import UNKNOWN, AccountName, Kind, Phase, Subject, SubjectId
from tmcwatch.domain.standing import Standing
from tmcwatch.store.moments import loaded, stored
from tmcwatch.store.schema import subjects

_IDS_AT_ONCE = 500  # databases bound the parameters of one statement
_NAMES_AT_ONCE = 1_000

# Built once: they are asked for every look, and for ends one by one.
_OF_IDS = select(
    subjects.c.id,
    subjects.c.name,
    subjects.c.workspace_id,
    subjects.c.workspace,
    subjects.c.environment_id,
    subjects.c.environment,
    subjects.c.last_success_at,
    subjects.c.last_completion_at,
    subjects.c.last_phase,
    subjects.c.failing_since,
    subjects.c.consecutive_failures,
    subjects.c.succeeded,
    subjects.c.failed,
    subjects.c.other,
).where(
    subjects.c.account == bindparam("asked_account"),
    subjects.c.kind == bindparam("asked_kind"),
    subjects.c.id.in_(bindparam("asked_ids", expanding=True)),
)
_NEW = insert(subjects)


def _saved(names: Iterable[str]) -> Insert:
    return _NEW.on_conflict_do_update(
        index_elements=["account", "kind", "id"],
        set_={name: _NEW.excluded[name] for name in names},
    )


_NAMED = _saved(
    ("name", "workspace_id", "workspace", "environment_id", "environment", "listed", "outside")
)
_STANDING = _saved(field.name for field in fields(Standing))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """How an account stands when it is first looked at."""

    tasks: int
    plans: int
    failing: int
    oldest: datetime | None


def unnamed(subject: SubjectId, kind: Kind, workspace: str | None = None) -> Subject:
    """Answer with a stand-in for a task or plan that TMC has not named yet."""
    return Subject(
        kind=kind,
        id=subject,
        name=subject,
        workspace_id=workspace,
        workspace=UNKNOWN,
        environment_id=None,
        environment=UNKNOWN,
    )


def save_names(
    connection: Connection,
    account: AccountName,
    named: Iterable[Subject],
    *,
    complete: bool,
    outside: Container[Subject] = (),
) -> None:
    """Write names; a `complete` list also tells which tasks and plans TMC no longer has.

    Those `outside` of what is watched are known by their names alone.
    """
    if complete:
        gone = update(subjects).where(subjects.c.account == account)
        connection.execute(gone.values(listed=False))
    # In portions: the parameters of tens of thousands of rows take tens of megabytes.
    rest = iter(named)
    while portion := tuple(islice(rest, _NAMES_AT_ONCE)):
        rows = [_names(account, one) | {"outside": one in outside} for one in portion]
        connection.execute(_NAMED, rows)


def load_subjects(
    connection: Connection, account: AccountName, kind: Kind, ids: Iterable[SubjectId]
) -> dict[SubjectId, tuple[Subject, Standing]]:
    """Answer with the tasks or plans of `ids` that have a row."""
    wanted = sorted(set(ids))
    found: dict[SubjectId, tuple[Subject, Standing]] = {}
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        asked = {
            "asked_account": account,
            "asked_kind": kind.value,
            "asked_ids": wanted[begin : begin + _IDS_AT_ONCE],
        }
        for values in connection.execute(_OF_IDS, asked).all():
            subject, standing = _subject(kind, values)
            found[subject.id] = (subject, standing)
    return found


def _subject(kind: Kind, values: Sequence[Any]) -> tuple[Subject, Standing]:
    # By position: looking up names takes too long for every end of a run.
    id_, name, workspace_id, workspace, environment_id, environment, *stand = values
    success, completion, phase, failing_since, failures, succeeded, failed, other = stand
    subject = Subject(
        kind=kind,
        id=id_,
        name=name,
        workspace_id=workspace_id,
        workspace=workspace,
        environment_id=environment_id,
        environment=environment,
    )
    standing = Standing(
        last_success_at=loaded(success),
        last_completion_at=loaded(completion),
        last_phase=None if phase is None else Phase(phase),
        failing_since=loaded(failing_since),
        consecutive_failures=failures,
        succeeded=succeeded,
        failed=failed,
        other=other,
    )
    return subject, standing


def name_of(
    connection: Connection, account: AccountName, kind: Kind, subject: SubjectId | None
) -> str:
    """Answer with the name of a task or plan, its id where it has none."""
    found = load_subjects(connection, account, kind, [subject]) if subject else {}
    return next((named.name for named, _ in found.values()), subject or "")


def save_standings(
    connection: Connection,
    account: AccountName,
    standings: Mapping[Subject, Standing],
) -> None:
    """Write how tasks and plans stand; one that has no row yet gets one."""
    rows = [_names(account, subject) | _standing(s) for subject, s in standings.items()]
    if rows:
        connection.execute(_STANDING, rows)


def unknown_subjects(
    connection: Connection, account: AccountName, kind: Kind, ids: Iterable[SubjectId]
) -> frozenset[SubjectId]:
    """Answer with which of `ids` have no name."""
    wanted = frozenset(ids)
    known = load_subjects(connection, account, kind, wanted)
    named = {id_ for id_, (subject, _) in known.items() if subject.environment != UNKNOWN}
    return wanted - named


def places(
    connection: Connection, account: AccountName, kind: Kind
) -> dict[str, tuple[SubjectId, ...]]:
    """Answer with the workspaces of an account by their ids, and the tasks or plans of each."""
    query = (
        select(subjects.c.workspace_id, subjects.c.id)
        .where(
            subjects.c.account == account,
            subjects.c.kind == kind.value,
            subjects.c.workspace_id.is_not(None),
        )
        .order_by(subjects.c.workspace_id, subjects.c.id)
    )
    found: dict[str, list[SubjectId]] = {}
    for workspace, subject in connection.execute(query):
        found.setdefault(workspace, []).append(SubjectId(subject))
    return {workspace: tuple(subjects_of) for workspace, subjects_of in found.items()}


def outside_subjects(
    connection: Connection, account: AccountName, kind: Kind, ids: Iterable[SubjectId]
) -> frozenset[SubjectId]:
    """Answer with which of `ids` are outside of what is watched."""
    wanted = list(ids)
    found: set[SubjectId] = set()
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        query = select(subjects.c.id).where(
            subjects.c.account == account,
            subjects.c.kind == kind.value,
            subjects.c.outside == true(),
            subjects.c.id.in_(wanted[begin : begin + _IDS_AT_ONCE]),
        )
        found.update(SubjectId(id_) for (id_,) in connection.execute(query))
    return frozenset(found)


def is_any_outside(
    connection: Connection, account: AccountName, named: Collection[Subject]
) -> bool:
    """Tell whether one of these was outside of what is watched, as far as is known."""
    query = select(subjects.c.kind, subjects.c.id).where(
        subjects.c.account == account, subjects.c.outside == true()
    )
    known = {(one.kind.value, one.id) for one in named}
    return any((kind, id_) in known for kind, id_ in connection.execute(query))


def failing(connection: Connection, account: AccountName) -> Failing:
    """Answer with how many tasks and plans of an account there are, and how many are failing."""
    here = (subjects.c.account == account) & (subjects.c.outside == false())
    query = select(subjects.c.kind, func.count()).where(here).group_by(subjects.c.kind)
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    count, oldest = connection.execute(
        select(func.count(), func.min(subjects.c.failing_since)).where(
            here,
            subjects.c.consecutive_failures > 0,
            subjects.c.kind != Kind.PROMOTION.value,
        )
    ).one()
    return Failing(
        tasks=counts.get(Kind.TASK.value, 0),
        plans=counts.get(Kind.PLAN.value, 0),
        failing=count,
        oldest=loaded(oldest),
    )


def _names(account: AccountName, subject: Subject) -> dict[str, object]:
    return {
        "account": account,
        "kind": subject.kind.value,
        "id": subject.id,
        "name": subject.name,
        "workspace_id": subject.workspace_id,
        "workspace": subject.workspace,
        "environment_id": subject.environment_id,
        "environment": subject.environment,
        "listed": True,
    }


def _standing(standing: Standing) -> dict[str, object]:
    return {
        "last_success_at": stored(standing.last_success_at),
        "last_completion_at": stored(standing.last_completion_at),
        "last_phase": standing.last_phase.value if standing.last_phase else None,
        "failing_since": stored(standing.failing_since),
        "consecutive_failures": standing.consecutive_failures,
        "succeeded": standing.succeeded,
        "failed": standing.failed,
        "other": standing.other,
    }

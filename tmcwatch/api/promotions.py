"""Promotions in TMC's JSON: an execution with what it moved, and the names of promotions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tmcwatch.api.names import NamesPage
from tmcwatch.api.payloads import (
    Id,
    Payload,
    Unreadable,
    bad_row,
    cut_error,
    parsed,
    parsed_list,
    utc,
    validated,
)
from tmcwatch.domain.execution import (
    UNKNOWN,
    BadRow,
    ExecutionId,
    Kind,
    Phase,
    Row,
    Subject,
    SubjectId,
    Trigger,
)
from tmcwatch.domain.lifecycle import promotion_phase

MOST_NAMED = 20
"""Objects that the error text names; the rest is counted."""
LONGEST_MESSAGE = 300
DEEPEST = 8
MOST_OBJECTS = 50_000

# Where reports nest; `usedBy` names objects a second time.
_LISTS = (
    "workspaces",
    "flows",
    "plans",
    "actions",
    "connections",
    "resources",
    "engines",
    "clusters",
    "versions",
    "runProfiles",
)
_WORDS = {"FLOW": "task", "ACTION": "artifact"}
_BAD_LEVELS = frozenset({"ERROR", "WARN"})


class _Execution(Payload):
    execution_id: Id
    promotion_id: str | None = None
    pipeline_id: str | None = None
    status: str | None = None
    status_message: str | None = None
    user_type: str | None = None
    defective: bool | None = None
    trigger_timestamp: datetime | None = None
    start_timestamp: datetime | None = None
    finish_timestamp: datetime | None = None


class _Home(Payload):
    id: str | None = None
    name: str | None = None


class _Definition(Payload):
    executable: Id
    name: str | None = None
    source_environment: _Home | None = None
    target_environment: _Home | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """One thing that was promoted, or was not."""

    what: str
    failed: bool
    warned: bool
    messages: tuple[str, ...]


def promotion_execution(body: bytes) -> Row:
    """Answer with what the detail says of a promotion's execution, and which objects it lost."""
    raw = parsed(body)
    run = validated(_Execution, raw)
    phase = promotion_phase(run.status, defective=run.defective or False)
    started_at = utc(run.start_timestamp)
    triggered_at = utc(run.trigger_timestamp) or started_at or utc(run.finish_timestamp)
    if triggered_at is None:
        raise Unreadable("the execution has no time at all")
    return Row(
        kind=Kind.PROMOTION,
        id=ExecutionId(run.execution_id),
        # Without a subject nobody could be told of it.
        subject=SubjectId(run.promotion_id or run.pipeline_id or run.execution_id),
        phase=phase,
        status=run.status or "?",
        # Promotions have no schedule: a person starts each, or a script, which TMC does not name.
        trigger=Trigger.MANUAL if run.user_type == "HUMAN" else Trigger.UNKNOWN,
        triggered_at=triggered_at,
        started_at=started_at,
        ended_at=utc(run.finish_timestamp),
        error=_error(phase, run.status_message, raw),
        detailed=True,
    )


def promotion_names(body: bytes) -> NamesPage:
    """Answer with every promotion; a bad row never costs its neighbours."""
    subjects: list[Subject] = []
    bad: list[BadRow] = []
    items = parsed_list(body)
    for item in items:
        try:
            subjects.append(promotion_name(item))
        except Unreadable as problem:
            bad.append(bad_row(Kind.PROMOTION, item, problem))
    return NamesPage(subjects=tuple(subjects), bad=tuple(bad), total=len(items), size=len(items))


def promotion_name(raw: object) -> Subject:
    """Answer with a promotion's names; its environment is the one that it changes."""
    found = validated(_Definition, raw)
    target = found.target_environment or _Home()
    return Subject(
        kind=Kind.PROMOTION,
        id=SubjectId(found.executable),
        name=found.name or found.executable,
        workspace_id=None,
        workspace="",
        environment_id=target.id,
        environment=target.name or target.id or UNKNOWN,
    )


def _error(phase: Phase, message: str | None, raw: object) -> str | None:
    """Say which objects failed and why, after what TMC says of the whole."""
    if phase not in {Phase.FAILED, Phase.REJECTED, Phase.DEFECTIVE}:
        return None
    said = " ".join((message or "").split())[:LONGEST_MESSAGE]
    return cut_error(": ".join(part for part in (said, _lost(tuple(_objects(raw)))) if part))


def _lost(objects: tuple[_Object, ...]) -> str:
    failed = [one for one in objects if one.failed]
    warned = [one for one in objects if one.warned and not one.failed]
    if not failed and not warned:
        return ""
    counts = [
        f"{len(some)} of {len(objects)} objects {what}"
        for some, what in ((failed, "failed"), (warned, "ended with warnings"))
        if some
    ]
    named = [_told(one) for one in (*failed, *warned)[:MOST_NAMED]]
    more = len(failed) + len(warned) - len(named)
    named += [f"and {more} more"] if more > 0 else []
    return f"{', '.join(counts)}: {'; '.join(named)}"


def _told(one: _Object) -> str:
    return f"{one.what}: {', '.join(one.messages)}" if one.messages else one.what


def _objects(raw: object) -> Iterator[_Object]:
    """Give everything that has a report, whatever shape the rest has."""
    left = [(raw, 0)]
    seen = 0
    while left and seen < MOST_OBJECTS:
        value, depth = left.pop()
        seen += 1
        if not isinstance(value, Mapping):
            continue
        report = value.get("promotionReport") or value.get("analyzeReport")
        if isinstance(report, Mapping):
            yield _object(value, report)
        if depth < DEEPEST:
            left.extend((item, depth + 1) for item in reversed(list(_below(value))))


def _below(value: Mapping[object, object]) -> Iterator[object]:
    for name in _LISTS:
        items = value.get(name)
        yield from items if isinstance(items, list) else ()


def _object(value: Mapping[object, object], report: Mapping[object, object]) -> _Object:
    status, said = report.get("status"), report.get("messages")
    listed = said if isinstance(said, list) else []
    messages = [each for each in listed if isinstance(each, Mapping)]
    levels = {each.get("level") for each in messages if isinstance(each.get("level"), str)}
    bad = [each for each in messages if each.get("level") in _BAD_LEVELS] or messages
    return _Object(
        what=f"{_word(value.get('type'))} {value.get('name') or value.get('id') or '?'}",
        failed=status == "FAILED" or "ERROR" in levels,
        warned=(status == "SKIPPED" and bool(messages)) or "WARN" in levels,
        messages=tuple(_texts(bad)),
    )


def _texts(messages: Iterable[Mapping[object, object]]) -> Iterator[str]:
    for message in messages:
        info = message.get("info")
        if isinstance(info, str) and info.strip():
            yield " ".join(info.split())[:LONGEST_MESSAGE]


def _word(kind: object) -> str:
    return _WORDS.get(kind, kind.lower()) if isinstance(kind, str) and kind else "object"

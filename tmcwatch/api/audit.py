"""TMC's audit log: the executions of promotions in it, whatever the shape of its entries.

No official text shows the entry of a promotion run, so nothing of its shape is relied on: names
in any case, bodies as text or as JSON, the id at any depth.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tmcwatch.api.payloads import parsed_list
from tmcwatch.domain.execution import ExecutionId

DEEPEST = 12
_RUNS = frozenset({"run", "execute"})
_RUN_PATH = re.compile(r"/processing/executions/promotions/?(\?|$)")
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_IN_TEXT = re.compile(rf"execution_?id\W{{1,8}}({_UUID})", re.IGNORECASE)
_LONGEST_BODY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """One page of the log: the executions of promotions that were started."""

    executions: tuple[ExecutionId, ...]
    unread: frozenset[str]
    """Entries of promotion runs that do not name the execution, told apart by a mark."""
    size: int
    """Entries that TMC sent, of whatever happened."""


def audit_page(body: bytes) -> AuditPage:
    entries = parsed_list(body)
    runs = [entry for each in entries if _is_run(entry := _normalised(each))]
    found = [(_execution_of(entry.get("response")), entry) for entry in runs]
    executions = [execution for execution, _ in found if execution is not None]
    return AuditPage(
        executions=tuple(dict.fromkeys(executions)),
        unread=frozenset(_mark(entry) for execution, entry in found if execution is None),
        size=len(entries),
    )


def _mark(entry: Mapping[str, object]) -> str:
    text = json.dumps(entry, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _normalised(entry: object) -> Mapping[str, object]:
    """Answer with the entry under names in small letters without separators."""
    if not isinstance(entry, Mapping):
        return {}
    return {_plain(name): value for name, value in entry.items()}


def _plain(text: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(text).lower())


def _is_run(entry: Mapping[str, object]) -> bool:
    """Tell whether a promotion was started, and TMC did not refuse to."""
    if _was_refused(_normalised(entry.get("response"))):
        return False
    category, operation = _plain(entry.get("eventcategory")), _plain(entry.get("eventoperation"))
    if "promotion" in category:
        return operation in _RUNS
    request = _normalised(entry.get("request"))
    is_call = _plain(request.get("method")) == "post"
    return is_call and bool(_RUN_PATH.search(str(request.get("url", ""))))


def _was_refused(response: Mapping[str, object]) -> bool:
    code = str(response.get("code", "")).strip()
    return code.isdigit() and not code.startswith("2")


def _execution_of(response: object) -> ExecutionId | None:
    found = next(_ids(response, 0), None)
    return ExecutionId(found.lower()) if found else None


def _ids(value: object, depth: int) -> Iterator[str]:
    """Give the ids of executions in a value, the outermost first."""
    if depth > DEEPEST:
        return
    if isinstance(value, str):
        yield from _ids_in_text(value[:_LONGEST_BODY], depth)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item, depth + 1)
    elif isinstance(value, Mapping):
        yield from _own_id(value)
        for item in value.values():
            yield from _ids(item, depth + 1)


def _own_id(value: Mapping[object, object]) -> Iterator[str]:
    for name, item in value.items():
        if _plain(name) == "executionid" and isinstance(item, str):
            yield from re.findall(_UUID, item)


def _ids_in_text(text: str, depth: int) -> Iterator[str]:
    """Read a text as JSON, else look for what stands behind the name of an id."""
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        yield from _IN_TEXT.findall(text)
        return
    if isinstance(inner, dict | list | str):
        yield from _ids(inner, depth + 1)

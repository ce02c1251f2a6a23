"""Promotions that are followed: TMC lists no executions of them, so each must be asked for."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tmcwatch.domain.execution import AccountName, ExecutionId, Phase

GIVE_UP_AFTER = timedelta(days=1)
"""How long an execution that TMC has never known is asked for."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Source(StrEnum):
    """Who asked for an execution of a promotion to be followed."""

    CONFIG = "config"
    REQUEST = "request"
    AUDIT_LOG = "audit_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An execution of a promotion that is to be asked for: not over yet, as far as is known."""

    id: ExecutionId
    asked_at: datetime
    """When we were asked to follow it, on our clock."""
    is_known: bool
    """Whether TMC ever knew it."""
    history_before: datetime | None = None
    """If it ended before this, it is history and nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One execution of a promotion with what is known of it, for people who ask."""

    account: AccountName
    execution: ExecutionId
    source: Source
    asked_at: datetime
    phase: Phase | None = None
    """None where TMC has not known it yet."""
    since: datetime | None = None
    name: str = ""
    error: str | None = None


def execution_id(text: str) -> ExecutionId | None:
    """Answer with the id of an execution, None where the text is none."""
    plain = text.strip().lower()
    return ExecutionId(plain) if _UUID.fullmatch(plain) else None


def is_given_up(wanted: Wanted, now: datetime) -> bool:
    """Tell whether TMC has not known an execution for so long that asking is no use."""
    return not wanted.is_known and now - wanted.asked_at >= GIVE_UP_AFTER


def history_before(
    source: Source, *, asked_at: datetime, watched_from: datetime | None
) -> datetime | None:
    """Answer with the time before which an end is history, None where none is.

    Someone who asks for one execution wants to be told how it ended, even if it is over. An id
    in the config may stand there for years: what it ended as before its account was watched is
    no news.
    """
    if source is not Source.CONFIG:
        return None
    return min(watched_from or asked_at, asked_at)

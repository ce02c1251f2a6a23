"""The certificate: the evidence that a window was read completely."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from tmcwatch.domain.execution import Page
from tmcwatch.domain.window import OFFSET_LIMIT, PAGE_LIMIT, is_within_reach


class Doubt(StrEnum):
    """Why a read proves nothing."""

    TOTAL_CHANGED = "total_changed"
    ROWS_MISSING = "rows_missing"
    PAGES_APART = "pages_apart"
    NO_END = "no_end"
    """TMC gave no total and the last page was full."""
    OUT_OF_REACH = "out_of_reach"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one page contributes to the certificate."""

    ids: frozenset[str]
    anonymous: int
    """Rows whose id could not be read."""
    size: int
    total: int | None


def seen(page: Page) -> Seen:
    """Answer with what `page` contributes."""
    bad = [row.id for row in page.bad]
    return Seen(
        ids=frozenset(row.id for row in page.rows) | {id_ for id_ in bad if id_ is not None},
        anonymous=sum(id_ is None for id_ in bad),
        size=page.size,
        total=page.total,
    )


def doubt_of(
    pages: Sequence[Seen], *, page_limit: int = PAGE_LIMIT, deepest: int = OFFSET_LIMIT
) -> Doubt | None:
    """Answer with why `pages`, in order of their offsets, may lack a row; None if they do not.

    Neighbouring pages must overlap by a row. A single page is a snapshot, so it certifies itself
    as soon as it holds as many rows as TMC counts.
    """
    total = pages[0].total
    if total is None:
        return Doubt.NO_END if pages[-1].size >= page_limit else _gap(pages)
    if not is_within_reach(total, page_limit=page_limit, deepest=deepest):
        return Doubt.OUT_OF_REACH
    if any(page.total != total for page in pages):
        return Doubt.TOTAL_CHANGED
    distinct = len(frozenset[str]().union(*(page.ids for page in pages)))
    if distinct + sum(page.anonymous for page in pages) < total:
        return Doubt.ROWS_MISSING
    if distinct > total and len(pages) > 1:
        return Doubt.TOTAL_CHANGED  # more than TMC counts: something moved, or it counts wrong
    return _gap(pages)


def _gap(pages: Sequence[Seen]) -> Doubt | None:
    # A page with a row that has no id may share exactly that one.
    apart = any(
        not (before.ids & after.ids) and not (before.anonymous and after.anonymous)
        for before, after in pairwise(pages)
    )
    return Doubt.PAGES_APART if apart else None

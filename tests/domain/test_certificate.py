"""The certificate: it holds only where every row was seen."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import row
from tmcwatch.domain.certificate import Doubt, doubt_of, seen
from tmcwatch.domain.execution import BadRow, ExecutionId, Kind, Page, Phase
from tmcwatch.domain.window import PAGE_LIMIT, offsets

LIMIT = 5


def bad(name: str | None) -> BadRow:
    id_ = None if name is None else ExecutionId(name)
    return BadRow(kind=Kind.TASK, id=id_, problem="?", text="{}")


def page(*names: str, total: int | None, anonymous: int = 0) -> Page:
    rows = tuple(replace(row(Phase.RUNNING), id=ExecutionId(name)) for name in names)
    unread = (bad(None),) * anonymous
    return Page(rows=rows, bad=unread, total=total, size=len(rows) + anonymous)


def doubt(*pages: Page) -> Doubt | None:
    return doubt_of([seen(one) for one in pages], page_limit=LIMIT)


def test_one_page_with_all_its_rows_certifies_itself():
    assert doubt(page(total=0)) is None
    assert doubt(page("a", "b", total=2)) is None


def test_a_page_with_fewer_rows_than_its_total_proves_nothing():
    assert doubt(page("a", total=2)) is Doubt.ROWS_MISSING


def test_a_row_that_could_not_be_read_was_seen_all_the_same():
    known = Page(rows=(), bad=(bad("a"),), total=1, size=1)
    assert doubt(known) is None
    assert doubt(page(total=1, anonymous=1)) is None


def test_pages_that_share_a_row_certify_the_list():
    assert doubt(page(*"abcde", total=7), page(*"efg", total=7)) is None


def test_a_total_that_changed_proves_nothing():
    assert doubt(page(*"abcde", total=7), page(*"efg", total=8)) is Doubt.TOTAL_CHANGED
    assert doubt(page(*"abcde", total=7), page(*"efg", total=None)) is Doubt.TOTAL_CHANGED


def test_pages_that_share_no_row_prove_nothing():
    assert doubt(page(*"abcde", total=8), page(*"fgh", total=8)) is Doubt.PAGES_APART


def test_pages_may_share_a_row_that_has_no_id():
    pages = page(*"abcd", total=7, anonymous=1), page(*"fg", total=7, anonymous=1)
    assert doubt(*pages) is None
    assert doubt(pages[0], page(*"fgh", total=7)) is Doubt.PAGES_APART


def test_a_list_beyond_the_highest_offset_is_out_of_reach():
    everything = page(*"abcde", total=100_000)
    assert doubt(everything) is Doubt.OUT_OF_REACH


def test_without_a_total_a_short_last_page_is_the_end():
    assert doubt(page(*"abcd", total=None)) is None
    assert doubt(page(*"abcde", total=None)) is Doubt.NO_END
    assert doubt(page(*"abcde", total=None), page(*"efg", total=None)) is None
    assert doubt(page(*"abcde", total=None), page(*"fg", total=None)) is Doubt.PAGES_APART


@given(st.integers(0, 30), st.data())
def test_a_list_with_a_lost_row_is_certified_only_if_another_page_showed_it(total, data):
    lost = data.draw(st.sets(st.tuples(st.integers(0, 7), st.integers(0, total))))
    names = [f"r{number}" for number in range(total)]
    starts = (0, *offsets(total, page_limit=LIMIT))
    shown = [
        [name for i, name in enumerate(names[s : s + LIMIT], s) if (number, i) not in lost]
        for number, s in enumerate(starts)
    ]
    complete = set(names) == {name for one in shown for name in one}
    assert complete or doubt(*(page(*one, total=total) for one in shown)) is not None


@given(st.integers(LIMIT + 1, 30), st.lists(st.integers(-3, 3), min_size=8, max_size=8))
def test_pages_that_moved_are_certified_only_if_nothing_fell_between_them(total, moves):
    names = [f"r{number}" for number in range(total)]
    starts = [
        max(0, start + move)
        for start, move in zip((0, *offsets(total, page_limit=LIMIT)), moves, strict=False)
    ]
    shown = [names[start : start + LIMIT] for start in starts]
    complete = set(names) == {name for one in shown for name in one}
    assert complete or doubt(*(page(*one, total=total) for one in shown)) is not None


@pytest.mark.parametrize("total", [0, 1, PAGE_LIMIT, PAGE_LIMIT + 1, 199, 200, 1090])
def test_every_list_that_stands_still_is_certified(total):
    names = [f"r{number}" for number in range(total)]
    pages = [page(*names[s : s + PAGE_LIMIT], total=total) for s in (0, *offsets(total))]
    assert doubt_of([seen(one) for one in pages]) is None

"""Names: read whole, or not at all."""

from dataclasses import replace

import pytest

from tests.domain.telling import LOAD, PROD
from tmcwatch.api.errors import Forbidden, refusal
from tmcwatch.api.names import NamesPage
from tmcwatch.domain.execution import Kind, SubjectId, Workspace
from tmcwatch.domain.observation import LookFailed, LookProblem, Moment, NamesRead
from tmcwatch.polling.names import read_names

TASKS = [replace(LOAD, id=SubjectId(f"t{n:03}")) for n in range(250)]
FINANCE = Workspace(id="w", name="finance", environment_id="e", environment="PROD")
PLAN = replace(LOAD, kind=Kind.PLAN, id=SubjectId("p"))
PROMOTION = replace(LOAD, kind=Kind.PROMOTION, id=SubjectId("x"), workspace="")


class Directory:
    """A client that knows names only: pages of a hundred, with totals or without."""

    def __init__(
        self,
        tasks,
        plans=(PLAN,),
        *,
        promotions=(PROMOTION,),
        totals=True,
        most=100,
        problem=None,
        secret=None,
    ) -> None:
        self._tasks, self._plans, self._promotions = list(tasks), list(plans), list(promotions)
        self._secret = secret
        self._totals, self._most, self._problem = totals, most, problem
        self.requests = 0
        self.hides_workspaces = False

    def _page(self, subjects, offset):
        self.requests += 1
        if self._problem is not None and self.requests > 1:
            raise self._problem
        shown = tuple(subjects[offset : offset + self._most])
        total = len(subjects) if self._totals else None
        return NamesPage(subjects=shown, total=total, size=len(shown))

    async def tasks(self, offset, *, purpose):
        assert purpose.value == "names"
        return self._page(self._tasks, offset)

    async def workspaces(self, *, purpose):
        assert purpose.value == "names"
        self.requests += 1
        if self.hides_workspaces:
            raise Forbidden("workspaces", "not for you", status=403)
        return (FINANCE,)

    async def plans(self, offset, *, purpose):
        assert purpose.value == "names"
        return self._page(self._plans, offset)

    async def promotions(self, *, purpose):
        assert purpose.value == "names"
        if self._secret is not None:
            raise self._secret
        return self._page(self._promotions, 0)


@pytest.fixture
def read(now):
    async def run(directory):
        sent = []

        async def send(observation):
            sent.append(observation)

        return await read_names(PROD, directory, now=now, send=send), sent

    return run


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
async def test_all_pages_are_read_and_sent_as_one_complete_list(count, totals, read, now):
    ok, sent = await read(Directory(TASKS[:count], totals=totals))
    subjects = (*TASKS[:count], PLAN, PROMOTION)
    names = NamesRead(
        account=PROD, at=now(), subjects=subjects, complete=True, workspaces=(FINANCE,)
    )
    assert (ok, sent) == (True, [names, Moment(at=now())])


async def test_smaller_pages_than_asked_for_are_read_to_their_total(read):
    _, sent = await read(Directory(TASKS, most=30))
    assert len(sent[0].subjects) == 252


async def test_a_page_that_comes_back_empty_ends_the_list(read):
    directory = Directory([], plans=[], promotions=[], totals=False)
    ok, sent = await read(directory)
    assert (ok, sent[0].subjects, directory.requests) == (True, (), 3)


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_who_may_not_see_promotions_still_reads_the_other_names(read, status):
    secret = refusal("promotions", status, "no", None)
    ok, sent = await read(Directory(TASKS[:1], secret=secret))
    assert (ok, sent[0].subjects, sent[0].complete) == (True, (TASKS[0], PLAN), True)


async def test_promotions_that_cannot_be_read_now_are_read_again(read):
    ok, _ = await read(Directory(TASKS[:1], secret=refusal("promotions", 503, "no", None)))
    assert not ok


async def test_workspaces_that_may_not_be_listed_cost_no_names(read):
    directory = Directory(TASKS[:1])
    directory.hides_workspaces = True
    ok, sent = await read(directory)
    assert (ok, len(sent[0].subjects), sent[0].workspaces) == (True, 2, None)


async def test_a_list_that_breaks_off_tells_no_names(read, now):
    ok, sent = await read(Directory(TASKS, problem=Forbidden("tasks", "no", status=403)))
    assert not ok
    assert sent == [
        LookFailed(
            account=PROD,
            kind=None,
            at=now(),
            problem=LookProblem.FORBIDDEN,
            text="tasks: 403 no",
        )
    ]

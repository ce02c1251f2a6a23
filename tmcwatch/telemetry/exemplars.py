"""Exemplars: which execution a count last grew by, as ids never become labels."""

from prometheus_client.samples import Exemplar

from tmcwatch.domain.execution import AccountName, Kind, SubjectId, Transition
from tmcwatch.domain.standing import result_of

MOST = 1_000
"""Kept in memory, the newest; what a scraper has seen once it keeps by itself."""

_LONGEST = 100
"""Of an id. OpenMetrics allows 128 characters for an exemplar's labels together."""

Counted = tuple[AccountName, Kind, SubjectId, str]
"""Account, kind, id and result."""


class Exemplars:
    """The newest executions by what they count as. Noted on the loop, read on any thread."""

    def __init__(self) -> None:
        self._newest: dict[Counted, Exemplar] = {}

    def note(self, transition: Transition) -> None:
        """Take note of an end that is counted."""
        labels = labels_of(transition)
        if transition.subject is None or labels is None:
            return
        result = result_of(transition.phase).value
        place = transition.account, transition.kind, transition.subject, result
        self._newest.pop(place, None)  # else it would stay as old as the first of its place
        self._newest[place] = Exemplar(labels, 1, transition.seen_at.timestamp())
        if len(self._newest) > MOST:
            del self._newest[next(iter(self._newest))]

    def get(self, place: Counted) -> Exemplar | None:
        return self._newest.get(place)


def labels_of(transition: Transition) -> dict[str, str] | None:
    """Answer with what an exemplar says of an execution, None if its id is no plain one."""
    id_ = transition.execution
    return {"execution": id_} if id_.isascii() and len(id_) <= _LONGEST else None

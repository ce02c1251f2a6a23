"""How many runs a tenant may have at once: who comes when all slots are taken waits for one."""

import heapq

from tmcwatch.simulator.execution import FOREVER, TaskRun


class Slots:
    """So many slots, taken in the order of the triggers.

    The tasks of plans do not wait, for the times of their plan are fixed already: they take up
    room, and may for a moment be more than there is.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._ends: list[int] = []

    def taken_by(self, run: TaskRun) -> TaskRun:
        """Give the run a slot; answer with the run as it is after its wait for it."""
        while self._ends and self._ends[0] <= run.triggered:
            heapq.heappop(self._ends)
        if run.plan is None:
            free_at = run.triggered
            while len(self._ends) >= self._count:
                free_at = heapq.heappop(self._ends)
            run = _postponed(run, free_at - run.triggered)
        heapq.heappush(self._ends, run.finished)
        return run


def _postponed(run: TaskRun, wait: int) -> TaskRun:
    if not wait:
        return run
    return run._replace(
        dispatched=min(run.dispatched + wait, FOREVER),
        started=None if run.started is None else run.started + wait,
        stopping=None if run.stopping is None else run.stopping + wait,
        finished=min(run.finished + wait, FOREVER),
    )

"""A tenant, its watcher, and everything that may befall either, in any order."""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import httpx
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from trio.testing import MockClock

from tests.capture.oracle import HIDDEN, HISTORY, LAG, Fate, Oracle, Stretch
from tests.capture.watched import SETTLE, Death, Watched
from tests.conftest import EPOCH
from tmcwatch.domain.execution import ENDS, Kind, Phase
from tmcwatch.simulator import Dialect, Reading, Simulator, small
from tmcwatch.simulator.execution import TaskRun
from tmcwatch.simulator.index import Order
from tmcwatch.simulator.world import milliseconds
from tmcwatch.store.opening import open_store

Result = TypeVar("Result")

QUIET = replace(
    small(), tasks=4, plans=2, executions_per_day=0, plan_runs_per_day=0, late_share=0.0
)
OVER = [
    "EXECUTION_SUCCESS",
    "EXECUTION_FAILED",
    "EXECUTION_TERMINATED",
    "EXECUTION_REJECTED",
    "DEPLOY_FAILED",
]
STUCK = ["EXECUTION_EVENT_RECEIVED", "DISPATCHING_FLOW", "STARTING_FLOW_EXECUTION"]
PATHS = ["", "executables", "executions/"]
LOOKS_UNTIL_ENDS = 30
SECOND_PASS = 3 * 3600.0
TOO_LATE = 3_600_000
"""Milliseconds: what shows later than the second pass reads its time."""
SHORTEST_WAIT = 15.0

which = st.integers(0, 99)
lengths = st.sampled_from([0.5, 3, 20, 90, 1200, 9000])
delays = st.sampled_from([0, 0, 0, 2, 5, 30, 600, 5000])


class Capture(RuleBasedStateMachine):
    """Looks at one list of a simulated tenant; what is stored is held against the truth."""

    reading: Reading
    folder: Path
    """Where the store is made anew, from `empty.db`."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = MockClock(autojump_threshold=0)
        self.most_remembered = 0
        self.was_told = True

    # The beginning, and the end.

    @initialize(
        kind=st.sampled_from([Kind.TASK, Kind.TASK, Kind.PLAN]),
        order=st.sampled_from(["newest", "oldest", "id"]),
        skew=st.sampled_from([0, 0, -600, -20, 600]),
        looks=st.booleans(),
    )
    def begin(self, kind: Kind, order: Order, skew: int, looks: bool) -> None:
        self.simulator = Simulator(
            QUIET,
            now=self.now,
            window=self.reading,
            dialect=Dialect(order=order),
            connection_lost=httpx.ReadError,
        )
        self.oracle = Oracle(simulator=self.simulator, clock=[(0, skew * 1000)])
        self.simulator.faults.put("clock_skew", seconds=float(skew))
        path = self.folder / "watch.db"
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.folder / "empty.db", path)
        self.store = open_store(f"sqlite:///{path}")
        self.watched = Watched(self.simulator, kind, self.store, now=self.now)
        self.watermark = self.watched.watermark
        if looks:
            self.look()

    def teardown(self) -> None:
        if not hasattr(self, "watched"):
            return
        try:
            self._settle()
            self._check_everything()
        finally:
            self.store.close()

    # What befalls the tenant.

    @precondition(lambda self: self.watched.kind is Kind.TASK)
    @rule(
        lasts=lengths,
        ends=st.sampled_from(OVER),
        dispatch=st.sampled_from([0.3, 5, 40, 900]),
        delay=delays,
    )
    def a_task_runs(self, lasts: float, ends: str, dispatch: float, delay: float) -> None:
        run = self.simulator.world.start_task_run(
            self._task(),
            lasts=timedelta(seconds=lasts),
            ends=ends,
            reason="TASK_IS_PAUSED" if ends == "DEPLOY_FAILED" and lasts > 10 else None,
            dispatch=timedelta(seconds=dispatch),
        )
        self._born(run, delay)

    @precondition(lambda self: self.watched.kind is Kind.TASK)
    @rule(state=st.sampled_from(STUCK), delay=delays)
    def a_task_run_gets_stuck(self, state: str, delay: float) -> None:
        self._born(self.simulator.world.start_task_run(self._task(), ends=state), delay)

    @precondition(lambda self: self.watched.kind is Kind.TASK and len(self.oracle.fates) < 120)
    @rule(count=st.sampled_from([20, 130]), lasts=lengths)
    def many_tasks_run(self, count: int, lasts: float) -> None:
        """Let more run than a page holds."""
        for _ in range(count):
            run = self.simulator.world.start_task_run(self._task(), lasts=timedelta(seconds=lasts))
            self._born(run, 0)

    @precondition(lambda self: self.watched.kind is Kind.PLAN)
    @rule(
        lasts=lengths,
        fails=st.booleans(),
        misfires=st.sampled_from([False, False, True]),
        delay=delays,
    )
    def a_plan_runs(self, lasts: float, fails: bool, misfires: bool, delay: float) -> None:
        world = self.simulator.world
        run = world.start_plan_run(
            world.tenant.plans[len(self.oracle.fates) % 2].id,
            fails_at_step=2 if fails else None,
            step_lasts=timedelta(seconds=lasts),
            reason="PLAN_EXECUTIONS_PAUSED" if misfires else None,
        )
        self._born(run, delay)

    @precondition(lambda self: self._open())
    @rule(number=which, ends=st.sampled_from(OVER), looks=st.integers(0, 2))
    def a_run_is_ended(self, number: int, ends: str, looks: int) -> None:
        """Let it end, be seen, and be seen again by a row that is older."""
        runs = self._open()
        run = runs[number % len(runs)]
        begun = run.started is not None and run.started <= self.oracle.now
        if begun and ends == "DEPLOY_FAILED":
            ends = "EXECUTION_TERMINATED"
        elif not begun and ends in {"EXECUTION_SUCCESS", "EXECUTION_FAILED"}:
            ends = "DEPLOY_FAILED"
        self.simulator.world.finish(run.execution_id, ends=ends)
        for _ in range(looks):
            self.look()
            self.simulator.faults.put("late", seconds=LAG / 1000)

    @precondition(lambda self: self._ended())
    @rule(number=st.integers(0, 3), later=st.booleans())
    def an_end_is_corrected(self, number: int, later: bool) -> None:
        """Let TMC change its mind about one of the newest ends, and perhaps about its time."""
        runs = sorted(self._ended(), key=lambda run: run.finished, reverse=True)
        run = runs[number % len(runs)]
        ends = "EXECUTION_SUCCESS" if run.end == "EXECUTION_FAILED" else "EXECUTION_FAILED"
        world = self.simulator.world
        world.correct(run.execution_id, ends=ends, finished=world.now if later else None)

    @precondition(lambda self: self.oracle.fates)
    @rule(number=which, seconds=st.sampled_from([30, 600, 1_000_000]))
    def a_run_vanishes_from_the_lists(self, number: int, seconds: int) -> None:
        id_ = list(self.oracle.fates)[number % len(self.oracle.fates)]
        world = self.simulator.world
        until = world.now + timedelta(seconds=seconds)
        is_known = bool(self.watched.believed([id_]))
        self.oracle.hide(id_, milliseconds(until), is_known=is_known)
        world.hide(id_, until=until)

    @precondition(lambda self: self.watched.followed())
    @rule(number=which, seconds=st.sampled_from([20, 300]))
    def a_known_run_is_not_to_be_had(self, number: int, seconds: int) -> None:
        """Let TMC answer 404 for a while, and look meanwhile."""
        known = sorted(self.watched.believed(self.oracle.fates))
        id_ = known[number % len(known)]
        world = self.simulator.world
        until = world.now + timedelta(seconds=seconds)
        world.delay(id_, until=until)
        self.oracle.fates[id_].delayed_until = milliseconds(until)
        self.look()

    @rule(seconds=st.sampled_from([-600, -20, -2, 0, 2, 20, 600]))
    def the_clock_of_tmc_jumps(self, seconds: int) -> None:
        self.simulator.faults.put("clock_skew", seconds=float(seconds))
        self.oracle.clock_jumps(seconds * 1000)

    @rule(
        name=st.sampled_from(["throttle", "error", "cut", "reset"]),
        on=st.sampled_from(PATHS),
        times=st.sampled_from([1, 2, 5, None]),
        share=st.sampled_from([0.5, 1.0]),
    )
    def tmc_answers_badly(self, name: str, on: str, times: int | None, share: float) -> None:
        self.simulator.faults.put(name, on=on, times=times, share=share)

    @rule(style=st.sampled_from(["seconds", "date", "html"]), after=st.sampled_from([1.0, 90.0]))
    def tmc_throttles(self, style: str, after: float) -> None:
        self.simulator.faults.put("throttle", style=style, retry_after=after, times=1)

    @rule(name=st.sampled_from(["unstable_order", "duplicate"]), share=st.sampled_from([0.5, 1]))
    def pages_are_disturbed(self, name: str, share: float) -> None:
        self.simulator.faults.put(name, share=share)

    @rule(share=st.sampled_from([0.5, 1.0]), looks=st.booleans())
    def rows_lag_behind(self, share: float, looks: bool) -> None:
        self.simulator.faults.put("late", seconds=LAG / 1000, share=share)
        if looks:
            self.look()

    @precondition(lambda self: len(self.simulator.faults.in_force()) > 1)
    @rule()
    def tmc_recovers(self) -> None:
        self._recover()

    @rule(seconds=st.sampled_from([1, 4, 12, 61, 700, 4000, 10_000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.jump(seconds)

    # What befalls the watcher.

    @rule()
    def look(self) -> None:
        began, watermark = self.oracle.now, self.watched.watermark
        proven = self._run(self.watched.look)
        self.was_told = True
        most = self.watched.followed() + self.watched.rows_told
        self.most_remembered = most if proven else max(most, self.most_remembered)
        if proven and watermark is not None:
            self._check_beliefs(began, milliseconds(watermark))

    @rule(beats=st.integers(2, 5))
    def the_beat_goes_on(self, beats: int) -> None:
        for _ in range(beats):
            self.look()
            self.clock.jump(10)

    @rule(at=st.integers(1, 3), death=st.sampled_from(["before", "after"]))
    def it_dies_in_a_look(self, at: int, death: Death) -> None:
        self._run(lambda: self.watched.die_while(self.watched.look, at, death))
        self.was_told = True

    @precondition(lambda self: self.watched.is_catching_up)
    @rule(seconds=st.sampled_from([1, 20, 300]))
    def it_catches_up(self, seconds: float) -> None:
        """Let what an outage left be read for so long."""
        self._run(lambda: self.watched.catch_up(seconds=seconds))
        self.was_told = True

    @precondition(lambda self: self.watched.is_catching_up)
    @rule(at=st.integers(1, 3), death=st.sampled_from(["before", "after"]))
    def it_dies_while_it_catches_up(self, at: int, death: Death) -> None:
        act = partial(self.watched.catch_up, seconds=60)
        self._run(lambda: self.watched.die_while(act, at, death))
        self.was_told = True

    @rule()
    def it_checks_again(self) -> None:
        self._run(self.watched.check)
        self.was_told = True

    @rule(at=st.integers(1, 3), death=st.sampled_from(["before", "after"]))
    def it_dies_while_it_checks(self, at: int, death: Death) -> None:
        self._run(lambda: self.watched.die_while(self.watched.check, at, death))
        self.was_told = True

    @rule()
    def it_is_restarted(self) -> None:
        self.watched.restart()

    # What must hold, always.

    @invariant()
    def the_watermark_has_passed_nothing_unseen(self) -> None:
        """Hold I1 and I3: what shows within the settle lag is stored before the watermark."""
        before, self.watermark = self.watermark, self.watched.watermark
        if self.watermark is None:
            return
        if before is None:
            settled = SETTLE // timedelta(milliseconds=1) - 1000
            self.oracle.watched_from = self.oracle.now - settled
        assert before is None or self.watermark >= before
        known = self.watched.believed(self.oracle.fates)
        assert self.oracle.missing(known, self.watermark) == set()

    @invariant()
    def each_phase_is_told_once(self) -> None:
        """Hold I2: the log has every phase that a run reached, as its times tell, and no twice."""
        if not self.was_told:
            return
        self.was_told = False
        log, lives = self.watched.log(), self.oracle.phases(0)
        believed = self.watched.believed(self.oracle.fates)
        assert log.keys() == set(believed)
        for id_, execution in believed.items():
            run, told, phase = self.oracle.run(id_), log[id_], execution.row.phase
            assert run is not None
            ends = [each for each in told if each in ENDS]
            open_ones = [each for each in told if each not in ENDS]
            assert len(set(open_ones)) == len(open_ones), (id_, told)
            assert Phase.WAITING in open_ones, (id_, told)
            assert all(ends.count(end) <= lives[id_].count(end) for end in ends), (id_, told)
            assert ends[-1:] == ([phase] if phase in ENDS else []), (id_, told, phase)
            if phase in ENDS:
                # A plan is shown as started until TMC finds that it misfires.
                may_run = run.started is not None or Phase.RUNNING in lives[id_]
                assert (run.started is not None) <= (Phase.RUNNING in told) <= may_run, (id_, told)

    @invariant()
    def memory_is_bounded(self) -> None:
        """Hold I4: what is remembered between looks is of open runs and of one window."""
        remembered = self.watched.remembered()
        assert max(remembered.values()) <= self.most_remembered, remembered

    def _check_beliefs(self, began: int, watermark: int) -> None:
        """Hold what a look read against what TMC showed while it took."""
        assert self.watched.watermark is not None
        end = milliseconds(self.watched.watermark)
        if end <= watermark:
            return
        stretch = Stretch(start=watermark, end=end, began=began, ended=self.oracle.now)
        shown = self.oracle.shown(stretch)
        phases = self.oracle.phases(began - LAG)
        believed = self.watched.believed(shown)
        assert set(believed) == shown
        for id_, execution in believed.items():
            assert execution.row.phase in phases[id_], (id_, execution.row, phases[id_])

    # What must hold once everything has come to rest.

    def _settle(self) -> None:
        """Let TMC be well again, and look until everything that ended is known to have."""
        self._recover()
        # While TMC's clock stands behind what it showed, nothing is proven.
        self.clock.jump(self.oracle.behind / 1000 + 3600)
        for _ in range(LOOKS_UNTIL_ENDS):
            self.look()
            if self.watched.is_catching_up:
                self.it_catches_up(600)
            self.clock.jump(SHORTEST_WAIT)
            self.the_watermark_has_passed_nothing_unseen()
            if not self._believed_open_but_ended() and not self.watched.is_catching_up:
                break
        # What showed late, or in a time that TMC's clock showed twice, is for the second pass.
        for _ in range(2):
            self.clock.jump(SECOND_PASS)
            self.look()
            self.it_catches_up(600)
            self.look()
            self.it_checks_again()
        self.each_phase_is_told_once()

    def _check_everything(self) -> None:
        """Hold the store against all that the lists show."""
        assert self._believed_open_but_ended() == set()
        believed = self.watched.believed(self.oracle.fates)
        lost = {id_ for id_, _ in self.oracle.runs() if id_ not in believed}
        missed = {id_ for id_ in lost if not self._is_excused(id_)} - self._never_shown()
        assert missed == set(), [(self.oracle.run(id_), self.oracle.fates[id_]) for id_ in missed]
        lives = self.oracle.phases(0)
        for id_, execution in believed.items():
            was_corrected = len([phase for phase in lives[id_] if phase in ENDS]) > 1
            allowed = lives[id_] if was_corrected else lives[id_][-1:]
            assert execution.row.phase in allowed, (id_, execution.row, lives[id_])

    def _is_excused(self, id_: str) -> bool:
        """Tell whether not even a second pass has to find a run; an audit may."""
        fate, run = self.oracle.fates[id_], self.oracle.run(id_)
        assert run is not None
        came_later = fate.delayed_until - run.triggered > TOO_LATE
        is_excused = came_later or fate.excused in {HISTORY, HIDDEN}
        # A jump of the simulated clock moves the times of all rows, those certified already too.
        moved = self.oracle.was_moved(run.triggered)
        return is_excused or moved or self.oracle.is_dated_back(run.triggered)

    def _never_shown(self) -> set[str]:
        """Answer with the runs that were in no window: lists cannot tell of them."""
        if self.reading != "started":
            return set()
        return {id_ for id_, run in self.oracle.runs() if run.started is None}

    def _believed_open_but_ended(self) -> set[str]:
        believed = self.watched.believed(self.oracle.fates)
        phases = self.oracle.phases(self.oracle.now)
        return {
            id_
            for id_, execution in believed.items()
            if execution.row.phase not in ENDS and phases[id_][-1] in ENDS
        }

    # How it is done.

    def now(self):
        return EPOCH + timedelta(seconds=self.clock.current_time())

    def _run(self, act: Callable[[], Awaitable[Result]]) -> Result:
        return anyio.run(act, backend="trio", backend_options={"clock": self.clock})

    def _recover(self) -> None:
        for name in set(self.simulator.faults.in_force()) - {"clock_skew"}:
            self.simulator.faults.remove(name)

    def _task(self) -> str:
        tasks = self.simulator.world.tenant.tasks
        return tasks[len(self.oracle.fates) % len(tasks)].id

    def _born(self, run: str, delay: float) -> None:
        """Remember a run, and delay its sight by so many seconds from now."""
        until = self.simulator.world.now + timedelta(seconds=delay)
        self.oracle.fates[run] = Fate(delayed_until=milliseconds(until) if delay else 0)
        if delay:
            self.simulator.world.delay(run, until=until)

    def _open(self) -> list[TaskRun]:
        now = self.oracle.now
        runs = [run for _, run in self.oracle.runs() if run.finished > now]
        return [run for run in runs if isinstance(run, TaskRun)]

    def _ended(self):
        """Answer with the runs whose end can be corrected."""
        now = self.oracle.now
        return [
            run for _, run in self.oracle.runs() if run.started is not None and run.finished <= now
        ]

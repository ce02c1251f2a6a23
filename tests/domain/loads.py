"""What goes on in an account, and how it is watched, as values for tests."""

from tmcwatch.app.planning import HABITS
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.fitting import Use
from tmcwatch.domain.planning import AccountLoad, ListLoad, OpenRuns, Watching


def list_load(*, kind=Kind.TASK, runs=1000.0, bad=0.0, number=50.0, long=5.0, ages=()):
    return ListLoad(
        kind=kind,
        runs_per_hour=runs,
        bad_ends_per_hour=bad,
        open_runs=OpenRuns(number=number, long=long, ages=ages),
    )


def account(*lists, tasks=1000, plans=100, **more):
    return AccountLoad(tasks=tasks, plans=plans, lists=lists or (list_load(),), **more)


def watching(*, beat=30.0, settle=10.0, names=900.0, **more):
    return Watching(beat=beat, settle=settle, names_every=names, **more)


def use(*loads, share=0.2, **more):
    return Use(loads=loads or (account(),), watching=watching(**more), share=share, habits=HABITS)

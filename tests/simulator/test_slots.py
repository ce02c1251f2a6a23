"""Slots: who comes when all are taken waits for the first that is free, except for plans."""

from dataclasses import replace

from tests.conftest import EPOCH
from tests.simulator.conftest import quiet, seconds
from tmcwatch.simulator import World


def world_of(slots, *starts, lasts=10):
    """Let runs of so many seconds be triggered at these seconds, dispatched within the next."""
    world = World(replace(quiet(), at_once=slots), start=EPOCH)
    task = world.tenant.tasks[0].id
    for start in starts:
        world.start_task_run(task, at=EPOCH + seconds(start), lasts=seconds(lasts))
    world.advance(EPOCH + seconds(600))
    return world


def ends(world):
    epoch = EPOCH.timestamp() * 1_000
    return [(run.finished - epoch) / 1_000 for run in world.tasks.runs]


def test_as_long_as_there_are_slots_nobody_waits():
    assert ends(world_of(3, 0, 1, 2)) == [11, 12, 13]


def test_who_comes_too_many_waits_for_the_first_end():
    assert ends(world_of(2, 0, 1, 2, 3)) == [11, 12, 22, 23]


def test_a_slot_that_is_free_again_is_taken_at_once():
    assert ends(world_of(1, 0, 30)) == [11, 41]


def test_a_wait_delays_every_moment_but_the_trigger():
    first, second = world_of(1, 0, 5).tasks.runs
    assert second.triggered - first.triggered == 5_000
    assert second.dispatched - second.triggered == 6_000 + 333
    assert second.started - second.triggered == 6_000 + 1_000


def test_a_run_that_is_stuck_keeps_its_slot():
    world = World(replace(quiet(), at_once=1), start=EPOCH)
    task = world.tenant.tasks[0].id
    world.start_task_run(task, at=EPOCH + seconds(1), ends="STARTING_FLOW_EXECUTION")
    world.start_task_run(task, at=EPOCH + seconds(2))
    world.advance(EPOCH + seconds(600))
    _, waiting = world.tasks.runs
    assert waiting.state(waiting.triggered + 500_000) == "EXECUTION_EVENT_RECEIVED"


def test_the_tasks_of_a_plan_do_not_wait_but_take_up_room():
    world = World(replace(quiet(), at_once=1), start=EPOCH)
    plan = world.tenant.plans[0]
    world.start_plan_run(plan.id, at=EPOCH + seconds(1), step_lasts=seconds(10))
    behind = world.start_task_run(world.tenant.tasks[0].id, at=EPOCH + seconds(2))
    world.advance(EPOCH + seconds(600))
    (planned,) = world.plans.runs[0].steps[0].runs
    runs = {run.execution_id: run for run in world.tasks.runs}
    assert runs[planned.execution_id].finished == planned.finished
    assert runs[behind].started == planned.finished + 1_000

"""Nothing is lost and nothing told twice, whatever TMC, its clock and our own process do.

Hypothesis draws the steps: see machine.py for what may happen, oracle.py for what must be known. A
failure is printed as a program of steps; with `CI` set in the environment the same steps are drawn
every time, and `pytest --hypothesis-seed=N` draws those of a seed.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.capture.machine import Capture
from tmcwatch.store.opening import open_store

pytestmark = pytest.mark.uncounted

EXAMPLES = 14
STEPS = 40


@pytest.mark.timeout(400)  # a failure takes its time to be made small
@pytest.mark.parametrize("reading", ["overlap", "trigger", "started"])
def test_nothing_is_lost_or_told_twice_whatever_happens(reading, tmp_path):
    open_store(f"sqlite:///{tmp_path / 'empty.db'}").close()
    machine = type("Capture", (Capture,), {"reading": reading, "folder": tmp_path})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

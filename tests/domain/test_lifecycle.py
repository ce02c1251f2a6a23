"""The life of an execution: whatever is seen of it, in whatever order, it is told once."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.telling import PROD, at, row
from tmcwatch.domain.execution import (
    ENDS,
    OPEN,
    Breakage,
    Execution,
    Phase,
    Row,
    SubjectId,
    Transition,
)
from tmcwatch.domain.lifecycle import advance, ended_at

WAITING = row(Phase.WAITING)
RUNNING = row(Phase.RUNNING, started_at=at(1))
STOPPING = row(Phase.STOPPING, started_at=at(1))
FAILED = row(Phase.FAILED, started_at=at(1), ended_at=at(5))
DETAIL = replace(FAILED, detailed=True, error="boom", workspace="w", rows_processed=7)
LATER = at(6)


def lived(*rows: Row, seen_at=LATER):
    """Answer with the belief after `rows`, and every transition they made."""
    believed: Execution | None = None
    told: list[Transition] = []
    for one in rows:
        believed, steps = advance(PROD, believed, one, seen_at=seen_at)
        told.extend(steps)
    assert believed is not None
    return believed, told


def phases(told) -> list[tuple[Phase, object]]:
    return [(step.phase, step.at) for step in told]


def test_a_life_seen_step_by_step_is_told_step_by_step():
    _, told = lived(WAITING, RUNNING, STOPPING, FAILED)
    assert phases(told) == [
        (Phase.WAITING, at(0)),
        (Phase.RUNNING, at(1)),
        (Phase.STOPPING, at(1)),
        (Phase.FAILED, at(5)),
    ]


def test_skipped_phases_are_taken_from_the_timestamps_once():
    _, told = lived(FAILED, FAILED, RUNNING, WAITING)
    assert phases(told) == [
        (Phase.WAITING, at(0)),
        (Phase.RUNNING, at(1)),
        (Phase.FAILED, at(5)),
    ]


def test_a_run_that_never_started_never_ran():
    _, told = lived(row(Phase.MISFIRED, reason="TASK_IS_PAUSED"))
    assert phases(told) == [(Phase.WAITING, at(0)), (Phase.MISFIRED, at(0))]
    assert told[-1].reason == "TASK_IS_PAUSED"


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.STOPPING, Phase.UNRECOGNISED])
def test_an_open_phase_without_a_start_is_dated_by_its_trigger(phase):
    _, told = lived(row(phase))
    assert phases(told) == [(Phase.WAITING, at(0)), (phase, at(0))]


def test_a_start_told_only_after_its_end_began_is_told_once():
    _, told = lived(row(Phase.STOPPING), STOPPING, FAILED)
    assert Counter(step.phase for step in told) == Counter(
        [Phase.WAITING, Phase.STOPPING, Phase.RUNNING, Phase.FAILED]
    )


@pytest.mark.parametrize("seen", [WAITING, RUNNING, STOPPING, row(Phase.UNRECOGNISED)])
def test_an_older_row_never_reopens(seen):
    believed, told = lived(FAILED, seen)
    assert believed.row.phase is Phase.FAILED
    assert told[-1].phase is Phase.FAILED


def test_a_duplicate_leaves_the_belief_as_it_was():
    believed, _ = advance(PROD, None, FAILED, seen_at=at(6))
    assert advance(PROD, believed, FAILED, seen_at=at(9)) == (believed, ())


def test_first_seen_stays_and_seen_moves_with_news():
    believed, _ = advance(PROD, None, RUNNING, seen_at=at(2))
    believed, _ = advance(PROD, believed, FAILED, seen_at=at(6))
    assert (believed.first_seen_at, believed.seen_at) == (at(2), at(6))


def test_an_end_that_tmc_takes_back_is_a_correction():
    _, told = lived(FAILED, replace(FAILED, phase=Phase.SUCCEEDED, ended_at=at(5.5)))
    assert (told[-1].phase, told[-1].corrects, told[-1].at) == (
        Phase.SUCCEEDED,
        Phase.FAILED,
        at(5.5),
    )


def test_a_corrected_end_does_not_keep_the_error_of_the_end_taken_back():
    believed, told = lived(DETAIL, replace(FAILED, phase=Phase.SUCCEEDED))
    assert (believed.row.error, told[-1].error) == (None, None)


def test_a_detail_completes_a_list_row_without_a_transition():
    believed, told = lived(FAILED, DETAIL)
    assert believed.row == DETAIL
    assert [step.phase for step in told].count(Phase.FAILED) == 1


def test_a_list_row_takes_back_nothing_of_a_detail():
    plan = replace(DETAIL, breakage=Breakage(step="step 1 of 2", tasks=(SubjectId("t"),)))
    believed, _ = lived(plan, replace(FAILED, status="new words"))
    assert believed.row == replace(plan, status="new words")


def test_a_detail_of_an_open_run_does_not_complete_its_end():
    believed, _ = lived(replace(RUNNING, detailed=True), FAILED)
    assert not believed.row.detailed


def test_rows_of_zero_are_known_and_not_replaced():
    believed, _ = lived(replace(DETAIL, rows_rejected=3), replace(DETAIL, rows_rejected=0))
    assert (believed.row.rows_processed, believed.row.rows_rejected) == (7, 0)


def test_error_and_reason_are_told_with_ends_only():
    _, told = lived(replace(DETAIL, reason="why"))
    assert [(step.error, step.reason) for step in told] == [
        (None, None),
        (None, None),
        ("boom", "why"),
    ]


@pytest.mark.parametrize(("minutes", "backfilled"), [(15, False), (15.1, True)])
def test_an_end_seen_more_than_ten_minutes_late_is_backfilled(minutes, backfilled):
    _, told = lived(FAILED, seen_at=at(minutes))
    assert [step.backfilled for step in told] == [False, False, backfilled]


def test_an_end_without_a_time_is_dated_by_the_best_there_is():
    assert ended_at(FAILED) == at(5)
    assert ended_at(replace(FAILED, ended_at=None)) == at(1)
    assert ended_at(row(Phase.FAILED)) == at(0)


SIGHTINGS = st.lists(st.sampled_from([WAITING, RUNNING, STOPPING, FAILED, DETAIL]), max_size=12)


@given(SIGHTINGS)
def test_in_any_order_every_phase_is_told_once_and_nothing_after_the_end(sightings):
    _, told = lived(*sightings, FAILED)
    told_phases = [step.phase for step in told]
    assert max(Counter(told_phases).values()) == 1
    assert set(told_phases) >= {Phase.WAITING, Phase.RUNNING, Phase.FAILED}
    assert told_phases[-1] is Phase.FAILED
    assert all(step.corrects is None for step in told)


@given(SIGHTINGS)
def test_in_any_order_the_same_is_believed_in_the_end(sightings):
    believed, _ = lived(*sightings, DETAIL)
    again, _ = lived(DETAIL, *sightings)
    assert believed.row == again.row == DETAIL


@given(st.lists(st.sampled_from([*OPEN]), max_size=8), st.sampled_from([*ENDS]))
def test_unrecognised_words_never_end_a_run_nor_hide_its_end(seen, end):
    believed, told = lived(*(row(phase) for phase in seen), row(Phase.UNRECOGNISED))
    assert believed.row.phase in OPEN
    assert not {step.phase for step in told} & ENDS
    _, steps = advance(PROD, believed, row(end), seen_at=LATER)
    assert [step.phase for step in steps] == [end]


@given(st.lists(st.sampled_from([*ENDS]), min_size=1, max_size=6))
def test_each_correction_names_the_end_it_takes_back(ends):
    _, told = lived(*(row(end, ended_at=at(5)) for end in ends))
    said = [step for step in told if step.phase in ENDS]
    assert [step.corrects for step in said] == [None, *(step.phase for step in said[:-1])]


def test_a_trigger_told_differently_is_believed_at_its_earliest():
    believed, _ = lived(RUNNING, replace(RUNNING, triggered_at=at(0) - timedelta(seconds=1)))
    assert believed.row.triggered_at == at(0) - timedelta(seconds=1)

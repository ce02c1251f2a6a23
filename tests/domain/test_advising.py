"""Whether a plan fits, and that the advice is the least that makes it fit."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.loads import account, list_load, use
from tmcwatch.domain.advising import (
    LONGEST_BEAT,
    LONGEST_NAMES,
    advice,
    fits,
    heads_fit,
    least_for_heads,
    spans,
)
from tmcwatch.domain.budget import CEILINGS, Family, Purpose
from tmcwatch.domain.execution import Kind
from tmcwatch.domain.fitting import ANSWER, FULL, plan_of
from tmcwatch.domain.window import Reading

NUMBERS = st.floats(min_value=0, max_value=400)
LISTS = st.builds(
    lambda kind, runs, bad, number, long: list_load(
        kind=kind, runs=runs, bad=bad, number=number, long=number * long
    ),
    st.sampled_from([Kind.TASK, Kind.PLAN]),
    st.floats(min_value=0, max_value=20_000),
    st.floats(min_value=0, max_value=5_000),
    NUMBERS,
    st.floats(min_value=0, max_value=0.5),
)
ACCOUNTS = st.builds(
    lambda lists, tasks, promotions: account(*lists, tasks=tasks, promotions=promotions),
    st.lists(LISTS, min_size=1, max_size=2),
    st.integers(min_value=0, max_value=30_000),
    st.floats(min_value=0, max_value=3),
)
USES = st.builds(
    lambda loads, share, beat, names: use(*loads, share=share, beat=beat, names=names),
    st.lists(ACCOUNTS, min_size=1, max_size=4),
    st.sampled_from([0.001, 0.01, 0.05, 0.2, 0.5, 1]),
    st.sampled_from([1.0, 2.5, 10.0, 30.0, 61.0, 600.0]),
    st.sampled_from([1.0, 60.0, 900.0, 7200.0]),
)


def slowed(one, **spans_of):
    return replace(one, watching=replace(one.watching, **spans_of))


def notch_below(span, begin, longest):
    """The span before this one among those a person would set, or the one that did not fit."""
    return max((each for each in spans(begin, longest) if each < span), default=begin)


@pytest.mark.uncounted
@settings(max_examples=25)
@given(USES)
def test_with_the_advised_share_a_plan_fits_and_a_hundredth_less_is_too_little(one):
    share = advice(one).share
    if fits(one) or share is None:
        return
    assert fits(replace(one, share=share))
    assert not fits(replace(one, share=max(share - 0.01, one.share)))


@settings(max_examples=25)
@given(USES)
def test_with_the_advised_spans_a_plan_fits_and_a_notch_less_is_too_little(one):
    told = advice(one)
    if fits(one) or not told.can_slow_down:
        return
    advised = {"beat": told.beat, "names_every": told.names_every}
    changed = slowed(one, **{name: span for name, span in advised.items() if span})
    assert fits(changed)
    if told.beat:
        below = notch_below(told.beat, one.watching.beat, LONGEST_BEAT)
        assert not fits(slowed(changed, beat=below))
    if told.names_every:
        below = notch_below(told.names_every, one.watching.names_every, LONGEST_NAMES)
        assert not fits(slowed(changed, names_every=below))


@pytest.mark.uncounted
@settings(max_examples=25)
@given(USES)
def test_without_advice_nothing_that_can_be_set_would_help(one):
    told = advice(one)
    if fits(one):
        return
    if told.share is None:
        assert not fits(replace(one, share=1.0))
    if not told.can_slow_down:
        slowest = slowed(one, beat=LONGEST_BEAT, names_every=LONGEST_NAMES)
        assert not fits(slowest)


@settings(max_examples=25)
@given(USES)
def test_a_plan_fits_only_if_it_does_under_every_reading(one):
    assert fits(one) <= all(plan_of(one, reading).fits for reading in Reading)


@settings(max_examples=25)
@given(USES)
def test_what_is_planned_of_open_runs_is_within_what_they_may_take(one):
    for reading in Reading:
        plan = plan_of(one, reading)
        beats = 60 / one.watching.beat
        besides = beats * sum(load.promotions for load in one.loads)
        most = one.most_refreshes * beats + besides
        assert plan.of(Family.PROCESSING).get(Purpose.ENDS, 0) <= most + 1e-6


def test_a_usual_tenant_fits_with_the_defaults():
    assert fits(use(account(list_load(), list_load(kind=Kind.PLAN, runs=50, number=5, long=1))))


def test_names_that_are_read_too_often_are_told_by_their_own_key():
    one = use(account(tasks=30_000), names=10)
    told = advice(one)
    assert (told.beat, told.share) == (None, None)
    assert told.names_every == round(303 / (FULL * 360) * 60 + 0.5)


def test_families_are_judged_apart():
    plan = plan_of(use(account(tasks=30_000), names=10), Reading.OVERLAP)
    assert plan.short == {Family.ORCHESTRATION}
    assert plan.total(Family.PROCESSING) < FULL * CEILINGS[Family.PROCESSING] * 0.2


def test_more_open_runs_than_the_budget_affords_wait_for_their_turn():
    one = use(account(list_load(runs=100, number=150, ages=(200_000.0,) * 150)), beat=10)
    plan = plan_of(one, Reading.TRIGGER)
    assert one.most_refreshes == pytest.approx(84)  # seven tenths of what two beats grant
    assert (plan.turns, plan.fits) == (2, False)
    # A look of 85 requests takes longer than a beat, and the next one waits for it.
    look = 85 * ANSWER
    assert plan.delay.most == pytest.approx(3 * look)
    assert plan.of(Family.PROCESSING)[Purpose.ENDS] == pytest.approx(84 / look * 60)


def test_an_end_is_known_within_a_beat_and_the_time_of_a_look():
    delay = plan_of(use(beat=30), Reading.OVERLAP).delay
    assert delay.median == pytest.approx(15.1)
    assert delay.most == pytest.approx(30.2)
    assert delay.proven == pytest.approx(40.2)


def test_a_look_that_takes_longer_than_a_beat_sets_the_pace():
    one = use(account(list_load(number=0, long=0, runs=0)), share=0.001, beat=10)
    many = replace(one, loads=one.loads * 20)
    assert plan_of(many, Reading.OVERLAP).delay.most == pytest.approx(2 * (20 - 1) / 1.8 * 60)


def test_where_nothing_is_left_the_history_has_no_end():
    one = use(share=0.001, history=7 * 86_400.0)
    assert plan_of(one, Reading.TRIGGER).history_minutes is None
    minutes = plan_of(use(history=7 * 86_400.0), Reading.TRIGGER).history_minutes
    assert minutes is not None
    assert minutes > 1


@given(
    st.integers(min_value=1, max_value=40),
    st.floats(min_value=0.001, max_value=1),
    st.floats(min_value=1, max_value=3600),
)
def test_the_advice_for_heads_alone_is_the_least_in_whole_seconds_and_hundredths(n, share, beat):
    one = use(*[account(list_load())] * n, share=share, beat=beat)
    if heads_fit(one):
        return
    told = least_for_heads(one)
    if told.beat is not None:
        assert heads_fit(slowed(one, beat=told.beat))
        assert not heads_fit(slowed(one, beat=told.beat - 1))
    if told.share is not None:
        assert heads_fit(replace(one, share=told.share))
        assert not heads_fit(replace(one, share=told.share - 0.01))

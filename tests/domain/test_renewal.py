"""How long a token is trusted, and when another one is asked for."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.domain.renewal import (
    LONGEST_LIFE,
    LONGEST_RETRY,
    SHORTEST_LIFE,
    life_of,
    renewed_after,
    retried_after,
)

ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())
)


@pytest.mark.parametrize(
    ("said", "life"),
    [
        ("3600", 1800),
        ("1800", 1800),
        ("500", 500),
        (600, 600),
        (600.5, 600.5),
        (" 90 ", 90),
        ("1", SHORTEST_LIFE),
        (10**400, LONGEST_LIFE),
        ("inf", LONGEST_LIFE),
    ],
)
def test_a_token_is_trusted_for_what_is_said_and_half_an_hour_at_most(said, life):
    assert life_of(said) == life


@pytest.mark.parametrize("said", [None, "", "soon", "NaN", math.nan, "0", -5, True, [600], {}])
def test_what_is_no_number_of_seconds_is_half_an_hour(said):
    assert life_of(said) == LONGEST_LIFE


@pytest.mark.parametrize(
    ("life", "age"), [(1800, 1500), (600, 500), (300, 240), (120, 60), (60, 30), (10, 5)]
)
def test_a_token_is_renewed_in_the_last_part_of_its_life(life, age):
    assert renewed_after(life) == pytest.approx(age)


@given(ANYTHING)
def test_whatever_is_said_a_token_serves_for_a_while_and_is_renewed_before_its_end(said):
    life = life_of(said)
    assert SHORTEST_LIFE <= life <= LONGEST_LIFE
    assert 0 < renewed_after(life) < life
    assert life - renewed_after(life) >= min(60, life / 2) - 1e-9


def test_failures_in_a_row_are_tried_again_later_and_later_up_to_a_minute():
    assert [retried_after(failures) for failures in (1, 2, 3, 4, 5)] == [5, 10, 20, 40, 60]
    assert retried_after(10**6) == LONGEST_RETRY

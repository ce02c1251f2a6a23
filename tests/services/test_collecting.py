"""Garbage is collected again once the last of those who asked for a pause is done."""

import gc

import pytest

from tmcwatch.app.collecting import Collecting


def failing():
    with Collecting().paused():
        assert not gc.isenabled()
        raise ValueError("store")


def test_a_pause_ends_with_its_block_also_when_that_fails():
    with pytest.raises(ValueError, match="store"):
        failing()
    assert gc.isenabled()


def test_of_pauses_at_once_the_last_to_end_is_the_end_of_all():
    collecting = Collecting()
    first, second = collecting.paused(), collecting.paused()
    first.__enter__()
    with second:
        first.__exit__(None, None, None)
        assert not gc.isenabled()
    assert gc.isenabled()

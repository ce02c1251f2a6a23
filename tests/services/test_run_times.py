"""Run times of chosen tasks: kept between scrapes, and read a bounded number at a time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.telling import LOAD, at
from tests.services.deciding import Deciding
from tmcwatch.app.run_times import MOST_READ, KeptRunTimes
from tmcwatch.domain.choosing import Choice
from tmcwatch.domain.execution import Phase, SubjectId
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.store.snapshot import read_snapshot

EVERY = Choice(matchers=(matcher_from('kind="task"'),))


@pytest.fixture
def deciding(store):
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    return deciding


@pytest.fixture
def scraped(store):
    """Answer with the run times that a scrape at a minute tells, by the ids of their tasks."""
    kept = KeptRunTimes()

    def scrape(minute, choice=EVERY):
        def work(connection):
            subjects = read_snapshot(connection, at(minute)).subjects
            return kept.read(connection, choice, subjects, at(minute))

        return {place[-1]: times for place, times in store.read(work).items()}

    return scrape


def runs(deciding, minute, lasts, phase=Phase.SUCCEEDED, **changes):
    deciding.see(phase, minute, started_at=at(minute - lasts), **changes)


def test_a_scrape_tells_the_usual_run_time_and_the_last_one(deciding, scraped):
    for minute, lasts in ((10, 1), (20, 3), (30, 5)):
        runs(deciding, minute, lasts)
    runs(deciding, 40, 7, Phase.FAILED)
    told = scraped(41)["t1"]
    minutes = [each / timedelta(minutes=1) for each in (told.usual, told.longest_usual, told.last)]
    assert minutes == [3, 5, 7]


def test_a_run_that_ended_since_the_last_scrape_is_told_by_the_next(deciding, scraped):
    runs(deciding, 10, 1)
    scraped(11)
    runs(deciding, 20, 2)
    assert scraped(21)["t1"].last == timedelta(minutes=2)


def test_only_what_is_chosen_is_read_and_told(deciding, scraped):
    runs(deciding, 10, 1)
    assert scraped(11, Choice()) == {}
    assert scraped(11, Choice(matchers=(matcher_from('name="other"'),))) == {}


def test_of_very_many_each_scrape_reads_a_bounded_number_and_in_the_end_all(deciding, scraped):
    ids = [SubjectId(f"t{number}") for number in range(2 * MOST_READ + 1)]
    deciding.name(*(replace(LOAD, id=id_) for id_ in ids))
    runs(deciding, 10, 1, subject=ids[0])
    assert [len(scraped(minute)) for minute in (11, 12)] == [MOST_READ, 2 * MOST_READ]
    runs(deciding, 13, 4, subject=ids[0])
    third = scraped(14)
    assert third.keys() == set(ids)
    assert third[ids[0]].last == timedelta(minutes=4), "before those that were read longest ago"


def test_what_history_brings_is_told_once_it_is_its_turn(deciding, scraped):
    runs(deciding, 100, 1)
    scraped(101)
    runs(deciding, 50, 9, seen=102)
    assert scraped(103)["t1"].usual == timedelta(minutes=5)

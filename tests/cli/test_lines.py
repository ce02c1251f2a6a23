"""The demo in a pipe: addresses first, then each event once, in words; the summary."""

from dataclasses import replace
from datetime import timedelta

from tests.cli.scenes import PLACES, busy_scene, happening, told
from tmcwatch.cli.demonstration.lines import Lines
from tmcwatch.cli.demonstration.scene import Scene, Totals, summary
from tmcwatch.domain.execution import Phase

FIRST = Scene(
    elapsed=timedelta(seconds=1),
    fresh_happenings=(happening(1, Phase.MISFIRED, why="no\nengine"),),
    told=(told(2, "MISFIRED: load_customers", "no engine"),),
    totals=Totals(told=1),
)


def test_addresses_come_first():
    said: list[str] = []
    Lines(PLACES, said.append)
    assert [line.split()[:2] for line in said] == [
        ["metrics", PLACES.metrics],
        ["simulator", PLACES.simulator],
        ["control", PLACES.control],
    ]


def test_each_event_and_each_message_is_told_once():
    said: list[str] = []
    with Lines(PLACES, said.append) as lines:
        lines.show(FIRST)
        lines.show(replace(FIRST, fresh_happenings=()))
        more = (*FIRST.told, told(9, "RECOVERED: load_customers"))
        lines.show(replace(FIRST, fresh_happenings=(), told=more, totals=Totals(told=2)))
    assert said[3:] == [
        "12:00:01 misfired: task load_customers (PROD/crm): no engine",
        "12:00:02 told: MISFIRED: load_customers",
        "           no engine",
        "12:00:09 told: RECOVERED: load_customers",
    ]


def test_what_has_no_name_yet_has_no_place():
    said: list[str] = []
    nameless = replace(happening(1, Phase.RUNNING, "t-1"), place="")
    Lines(PLACES, said.append).show(replace(FIRST, fresh_happenings=(nameless,), told=()))
    assert said[3] == "12:00:01 running: task t-1"


def test_the_summary_fits_a_narrow_terminal():
    first, second = summary(busy_scene())
    assert first == "The demo ran for 75 s: 700 executions seen, 52 transitions,"
    assert second == "30 alerts opened, 1 ended, 32 messages told, 90 requests made."

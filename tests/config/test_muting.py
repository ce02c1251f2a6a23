"""What mutes, as the file has it: what it means, and every mistake with its place."""

from datetime import UTC, timedelta

import pytest

from tmcwatch.app.wiring import mutes_of
from tmcwatch.config import ConfigError, load, routing_tree
from tmcwatch.domain.interval import Span, TimeInterval

HEAD = """\
accounts: [{name: prod, region: eu, token: a-token}]
receivers: [{name: team, log: {}}]
route: {receiver: team, routes: [{mute_time_intervals: [nights], routes: [{receiver: team}]}]}
time_zone: Europe/Paris
"""
NIGHTS = "time_intervals: [{name: nights, intervals: [%s]}]\n"


@pytest.fixture
def config(tmp_path):
    def loaded(*parts: str, text: str = HEAD):
        file = tmp_path / "c.yaml"
        file.write_text(text + "\n".join(parts))
        return load(file, environ={})

    return loaded


@pytest.fixture
def problems(config, tmp_path):
    def told(*parts: str, text: str = HEAD):
        with pytest.raises(ConfigError) as caught:
            config(*parts, text=text)
        return [str(p).replace(f"{tmp_path}/", "") for p in caught.value.problems]

    return told


def span(first: int, last: int | None = None) -> Span:
    return Span(first=first, last=first if last is None else last)


def test_time_intervals_are_read_as_alertmanager_documents_them(config):
    loaded = config(
        NIGHTS
        % """{
        times: [{start_time: "06:00", end_time: "23:59"},
          {start_time: "23:59", end_time: "24:00"}],
        weekdays: ["monday:wednesday", Saturday, sunday],
        days_of_month: ["1:5", "-3:-1", 31], months: ["1:3", "may:august", december, 11],
        years: ["2020:2022", 2030], location: Europe/Paris}, {}"""
    )
    named = mutes_of(loaded).intervals["nights"]
    assert named[0] == TimeInterval(
        times=(span(6 * 60, 23 * 60 + 58), span(23 * 60 + 59)),
        weekdays=(span(1, 3), span(6), span(0)),
        days_of_month=(span(1, 5), span(-3, -1), span(31)),
        months=(span(1, 3), span(5, 8), span(12), span(11)),
        years=(span(2020, 2022), span(2030)),
        location=loaded.time_zone,
    )
    assert named[1] == TimeInterval(location=UTC)


def test_a_route_names_its_intervals_and_its_branches_do_not_take_them_over(config):
    branch = routing_tree(config(NIGHTS % "{}")).routes[0]
    assert (branch.muted_in, branch.active_in) == (("nights",), ())
    assert branch.routes[0].muted_in == ()


@pytest.mark.parametrize(
    ("interval", "problem"),
    [
        ("weekdays: ['friday:monday']", "weekdays[0]: found 'friday:monday'; allowed: days such"),
        ("weekdays: [funday]", "weekdays[0]: found 'funday'; allowed: days such as sunday"),
        ("weekdays: ['1']", "weekdays[0]: found '1'"),
        ("weekdays: [1]", "weekdays[0]: found the number 1"),
        ("days_of_month: [0]", "days_of_month[0]: found the number 0; allowed: days such as 1"),
        ("days_of_month: ['1:32']", "days_of_month[0]: found '1:32'"),
        ("days_of_month: ['-1:5']", "days_of_month[0]: found '-1:5'"),
        ("days_of_month: ['-1:-3']", "days_of_month[0]: found '-1:-3'"),
        ("days_of_month: ['25:-5']", "days_of_month[0]: found '25:-5'"),
        ("days_of_month: [1:5]", "days_of_month[0]: found the number 65; allowed: days such"),
        ("months: [13]", "months[0]: found the number 13; allowed: months such as may"),
        ("months: ['august:may']", "months[0]: found 'august:may'"),
        ("months: ['1:2:3']", "months[0]: found '1:2:3'"),
        ("months: [true]", "months[0]: found true"),
        ("years: ['2030:2020']", "years[0]: found '2030:2020'; allowed: years such as 2027"),
        ("years: [soon]", "years[0]: found 'soon'"),
        ("times: [{start_time: 9:00, end_time: '17:00'}]", "start_time: found the number 540"),
        ("times: [{start_time: '9:00', end_time: '17:00'}]", "start_time: found '9:00'; allowed"),
        ("times: [{start_time: '09:00', end_time: '24:01'}]", "end_time: found '24:01'"),
        ("times: [{start_time: '09:60', end_time: '17:00'}]", "start_time: found '09:60'"),
        (
            "times: [{start_time: '22:00', end_time: '06:00'}]",
            "times[0]: found '22:00 to 06:00'; allowed: a start_time before the end_time",
        ),
        ("times: [{start_time: '22:00'}]", "times[0].end_time: this key is missing"),
        ("location: Paris", "location: found 'Paris'; allowed: a time zone of the IANA list"),
        ("hours: []", "hours: unknown key; allowed: days_of_month, location, months, times"),
    ],
)
def test_a_wrong_part_of_an_interval_is_told_with_its_place(problems, interval, problem):
    (told,) = problems(NIGHTS % f"{{{interval}}}")
    assert told.startswith("c.yaml:5: time_intervals[0].intervals[0].")
    assert problem in told


def test_intervals_have_names_of_their_own_and_routes_name_those_there_are(problems):
    twice = "time_intervals: [{name: day, intervals: [{}]}, {name: day, intervals: [{}]}]"
    unknown, taken = problems(twice)
    assert unknown.startswith("c.yaml:3: route.routes[0].mute_time_intervals[0]: no time interval")
    assert unknown.endswith("is named 'nights'; there are: day, day.")
    assert taken.startswith("c.yaml:5: time_intervals[1].name: 'day' is taken already; every name")
    (told,) = problems("time_intervals: [{name: nights, intervals: []}]")
    assert "time_intervals[0].intervals: found an empty list" in told


def test_the_root_has_no_intervals_as_in_alertmanager(problems):
    text = HEAD.replace(
        "receiver: team, routes", "receiver: team, active_time_intervals: [], routes"
    )
    (told,) = problems(NIGHTS % "{}", text=text)
    assert told.startswith("c.yaml:3: route.active_time_intervals: unknown key; allowed: group_by")


RULE = "inhibit_rules: [{source_matchers: [%s], target_matchers: ['name=b'], equal: [%s]}]"


def test_rules_of_inhibition_come_after_what_is_built_in(config):
    loaded = config(NIGHTS % "{}", RULE % ("'name=a'", "account, team"))
    built_in, (own,) = mutes_of(loaded).inhibitions[:-1], mutes_of(loaded).inhibitions[-1:]
    assert len(built_in) == 4
    assert ([*map(str, own.sources)], [*map(str, own.targets)]) == (['name="a"'], ['name="b"'])
    assert own.equal == ("account", "team")


def test_rules_that_are_wanted_inside_plans_do_not_follow_from_them(config):
    loaded = config(NIGHTS % "{}", "rules: [{rule: failed, inside_plans: true}]")
    of_plans = mutes_of(loaded).inhibitions[3]
    assert [str(each) for each in of_plans.targets] == ['kind="task"', 'rule!~"failed"']


def test_a_wrong_rule_of_inhibition_is_told_with_its_place(problems):
    assert "inhibit_rules[0].source_matchers: found an empty list" in "".join(
        problems(NIGHTS % "{}", RULE % ("", "account"))
    )
    assert "inhibit_rules[0].equal[0]: found 'a-b'" in "".join(
        problems(NIGHTS % "{}", RULE % ("'name=a'", "a-b"))
    )


WORK = "maintenance: [{name: patches, matchers: ['account=prod'], cron: '%s', duration: %s}]"


def test_maintenance_is_by_the_clock_of_the_messages_unless_it_says_otherwise(config):
    first = mutes_of(config(NIGHTS % "{}", WORK % ("0 2 * * 6", "4h"))).maintenance[0]
    assert (first.name, first.duration, first.comment) == ("patches", timedelta(hours=4), "")
    assert str(first.time_zone) == "Europe/Paris"
    other = WORK % ("0 2 * * SAT", "4h, time_zone: Asia/Tokyo, comment: why")
    second = mutes_of(config(NIGHTS % "{}", other)).maintenance[0]
    assert (str(second.time_zone), second.comment) == ("Asia/Tokyo", "why")


@pytest.mark.parametrize(
    ("cron", "duration", "problem"),
    [
        ("0 2 * *", "4h", "cron: found '0 2 * *'; allowed: five fields of cron, such as 0 2"),
        ("0 0 2 * * 6", "4h", "cron: found '0 0 2 * * 6'"),
        ("0 25 * * *", "4h", "cron: found '0 25 * * *'"),
        ("0 2 30 2 *", "4h", "cron: found '0 2 30 2 *'"),
        ("@daily", "4h", "cron: found '@daily'"),
        ("0 2 * * *", "0s", "duration: found '0s'; allowed: 1m to 31d"),
        ("0 2 * * *", "24h", "duration: it would begin again before it is over, and never"),
        ("* * * * *", "5m", "duration: it would begin again before it is over, and never"),
        ("0 2 * * *", "1h, time_zone: Mars", "time_zone: found 'Mars'"),
        ("0 2 * * *", "1h, comments: x", "comments: unknown key; allowed: comment, cron"),
    ],
)
def test_wrong_maintenance_is_told_with_its_place(problems, cron, duration, problem):
    (told,) = problems(NIGHTS % "{}", WORK % (cron, duration))
    assert told.startswith("c.yaml:7: maintenance[0].")
    assert problem in told


@pytest.mark.parametrize(
    ("cron", "duration"),
    [
        ("0 2 * * *", "23h59m"),
        ("*/10 0-4 * * *", "1h"),
        ("* * * * 1", "12h"),
        ("0 2 29 2 *", "31d"),
    ],
)
def test_maintenance_that_ends_now_and_then_is_allowed(config, cron, duration):
    assert len(mutes_of(config(NIGHTS % "{}", WORK % (cron, duration))).maintenance) == 1


def test_maintenance_has_a_name_of_its_own(problems):
    one = WORK % ("0 2 * * *", "1h")
    both = one[:-1] + ", " + one[len("maintenance: [") :]
    (told,) = problems(NIGHTS % "{}", both)
    assert "maintenance[1].name: 'patches' is taken already" in told


def test_a_reminder_of_silences_is_an_hour_ahead_unless_it_says_otherwise(config):
    assert mutes_of(config(NIGHTS % "{}")).silence_reminder == timedelta(hours=1)
    assert not mutes_of(config(NIGHTS % "{}", "silence_reminder: 0s")).silence_reminder


def test_a_loaded_config_can_be_written_as_json(config):
    loaded = config(NIGHTS % "{times: [{start_time: '09:00', end_time: '17:00'}], months: [5]}")
    written = loaded.time_intervals[0].model_dump_json()
    assert '"start_time":"09:00"' in written
    assert '"months":["5:5"]' in written

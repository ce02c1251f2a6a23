"""What is not told for a while, as timetables: silences, inhibition, maintenance, intervals."""

from datetime import UTC, datetime

ROUTE = """
route: {receiver: team, group_by: ["..."], group_wait: 10s, group_interval: 1m,
        repeat_interval: 4h}
"""
INHIBIT = """
inhibit_rules:
  - {source_matchers: ['name="Database"'], target_matchers: ['name!="Database"'],
     equal: [environment]}
"""


async def test_a_silence_keeps_quiet_and_what_still_fires_is_told_when_it_ends(play):
    assert not await play(ROUTE).play("""
        0s            ann silences name="A" for 30m
        1m            A fails
        2m            B fails
        2m10s         want team: B failed
        5m            C fails
        5m10s         want team: C failed
        30m..31m11s   want team: A failed
        2h            end
    """)


async def test_what_is_over_under_a_silence_is_never_told(play):
    assert not await play(ROUTE).play("""
        0s            ann silences name="A" for 30m
        1m            A fails
        10m           A succeeds
        9h            end
    """)


async def test_the_end_of_what_was_told_before_the_silence_is_told_after_it(play):
    assert not await play(ROUTE).play("""
        0s            A fails
        10s           want team: A failed
        1m            ann silences name="A" for 30m
        10m           A succeeds
        31m..32m15s   want team: A recovered
        9h            end
    """)


async def test_a_silence_that_is_ended_early_ends_early(play):
    assert not await play(ROUTE).play("""
        0s            ann silences name="A" for 3h
        1m            A fails
        10m           ann ends her silence
        10m..11m11s   want team: A failed
        3h30m         end
    """)


async def test_a_silence_outlives_a_restart(play):
    assert not await play(ROUTE).play("""
        0s            ann silences name="A" for 30m
        1m            A fails
        1m5s          it restarts
        20m           it stops
        25m           it starts
        30m..31m11s   want team: A failed
        2h            end
    """)


async def test_a_cause_keeps_its_effects_quiet_and_a_restart_leaks_none(play):
    assert not await play(ROUTE + INHIBIT).play("""
        0s            Database fails
        10s           want team: Database failed
        1m            A fails
        1m5s          it restarts
        2m            B fails
        3m            it stops
        10m           it starts
        1h            A succeeds
        2h            Database succeeds
        2h..2h1m11s   want team: Database recovered
        3h59m         end
    """)


async def test_a_failure_after_its_cause_is_over_is_told(play):
    assert not await play(ROUTE + INHIBIT).play("""
        0s            Database fails
        10s           want team: Database failed
        1m            A fails
        1h            Database succeeds
        1h..1h1m11s   want team: Database recovered
        2h            A fails
        2h..2h2m      want team: A failed
        3h59m         end
    """)


BERLIN = """
maintenance:
  - {name: nightly, cron: "30 1 * * *", duration: 2h, time_zone: Europe/Berlin}
"""


async def test_a_maintenance_window_lasts_its_hours_where_the_clock_is_set_back(play):
    # 25 October 2026: from 01:30 summer time (23:30 UTC) two hours, which is 02:30 winter time.
    start = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    assert not await play(ROUTE + BERLIN, start=start).play("""
        10m           A fails
        10m10s        want team: A failed
        40m           B fails
        2h20m         C fails
        2h30m..2h31m11s  want team: B failed
        2h30m..2h31m11s  want team: C failed
        2h40m         D fails
        2h40m10s      want team: D failed
        4h            end
    """)


async def test_a_maintenance_window_lasts_its_hours_where_the_clock_is_set_forward(play):
    # 29 March 2026: from 01:30 winter time (00:30 UTC) two hours, which is 04:30 summer time.
    start = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert not await play(ROUTE + BERLIN, start=start).play("""
        40m           B fails
        50m           C fails
        55m           C succeeds
        2h30m..2h31m11s  want team: B failed
        2h40m         D fails
        2h40m10s      want team: D failed
        4h            end
    """)


async def test_a_route_is_quiet_in_its_mute_interval(play):
    config = """
time_intervals:
  - {name: night, intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]}
route:
  receiver: team
  routes:
    - {receiver: team, matchers: ['severity=~".+"'], group_by: ["..."], group_wait: 10s,
       group_interval: 1m, mute_time_intervals: [night]}
"""
    start = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    assert not await play(config, start=start).play("""
        30m           A fails
        30m10s        want team: A failed
        1h30m         B fails
        1h40m         A succeeds
        3h..3h1m11s   want team: B failed
        3h..3h1m11s   want team: A recovered
        4h            end
    """)


async def test_an_account_that_refuses_us_is_told_once_for_all_that_follows(play):
    assert not await play(ROUTE).play("""
        0s            prod refuses the token
        10s           want team: prod account_unauthorized critically
        1h            prod takes the token again
        1h..1h1m11s   want team: prod recovered
        3h            end
    """)

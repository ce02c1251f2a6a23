"""Who is told what when, as timetables: nothing is missing, and nothing comes that none wants."""

import pytest

ALONE = 'route: {receiver: team, group_by: ["..."], group_wait: 10s, group_interval: 1m}'
TOGETHER = """
route: {receiver: team, group_by: [environment], group_wait: 10s, group_interval: 1m}
"""


async def test_alerts_of_one_group_are_told_together(play):
    assert not await play(TOGETHER).play("""
        0s          A fails
        5s          B fails
        10s         want team: A failed, B failed
        10m         end
    """)


async def test_what_comes_later_waits_for_the_interval_of_its_group(play):
    assert not await play(TOGETHER).play("""
        0s          A fails
        10s         want team: A failed
        30s         B fails
        1m5s        C fails
        1m10s..1m11s  want team: B failed, C failed
        10m         end
    """)


async def test_alerts_of_their_own_group_are_told_apart(play):
    assert not await play(ALONE).play("""
        0s          A fails
        5s          B fails
        10s         want team: A failed
        15s         want team: B failed
        10m         end
    """)


async def test_a_recovery_is_told_where_the_failure_was(play):
    assert not await play(TOGETHER).play("""
        0s          A fails
        10s         want team: A failed
        30s         A succeeds
        1m10s       want team: A recovered
        2h          end
    """)


async def test_what_is_over_before_it_was_told_is_told_once(play):
    assert not await play(TOGETHER).play("""
        0s          A fails
        5s          A succeeds
        10s         want team: A recovered
        2h          end
    """)


async def test_what_still_fires_is_told_again_after_the_repeat_interval(play):
    config = """
route: {receiver: team, group_by: [environment], group_wait: 10s, group_interval: 1m,
        repeat_interval: 1h}
"""
    assert not await play(config).play("""
        0s                A fails
        10s               want team: A failed
        1h10s..1h1m11s    want team: A failed
        2h10s..2h2m12s    want team: A failed
        2h30m             A succeeds
        2h30m..2h31m15s   want team: A recovered
        9h                end
    """)


async def test_what_was_not_tried_yet_is_merged_with_what_comes(play):
    assert not await play(TOGETHER).play("""
        0s            A fails
        9s            team answers 429 after 10m
        11s           team answers 200
        30s           B fails
        2m            C fails
        10m10s..10m12s  want team: A failed
        10m10s..10m13s  want team: B failed, C failed
        1h            end
    """)


async def test_a_receiver_that_was_gone_for_hours_is_told_all_of_it(play):
    assert not await play(TOGETHER).play("""
        0s            team answers 503
        0s            A fails
        20m           B fails
        3h            A succeeds
        5h            team answers 200
        5h..5h10m     want team: A failed
        5h..5h12m     want team: A recovered, B failed
        20h           end
    """)


async def test_a_pause_that_a_receiver_asks_for_is_kept_to_the_second(play):
    assert not await play(ALONE).play("""
        0s            A fails
        5s            B fails
        9s            team answers 429 after 90s
        11s           team answers 200
        1m40s         want team: A failed
        1m40s         want team: B failed
        1h            end
    """)


async def test_an_end_waits_for_its_beginning_to_be_taken(play):
    assert not await play(ALONE).play("""
        0s            A fails
        9s            team answers 429 after 5m
        11s           team answers 200
        20s           A succeeds
        5m10s..5m12s  want team: A failed
        5m10s..5m13s  want team: A recovered
        1h            end
    """)


async def test_a_restart_neither_repeats_nor_forgets(play):
    assert not await play(TOGETHER).play("""
        0s          A fails
        5s          it restarts
        10s         want team: A failed
        20s         it restarts
        30s         it stops
        5m          it starts
        6m          A succeeds
        6m..6m11s   want team: A recovered
        10h         end
    """)


async def test_a_cold_start_after_hours_tells_what_is_due_once(play):
    assert not await play(TOGETHER).play("""
        0s          A fails
        5s          it stops
        3h          it starts
        3h          want team: A failed
        4h          A succeeds
        4h..4h11s   want team: A recovered
        10h         end
    """)


async def test_a_reload_keeps_what_was_told_where_it_was_told(play):
    other = """
route:
  receiver: team
  group_by: [environment]
  group_wait: 10s
  group_interval: 1m
  routes: [{receiver: night, matchers: ['name="B"']}]
"""
    story = play(TOGETHER, receivers={"team": "", "night": ""}, other=other)
    assert not await story.play("""
        0s            A and B fails
        10s           want team: A failed, B failed
        5m            it reloads other
        10m           B fails
        10m10s        want night: B failed
        15m           B succeeds
        15m..16m      want team: B recovered
        15m..16m      want night: B recovered
        20m           B fails
        20m10s        want night: B failed
        20h           end
    """)


async def test_a_route_that_goes_on_tells_both(play):
    config = """
route:
  receiver: team
  group_by: [environment]
  group_wait: 10s
  group_interval: 1m
  routes:
    - {receiver: night, matchers: ['kind="task"'], continue: true, group_wait: 5s}
    - {receiver: team, matchers: ['name=~"A|B"']}
"""
    assert not await play(config, receivers={"team": "", "night": ""}).play("""
        0s      A fails
        1s      C fails
        5s      want night: A failed, C failed
        10s     want team: A failed
        1h      end
    """)


async def test_further_failures_of_what_fires_are_counted_not_told(play):
    assert not await play(TOGETHER).play("""
        0s        A fails
        10s       want team: A failed
        5m        A fails
        10m       A fails
        15m       A succeeds
        15m..16m  want team: A recovered
        5h        end
    """)


async def test_a_failure_older_than_a_success_is_told_as_over(play):
    assert not await play(TOGETHER).play("""
        10m       A succeeds
        11m       A fails 5m before
        11m10s    want team: A recovered
        5h        end
    """)


async def test_a_run_by_hand_is_only_worth_an_information(play):
    config = """
route:
  receiver: team
  group_wait: 10s
  routes: [{receiver: night, matchers: ['severity!="info"']}]
"""
    assert not await play(config, receivers={"team": "", "night": ""}).play("""
        0s      A fails by hand
        10s     want team: A failed
        1m      B fails
        1m10s   want night: B failed
        1h      end
    """)


@pytest.mark.parametrize(
    ("timetable", "problem"),
    [
        ("0s A fails\n1m want team: A failed\n2m end", "missing: 60s..61s team: A failed"),
        ("0s A fails\n2m end", "unexpected: 10.0s team: A failed"),
        ("0s A fails\n10s want team: A failed\n10s want team: A failed\n2m end", "missing"),
        ("0s A fails\n10s want team: A failed, B failed\n2m end", "missing"),
    ],
)
async def test_a_timetable_tells_what_is_missing_and_what_none_wants(play, timetable, problem):
    found = await play(TOGETHER).play(timetable)
    assert any(line.startswith(problem) for line in found)

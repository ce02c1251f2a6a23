"""What people and the daemon itself do to keep messages few, as timetables."""

ROUTE = """
route: {receiver: team, group_by: ["..."], group_wait: 10s, group_interval: 1m,
        repeat_interval: 1h}
"""


async def test_what_someone_is_on_is_not_repeated_and_its_end_is_told(play):
    assert not await play(ROUTE).play("""
        0s          A fails
        10s         want team: A failed
        5m          ann acknowledges A
        5m30s       it restarts
        7h          A succeeds
        7h..7h2m    want team: A recovered
        9h          end
    """)


async def test_an_acknowledgement_that_runs_out_reminds(play):
    assert not await play(ROUTE).play("""
        0s              A fails
        10s             want team: A failed
        5m              ann acknowledges A for 3h
        3h5m..3h6m11s   want team: A failed
        3h30m           end
    """)


async def test_what_is_snoozed_is_heard_of_only_when_it_ends(play):
    assert not await play(ROUTE).play("""
        0s          A fails
        10s         want team: A failed
        5m          ann snoozes A
        2h          A fails
        5h          A succeeds
        5h..5h2m    want team: A recovered
        9h          end
    """)


LATER = "rules: [{rule: failed, for: 15m}]"


async def test_what_a_rerun_mends_in_time_wakes_nobody(play):
    assert not await play(ROUTE + LATER).play("""
        0s          A fails
        5m          it restarts
        10m         A succeeds
        9h          end
    """)


async def test_what_is_still_the_latest_outcome_later_is_told_over_a_restart(play):
    assert not await play(ROUTE + LATER).play("""
        0s            A fails
        5m            it stops
        10m           it starts
        15m..15m11s   want team: A failed
        20m           A succeeds
        20m..20m11s   want team: A recovered
        9h            end
    """)


async def test_a_for_that_passed_while_it_was_down_counts(play):
    assert not await play(ROUTE + LATER).play("""
        0s          A fails
        5m          it stops
        50m         it starts
        50m..50m11s want team: A failed
        1h          end
    """)


async def test_only_so_many_failures_within_a_time_are_told(play):
    config = ROUTE + "rules: [{rule: failed, after: {count: 3, within: 1h}}]"
    assert not await play(config).play("""
        0s          A fails
        50m         A fails
        1h10m       A fails     # the first is too long ago
        1h20m       A fails
        1h20m10s    want team: A failed
        2h          end
    """)


async def test_a_rule_of_ones_own_is_told_with_its_own_name_and_severity(play):
    config = (
        ROUTE
        + """
rules:
  - {name: nightly_load_broken, matchers: ['name=~"load.*"'], phases: [failed, timed_out],
     severity: critical}
"""
    )
    assert not await play(config).play("""
        0s       load1 times out
        10s      want team: load1 timed_out
        10s      want team: load1 nightly_load_broken critically
        5m       other fails
        5m10s    want team: other failed
        10m      end
    """)


STORM = {"team": ", storm: {above: 20, within: 1m}"}


async def test_a_storm_is_told_in_one_message_and_one_more_while_it_lasts(play):
    story = play(ROUTE, receivers=STORM)
    problems = await story.play("""
        0s        T1 to T300 fails
        30s       T301 to T600 fails
        10m       end
    """)
    assert 1 <= len(story.inboxes.told) <= 3, problems


async def test_flapping_is_told_once_and_ends_when_it_is_calm(play):
    assert not await play(ROUTE).play("""
        0s          A fails
        10s         want team: A failed
        10m         A succeeds
        10m..10m11s want team: A recovered
        20m         A fails
        20m10s      want team: A failed
        30m         A succeeds
        30m..30m11s want team: A recovered
        40m         A fails
        40m10s      want team: A failed
        50m         A succeeds
        50m..50m11s want team: A recovered
        1h          A fails
        1h10s       want team: A failed
        1h5m        A succeeds
        1h10m       A fails
        1h15m       A succeeds
        1h20m       A fails
        1h25m       A succeeds
        1h30m       A succeeds
        1h35m       A succeeds
        1h35m..1h36m11s  want team: A recovered
        3h          end
    """)

"""What mutes, round by round on a store: through restarts, to its end, in summer time."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tests.domain.telling import NOON, PROD, at
from tests.services.deciding import SETTINGS, TEAM, WATCHED, Deciding
from tmcwatch.alerting.deciding import decide
from tmcwatch.alerting.settings import Mutes, Receiver
from tmcwatch.domain.built_in import BUILT_IN
from tmcwatch.domain.condition import Condition
from tmcwatch.domain.execution import Phase, SubjectId, Trigger
from tmcwatch.domain.inhibition import Inhibition
from tmcwatch.domain.interval import Span, TimeInterval
from tmcwatch.domain.maintenance import Maintenance
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.domain.silence import Silence
from tmcwatch.domain.storm import StormLimit
from tmcwatch.store import schema
from tmcwatch.store.conditions import begin_condition, end_condition
from tmcwatch.store.silences import add_silence, expire_silence
from tmcwatch.store.storms import load_storms

ROUTE = replace(TEAM, group_interval=timedelta(minutes=5))
FAILED, OVER = ("failed", "firing"), ("failed", "resolved")
HOURS = 60


class Story(Deciding):
    """Rounds minute by minute, and what was told in each."""

    def __init__(self, store, **mutes) -> None:
        super().__init__(store)
        self.settings = replace(SETTINGS, root=ROUTE, mutes=Mutes(**mutes))

    def told(
        self, start: float, end: float, step: float = 1
    ) -> list[tuple[float, list[tuple[str, str]]]]:
        """Decide from one minute to another; answers with when what was told."""
        found, minute = [], start
        while minute <= end:
            before = len(self.messages)
            self.round(minute)
            found += [(minute, alerts) for _, alerts in self.messages[before:]]
            self.sent()
            minute += step
        return found

    def suppressed(self, start: float, end: float, step: float = 1) -> Counter[str]:
        """Decide from one minute to another; answers with what was not told, by why."""
        found: Counter[str] = Counter()
        minute = start
        while minute <= end:
            found.update(self.round(minute).suppressed)
            self.sent()
            minute += step
        return found

    @property
    def cause(self) -> str:
        query = select(schema.alerts.c.id).where(schema.alerts.c.rule == "account_unauthorized")
        found: str = self.store.read(lambda c: c.execute(query).scalar_one())
        return found

    @property
    def reasons(self) -> list[str | None]:
        query = select(schema.members.c.muted)
        return self.store.read(lambda c: list(c.execute(query).scalars()))

    def begin(self, rule: str, minute: float, kind: str = "") -> None:
        one = Condition(rule=rule, account=PROD, kind=kind, text=rule, since=at(minute))
        self.store.write(lambda c: begin_condition(c, one))

    def end(self, rule: str, minute: float, kind: str = "") -> None:
        self.store.write(partial(end_condition, rule=rule, account=PROD, kind=kind, at=at(minute)))

    def silence(self, *matchers: str, start: float, end: float, id_: str = "s1") -> None:
        one = Silence(
            id=id_,
            matchers=tuple(map(matcher_from, matchers)),
            created_by="ann",
            comment="patching",
            created_at=at(start),
            starts_at=at(start),
            ends_at=at(end),
        )
        self.store.write(lambda c: add_silence(c, one))


@pytest.fixture
def story(store):
    def begun(**mutes) -> Story:
        found = Story(store, **mutes)
        found.watch()
        found.name()
        found.store.write(lambda c: decide(c, SETTINGS, now=WATCHED))
        return found

    return begun


def test_what_follows_from_a_cause_is_not_told_even_after_a_restart(story, store):
    first = story()
    first.begin("account_unauthorized", 0)
    assert first.told(0, 1) == [(0, [("account_unauthorized", "firing")])]
    first.begin("blind", 2, kind="task")
    assert first.told(2, 5) == []
    again = Story(store)
    assert again.told(6, 57, step=3) == []
    assert again.reasons.count(None) == 1
    (reason,) = (reason for reason in again.reasons if reason)
    assert reason == f"inhibited by {again.cause}"
    again.end("account_unauthorized", 61)
    assert again.told(61, 70) == [
        (61, [("account_unauthorized", "resolved")]),
        (62, [("blind", "firing")]),
    ]


def test_an_effect_that_is_over_with_its_cause_is_never_told(story):
    one = story()
    one.begin("account_unauthorized", 0)
    one.told(0, 1)
    one.begin("blind", 2, kind="task")
    one.told(2, 10, step=4)
    one.end("account_unauthorized", 12)
    one.end("blind", 12, kind="task")
    assert one.told(12, 30, step=2) == [(12, [("account_unauthorized", "resolved")])]


def test_a_failure_found_after_a_blind_stretch_is_told(story):
    one = story()
    one.begin("blind", 0, kind="task")
    one.told(0, 1)
    one.see(Phase.FAILED, 2, seen=4)
    assert one.told(5, 6) == [(5, [FAILED])]


CHAIN = Inhibition(
    sources=(matcher_from("rule=failed"), matcher_from("id=t1")),
    targets=(matcher_from("rule=failed"), matcher_from("id!=t1")),
    equal=("account",),
)


def test_a_run_that_broke_while_a_configured_cause_was_there_is_not_told_after_it(story):
    one = story(inhibitions=(CHAIN,))
    one.see(Phase.FAILED, 0)
    assert one.told(0.2, 1) == [(0.2, [FAILED])]
    one.see(Phase.FAILED, 10, subject=SubjectId("t2"))
    one.see(Phase.SUCCEEDED, 20)
    assert one.told(20.2, 200, step=20) == [(20.2, [OVER])]
    one.see(Phase.FAILED, 30, seen=201, subject=SubjectId("t3"))
    assert one.told(201.2, 206) == [(201.2, [FAILED])]


def test_a_cause_explains_for_a_week(story):
    one = story(inhibitions=(CHAIN,))
    one.see(Phase.FAILED, 0)
    one.see(Phase.FAILED, 1, subject=SubjectId("t2"))
    one.see(Phase.SUCCEEDED, 2)
    assert one.told(2.2, 6 * 24 * HOURS, step=12 * HOURS) == [(2.2, [OVER])]


def test_what_breaks_on_an_engine_that_takes_no_runs_is_told_by_the_engine(story):
    one = story()
    reason = "REMOTE_ENGINE_UNAVAILABLE"
    one.see(Phase.MISFIRED, 0, reason=reason, engine="e1", subject=SubjectId("t2"))
    assert one.told(0.2, 5.2) == [(0.2, [("misfired_engine", "firing")])]
    one.see(Phase.SHUT_DOWN, 6, engine="e1")
    one.see(Phase.FAILED, 6, engine="e2", subject=SubjectId("t3"))
    assert one.told(6.2, 30.2, step=6) == [(6.2, [FAILED])]


def test_what_a_silence_muted_and_fires_still_is_told_when_it_ends(story):
    one = story()
    one.silence("name=load", start=-5, end=30)
    one.see(Phase.FAILED, 0)
    assert one.told(0.2, 29.2, step=3) == []
    assert one.reasons == ["silence s1"]
    assert one.told(30.2, 60.2, step=2) == [(30.2, [FAILED])]
    assert one.reasons == [None]


def test_what_is_muted_is_counted_once_by_what_mutes_it(story):
    one = story()
    one.silence("name=load", start=-5, end=30)
    one.see(Phase.FAILED, 0)
    assert one.suppressed(0.2, 29.2, step=3) == {"silence": 1}
    assert one.suppressed(30.2, 40.2) == {}
    one.silence("name=load", start=41, end=90, id_="s2")
    one.see(Phase.FAILED, 42)
    one.see(Phase.SUCCEEDED, 43)
    assert one.suppressed(42.2, 60.2) == {"silence": 1}


def test_what_a_silence_muted_and_is_over_by_its_end_is_never_told(story):
    one = story()
    one.silence("name=load", start=-5, end=30)
    one.see(Phase.FAILED, 0)
    one.told(0.2, 1.2)
    one.see(Phase.SUCCEEDED, 29)
    assert one.told(32.2, 60.2, step=4) == []


def test_the_end_of_what_was_told_before_a_silence_is_told_after_it(story):
    one = story()
    one.see(Phase.FAILED, 0)
    one.told(0.2, 1.2)
    one.silence("name=load", start=2, end=30)
    one.see(Phase.SUCCEEDED, 10)
    assert one.told(10.2, 29.2, step=5) == []
    assert one.told(30.2, 40.2) == [(30.2, [OVER])]


def test_so_much_that_a_silence_mutes_is_no_storm_until_the_silence_ends(story):
    one = story()
    limit = StormLimit(above=20, within=timedelta(minutes=1))
    team = Receiver(targets=("team/webhook",), storm=limit)
    one.settings = replace(one.settings, receivers={"team": team})
    one.silence('account="prod"', start=-5, end=30)
    for number in range(30):
        one.see(Phase.FAILED, 0, subject=SubjectId(f"t{number}"))
    assert one.told(0.2, 29.2, step=3) == []
    assert one.store.read(load_storms) == {}
    ((_, alerts),) = one.told(30.2, 36.2, step=2)
    assert len(alerts) == 20  # the worst of all that it counts


def test_a_silence_ended_early_mutes_no_longer(story):
    one = story()
    one.silence("name=load", start=-5, end=600)
    one.see(Phase.FAILED, 0)
    one.told(0.2, 9.2)
    one.store.write(partial(expire_silence, id_="s1", now=at(9.5)))
    assert one.told(10.2, 20.2) == [(10.2, [FAILED])]


def test_a_silence_that_still_mutes_something_is_told_of_an_hour_before_it_ends(story):
    one = story()
    one.silence('account="prod"', start=-5, end=300)
    one.see(Phase.FAILED, 0)
    assert one.told(0.2, 300, step=20) == [(240.2, [("silence_ending", "firing")])]
    summary = one.alerts[0].annotations["summary"]
    assert summary.endswith(
        "ends at 2026-11-20 17:00 UTC. It mutes 1 alert that still fires, to be told then."
    )


@pytest.mark.parametrize("matcher", ["name=other", "name=load"])
def test_there_is_no_word_of_a_silence_that_mutes_nothing_or_is_short(story, matcher):
    one = story()
    one.silence(matcher, start=-5 if matcher == "name=other" else 62, end=300)
    one.see(Phase.FAILED, 60)
    rules = {rule for _, alerts in one.told(60.2, 299.2, step=20) for rule, _ in alerts}
    assert "silence_ending" not in rules


@pytest.mark.parametrize("switched_off", ["reminder", "rule"])
def test_there_is_no_word_of_a_silence_where_none_is_wanted(story, switched_off):
    one = story(silence_reminder=timedelta(hours=0 if switched_off == "reminder" else 1))
    if switched_off == "rule":
        off = {**BUILT_IN, "silence_ending": replace(BUILT_IN["silence_ending"], enabled=False)}
        one.settings = replace(one.settings, rules=tuple(off.values()))
    one.silence("name=load", start=-5, end=300)
    one.see(Phase.FAILED, 60)
    assert one.told(60.2, 299.2, step=20) == []


def clock(text: str) -> float:
    """The minute of a moment in UTC."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (moment - NOON) / timedelta(minutes=1)


def patches(cron: str) -> Maintenance:
    return Maintenance(
        name="patches",
        cron=cron,
        duration=timedelta(hours=4),
        time_zone=ZoneInfo("Europe/Paris"),
        matchers=(matcher_from("account=prod"),),
    )


@pytest.mark.parametrize(
    ("cron", "begins", "ends"),
    [
        ("0 1 28 3 *", "2027-03-28T00:00", "2027-03-28T04:00"),  # 01:00 to 06:00 on the clock
        ("0 1 31 10 *", "2027-10-30T23:00", "2027-10-31T03:00"),  # 01:00 to 04:00
    ],
)
def test_maintenance_over_a_change_of_the_clock_is_as_long_as_ever(story, cron, begins, ends):
    one = story(maintenance=(patches(cron),))
    start, end = clock(begins), clock(ends)
    one.see(Phase.FAILED, start - 1, subject=SubjectId("before"))
    assert one.told(start - 0.5, start + 4.5) == [(start - 0.5, [FAILED])]
    one.see(Phase.FAILED, start + 5)
    one.see(Phase.FAILED, start + 6, subject=SubjectId("brief"))
    assert one.told(start + 6.5, end - 60, step=15) == []
    one.see(Phase.SUCCEEDED, end - 59, subject=SubjectId("brief"))
    assert one.told(end - 58.5, end - 0.5, step=5.8) == []
    assert set(one.reasons) == {None, "maintenance patches"}
    ((minute, alerts),) = one.told(end, end + 30)
    assert alerts == [FAILED]
    assert end <= minute <= end + 5


def test_a_route_is_still_in_its_mute_interval_and_speaks_after_it(story):
    afternoon = TimeInterval(times=(Span(first=13 * 60, last=14 * 60 - 1),))
    one = story(intervals={"lunch": (afternoon,)})
    one.settings = replace(one.settings, root=replace(ROUTE, muted_in=("lunch",)))
    one.see(Phase.FAILED, 60)
    assert one.told(60.2, 119.2, step=5) == []
    assert one.reasons == ["interval lunch"]
    assert one.told(120.2, 130.2) == [(120.2, [FAILED])]


def test_an_alert_of_a_task_in_a_plan_names_the_plan(story):
    rules = (replace(BUILT_IN["failed"], inside_plans=True), BUILT_IN["plan_failed"])
    one = story()
    one.settings = replace(one.settings, rules=rules)
    one.see(Phase.FAILED, 0, trigger=Trigger.PLAN, plan="p1")
    one.round(0.2)
    (alert,) = one.alerts
    assert alert.annotations["plan"] == "p1"

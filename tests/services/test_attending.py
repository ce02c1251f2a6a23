"""What people ask and do about alerts, on a real store: a deed is there at once or not at all."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.domain.telling import LOAD, NOON, alert, at
from tests.services.deciding import Deciding
from tests.threads import inline
from tmcwatch.app import Parts, World
from tmcwatch.app.attending import attending_of
from tmcwatch.app.beats import Beats
from tmcwatch.config import load
from tmcwatch.domain.attention import Act, State
from tmcwatch.domain.execution import Phase, SubjectId
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.serving.operations import Deed, Hush, NotKnown, Unavailable, Wanted, WrongRequest
from tmcwatch.store import schema
from tmcwatch.store.alerts import save_alerts
from tmcwatch.store.engine import Store
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics

CONFIG = """
accounts:
  - {name: prod, region: eu, token: t}
route: {receiver: team, group_by: ["..."], group_wait: 0s, group_interval: 1s}
receivers:
  - {name: team, webhook: {url: "http://hook/"}}
http: {external_url: "https://watch.example.org"}
"""


class Clock:
    def __init__(self):
        self.minute = 10.0

    def __call__(self):
        return at(self.minute)


@pytest.fixture
def clock():
    return Clock()


def parts_with(store):
    metrics = Metrics(version="test")
    return Parts(store=store, metrics=metrics, health=Health(), beats=Beats(metrics))


def desk_of(parts, clock, folder):
    path = folder / "tmcwatch.yaml"
    path.write_text(CONFIG)
    config = load(path, environ={})
    world = World(now=clock, in_thread=inline, random=lambda: 0.5, environ={})
    return attending_of(lambda: config, parts, world)


@pytest.fixture
def parts(store):
    return parts_with(store)


@pytest.fixture
def desk(parts, clock, tmp_path):
    return desk_of(parts, clock, tmp_path)


@pytest.fixture
def rounds(store):
    """One failed task, `load`, that alerting has decided on."""
    deciding = Deciding(store)
    deciding.watch()
    deciding.name()
    deciding.see(Phase.FAILED, 1)
    deciding.round(2)
    return deciding


@pytest.fixture
def firing(rounds):
    """Answer with the id of its alert."""
    return rounds.alerts[0].id


def put(store, *alerts):
    store.write(lambda connection: save_alerts(connection, alerts))


def named(id_, **changes):
    labels = {"alertname": "failed", "account": "prod", "kind": "task", "id": id_, "name": id_}
    return alert(id_, **({"labels": labels} | changes))


def deed(id_, act=Act.ACKNOWLEDGED, **changes):
    return Deed(**({"alert": id_, "act": act, "author": "oncall/ann"} | changes))


def hush(*matchers, **changes):
    found = tuple(matcher_from(text) for text in matchers)
    facts = {"matchers": found, "author": "oncall/ann", "comment": "migration", "lasts": "2h"}
    return Hush(**(facts | changes))


async def only(desk):
    [found] = await desk.alerts(Wanted(states=frozenset(State)))
    return found


@pytest.mark.usefixtures("firing")
async def test_an_alert_is_told_as_it_stands(desk):
    found = await only(desk)
    assert (found["status"], found["state"], found["severity"]) == ("firing", "firing", "warning")
    assert (found["acknowledged"], found["snoozed"]) == (None, None)
    assert (found["muted_by"], found["notes"]) == ([], [])


async def test_to_acknowledge_says_who_is_on_it_and_until_when(desk, firing):
    done = await desk.attend(deed(firing[:4], text="on it", lasts="1h"))
    wanted = {"by": "oncall/ann", "at": "2026-11-20T12:10:00Z", "until": "2026-11-20T13:10:00Z"}
    assert done["acknowledged"] == wanted
    assert (await desk.alert(firing))["acknowledged"] == wanted
    assert done["notes"] == [
        {
            "at": "2026-11-20T12:10:00Z",
            "author": "oncall/ann",
            "act": "acknowledged",
            "text": "on it",
        }
    ]


async def test_what_is_said_is_over_when_its_time_is(desk, firing, clock):
    await desk.attend(deed(firing, lasts="5m"))
    assert (await only(desk))["state"] == "acknowledged"
    clock.minute = 15
    assert (await only(desk))["state"] == "firing"


async def test_to_snooze_says_who_did_until_it_ends(desk, firing):
    done = await desk.attend(deed(firing, Act.SNOOZED))
    assert done["state"] == "snoozed"
    assert done["snoozed"] == {"by": "oncall/ann", "at": "2026-11-20T12:10:00Z", "until": None}


async def test_alerting_goes_on_without_touching_what_people_said(desk, rounds, firing):
    await desk.attend(deed(firing))
    rounds.see(Phase.FAILED, 11)
    rounds.round(12)
    found = await only(desk)
    assert (found["count"], found["state"]) == (2, "acknowledged")


async def test_to_close_ends_the_episode_and_the_next_failure_opens_another(desk, rounds, firing):
    done = await desk.attend(deed(firing, Act.CLOSED, text="known"))
    assert (done["status"], done["end_reason"]) == ("resolved", "closed")
    assert done["ends_at"] == "2026-11-20T12:10:00Z"
    rounds.round(11)
    rounds.see(Phase.FAILED, 20)
    rounds.round(21)
    found = await desk.alerts(Wanted())
    assert [one["status"] for one in found] == ["firing", "resolved"]
    assert found[0]["id"] != firing


async def test_what_a_person_closes_is_told_to_those_who_were_told_that_it_fires(
    desk, rounds, firing
):
    rounds.sent()
    await desk.attend(deed(firing, Act.CLOSED))
    rounds.round(10.2)
    assert rounds.messages[1:] == [("team", [("failed", "resolved")])]


async def test_what_is_snoozed_is_not_repeated_but_its_end_is_told(desk, rounds, firing):
    rounds.sent()
    await desk.attend(deed(firing, Act.SNOOZED))
    rounds.round(3 * 24 * 60)
    assert rounds.messages[1:] == []
    rounds.see(Phase.SUCCEEDED, 3 * 24 * 60)
    rounds.round(3 * 24 * 60 + 1)
    assert rounds.messages[1:] == [("team", [("failed", "resolved")])]


async def test_an_alert_that_is_not_told_yet_can_be_closed_and_stays_untold(desk, store):
    put(store, named("a", due_at=at(60)))
    assert (await only(desk))["status"] == "pending"
    await desk.attend(deed("a", Act.CLOSED))
    rounds = Deciding(store)
    rounds.round(61)
    assert rounds.messages == []


@pytest.mark.parametrize("act", [Act.ACKNOWLEDGED, Act.SNOOZED, Act.CLOSED])
async def test_what_is_over_takes_only_notes(desk, firing, act):
    await desk.attend(deed(firing, Act.CLOSED))
    with pytest.raises(WrongRequest, match=r"is over since .* \(closed\)"):
        await desk.attend(deed(firing, act))
    done = await desk.attend(deed(firing, Act.NOTED, text="it was the disk"))
    assert [note["act"] for note in done["notes"]] == ["closed", "noted"]


async def test_what_is_refused_leaves_no_note(desk, firing):
    with pytest.raises(WrongRequest, match="for: a duration with its unit"):
        await desk.attend(deed(firing, lasts="2 hours"))
    assert (await desk.alert(firing))["notes"] == []


@pytest.mark.parametrize("lasts", ["0s", "-1h", "1", "", "99999d", "1h\n"])
async def test_a_duration_that_is_none_is_refused(desk, firing, lasts):
    with pytest.raises(WrongRequest, match="for: "):
        await desk.attend(deed(firing, lasts=lasts))


async def test_an_id_that_is_unknown_or_not_alone_is_refused(desk, store):
    put(store, named("3f2a"), named("3f2b"))
    with pytest.raises(NotKnown, match="no alert has an id that begins with 'x'"):
        await desk.alert("x")
    with pytest.raises(WrongRequest, match="several alerts begin with '3f': 3f2a, 3f2b"):
        await desk.attend(deed("3f"))
    assert (await desk.alert("3f2b"))["id"] == "3f2b"


async def test_whoever_decides_is_woken_by_every_deed(desk, firing, parts):
    deeds = (
        partial(desk.attend, deed(firing)),
        partial(desk.add_silence, hush("name=load")),
        partial(desk.expire_silence, ""),
    )
    for do in deeds:
        mark = parts.changed.reset()
        await do()
        assert parts.changed.reset() == mark + 1


async def test_alerts_are_filtered_by_state_label_and_severity(desk, store):
    put(
        store,
        named("fires"),
        named("waits", due_at=at(60)),
        named("over", ends_at=at(1)),
        named("taken"),
    )
    await desk.attend(deed("taken"))
    await desk.add_silence(hush("name=fires"))

    async def ids(*states, **filters):
        found = await desk.alerts(Wanted(states=frozenset(states), **filters))
        return {one["id"] for one in found}

    assert await ids(State.MUTED) == {"fires"}
    assert await ids(State.FIRING) == set()
    assert await ids(State.PENDING) == {"waits"}
    assert await ids(State.RESOLVED) == {"over"}
    assert await ids(State.ACKNOWLEDGED, State.PENDING) == {"taken", "waits"}
    assert await ids() == {"fires", "waits", "over", "taken"}
    assert await ids(matchers=(matcher_from("name=~.*a.*"),)) == {"waits", "taken"}
    assert await ids(accounts=("test",)) == set()


@pytest.mark.usefixtures("firing")
async def test_a_silence_counts_what_fires_and_mutes_it_at_once(desk):
    done = await desk.add_silence(hush("name=load"))
    assert (done["mutes"], done["state"]) == (1, "active")
    assert done["matchers"] == ['name="load"']
    assert done["ends_at"] == "2026-11-20T14:10:00Z"
    found = await only(desk)
    assert (found["state"], found["muted_by"]) == ("muted", [f"silence {done['id']}"])


@pytest.mark.usefixtures("firing")
async def test_a_silence_that_is_ended_mutes_no_longer(desk, clock):
    added = await desk.add_silence(hush("name=load"))
    clock.minute = 20
    done = await desk.expire_silence(added["id"][:6])
    assert (done["state"], done["ends_at"]) == ("expired", "2026-11-20T12:20:00Z")
    assert (await only(desk))["state"] == "firing"
    assert await desk.silences(False) == []
    assert [one["id"] for one in await desk.silences(True)] == [added["id"]]


@pytest.mark.usefixtures("firing")
async def test_what_the_group_said_of_a_silence_that_is_over_is_not_repeated(desk, store):
    why = {"muted": "silence 77"}
    store.write(lambda c: c.execute(schema.members.update().values(**why)))
    assert (await only(desk))["muted_by"] == []
    store.write(lambda c: c.execute(schema.members.update().values(muted="interval weekend")))
    assert (await only(desk))["muted_by"] == ["interval weekend"]


async def test_what_a_silence_kept_back_is_told_soon_after_it_was_ended(desk, rounds, clock):
    # Long enough that only the end of the silence has the group looked at again.
    slow = replace(rounds.settings.root, group_interval=timedelta(hours=3))
    rounds.settings = replace(rounds.settings, root=slow)
    await desk.add_silence(hush("name=other", "trigger=manual"))
    added = await desk.add_silence(hush("name=other"))
    other = replace(LOAD, id=SubjectId("t2"), name="other")
    rounds.name(LOAD, other)
    rounds.see(Phase.FAILED, 11, subject=SubjectId("t2"))
    rounds.round(12)
    assert len(rounds.messages) == 1
    [muted] = await desk.alerts(Wanted(states=frozenset({State.MUTED})))
    assert muted["muted_by"] == [f"silence {added['id']}"]
    clock.minute = 20
    await desk.expire_silence(added["id"])
    rounds.round(20.2)
    assert rounds.messages[1:] == [("team", [("failed", "firing")])]


@pytest.mark.usefixtures("firing")
async def test_a_silence_may_begin_later(desk, clock):
    done = await desk.add_silence(hush("name=load", starts_at="2026-11-20T14:00+01:00"))
    assert (done["state"], done["starts_at"]) == ("pending", "2026-11-20T13:00:00Z")
    assert done["mutes"] == 1
    assert (await only(desk))["state"] == "firing"
    clock.minute = 61
    assert (await only(desk))["state"] == "muted"


async def test_a_silence_that_was_to_begin_earlier_begins_now(desk):
    done = await desk.add_silence(hush("name=load", starts_at="2026-11-20T11:00Z"))
    assert done["starts_at"] == "2026-11-20T12:10:00Z"


@pytest.mark.parametrize(
    "matchers", [['name=""'], ["name!=x"], ["name=~.*", 'team!~"a.*"'], ["name=~|load"]]
)
async def test_a_silence_of_everything_is_refused(desk, matchers):
    with pytest.raises(WrongRequest, match="matchers: "):
        await desk.add_silence(hush(*matchers))
    assert await desk.silences(True) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lasts": "soon"}, "for: "),
        ({"starts_at": "tomorrow"}, "starts_at: "),
        ({"starts_at": "2026-11-20T14:00"}, "starts_at: "),
        ({"starts_at": "9999-12-31T23:59Z"}, "starts_at: "),
    ],
)
async def test_a_silence_at_no_time_is_refused(desk, changes, field):
    with pytest.raises(WrongRequest, match=field):
        await desk.add_silence(hush("name=load", **changes))


async def test_it_is_told_who_was_told_of_an_alert(desk, firing):
    shown = await desk.alert(firing)
    assert shown["groups"] == [{"receiver": "team", "told": "firing", "muted": None}]
    [told] = shown["told"]
    assert (told["target"], told["status"], told["state"]) == ("team/webhook", "firing", "pending")


async def test_a_store_that_fails_is_said_and_shown(clock, tmp_path):
    without_tables = Store(f"sqlite:///{tmp_path / 'empty.db'}")
    parts = parts_with(without_tables)
    parts.health.store_works()
    with pytest.raises(Unavailable, match="no such table"):
        await desk_of(parts, clock, tmp_path).alerts(Wanted())
    assert not parts.health.is_store_up
    without_tables.close()


async def test_pages_know_where_and_when_they_are(desk):
    assert desk.external_url() == "https://watch.example.org"
    assert (desk.time_zone().utcoffset(NOON), desk.now()) == (timedelta(0), at(10))

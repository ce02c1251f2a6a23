"""What people do about alerts over HTTP: each deed is one transaction, and counts at once."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NoReturn

import structlog

from tmcwatch.alerting.grouping import wake_groups_of
from tmcwatch.app.overview import (
    alert_facts,
    fits,
    moment_text,
    silence_facts,
    surroundings,
    telling_facts,
)
from tmcwatch.app.parts import Parts
from tmcwatch.app.transactions import read, write
from tmcwatch.app.world import World
from tmcwatch.config import Config
from tmcwatch.config.durations import duration_from
from tmcwatch.domain.alert import Alert, AlertId, EndReason
from tmcwatch.domain.attention import OPEN, Act, Note, State, attended
from tmcwatch.domain.episode import ended
from tmcwatch.domain.matcher import all_match
from tmcwatch.domain.silence import Silence
from tmcwatch.serving.operations import Attending, Deed, Hush, Json, NotKnown, Wanted, WrongRequest
from tmcwatch.store.alerts import load_alert, open_alerts, save_alerts
from tmcwatch.store.attention import add_note, save_attention
from tmcwatch.store.engine import Connection
from tmcwatch.store.search import (
    Query,
    alerts_beginning,
    find_alerts,
    memberships_of,
    silences_beginning,
    tellings_of,
)
from tmcwatch.store.silences import add_silence, expire_silence, load_silence, newest_silences

log = structlog.get_logger()

MOST_SILENCES = 1_000
LONGEST = timedelta(days=3650)
_ID_BYTES = 8
_SEVERAL = 3
"""Ids that are named of those that begin alike."""


def attending_of(config: Callable[[], Config], parts: Parts, world: World) -> Attending:
    """Answer with what people may ask and do."""
    desk = _Desk(config=config, parts=parts, world=world)
    return Attending(
        alerts=desk.alerts,
        alert=desk.alert,
        attend=desk.attend,
        silences=desk.silences,
        add_silence=desk.add_silence,
        expire_silence=desk.expire_silence,
        external_url=lambda: config().http.external_url,
        time_zone=lambda: config().time_zone,
        now=world.now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    config: Callable[[], Config]
    parts: Parts
    world: World

    async def alerts(self, wanted: Wanted) -> Sequence[Mapping[str, object]]:
        return await read(self.parts, self.world, partial(_listed, wanted, self.world.now()))

    async def alert(self, id_: str) -> Mapping[str, object]:
        return await read(self.parts, self.world, partial(_shown, id_, self.world.now()))

    async def attend(self, deed: Deed) -> Mapping[str, object]:
        work = partial(_done, deed, self.world.now())
        facts = await write(self.parts, self.world, work)
        log.info("alert_attended", act=deed.act.value, alert=facts["id"], by=deed.author)
        self.parts.changed.ring()
        return facts

    async def silences(self, with_expired: bool) -> Json:  # noqa: FBT001 - as it is asked for
        now = self.world.now()
        work = partial(newest_silences, most=MOST_SILENCES)
        found = await read(self.parts, self.world, work)
        return [silence_facts(one, now) for one in found if with_expired or now < one.ends_at]

    async def add_silence(self, hush: Hush) -> Mapping[str, object]:
        """Add a silence; answers with it and with how many open alerts it is about."""
        now = self.world.now()
        silence = _silence(hush, secrets.token_hex(_ID_BYTES), now)
        mutes = await write(self.parts, self.world, partial(_added, silence))
        log.info("silence_added", silence=silence.id, by=silence.created_by, mutes=mutes)
        self.parts.changed.ring()
        return {**silence_facts(silence, now), "mutes": mutes}

    async def expire_silence(self, id_: str) -> Mapping[str, object]:
        now = self.world.now()
        silence = await write(self.parts, self.world, partial(_expired, id_, now))
        log.info("silence_expired", silence=silence.id)
        self.parts.changed.ring()
        return silence_facts(silence, now)


def _listed(
    wanted: Wanted, now: datetime, connection: Connection
) -> Sequence[Mapping[str, object]]:
    around = surroundings(connection, now)
    query = Query(
        is_over=_is_over(wanted.states),
        rules=wanted.rules,
        severities=wanted.severities,
        accounts=wanted.accounts,
    )
    found = find_alerts(connection, query, partial(fits, wanted, around), most=wanted.most)
    around = around.with_notes(connection, found)
    return [alert_facts(alert, around) for alert in found]


def _is_over(states: frozenset[State]) -> bool | None:
    if states == {State.RESOLVED}:
        return True
    return False if states and states <= OPEN | {State.PENDING} else None


def _shown(id_: str, now: datetime, connection: Connection) -> Mapping[str, object]:
    alert = _meant(connection, id_)
    around = surroundings(connection, now).with_notes(connection, [alert])
    return {
        **alert_facts(alert, around),
        "opened_at": moment_text(alert.opened_at),
        "changed_at": moment_text(alert.changed_at),
        "groups": [
            {"receiver": one.receiver, "told": one.told, "muted": one.muted}
            for one in memberships_of(connection, alert.id)
        ],
        "told": [telling_facts(one) for one in tellings_of(connection, alert)],
    }


def _done(deed: Deed, now: datetime, connection: Connection) -> Mapping[str, object]:
    alert = _meant(connection, deed.alert)
    if alert.ends_at is not None and deed.act is not Act.NOTED:
        over = f"{moment_text(alert.ends_at)} ({alert.end_reason})"
        raise WrongRequest(f"alert {alert.id} is over since {over}: nothing but a note is left")
    until = None if deed.lasts is None else now + _duration("for", deed.lasts)
    note = Note(alert=alert.id, at=now, author=deed.author, act=deed.act, text=deed.text)
    attention = attended(alert.attention, note, until=until)
    add_note(connection, note)
    save_attention(connection, alert.id, attention)
    alert = replace(alert, attention=attention)
    if deed.act is Act.CLOSED:
        alert = ended(alert, EndReason.CLOSED, at=now, now=now)
        save_alerts(connection, [alert])
    if deed.act is not Act.NOTED:
        wake_groups_of(connection, alert.id, now)
    around = surroundings(connection, now).with_notes(connection, [alert])
    return alert_facts(alert, around)


def _added(silence: Silence, connection: Connection) -> int:
    add_silence(connection, silence)
    return sum(
        alert.due_at is None and all_match(silence.matchers, alert.labels)
        for alert in open_alerts(connection)
    )


def _expired(id_: str, now: datetime, connection: Connection) -> Silence:
    found = silences_beginning(connection, id_, most=_SEVERAL)
    if len(found) != 1:
        _not_one("silence", id_, found)
    silence = load_silence(connection, found[0])
    assert silence is not None  # noqa: S101 - it was found in this very transaction
    if not expire_silence(connection, silence.id, now):
        return silence
    for alert in open_alerts(connection):
        if silence.mutes(alert.labels, now):
            wake_groups_of(connection, alert.id, now)
    return replace(silence, ends_at=now)


def _meant(connection: Connection, id_: str) -> Alert:
    found = alerts_beginning(connection, id_, most=_SEVERAL)
    if len(found) != 1:
        _not_one("alert", id_, found)
    alert = load_alert(connection, AlertId(found[0]))
    assert alert is not None  # noqa: S101 - it was found in this very transaction
    return alert


def _not_one(what: str, id_: str, found: Sequence[str]) -> NoReturn:
    if not found:
        raise NotKnown(f"no {what} has an id that begins with {id_[:80]!r}")
    names = ", ".join(found)
    raise WrongRequest(f"id: several {what}s begin with {id_[:80]!r}: {names}")


def _silence(hush: Hush, id_: str, now: datetime) -> Silence:
    if all_match(hush.matchers, {}):
        text = "at least one has to ask for more than that a label is missing or empty"
        raise WrongRequest(f"matchers: {text}, else every alert would be silenced")
    starts_at = now if hush.starts_at is None else max(now, _moment("starts_at", hush.starts_at))
    return Silence(
        id=id_,
        matchers=hush.matchers,
        created_by=hush.author,
        comment=hush.comment,
        created_at=now,
        starts_at=starts_at,
        ends_at=starts_at + _duration("for", hush.lasts),
    )


def _duration(field: str, text: str) -> timedelta:
    found = duration_from(text)
    if found is None or not timedelta(0) < found <= LONGEST:
        raise WrongRequest(f"{field}: a duration with its unit is needed, such as 30m, 4h or 1d")
    return found


def _moment(field: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or abs(found.year - 2000) > 500:  # noqa: PLR2004
        example = "2026-11-27T22:00Z or 2026-11-27T22:00+01:00"
        raise WrongRequest(f"{field}: a moment with its time zone is needed, such as {example}")
    return found.astimezone(UTC)

"""Alerts and silences as people see them: with how they stand, in the facts that JSON can say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tmcwatch.domain.alert import Alert, AlertId
from tmcwatch.domain.attention import Act, Note, State, states_of
from tmcwatch.domain.matcher import all_match
from tmcwatch.domain.silence import Silence
from tmcwatch.serving.operations import Wanted
from tmcwatch.store.attention import notes_of
from tmcwatch.store.engine import Connection
from tmcwatch.store.search import Telling, muted_alerts
from tmcwatch.store.silences import active_silences

_BY_SILENCE = "silence "


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What must be known beside an alert to say how it stands."""

    now: datetime
    silences: Sequence[Silence]
    muted: Mapping[AlertId, Sequence[str]]
    notes: Mapping[AlertId, Sequence[Note]] = field(default_factory=dict)

    def with_notes(self, connection: Connection, alerts: Iterable[Alert]) -> "Surroundings":
        notes: dict[AlertId, list[Note]] = {alert.id: [] for alert in alerts}
        for note in notes_of(connection, notes):
            notes[note.alert].append(note)
        return replace(self, notes=notes)

    def muted_by(self, alert: Alert) -> tuple[str, ...]:
        """Answer why it is not told: silences as they are now, else as its group last found."""
        if alert.ends_at is not None or alert.due_at is not None:
            return ()
        silences = [
            f"{_BY_SILENCE}{one.id}" for one in self.silences if one.mutes(alert.labels, self.now)
        ]
        others = [
            text for text in self.muted.get(alert.id, ()) if not text.startswith(_BY_SILENCE)
        ]
        return (*silences, *others)


def surroundings(connection: Connection, now: datetime) -> Surroundings:
    return Surroundings(
        now=now,
        silences=active_silences(connection, now),
        muted=muted_alerts(connection),
    )


def fits(wanted: Wanted, around: Surroundings, alert: Alert) -> bool:
    """Tell whether an alert is one that is asked for."""
    if not all_match(wanted.matchers, alert.labels):
        return False
    # Asked only where it matters: every silence is held against every alert.
    it_matters = (State.MUTED in wanted.states) != (State.FIRING in wanted.states)
    muted = it_matters and bool(around.muted_by(alert))
    states = states_of(alert, is_muted=muted, now=around.now)
    return not wanted.states or not wanted.states.isdisjoint(states)


def alert_facts(alert: Alert, around: Surroundings) -> dict[str, object]:
    muted_by = around.muted_by(alert)
    states = states_of(alert, is_muted=bool(muted_by), now=around.now)
    notes = around.notes.get(alert.id, ())
    return {
        "id": alert.id,
        "status": State.PENDING.value if State.PENDING in states else alert.status.value,
        "state": states[0].value,
        "severity": alert.severity.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": moment_text(alert.starts_at),
        "ends_at": moment_text(alert.ends_at),
        "end_reason": alert.end_reason.value if alert.end_reason else None,
        "count": alert.count,
        "due_at": moment_text(alert.due_at),
        "acknowledged": _acknowledged(alert, around.now),
        "snoozed": _snoozed(alert, notes, around.now),
        "muted_by": list(muted_by),
        "notes": [_note(one) for one in notes],
    }


def silence_facts(silence: Silence, now: datetime) -> dict[str, object]:
    state = "pending" if now < silence.starts_at else "active"
    return {
        "id": silence.id,
        "state": state if now < silence.ends_at else "expired",
        "matchers": [str(matcher) for matcher in silence.matchers],
        "created_by": silence.created_by,
        "comment": silence.comment,
        "created_at": moment_text(silence.created_at),
        "starts_at": moment_text(silence.starts_at),
        "ends_at": moment_text(silence.ends_at),
    }


def telling_facts(telling: Telling) -> dict[str, object]:
    return {
        "delivery": telling.id,
        "target": telling.target,
        "status": telling.status.value,
        "severity": telling.severity.value,
        "state": telling.state.value,
        "attempts": telling.attempts,
        "owed_since": moment_text(telling.owed_since),
        "changed_at": moment_text(telling.changed_at),
        "text": telling.text,
    }


def moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _acknowledged(alert: Alert, now: datetime) -> dict[str, object] | None:
    attention = alert.attention
    if alert.ends_at is not None or not attention.is_acknowledged(now):
        return None
    return {
        "by": attention.acknowledged_by,
        "at": moment_text(attention.acknowledged_at),
        "until": moment_text(attention.acknowledged_until),
    }


def _snoozed(alert: Alert, notes: Iterable[Note], now: datetime) -> dict[str, object] | None:
    attention = alert.attention
    if alert.ends_at is not None or not attention.is_snoozed(now):
        return None
    authors = [note.author for note in notes if note.act is Act.SNOOZED]
    return {
        "by": authors[-1] if authors else None,
        "at": moment_text(attention.snoozed_at),
        "until": moment_text(attention.snoozed_until),
    }


def _note(note: Note) -> dict[str, object]:
    return {
        "at": moment_text(note.at),
        "author": note.author,
        "act": note.act.value,
        "text": note.text,
    }

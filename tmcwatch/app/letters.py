"""Letters between the parts: what is owed or was given up in JSON, and which are sent again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import structlog

from tmcwatch.app.wiring import settings_of
from tmcwatch.config import Config
from tmcwatch.domain.alert import Alert, Status
from tmcwatch.domain.delivery import DeliveryId
from tmcwatch.serving.operations import Json, Letters, NotKnown
from tmcwatch.store.engine import Connection
from tmcwatch.store.letters import (
    Letter,
    Replay,
    dead_ids,
    dead_letters,
    owed_letters,
    unknown_ids,
)
from tmcwatch.store.parked import parked_targets

log = structlog.get_logger()

MOST_AT_ONCE = 1_000
"""Letters replayed in one transaction."""
MOST_NAMES = 5
"""Named of what a letter tells, by rule and status."""


def owed(
    config: Config, receiver: str | None, most: int, connection: Connection, *, now: datetime
) -> Json:
    """Answer with what is still owed, oldest first. Raises NotKnown."""
    found = owed_letters(connection, receiver, most=most)
    _check(config, receiver, found)
    parked = parked_targets(connection, now)
    return [
        _common(one)
        | {
            "due_at": _text(one.due_at),
            "parked_until": _text(parked[one.target]) if one.target in parked else None,
        }
        for one in found
    ]


def dead(config: Config, receiver: str | None, most: int, connection: Connection) -> Json:
    """Answer with what was given up, the last first. Raises NotKnown."""
    found = dead_letters(connection, receiver, most=most)
    _check(config, receiver, found)
    return [
        _common(one) | {"given_up_at": _text(one.changed_at), "held": one.is_held} for one in found
    ]


def meant(config: Config, letters: Letters, connection: Connection) -> list[DeliveryId]:
    """Answer with the ids of the letters that are to be sent again. Raises NotKnown."""
    if letters.ids is None:
        found = dead_ids(connection, letters.receiver, told_to(config))
        _check(config, letters.receiver, found)
        return found
    unknown = unknown_ids(connection, letters.ids)
    if unknown:
        raise NotKnown(f"no delivery has the id {', '.join(one[:80] for one in unknown[:10])}")
    return [DeliveryId(id_) for id_ in dict.fromkeys(letters.ids)]


def told_to(config: Config) -> dict[str, bool]:
    """Answer with the names of all targets, as in the outbox: whether ends are told to them."""
    receivers = settings_of(config).receivers.values()
    return {name: receiver.send_resolved for receiver in receivers for name in receiver.targets}


def portions(ids: Sequence[DeliveryId]) -> Iterator[Sequence[DeliveryId]]:
    for start in range(0, len(ids), MOST_AT_ONCE):
        yield ids[start : start + MOST_AT_ONCE]


def replayed(letters: Letters, done: Iterable[Replay], *, asked: int) -> Json:
    """Answer with how many are due again, and how many are not, by why."""
    replays = list(done)
    due = sum(one.due for one in replays)
    nothing_left = sum(one.nothing_left for one in replays)
    counts = {
        "replayed": due,
        "nothing_left": nothing_left,
        "left": asked - due - nothing_left,
    }
    log.info("deliveries_replayed", receiver=letters.receiver, **counts)
    return counts


def _check(config: Config, receiver: str | None, found: Sequence[object]) -> None:
    # A receiver that the config no longer has may still have letters.
    if receiver is None or found:
        return
    names = [one.name for one in config.receivers]
    if receiver not in names:
        raise NotKnown(f"no receiver is called {receiver[:80]!r}: there are {', '.join(names)}")


def _common(letter: Letter) -> dict[str, object]:
    return {
        "id": letter.id,
        "receiver": letter.receiver,
        "target": letter.target,
        "state": letter.state.value,
        "owed_since": _text(letter.owed_since),
        "attempts": letter.attempts,
        "error": letter.error,
        "tells": _tells(letter.alerts),
    }


def _tells(alerts: Iterable[Alert]) -> list[dict[str, object]]:
    names: defaultdict[tuple[str, Status], list[str]] = defaultdict(list)
    for alert in alerts:
        names[alert.rule, alert.status].append(alert.labels.get("name", ""))
    return [
        {
            "alertname": rule,
            "status": status.value,
            "number": len(named),
            "names": [name for name in dict.fromkeys(named) if name][:MOST_NAMES],
        }
        for (rule, status), named in names.items()
    ]


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")

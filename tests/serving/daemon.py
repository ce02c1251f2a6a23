"""A daemon to ask: its operations, as an app would give them, answered in memory."""

from datetime import UTC, datetime
from typing import Any

from tmcwatch.serving.access import AccessToken, May
from tmcwatch.serving.operations import Attending, NotKnown, Operations, WrongRequest
from tmcwatch.telemetry.health import Verdict

READER = AccessToken(name="dashboard", secret="r-secret", may=May.READ)
CHANGER = AccessToken(name="oncall", secret="c-secret-é", may=May.CHANGE)


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALERT: dict[str, Any] = {
    "id": "3f2a1b2c3d4e5f60",
    "status": "firing",
    "state": "firing",
    "severity": "warning",
    "labels": {
        "alertname": "failed",
        "rule": "failed",
        "severity": "warning",
        "account": "prod",
        "environment": "PROD",
        "workspace": "crm",
        "kind": "task",
        "id": "t1",
        "name": "load_customers",
        "trigger": "scheduled",
    },
    "annotations": {
        "summary": "task load_customers failed",
        "error": "connection refused",
        "link": "https://tmc.example.org/run",
    },
    "starts_at": "2026-11-20T10:02:00Z",
    "ends_at": None,
    "end_reason": None,
    "count": 3,
    "due_at": None,
    "acknowledged": None,
    "snoozed": None,
    "muted_by": [],
    "notes": [],
    "groups": [],
    "told": [],
}


class Desk:
    """What people ask and do, kept; answers with one alert."""

    def __init__(self, alert=ALERT, *, external_url=""):
        self.found = [alert]
        self.external_url = external_url
        self.asked = []

    async def alerts(self, wanted):
        self.asked.append(wanted)
        return self.found

    async def alert(self, id_):
        if not self.found or not str(self.found[0]["id"]).startswith(id_):
            raise NotKnown(f"no alert has an id that begins with {id_!r}")
        return self.found[0]

    async def attend(self, deed):
        self.asked.append(deed)
        return await self.alert(deed.alert)

    async def silences(self, with_expired):
        return [{"expired": with_expired}]

    async def add_silence(self, hush):
        self.asked.append(hush)
        return {"id": "s1", "mutes": 2}

    async def expire_silence(self, id_):
        if id_ == "nobody":
            raise NotKnown("no silence has an id that begins with 'nobody'")
        return {"id": id_, "state": "expired"}


def attending(desk):
    return Attending(
        alerts=desk.alerts,
        alert=desk.alert,
        attend=desk.attend,
        silences=desk.silences,
        add_silence=desk.add_silence,
        expire_silence=desk.expire_silence,
        external_url=lambda: desk.external_url,
        time_zone=lambda: UTC,
        now=lambda: NOON,
    )


def answering(health):
    return Operations(
        health=health,
        metrics=_metrics,
        fresh=_fresh,
        status=_status,
        attending=attending(Desk()),
        transitions=_rows,
        deliveries=_rows,
        owed_deliveries=_letters,
        dead_deliveries=_letters,
        replay_deliveries=_replay,
        promotions=_promotions,
        follow_promotion=_follow_promotion,
        reload=_reload,
        notify_test=_notify_test,
    )


async def _metrics(accept):
    return b"tmcwatch_up 1.0\n", f"text/plain; accept={accept}"


async def _fresh():
    return Verdict(ok=False, reasons=("account prod: tasks: never read",))


async def _status():
    return {"version": "1.2.3"}


async def _rows(limit):
    return [{"limit": limit}]


async def _letters(receiver, limit):
    if receiver == "nobody":
        raise NotKnown("no receiver is called 'nobody'")
    return [{"receiver": receiver, "limit": limit}]


async def _replay(letters):
    if letters.ids and "unknown" in letters.ids:
        raise NotKnown("no delivery has the id unknown")
    return {"ids": letters.ids, "receiver": letters.receiver}


async def _promotions():
    return [{"execution": "e1", "phase": "running"}]


async def _follow_promotion(account, execution):
    if account == "nobody":
        raise WrongRequest("no account is named 'nobody'; there are: prod")
    content = {"account": account or "prod", "execution": execution, "watching": True}
    return content, execution != "known"


async def _reload():
    return ()


async def _notify_test(receiver):
    if receiver != "oncall":
        raise NotKnown(f"no receiver named {receiver}")
    return {"receiver": receiver, "accepted": True}

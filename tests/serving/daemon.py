"""A daemon to ask: its operations, as an app would give them, answered in memory."""

from tmcwatch.serving.access import AccessToken, May
from tmcwatch.serving.operations import NotKnown, Operations, WrongRequest
from tmcwatch.telemetry.health import Verdict

READER = AccessToken(name="dashboard", secret="r-secret", may=May.READ)
CHANGER = AccessToken(name="oncall", secret="c-secret-é", may=May.CHANGE)


def answering(health):
    return Operations(
        health=health,
        metrics=_metrics,
        fresh=_fresh,
        status=_status,
        alerts=_alerts,
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


async def _alerts():
    return [{"rule": "failed"}]


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

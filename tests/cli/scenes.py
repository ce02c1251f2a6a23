"""Scenes of the demo, to draw and to write."""

from datetime import UTC, datetime, timedelta

from tmcwatch.cli.demonstration.inbox import Told
from tmcwatch.cli.demonstration.scene import Happening, ListRead, Places, Scene, Totals
from tmcwatch.domain.execution import Phase

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACES = Places(
    metrics="http://127.0.0.1:43210/metrics",
    simulator="http://127.0.0.1:43211",
    control="http://127.0.0.1:43212",
)


def happening(second, phase, name="load_customers", *, kind="task", why=""):
    return Happening(
        at=NOON + timedelta(seconds=second),
        kind=kind,
        name=name,
        place="PROD/crm",
        phase=phase,
        why=why,
    )


def told(second, title, *lines, is_over=False):
    return Told(at=NOON + timedelta(seconds=second), title=title, lines=lines, is_over=is_over)


def busy_scene():
    happenings = (
        *(happening(n, Phase.RUNNING, f"task_{n}") for n in range(50)),
        happening(50, Phase.FAILED, why="disk full\nhere is a long trace " + "of frames " * 20),
        happening(51, Phase.WAITING, "nightly_sales", kind="plan"),
    )
    messages = (
        *(told(n, f"FAILED: task_{n}", "why it failed") for n in range(30)),
        told(31, "Now watching demo", "12 tasks"),
        told(40, "RECOVERED: task_1", "over: task task_1 failed", is_over=True),
    )
    return Scene(
        elapsed=timedelta(seconds=75),
        lists=(
            ListRead(
                account="demo",
                kind="task",
                watermark_age=timedelta(seconds=2.7),
                open={"running": 4, "waiting": 1},
            ),
        ),
        requests_per_second=2.25,
        allowed_per_second=6.0,
        fresh_happenings=happenings[-2:],
        happenings=happenings,
        told=messages,
        totals=Totals(
            executions=700, transitions=52, opened=30, ended=1, told=len(messages), requests=90
        ),
    )

"""What keeps services going: restarts with back-off, and the bell that says there is work."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import structlog

log = structlog.get_logger()


class Bell:
    """Wakes whoever waits for work; a lost ring costs them a beat, never the work.

    A listener resets before it looks for work, not after: a ring while it looks must not be lost.
    Several may listen to one bell; each then hands its own mark from `reset` to `wait`.
    """

    def __init__(self) -> None:
        self._rings = 0
        self._mark = 0
        self._next = anyio.Event()

    def ring(self) -> None:
        self._rings += 1
        self._next.set()
        self._next = anyio.Event()

    def reset(self) -> int:
        """Answer with a mark; `wait` returns at once if the bell rang after it."""
        self._mark = self._rings
        return self._mark

    async def wait(self, timeout: float, *, since: int | None = None) -> None:  # noqa: ASYNC109 - a beat, not a failure
        """Return at a ring after the mark (by default the latest one), or after `timeout`."""
        mark = self._mark if since is None else since
        if self._rings != mark:
            await anyio.lowlevel.checkpoint()
            return
        with anyio.move_on_after(timeout):
            await self._next.wait()


MOST_CRASHES = 5
CALM = 300.0
"""Seconds without a crash after which the earlier ones are forgotten."""

BACK_OFF = (1.0, 30.0)
"""Seconds before the first restart, doubled up to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """What is told of services, and which of their failures heal by themselves."""

    outages: tuple[type[Exception], ...] = ()
    """Failures of something outside, such as a full disk: waited out, however long."""
    outage: Callable[[Exception], None] = lambda _: None
    began: Callable[[str], None] = lambda _: None
    """Told of each service once, before it runs."""
    restarted: Callable[[str], None] = lambda _: None


async def keep_running(
    name: str, service: Callable[[], Awaitable[None]], supervision: Supervision
) -> None:
    """Run a service until it returns; after a failure run it again, later each time.

    An outage is waited out. A crash is a bug: the fifth without five calm minutes is raised, as a
    fresh process may do better.
    """
    crashes = failures = 0
    supervision.began(name)
    while True:
        began = anyio.current_time()
        try:
            await service()
        except supervision.outages as error:
            log.error("service_waits", service=name, problem=str(error))  # noqa: TRY400 - no bug
            supervision.outage(error)
        except Exception:
            crashes = 1 if anyio.current_time() - began >= CALM else crashes + 1
            log.exception("service_crashed", service=name, crashes=crashes)
            if crashes >= MOST_CRASHES:
                raise
        else:
            return
        failures = 0 if anyio.current_time() - began >= CALM else failures + 1
        supervision.restarted(name)
        await anyio.sleep(_back_off(failures))


def _back_off(failures: int) -> float:
    first, most = BACK_OFF
    return min(first * float(2 ** min(max(failures - 1, 0), 10)), most)

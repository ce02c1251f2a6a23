"""Tells by the log: one structured line per alert."""

from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict

from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import Notifier, Outside, Receipt
from tmcwatch.notifiers.stating import moment

log = structlog.get_logger()

IDEMPOTENT = False
READS = "title"


class Options(BaseModel):
    """How loud the lines are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = "info"


class LogNotifier:
    def __init__(self, options: Options) -> None:
        self._write = getattr(log, options.level)

    async def send(self, message: Message, words: Words) -> Receipt:  # noqa: ARG002 - facts, not prose
        for alert in message.alerts:
            annotations = dict(alert.annotations)
            self._write(
                "alert",
                status=alert.status.value,
                receiver=message.receiver,
                key=message.key,
                alert=alert.id,
                labels=dict(alert.labels),
                starts_at=moment(alert.starts_at),
                ends_at=moment(alert.ends_at) if alert.ends_at else None,
                end_reason=alert.end_reason.value if alert.end_reason else None,
                count=alert.count,
                **{
                    name: annotations[name] for name in ("summary", "error") if name in annotations
                },
            )
        return Receipt(text=f"{len(message.alerts)} written")

    async def aclose(self) -> None:
        return None


def build(options: Options, outside: Outside) -> Notifier:  # noqa: ARG001 - it needs nothing
    return LogNotifier(options)


def problems(options: Options) -> list[str]:  # noqa: ARG001 - nothing can be wrong
    return []

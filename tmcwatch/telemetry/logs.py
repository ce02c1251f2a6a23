"""Logs: one line per event, for people or for machines, and never a secret."""

import json
import logging
from collections.abc import Callable, Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, TypeAlias

import structlog

from tmcwatch.telemetry.redaction import cleaned_mapping, redact

__all__ = ["Format", "configure", "redact"]

Format: TypeAlias = Literal["auto", "console", "json"]
Event: TypeAlias = MutableMapping[str, Any]

LONGEST = 2_000
LIBRARIES = ("httpx", "httpcore", "uvicorn", "apprise", "alembic")
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_FIRST = ("timestamp", "level", "event")


def configure(
    level: str,
    format: Format,  # noqa: A002 - as the config names it
    *,
    stream: TextIO,
    clock: Callable[[], datetime],
    on_message: Callable[[str], None] | None = None,
) -> None:
    """Send every event from `level` on to the stream; may be called again."""
    as_console = format == "console" or (format == "auto" and stream.isatty())

    def stamp(_logger: object, method: str, event: Event) -> Event:
        # Last, so that no event's own field can pass for the time or the level.
        event["timestamp"] = _iso(clock())
        event["level"] = "error" if method == "exception" else method
        if on_message is not None:
            on_message(event["level"])
        return event

    def line_of(_logger: object, _method: str, event: Event) -> str:
        line = _console_line(event) if as_console else _json_line(event)
        encoding = stream.encoding or "utf-8"
        return line.encode(encoding, "backslashreplace").decode(encoding)

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            _clean,
            stamp,
            line_of,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: structlog.PrintLogger(stream),
        # A reload may change the level.
        cache_logger_on_first_use=False,
    )
    _listen_to_libraries(_LEVELS[level])


class _Forwarder(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit their own text
            message = str(record.msg)
        log = structlog.get_logger()
        log.log(
            min(record.levelno, logging.CRITICAL),
            "library_message",
            logger=record.name,
            message=message,
            exc_info=record.exc_info,
        )


def _listen_to_libraries(level: int) -> None:
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        forwarder = _Forwarder(max(level, logging.WARNING))
        logger.handlers = [forwarder]
        # Apprise keeps what a mail server replied for those who ask: it must be said at all.
        logger.setLevel(logging.DEBUG if name == "apprise" else forwarder.level)
        logger.propagate = False


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clean(_logger: object, _method: str, event: Event) -> Event:
    clean = cleaned_mapping(dict(event))
    exception = clean.pop("exception", None)
    short = {key: _cut(value) for key, value in clean.items()}
    if exception is not None:
        short["exception"] = _cut_inside(str(exception))
    return short


def _cut(value: object) -> object:
    match value:
        case str() if len(value) > LONGEST:
            return f"{value[:LONGEST]}… [{len(value) - LONGEST} characters cut]"
        case dict():
            return {str(_cut(key)): _cut(item) for key, item in value.items()}
        case list():
            return [_cut(item) for item in value]
        case _:
            return value


def _cut_inside(trace: str) -> str:
    """Keep both ends of a traceback: where it began, and what went wrong."""
    if len(trace) <= LONGEST:
        return trace
    half = LONGEST // 2
    return f"{trace[:half]}… [{len(trace) - LONGEST} characters cut] …{trace[-half:]}"


def _json_line(event: Event) -> str:
    ordered = {key: event.pop(key) for key in _FIRST if key in event} | dict(event)
    # In ASCII: any stream can take it, and a terminal sees no control character.
    return json.dumps(ordered, ensure_ascii=True, allow_nan=False)


def _console_line(event: Event) -> str:
    time, level, name = (_printable(str(event.pop(key, ""))) for key in _FIRST)
    trace = event.pop("exception", None)
    fields = "".join(f"  {_printable(key)}={_shown(value)}" for key, value in event.items())
    line = f"{time} {level:<8} {name}{fields}"
    return line if trace is None else "\n".join((line, *_indented(str(trace))))


def _indented(trace: str) -> Iterator[str]:
    """Indent each line, so that no text in a traceback can pass for an event of its own."""
    return (f"    {_printable(line)}" for line in trace.split("\n"))


def _shown(value: object) -> str:
    text = _printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return f'"{text}"' if isinstance(value, str) and (not text or " " in text) else text


def _printable(text: str) -> str:
    """Escape control characters, and what else has no shape of its own."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )

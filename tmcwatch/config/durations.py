"""Durations as people write them: `30s`, `5m`, `1h30m`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from tmcwatch.config.problems import wrong

_LONGEST = timedelta(days=3650)  # keeps every sum with a date within the calendar
_NAMES = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
PATTERN = "^(?=[0-9])" + "".join(f"([0-9]{{1,9}}{unit})?" for unit in _NAMES) + "$"
_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def duration_from(text: str) -> timedelta | None:
    """Read `500ms`, `30s`, `5m`, `2h`, `1d`, `1h30m`; None where the text is no duration."""
    found = re.fullmatch(PATTERN, text)
    if found is None or text.endswith("\n"):
        return None
    amounts = zip(_NAMES, found.groups(default="0"), strict=True)
    parts = {_NAMES[unit]: int(amount.removesuffix(unit)) for unit, amount in amounts}
    try:
        return timedelta(**parts)
    except OverflowError:
        return None


def duration_text(duration: timedelta) -> str:
    """Write a duration as the configuration does."""
    rest = duration // timedelta(milliseconds=1)
    text = ""
    for unit, size in _MILLISECONDS.items():
        amount, rest = divmod(rest, size)
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"


def between(least: timedelta, most: timedelta = _LONGEST) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            allowed = f"{duration_text(least)} to {duration_text(most)}"
            raise wrong(duration_text(value), allowed)
        return value

    return AfterValidator(check)


def _read(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    duration = duration_from(value) if isinstance(value, str) else None
    if duration is None:
        raise wrong(value, "a duration with its unit, such as 500ms, 30s, 5m, 1h30m or 1d")
    return duration


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    between(timedelta(0)),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]

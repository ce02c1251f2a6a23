"""Parts of time intervals as Alertmanager has them: `monday:friday`, `-3:-1`, `17:00`."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from tmcwatch.config.problems import wrong
from tmcwatch.domain.interval import Span

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_LONGEST_MONTH, _SHORTEST_MONTH = 31, 28
_DAY = 24 * 60


def _number(text: str, names: Sequence[str], first: int) -> int | None:
    """Answer with the number that a name or the number itself stands for."""
    name = text.strip().lower()
    if name in names:
        return names.index(name) + first
    return int(name) if re.fullmatch(r"-?[0-9]{1,4}", name) else None


def _span(
    value: object, allowed: str, *, names: Sequence[str] = (), number_of_first: int = 0
) -> Span:
    # A number may stand alone; `1:5` without quotes is one to YAML, in sixties.
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise wrong(value, allowed)
    parts = [_number(part, names, number_of_first) for part in str(value).split(":")]
    first, last = parts[0], parts[-1]
    if first is None or last is None or len(parts) > 2:  # noqa: PLR2004 - from and to
        raise wrong(value, allowed)
    return Span(first=first, last=last)


def _weekdays(value: object) -> Span:
    allowed = 'days such as sunday or "monday:friday", from sunday to saturday'
    if not isinstance(value, str) or re.search("[0-9]", value):
        raise wrong(value, allowed)
    return _in_order(value, _span(value, allowed, names=WEEKDAYS), allowed, range(7))


def _months(value: object) -> Span:
    allowed = 'months such as may, 5, "1:3" or "may:august" (in quotes), from january to december'
    span = _span(value, allowed, names=MONTHS, number_of_first=1)
    return _in_order(value, span, allowed, range(1, 13))


def _years(value: object) -> Span:
    allowed = 'years such as 2027 or "2027:2029"'
    return _in_order(value, _span(value, allowed), allowed, range(1970, 10_000))


def _in_order(value: object, span: Span, allowed: str, numbers: range) -> Span:
    if span.first not in numbers or span.last not in numbers or span.first > span.last:
        raise wrong(value, allowed)
    return span


def _days_of_month(value: object) -> Span:
    allowed = (
        'days such as 1, "1:5" or "-3:-1" (in quotes), from 1 to 31, or counted back from the '
        "last one, which is -1"
    )
    span = _span(value, allowed)
    days = [day for day in (span.first, span.last) if 1 <= abs(day) <= _LONGEST_MONTH]
    # In a short month the end may come before the beginning; never in every month.
    first, last = (day if day > 0 else _SHORTEST_MONTH + day for day in (span.first, span.last))
    if len(days) < 2 or span.first < 0 < span.last or first > last:  # noqa: PLR2004 - both
        raise wrong(value, allowed)
    return span


def _minute(value: object) -> int:
    """Read a time of day as so many minutes."""
    found = re.fullmatch(r"([0-9]{2}):([0-9]{2})", value) if isinstance(value, str) else None
    minute = int(found[1]) * 60 + int(found[2]) if found else -1
    if found is None or int(found[2]) >= 60 or minute > _DAY:  # noqa: PLR2004 - minutes
        raise wrong(value, 'a time of day in quotes, such as "09:00", up to "24:00"')
    return minute


def time_text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _written(span: Span) -> str:
    return f"{span.first}:{span.last}"


def _part(read: Callable[[object], Span], *types: str) -> Any:  # noqa: ANN401 - a type
    return Annotated[
        Span,
        PlainValidator(lambda value: value if isinstance(value, Span) else read(value)),
        PlainSerializer(_written, return_type=str, when_used="json"),
        WithJsonSchema({"type": list(types) if len(types) > 1 else types[0]}),
    ]


Weekdays = _part(_weekdays, "string")
DaysOfMonth = _part(_days_of_month, "string", "integer")
Months = _part(_months, "string", "integer")
Years = _part(_years, "string", "integer")
TimeOfDay = Annotated[
    int,
    BeforeValidator(_minute),
    PlainSerializer(time_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$"}),
]

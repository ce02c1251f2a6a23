"""Times as the store keeps them: whole microseconds, moments since 1970."""

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def stored(moment: datetime) -> int: ...
@overload
def stored(moment: None) -> None: ...
def stored(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


@overload
def loaded(microseconds: int) -> datetime: ...
@overload
def loaded(microseconds: None) -> None: ...
def loaded(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def span_stored(length: timedelta) -> int:
    return length // _MICROSECOND


@overload
def span(microseconds: int) -> timedelta: ...
@overload
def span(microseconds: None) -> None: ...
def span(microseconds: int | None) -> timedelta | None:
    """Answer with the length of time that the store keeps as so many microseconds."""
    return None if microseconds is None else timedelta(microseconds=microseconds)

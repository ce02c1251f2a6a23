"""Times as messages say them."""

from datetime import timedelta

from tmcwatch.domain.window import Window


def span(length: timedelta) -> str:
    """Say how long something took, such as `3 h 20 min`."""
    minutes = length // timedelta(minutes=1)
    hours, days = minutes // 60, minutes // (24 * 60)
    if days:
        return _two(f"{days} d", hours % 24, "h")
    return _two(f"{hours} h", minutes % 60, "min") if hours else f"{minutes} min"


def stretch(window: Window) -> str:
    """Say from when to when, such as `2026-11-20 10:02 to 13:40 UTC`."""
    same_day = window.start.date() == window.end.date()
    end = f"{window.end:%H:%M}" if same_day else f"{window.end:%Y-%m-%d %H:%M}"
    return f"{window.start:%Y-%m-%d %H:%M} to {end} UTC"


def _two(large: str, number: int, unit: str) -> str:
    return f"{large} {number} {unit}" if number else large

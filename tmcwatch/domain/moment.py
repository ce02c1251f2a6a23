"""A moment in a text that machines read, too: written in one way everywhere."""

from datetime import UTC, datetime


def moment_text(at: datetime) -> str:
    """Write a moment in UTC, such as `2026-11-20T10:00:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")

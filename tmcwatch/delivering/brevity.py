"""How much a message says: where it is too long for a service, what matters least goes first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

MOST_LISTED = 20
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Brevity:
    """How much is told of a message."""

    listed: int = MOST_LISTED
    """Alerts that are listed; the rest is counted."""
    longest_text: int = 500
    """Characters of an error text or a description."""
    whole: bool = True
    """Whether all facts are told, or only those that cannot be done without."""
    with_links: bool = True
    with_facts: bool = True
    with_course: bool = True
    """Whether it is told since when; where several are listed, their names may have to do."""


def brevities(count: int) -> Iterator[Brevity]:
    """Answer with ever less to tell of `count` alerts: shorter texts, fewer facts, fewer alerts.

    An alert is listed whole or counted, never broken off in its middle.
    """
    most = min(count, MOST_LISTED)
    yield Brevity(listed=MOST_LISTED)
    yield Brevity(listed=most, longest_text=200)
    for listed in range(most, 0, -1):
        yield Brevity(listed=listed, longest_text=160, whole=False)
    yield Brevity(listed=1, longest_text=100, whole=False, with_links=False)
    yield Brevity(listed=1, longest_text=60, whole=False, with_links=False)
    bare = Brevity(listed=1, whole=False, with_links=False, with_facts=False)
    yield bare
    if count > 1:
        for listed in range(min(most, _MOST_NAMED), -1, -1):
            yield replace(bare, listed=listed, with_course=False)

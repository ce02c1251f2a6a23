"""What is special about mail: whom it has reached, what belongs together, what was replied."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tmcwatch.domain.alert import Severity, Status
from tmcwatch.domain.message import Message, Words

LOGIN = frozenset({530, 534, 535})
"""Replies that mean the login."""
_MOST_REMEMBERED = 1_000
_SENT = "Sent Email to "
_TROUBLE = "Socket Exception: "
_REPLY = re.compile(r"\(?\b([245]\d\d), b(['\"])(.*?)\2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a mail server answered to a mail it did not take."""

    number: int
    text: str

    @property
    def is_final(self) -> bool:
        return 500 <= self.number < 600  # noqa: PLR2004 - as SMTP has it


class Mailing:
    """Prepares each mail of one service.

    Apprise sends to one recipient after the other: when some are refused, another attempt must not
    tell the others again. A restart forgets whom a message has reached.
    """

    def __init__(self, service: Any) -> None:  # noqa: ANN401 - apprise's own
        self._service = service
        self._recipients = list(service.targets)
        self._headers = dict(service.headers)
        self._reached: dict[str, set[str]] = {}

    def prepare(self, message: Message, words: Words) -> None:
        reached = self._reached.get(message.key, set())
        wanting = [one for one in self._recipients if one[1] not in reached]
        self._service.targets = wanting or list(self._recipients)
        self._service.headers = {**_headers(message, words), **self._headers}

    def note(self, message: Message, lines: Iterable[str]) -> None:
        """Remember whom the mail has reached, by what Apprise said."""
        while len(self._reached) > _MOST_REMEMBERED:
            self._reached.pop(next(iter(self._reached)))
        reached = self._reached.setdefault(message.key, set())
        reached |= {line.removeprefix(_SENT) for line in lines if line.startswith(_SENT)}


def _headers(message: Message, words: Words) -> dict[str, str]:
    """Answer with what mail programs go by: threads, importance, and that no person wrote it."""
    group = re.sub(r"[^A-Za-z0-9]", "", words.reference) or "message"
    is_urgent = message.status is Status.FIRING and message.severity is Severity.CRITICAL
    return {
        "Auto-Submitted": "auto-generated",
        "Importance": "high" if is_urgent else "normal",
        # All mails about one alert, or about one group of several, are one thread.
        "References": f"<{group}@tmcwatch.invalid>",
        "X-Tmcwatch-Message": re.sub(r"[^A-Za-z0-9]", "", message.key),
    }


def replies(lines: Iterable[str]) -> Iterator[Reply]:
    for line in lines:
        found = _REPLY.search(line) if line.startswith(_TROUBLE) else None
        if found:
            yield Reply(number=int(found[1]), text=found[3].replace("\\n", " "))


def troubles(lines: Iterable[str]) -> Iterator[str]:
    """Answer with what went wrong on the way to the server, or what it replied."""
    for line in lines:
        if line.startswith(_TROUBLE):
            told = [f"the server replied {reply.number} {reply.text}" for reply in replies([line])]
            yield told[0] if told else line.removeprefix(_TROUBLE)

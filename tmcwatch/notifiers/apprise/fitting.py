"""Fits a message to one service of Apprise: the format it shows best, no longer than it takes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tmcwatch.domain.harmless import cut
from tmcwatch.domain.message import Wish, Words

TEXT, MARKDOWN, HTML = "text", "markdown", "html"
_TITLE_MARKS = {"text": 4, "markdown": 4, "html": 32}
"""What is put around a title that a service shows as the beginning of the text."""
_BLOCK_TITLE, _BLOCK_BODY = 150, 3_000
"""Slack's limits for blocks, which Apprise does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is handed to Apprise."""

    title: str
    body: str
    body_format: str


class Fitting:
    """What one service takes, measured by its own rules of conversion."""

    def __init__(self, service: Any) -> None:  # noqa: ANN401 - apprise's own
        self._service = service
        blocks = bool(getattr(service, "use_blocks", False))
        self._format = _format_of(service, blocks=blocks)
        self._longest_body = _BLOCK_BODY if blocks else int(service.body_maxlen)
        longest = _BLOCK_TITLE if blocks else int(service.title_maxlen)
        self._title_is_apart = longest > 0 and not service.overflow_amalgamate_title
        self._marks = _TITLE_MARKS[str(service.resolve_format(self._format).value)]
        self._longest_title = min(longest or self._longest_body, self._longest_body // 2)

    def letter(self, words: Words) -> Letter:
        """Answer with the longest words that fit; an alert is listed whole or counted."""
        title = self._titled(words)
        # The subject of a mail is read elsewhere, and a mail is to make sense without it.
        is_mail = self._format == HTML or str(self._service.service_name) == "E-Mail"
        wish = Wish(below_title=not is_mail, only=self._format)
        told = words.reworded(wish) or words
        while True:
            letter = self._letter(title, self._body(told))
            if self._fits(letter):
                return letter
            shorter = words.reworded(replace(wish, shortened=wish.shortened + 1))
            if shorter is None:
                text = words.reworded(replace(wish, only=TEXT)) or words
                return self._broken_off(title, text.text)
            wish, told = replace(wish, shortened=wish.shortened + 1), shorter

    def _titled(self, words: Words) -> str:
        """Answer with the title and, at its end, what tells which alert it is about."""
        mark = f" [{words.reference}]" if words.reference else ""
        return cut(words.title, max(self._longest_title - len(mark), 1)) + mark

    def _as_heading(self, title: str) -> str:
        """Escape a title that becomes part of the text; Apprise takes it for what the text is."""
        return title if self._service.title_maxlen > 0 else self._escaped(title)

    def _escaped(self, text: str) -> str:
        """Answer with plain text in the format of the service, in which nothing is markup."""
        if self._format == TEXT:
            return text  # Apprise escapes it itself
        escaped = self._converted(text, TEXT, self._format)
        return escaped.replace("<", "\\<") if self._format == MARKDOWN else escaped

    def _body(self, words: Words) -> str:
        body = {TEXT: words.text, MARKDOWN: words.markdown, HTML: words.html}[self._format]
        return body or self._escaped(words.title)

    def _letter(self, title: str, body: str) -> Letter:
        return Letter(title=self._as_heading(title), body=body, body_format=self._format)

    def _broken_off(self, title: str, text: str) -> Letter:
        """Answer with as much of a plain text as there is room for: no markup of it can break."""
        longest = self._longest_body
        while True:
            letter = self._letter(title, self._escaped(cut(text, longest)))
            if longest <= 1 or self._fits(letter):
                return letter
            longest = longest * 3 // 4

    def _fits(self, letter: Letter) -> bool:
        body = self._length(letter.body, letter.body_format)
        most_lines = self._service.body_max_line_count
        if 0 < most_lines < letter.body.count("\n") + 1:
            return False
        room = self._longest_body
        if not self._title_is_apart:
            room -= self._length(letter.title, letter.body_format) + self._marks
        return body <= room

    def _length(self, text: str, body_format: str) -> int:
        """Answer with the greatest length that a text has on its way out: it is cut twice."""
        target = self._service.resolve_format(body_format)
        converted = self._converted(text, body_format, target)
        return max(len(converted), len(self._service.dialect_convert(converted, target)))

    def _converted(self, text: str, given: str, target: str) -> str:
        from apprise.conversion import convert_between  # noqa: PLC0415 - as all of apprise

        convert: Callable[[str, str, str], str] = convert_between
        return convert(given, target, text)


def _format_of(service: Any, *, blocks: bool) -> str:  # noqa: ANN401 - apprise's own
    """Answer with the format to hand over; `format=` in the URL goes before what is usual.

    Slack is told in plain text, as nothing keeps its markup from being found in names, unless it
    is told in blocks, where a link is a link in Markdown only. What takes both HTML and Markdown
    is a chat, not a mail, and shows our plain text best.
    """
    declared = service.notify_format
    formats = [str(each.value) for each in declared] if isinstance(declared, tuple) else []
    if str(service.service_name) == "Slack":
        return str(service.resolve_format(MARKDOWN if blocks else TEXT).value)
    preferred = str(service.resolve_format(None).value)
    if preferred == HTML and MARKDOWN in formats:
        return TEXT
    return preferred

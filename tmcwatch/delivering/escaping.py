"""Escapes hostile texts for each format: task names and error texts are what others wrote."""

import html
import re
from urllib.parse import urlsplit

from tmcwatch.domain.harmless import SPACES, plain, tagless

LONGEST_ADDRESS = 2_000

# What may be markup in one dialect or another. Left alone is what is markup in none, so that
# chats that know no backslashes show names as they are: `load_customers`, `select * from x`.
_MARKUP = re.compile(
    r"(?<=[^\W_])_+(?=[^\W_])|(?<= )\*(?= )|(?P<markup>[\\`*_\[\]#|~{}$<>]|&(?=#|\w))"
)
_LINE_START = re.compile(r"^(\d*)([-+=.)])")
_UNSAFE_IN_ADDRESS = re.compile(r"[^A-Za-z0-9\-._~:/?#@&=+,;%$]")


class Address(str):
    """An address that is safe in every format."""

    __slots__ = ()


def markdown(text: str) -> str:
    """Answer with a line that Markdown shows as it is, whatever dialect reads it."""
    escaped = _MARKUP.sub(_backslashed, tagless(plain(text)))
    return _LINE_START.sub(r"\1\\\2", escaped)


def _backslashed(found: re.Match[str]) -> str:
    return f"\\{found[0]}" if found["markup"] else found[0]


def hypertext(text: str) -> str:
    return html.escape(plain(text))


def address(text: str) -> Address | None:
    """Answer with a web address that can stand in every format, or None where it is none."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return None
    if not usable or len(text) > LONGEST_ADDRESS or SPACES.search(text):
        return None
    return Address(_UNSAFE_IN_ADDRESS.sub(lambda found: _percent(found[0]), text))


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))

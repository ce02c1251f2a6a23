"""Escapes hostile texts for each format: task names and error texts are what others wrote."""

import html
import re
from urllib.parse import urlsplit

from tmcwatch.domain.harmless import SPACES, plain

LONGEST_ADDRESS = 2_000

_MARKUP = re.compile(r"([\\`*_\[\]()#|~!{}$])")
_LINE_START = re.compile(r"^(\d*)([-+=.)])")
_UNSAFE_IN_ADDRESS = re.compile(r"[^A-Za-z0-9\-._~:/?#@&=+,;%$]")


class Address(str):
    """An address that is safe in every format."""

    __slots__ = ()


def markdown(text: str) -> str:
    """Answer with a line that Markdown shows as it is, whatever dialect reads it."""
    line = html.escape(plain(text), quote=False)
    return _LINE_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", line))


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

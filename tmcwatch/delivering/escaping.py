"""Makes hostile texts harmless: task names and error texts are what others wrote."""

import html
import re
from urllib.parse import urlsplit

LONGEST_ADDRESS = 2_000

_SPACES = re.compile(r"[\s\u2028\u2029\x1c-\x1f\x85]+")
# Controls, marks that turn the direction of the text around, invisible tags, lone surrogates.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
# Words and marks by which chats call people: `@here`, `<!channel>`, `<@U024BE7LH>`.
_CALLS = re.compile(r"(?i)[@\uff20](?=(?:everyone|here|channel|all)\b)|<(?=[!@#])")
_MARKUP = re.compile(r"([\\`*_\[\]()#|~!{}$])")
_LINE_START = re.compile(r"^(\d*)([-+=.)])")
_UNSAFE_IN_ADDRESS = re.compile(r"[^A-Za-z0-9\-._~:/?#@&=+,;%$]")


class Address(str):
    """An address that is safe in every format."""

    __slots__ = ()


def plain(text: str) -> str:
    """Answer with one line without controls, which cannot call people in a chat."""
    line = _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", _SPACES.sub(" ", text)).strip()
    return _CALLS.sub("\\g<0>\N{WORD JOINER}", line)


def markdown(text: str) -> str:
    """Answer with a line that Markdown shows as it is, whatever dialect reads it."""
    line = html.escape(plain(text), quote=False)
    return _LINE_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", line))


def hypertext(text: str) -> str:
    return html.escape(plain(text))


def cut(text: str, longest: int) -> str:
    """Answer with the beginning of a text; what is beyond is not even looked at."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def address(text: str) -> Address | None:
    """Answer with a web address that can stand in every format, or None where it is none."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return None
    if not usable or len(text) > LONGEST_ADDRESS or _SPACES.search(text):
        return None
    return Address(_UNSAFE_IN_ADDRESS.sub(lambda found: _percent(found[0]), text))


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))

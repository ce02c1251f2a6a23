"""The token, or another secret: from the configuration, or from a file that may be replaced."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

from tmcwatch.api.errors import TokenProblem

LONGEST_TOKEN = 16_384

_Result = TypeVar("_Result")
_Stamp = tuple[int, int, int]


class InThread(Protocol):
    """The one seam for what blocks: runs a function on a worker thread."""

    def __call__(self, function: Callable[[], _Result], /) -> Awaitable[_Result]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a request shows to be let in."""

    header: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """What no text may quote."""

    def hidden_in(self, text: str) -> str:
        for secret in self.secrets:
            for spelling in _spellings(secret):
                text = text.replace(spelling, "***")
        return text


def bearer(token: str) -> Credential:
    return Credential(header=f"Bearer {token}", secrets=(token,))


class Token(Protocol):
    """Where the client gets the token for each request."""

    async def current(self) -> str: ...

    async def reread(self, refused: str) -> bool:
        """Look again after a token was refused; tell whether there is another one now."""
        ...


class TokenText:
    """A token that was given as text."""

    def __init__(self, text: str, *, what: str = "token") -> None:
        self._text = checked(text, f"the {what}", what)

    def __repr__(self) -> str:
        return "TokenText(***)"

    async def current(self) -> str:
        return self._text

    async def reread(self, refused: str) -> bool:
        return self._text != refused


class TokenFile:
    """A token in a file, read again whenever the file was replaced or changed."""

    def __init__(self, path: Path, *, in_thread: InThread, what: str = "token") -> None:
        self._path = path
        self._what = what
        self._in_thread = in_thread
        self._text: str | None = None
        self._stamp: _Stamp | None = None

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r}, ***)"

    async def current(self) -> str:
        return await self._in_thread(self._current)

    async def reread(self, refused: str) -> bool:
        return await self._in_thread(self._read) != refused

    def _current(self) -> str:
        try:
            stamp = _stamp_of(self._path)
        except OSError as error:
            raise self._problem(error) from error
        if self._text is None or stamp != self._stamp:
            return self._read()
        return self._text

    def _read(self) -> str:
        try:
            # The stamp is taken first: a change between the two is then seen at the next look.
            stamp = _stamp_of(self._path)
            with self._path.open("rb") as file:
                text = file.read(LONGEST_TOKEN + 1).decode("utf-8-sig")
        except OSError as error:
            raise self._problem(error) from error
        except UnicodeDecodeError as error:
            # Not chained: the error holds the bytes.
            raise TokenProblem(self._what, f"{self._path} is not text ({error.reason})") from None
        self._text = checked(text, str(self._path), self._what)
        self._stamp = stamp
        return self._text

    def _problem(self, error: OSError) -> TokenProblem:
        return TokenProblem(self._what, f"cannot read {self._path}: {error.strerror or error}")


def _spellings(secret: str) -> tuple[str, ...]:
    """Answer with the ways in which JSON, an address or a page may write a text."""
    in_json = json.dumps(secret)[1:-1]
    return secret, in_json, in_json.replace("/", r"\/"), quote(secret, safe=""), escape(secret)


def _stamp_of(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def checked(text: str, source: str, what: str) -> str:
    """Answer with the bare token; a request must never fail with the token in its message."""
    token = text.strip()
    if not token:
        raise TokenProblem(what, f"{source} is empty")
    if len(token) > LONGEST_TOKEN:
        raise TokenProblem(what, f"{source} is too long for a {what}")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise TokenProblem(what, f"{source} holds characters that no {what} has")
    return token

"""The personal access token: from the configuration, or from a file that may be replaced."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

from tmcwatch.api.errors import TokenProblem

LONGEST_TOKEN = 16_384

_Result = TypeVar("_Result")
_Stamp = tuple[int, int, int]


class InThread(Protocol):
    """The one seam for what blocks: runs a function on a worker thread."""

    def __call__(self, function: Callable[[], _Result], /) -> Awaitable[_Result]: ...


class Token(Protocol):
    """Where the client gets the token for each request."""

    async def current(self) -> str: ...

    async def reread(self) -> bool:
        """Look again after a refusal; tell whether there is another token now."""
        ...


class TokenText:
    """A token that was given as text."""

    def __init__(self, text: str) -> None:
        self._text = _checked(text, "the token")

    def __repr__(self) -> str:
        return "TokenText(***)"

    async def current(self) -> str:
        return self._text

    async def reread(self) -> bool:
        return False


class TokenFile:
    """A token in a file, read again whenever the file was replaced or changed."""

    def __init__(self, path: Path, *, in_thread: InThread) -> None:
        self._path = path
        self._in_thread = in_thread
        self._text: str | None = None
        self._stamp: _Stamp | None = None

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r}, ***)"

    async def current(self) -> str:
        return await self._in_thread(self._current)

    async def reread(self) -> bool:
        before = self._text
        return await self._in_thread(self._read) != before

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
            raise TokenProblem("token", f"{self._path} is not text ({error.reason})") from None
        self._text = _checked(text, str(self._path))
        self._stamp = stamp
        return self._text

    def _problem(self, error: OSError) -> TokenProblem:
        return TokenProblem("token", f"cannot read {self._path}: {error.strerror or error}")


def _stamp_of(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _checked(text: str, source: str) -> str:
    """Answer with the bare token; a request must never fail with the token in its message."""
    token = text.strip()
    if not token:
        raise TokenProblem("token", f"{source} is empty")
    if len(token) > LONGEST_TOKEN:
        raise TokenProblem("token", f"{source} is too long for a token")
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise TokenProblem("token", f"{source} holds characters that no token has")
    return token

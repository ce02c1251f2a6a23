"""The body of an answer, read and inflated within limits of size and time."""

import zlib
from collections.abc import Iterator

import anyio
import httpx

from tmcwatch.api.errors import Unavailable

BODY_WITHIN = 30.0
"""Seconds for the whole body: the read timeout alone lets a trickle last for ever."""
PIECE = 64 * 1024
"""How much is inflated at once: a few bytes may stand for a thousand times as many."""
GZIP = 16 + zlib.MAX_WBITS
_PLAIN = frozenset({"", "identity"})
_GZIPPED = frozenset({"gzip", "x-gzip"})


async def read_body(operation: str, response: httpx.Response, *, most: int) -> bytes:
    """Read a body of at most so many bytes, sent or inflated; raises Unavailable beyond that."""
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > most:
        raise Unavailable(operation, f"the answer is too large: {announced} bytes")
    gzip = _gzip_of(operation, response)
    deadline = anyio.current_time() + BODY_WITHIN
    body = bytearray()
    received = 0
    async for chunk in _stream_of(response):
        received += len(chunk)
        for piece in gzip.pieces(chunk) if gzip else (chunk,):
            body += piece
            if max(len(body), received) > most:
                raise Unavailable(operation, f"the answer is too large: over {most} bytes")
        if anyio.current_time() > deadline:
            raise Unavailable(operation, f"the answer took over {BODY_WITHIN:.0f} s")
    if gzip and not gzip.is_whole:
        raise Unavailable(operation, "the answer is cut short: its gzip data do not end")
    return bytes(body)


class _Gzip:
    """Inflates piece by piece, so that no answer takes more memory than its limit and a piece."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._member = zlib.decompressobj(GZIP)
        self._has_begun = False

    @property
    def is_whole(self) -> bool:
        """Whether what was begun has ended; an empty body has nothing to end."""
        return self._member.eof or not self._has_begun

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        # The loop goes on without input, because a full piece may leave some inside zlib.
        piece = b""
        while chunk or len(piece) == PIECE:
            if self._member.eof:
                if not chunk:
                    return
                self._member = zlib.decompressobj(GZIP)
            self._has_begun = True
            piece = self._inflated(chunk)
            chunk = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            yield piece

    def _inflated(self, chunk: bytes) -> bytes:
        try:
            return self._member.decompress(chunk, PIECE)
        except zlib.error as error:
            raise Unavailable(self._operation, f"the answer is no valid gzip: {error}") from error


def _gzip_of(operation: str, response: httpx.Response) -> _Gzip | None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in _PLAIN:
        return None
    if encoding in _GZIPPED:
        return _Gzip(operation)
    raise Unavailable(operation, f"the answer is encoded as {encoding!r}, which was not asked for")


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    # Not `aiter_raw`, which refuses an answer that its transport holds in memory already.
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous client has asynchronous answers")
    return stream

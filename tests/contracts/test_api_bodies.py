"""Bodies that are too large, inflate too far or are not what was asked for, on real sockets."""

import gzip
import random
import tracemalloc
import zlib

import anyio
import httpx
import pytest

from tests.contracts.sockets import OK, ask, client_at, serving
from tmcwatch.api.body import PIECE, read_body
from tmcwatch.api.connection import MOST_BYTES, http_client
from tmcwatch.api.errors import ApiError, Unavailable

MEGABYTE = 2**20
LARGE = 50 * MEGABYTE
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = b"Content-Encoding: gzip\r\n"
IN_FLIGHT = 12 * MEGABYTE
"""More than the system's buffers of a connection hold."""


@pytest.fixture
def anyio_backend():
    """Run on the loop of production: sockets do not know virtual time."""
    return "asyncio"


class Sender:
    """Sends a large body, and counts what it could write of it."""

    def __init__(self, head: bytes, pieces) -> None:
        self._head = head
        self._pieces = pieces
        self.written = 0
        self.has_ended = anyio.Event()

    async def __call__(self, stream):
        try:
            await stream.send(self._head)
            for piece in self._pieces:
                await stream.send(piece)
                self.written += len(piece)
        finally:
            self.has_ended.set()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def whole(content: bytes, *, encoding: bytes = b"") -> bytes:
    return OK + encoding + b"Content-Length: %d\r\n\r\n" % len(content) + content


async def failure(answer) -> ApiError:
    async with serving(answer) as url, http_client(verify=False) as http:
        with pytest.raises(ApiError) as caught:
            await ask(client_at(url, http))
        if isinstance(answer, Sender):
            with anyio.fail_after(30):
                await answer.has_ended.wait()
        return caught.value


def answering(content: bytes):
    async def answer(stream):
        await stream.send(content)

    return answer


def bomb(size: int) -> bytes:
    """A gzip that inflates to so many bytes of nothing."""
    packer = zlib.compressobj(9, wbits=31)
    packed = [packer.compress(bytes(MEGABYTE)) for _ in range(size // MEGABYTE)]
    return b"".join(packed) + packer.flush()


async def test_a_large_answer_that_says_its_length_is_refused_unread():
    head = OK + b"Content-Length: %d\r\n\r\n" % LARGE
    sender = Sender(head, [b" " * MEGABYTE] * 50)
    assert "too large" in str(await failure(sender))
    print(f"written {sender.written:,} of {LARGE:,} bytes")
    assert sender.written < IN_FLIGHT


async def test_a_large_answer_without_a_length_is_left_at_the_limit():
    sender = Sender(OK + CHUNKED, [chunk(b" " * MEGABYTE)] * 50)
    assert "too large" in str(await failure(sender))
    print(f"written {sender.written:,} of {LARGE:,} bytes")
    assert MOST_BYTES <= sender.written < MOST_BYTES + IN_FLIGHT


async def test_a_bomb_takes_no_more_memory_than_the_limit():
    packed = bomb(4 * LARGE)
    assert len(packed) < MEGABYTE / 2
    tracemalloc.start()
    try:
        error = await failure(answering(whole(packed, encoding=GZIPPED)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"{len(packed):,} bytes for {4 * LARGE:,}: {peak:,} bytes of memory")
    assert isinstance(error, Unavailable)
    assert "too large" in str(error)
    assert peak < 1.5 * MOST_BYTES


async def test_a_bomb_in_an_error_takes_hardly_any_memory_and_the_status_is_told():
    packed = bomb(LARGE)
    refusal = whole(packed, encoding=GZIPPED).replace(b"200 OK", b"403 Forbidden")
    tracemalloc.start()
    try:
        error = await failure(answering(refusal))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.status == 403
    assert peak < 2 * MEGABYTE


@pytest.mark.uncounted
async def test_a_gzip_of_nothing_without_an_end_is_left_at_the_limit():
    empty = gzip.compress(b"", mtime=0)
    members = chunk(empty * (MEGABYTE // len(empty)))
    sender = Sender(OK + GZIPPED + CHUNKED, [members] * 50)
    assert "too large" in str(await failure(sender))
    assert sender.written < MOST_BYTES + IN_FLIGHT


@pytest.mark.parametrize(
    ("content", "encoding", "told"),
    [
        (gzip.compress(b"[" + b" " * 9_000 + b"]")[:-9], b"gzip", "cut short"),
        (b"[]", b"gzip", "no valid gzip"),
        (gzip.compress(b"[]") + b"more", b"gzip", "no valid gzip"),
        (b"[]", b"br", "encoded as 'br', which was not asked for"),
        (gzip.compress(gzip.compress(b"[]")), b"gzip, gzip", "not asked for"),
    ],
    ids=["cut", "plain", "trailing", "brotli", "twice"],
)
async def test_what_is_not_encoded_as_asked_for_is_told(content, encoding, told):
    head = b"Content-Encoding: " + encoding + b"\r\n"
    error = await failure(answering(whole(content, encoding=head)))
    assert isinstance(error, Unavailable)
    assert told in str(error)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
async def test_a_gzip_is_read_under_each_of_its_names(encoding):
    packed = gzip.compress(b"[") + gzip.compress(b"]")
    head = f"Content-Encoding: {encoding}\r\n".encode()
    async with serving(answering(whole(packed, encoding=head))) as url, http_client() as http:
        assert await ask(client_at(url, http)) == ()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 7])
@pytest.mark.parametrize("cut", [1_000, PIECE, 10 * PIECE])
@pytest.mark.parametrize("kind", ["noise", "blanks"])
async def test_a_gzip_is_inflated_whole_however_it_arrives(size, cut, kind):
    content = random.Random(size).randbytes(size) if kind == "noise" else b" " * size
    packed = gzip.compress(content)

    async def pieces():
        for start in range(0, len(packed), cut):
            yield packed[start : start + cut]

    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=pieces())
    assert await read_body("list", response, most=MOST_BYTES) == content


async def test_a_body_may_be_as_large_as_the_limit_and_no_larger():
    packed = gzip.compress(b" " * PIECE)
    headers = {"Content-Encoding": "gzip"}
    response = httpx.Response(200, headers=headers, stream=httpx.ByteStream(packed))
    assert len(await read_body("list", response, most=PIECE)) == PIECE
    response = httpx.Response(200, headers=headers, stream=httpx.ByteStream(packed))
    with pytest.raises(Unavailable, match="too large"):
        await read_body("list", response, most=PIECE - 1)

"""What every notifier that speaks HTTP needs: addresses, headers, a timeout, whom to trust."""

import re
import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit

import anyio
import httpx
from pydantic import AfterValidator, BeforeValidator, SecretStr

from tmcwatch.notifiers import Outside

LONGEST_TIMEOUT = timedelta(seconds=15)  # a send has 20 seconds in all
LONGEST_ANSWER = 64 * 1024
_FINISH_WITHIN = 0.5
_SHOWN_OF_ANSWER = 200
_LONG_ENOUGH = 4
"""A piece of a path or query this long may be a secret; a shorter one is a word like `api`."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_AMOUNT = r"([0-9]{1,9}(?:\.[0-9]+)?)(ms|[smhd])"


def _duration(written: object) -> object:
    if isinstance(written, str) and re.fullmatch(f"({_AMOUNT})+", written):
        found = re.findall(_AMOUNT, written)
        return timedelta(seconds=sum(float(amount) * _SECONDS[unit] for amount, unit in found))
    if isinstance(written, timedelta):
        return written
    raise ValueError("must be a duration such as 10s")


def _timeout(timeout: timedelta) -> timedelta:
    if not timedelta(0) < timeout <= LONGEST_TIMEOUT:
        raise ValueError("must be more than 0s and at most 15s")
    return timeout


def _address(secret: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or re.search(r"[\s\x00-\x1f]", secret.get_secret_value()):
        raise ValueError("must be an address like https://example.org/path")
    return secret


def _headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, text in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if not re.fullmatch(r"[\x20-\x7e\t]*", text.get_secret_value()):
            raise ValueError(f"{name}: the value may only hold printable ASCII")
    return headers


def _secret(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("must be printable ASCII characters without spaces")
    return secret


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Timeout = Annotated[timedelta, AfterValidator(_timeout), BeforeValidator(_duration)]
Address = Annotated[SecretStr, AfterValidator(_address)]
"""Of an endpoint; it may hold a secret in each of its parts."""
Headers = Annotated[dict[str, SecretStr], AfterValidator(_headers)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]


def client_trusting(
    ca_file: Path | None, outside: Outside, *, verify: bool = True
) -> httpx.AsyncClient:
    if verify and ca_file is None:
        return outside.http()
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return httpx.AsyncClient(verify=context)


def authority_problems(ca_file: Path | None) -> list[str]:
    if ca_file is None:
        return []
    try:
        ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        return [f"ca_file: {ca_file}: {error.strerror or error}"]
    return []


def in_words(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    """Say what failed by its kind, for its own text may hold the address."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


def one_line(text: str) -> str:
    return " ".join(re.sub(r"[^\x20-\x7e\xa0-\ud7ff]", " ", text).split())


def shown(answer: bytes, secrets: Iterable[str]) -> str:
    """Answer with the beginning of what a receiver says, without what it shares with us."""
    text = answer.decode(errors="replace")
    for hidden in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(hidden, "…")
    line = one_line(text)
    return f": {line[:_SHOWN_OF_ANSWER]}" if line else ""


def secrets_in(address: SplitResult, headers: Iterable[SecretStr]) -> list[str]:
    """Answer with what an answer may quote of an address and of headers, and no text of ours."""
    secrets = [text.get_secret_value() for text in headers]
    secrets += [word for text in secrets for word in text.split()]
    whole = [address.username or "", address.password or "", address.query, address.path]
    pieces = re.split(r"[/?&;=]", f"{address.path}?{address.query}")
    quoted = [*whole, *(piece for piece in pieces if len(piece) >= _LONG_ENOUGH)]
    return secrets + [spelling for text in quoted for spelling in _spellings(text)]


def _spellings(quoted: str) -> tuple[str, str, str]:
    """Answer with a part of an address as it is written, and as a server reads it."""
    return quoted, unquote(quoted), unquote_plus(quoted)


async def beginning(response: httpx.Response, *, longest: int = LONGEST_ANSWER) -> bytes:
    answer = b""
    try:
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) >= longest:
                break
    except httpx.HTTPError:
        pass  # the status is known, which is what counts
    return answer[:longest]


async def finish(response: httpx.Response) -> None:
    """Read what follows an accepted answer, if it is short and at hand.

    Only then can its connection carry the next message.
    """
    with anyio.move_on_after(_FINISH_WITHIN):
        await beginning(response)


def retry_after(response: httpx.Response, now: datetime) -> timedelta | None:
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return timedelta(seconds=int(text))
    try:
        return max(parsedate_to_datetime(text) - now, timedelta(0))
    except (ValueError, TypeError, OverflowError):
        return None

"""What every notifier that speaks HTTP needs: a timeout, whom to trust, an answer's beginning."""

import re
import ssl
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated

import anyio
import httpx
from pydantic import AfterValidator, BeforeValidator

from tmcwatch.notifiers import Outside

LONGEST_TIMEOUT = timedelta(seconds=15)  # a send has 20 seconds in all
LONGEST_ANSWER = 64 * 1024
_FINISH_WITHIN = 0.5
_SECONDS = {"ms": 0.001, "s": 1.0}


def _duration(written: object) -> object:
    if isinstance(written, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", written)):
        return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    if isinstance(written, timedelta):
        return written
    raise ValueError("must be a duration such as 10s")


def _timeout(timeout: timedelta) -> timedelta:
    if not timedelta(0) < timeout <= LONGEST_TIMEOUT:
        raise ValueError("must be more than 0s and at most 15s")
    return timeout


Timeout = Annotated[timedelta, AfterValidator(_timeout), BeforeValidator(_duration)]


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

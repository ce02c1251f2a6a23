"""Keeping a task of another service in step: what its fields say, and how it is asked."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from typing import Annotated
from urllib.parse import quote, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, JsonValue, SecretStr

from tmcwatch.domain.filling import TELLING_APART, fields_in, filled
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierError
from tmcwatch.notifiers.exchange import beginning, in_words, one_line, retry_after

LONGEST_TIMEOUT = timedelta(seconds=9)
"""A task may be read before it is written, and a send has 20 seconds in all."""
LONGEST_TASK = 1024 * 1024
USUAL = "{state}: {summary}"
"""What is written where the config does not say."""
_SHOWN_OF_ANSWER = 160
_SEARCHED_OF_ANSWER = 8 * 1024
_MOST_NAMED = 3
_WAIT = 429
_SERVER_ERROR = 500
_UNAUTHORIZED = 401


def _template(text: str) -> str:
    fields_in(text)
    return text


def _object(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for leaf in _leaves(value):
        if isinstance(leaf, str):
            fields_in(leaf)
        elif isinstance(leaf, float) and not isfinite(leaf):
            raise ValueError("may only hold finite numbers")
    return value


def _secret(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("may only hold printable ASCII characters without spaces")
    return secret


def _short(timeout: timedelta) -> timedelta:
    if timeout > LONGEST_TIMEOUT:
        raise ValueError("must be at most 9s")
    return timeout


Template = Annotated[str, AfterValidator(_template)]
Object = Annotated[dict[str, JsonValue], AfterValidator(_object)]
"""A JSON object whose texts are templates; all else in it is sent as it is."""
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Short = AfterValidator(_short)


def tells_when_over(fields: BaseModel) -> None:
    """Refuse fields without an `on_resolved` that would say the same once it is over."""
    leaves = list(_leaves(fields.model_dump(exclude_none=True)))
    named = {name for leaf in leaves if isinstance(leaf, str) for name in fields_in(leaf)}
    if leaves and named.isdisjoint(TELLING_APART):
        raise ValueError(
            "on_resolved is missing: without it on_firing is written again once it is over,"
            " which must then show it, such as by {state}"
        )


def _leaves(value: JsonValue) -> Iterator[JsonValue]:
    match value:
        case dict():
            for inner in value.values():
                yield from _leaves(inner)
        case list():
            for inner in value:
                yield from _leaves(inner)
        case _:
            yield value


def body_of(
    fields: BaseModel,
    message: Message,
    words: Words,
    *,
    longest: Mapping[str, int],
    lines: frozenset[str],
) -> dict[str, JsonValue]:
    """Fill in the fields that are configured; those in `lines` are one line, and never blank."""
    body: dict[str, JsonValue] = {}
    for name, value in fields.model_dump(exclude_none=True).items():

        def fill(template: str, longest: int = longest[name]) -> str:
            return filled(template, message, words, longest=longest)

        written = _mapped(value, fill)
        if name not in lines:
            body[name] = written
        elif line := _mapped(written, lambda text: " ".join(text.split())):
            body[name] = line
    return body


def _mapped(value: JsonValue, change: Callable[[str], str]) -> JsonValue:
    match value:
        case str():
            return change(value)
        case list():
            return [_mapped(inner, change) for inner in value]
        case dict():
            return {key: _mapped(inner, change) for key, inner in value.items()}
        case _:
            return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of another service, read and written at its address."""

    url: str
    client: httpx.AsyncClient
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """What an answer may quote, and no text of ours."""
    timeout: timedelta
    refusals: frozenset[int] = frozenset({_UNAUTHORIZED})
    """The answers that mean the credentials."""
    now: Callable[[], datetime]

    async def read(self) -> bytes:
        """Answer with what the service says of the task, of a bounded length."""
        answer = await self._exchange("GET", None)
        if len(answer) > LONGEST_TASK:
            raise NotifierError(f"{self.what('GET')}: the answer is too long", permanent=True)
        return answer

    async def write(self, body: Mapping[str, JsonValue]) -> str:
        """Change the fields of `body` alone; answers with what was done, for a receipt."""
        await self._exchange("PUT", body)
        return f"{', '.join(body)} written at {urlsplit(self.url).hostname}"

    async def _exchange(self, method: str, body: Mapping[str, JsonValue] | None) -> bytes:
        headers = dict(self.headers) | {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # the size of an answer is limited as it arrives
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self.client.stream(
                method,
                self.url,
                content=None if body is None else json.dumps(body),
                headers=headers,
                timeout=httpx.Timeout(self.timeout.total_seconds()),
                follow_redirects=False,
            ) as response:
                if not response.is_success:
                    raise self._refusal(method, body or {}, response, await beginning(response))
                # A task that was written is written, whatever follows the status.
                return b"" if body else await beginning(response, longest=LONGEST_TASK + 1)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            text = f"{self.what(method)}: {in_words(error)}"
            raise NotifierError(text, permanent=False) from error

    def _refusal(
        self,
        method: str,
        body: Mapping[str, JsonValue],
        response: httpx.Response,
        answer: bytes,
    ) -> NotifierError:
        status = response.status_code
        said = self._without_secrets(answer.decode(errors="replace"))
        named = ", ".join(named_fields(said[:_SEARCHED_OF_ANSWER], body)[:_MOST_NAMED])
        shown = one_line(said)[:_SHOWN_OF_ANSWER]
        asks_to_wait = status == _WAIT or status >= _SERVER_ERROR
        parts = (f"answered {status}" + (f" about {named}" if named else ""), shown)
        return NotifierError(
            f"{self.what(method)}: {': '.join(filter(None, parts))}",
            permanent=not asks_to_wait,
            authentication=status in self.refusals,
            retry_after=retry_after(response, self.now()) if asks_to_wait else None,
        )

    def what(self, method: str) -> str:
        """Name a request as errors do, without anything secret."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}: {method} {parts.path}"

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(self.secrets, key=len, reverse=True):
            in_json = json.dumps(secret)[1:-1]
            for spelling in (secret, in_json, in_json.replace("/", r"\/"), quote(secret, safe="")):
                text = text.replace(spelling, "…")
        return text


def named_fields(answer: str, body: Mapping[str, JsonValue]) -> list[str]:
    """Answer with the fields of `body` that an answer names, whatever its form.

    Names in quotes are keys or values of their own; only without such, words in sentences count.
    """
    paths = list(_paths(body))
    for pattern in (r"[\"'](?:[\w.\[\]/-]*[./\[])?{}[\"'.\[\]/]", r"(?<!\w){}(?!\w)"):
        named = [
            ".".join(path)
            for path in paths
            if re.search(pattern.format(re.escape(path[-1])), answer)
        ]
        if named:
            nested = {name.split(".", 1)[0] for name in named if "." in name}
            return [name for name in named if name not in nested]
    return []


def _paths(body: Mapping[str, JsonValue]) -> Iterator[tuple[str, ...]]:
    """Give the fields, and those inside an object, which a service may name alone."""
    for name, value in body.items():
        yield (name,)
        if isinstance(value, dict):
            yield from ((name, inner) for inner in value)

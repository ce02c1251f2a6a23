"""Mirrors what fires in Alertmanager (API v2), each alert by its label set, on every peer."""

import json
from collections import deque
from collections.abc import Sequence
from datetime import timedelta

import httpx

from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import Notifier, NotifierError, Outside, Receipt
from tmcwatch.notifiers.alertmanager.options import Options
from tmcwatch.notifiers.alertmanager.stated import Stated, stated
from tmcwatch.notifiers.exchange import (
    authority_problems,
    beginning,
    client_trusting,
    finish,
    in_words,
    retry_after,
    secrets_in,
    shown,
)

IDEMPOTENT = True

MOST_REQUESTS = 64
"""In one send: enough to find some bad alerts among five hundred by halving."""
_PATH = "/api/v2/alerts"
_BAD_ALERT = 400
_PERMANENT = {_BAD_ALERT, 401, 403, 404, 410}
_AUTHENTICATION = {401, 403}
_ASKS_TO_WAIT = {429, 503}


class _BadAlertError(NotifierError):
    """Alertmanager refuses one of the alerts of a request."""


class Alertmanager:
    """One peer."""

    def __init__(self, options: Options, outside: Outside) -> None:
        self._options = options
        self._now = outside.now
        self._client = client_trusting(options.ca_file, outside, verify=options.verify)
        parts = options.parts
        self._host = parts.hostname or ""
        self._url = parts._replace(path=parts.path.rstrip("/") + _PATH).geturl()
        self._auth = _auth(options)
        self._hidden = _hidden(options)

    async def send(self, message: Message, words: Words) -> Receipt:  # noqa: ARG002 - facts, not prose
        now, link = self._now(), message.external_url
        until = now + self._options.lasts
        pushed = [stated(alert, now=now, until=until, link=link) for alert in message.alerts]
        refused = await self._push(pushed)
        if refused is None:
            return Receipt(text=f"{len(pushed)} accepted by {self._host}")
        raise refused

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _push(self, pushed: Sequence[Stated]) -> NotifierError | None:
        """Push all but those that are refused, found by halving; answers with what was said."""
        waiting, refused = deque([pushed]), None
        for _ in range(MOST_REQUESTS):
            if not waiting:
                break
            portion = waiting.popleft()
            try:
                await self._post(portion)
            except _BadAlertError as error:
                refused = error
                if len(portion) > 1:
                    middle = len(portion) // 2
                    waiting += [portion[:middle], portion[middle:]]
        return refused

    async def _post(self, portion: Sequence[Stated]) -> None:
        try:
            async with self._client.stream(
                "POST",
                self._url,
                content=json.dumps(portion).encode(),
                headers=self._headers(),
                auth=self._auth,
                timeout=httpx.Timeout(self._options.timeout.total_seconds()),
                follow_redirects=False,
            ) as response:
                if not response.is_success:
                    raise await self._refusal(response)
                await finish(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotifierError(f"{self._host}: {in_words(error)}", permanent=False) from error

    def _headers(self) -> httpx.Headers:
        given = {name: text.get_secret_value() for name, text in self._options.headers.items()}
        headers = httpx.Headers(given)
        headers.update({"Content-Type": "application/json", "Accept-Encoding": "identity"})
        if self._options.bearer_token is not None:
            token = self._options.bearer_token.get_secret_value()
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def _refusal(self, response: httpx.Response) -> NotifierError:
        status = response.status_code
        if response.is_redirect:
            text = f"{self._host}: {status}: it redirects elsewhere, which is not followed"
            return NotifierError(text, permanent=True)
        said = shown(await beginning(response), self._hidden)
        kind = _BadAlertError if status == _BAD_ALERT else NotifierError
        return kind(
            f"{self._host}: answered {status}{said}",
            permanent=status in _PERMANENT,
            authentication=status in _AUTHENTICATION,
            retry_after=retry_after(response, self._now()) if status in _ASKS_TO_WAIT else None,
        )


def _auth(options: Options) -> httpx.BasicAuth | None:
    if options.username is None or options.password is None:
        return None
    return httpx.BasicAuth(options.username, options.password.get_secret_value())


def _hidden(options: Options) -> list[str]:
    given = (options.password, options.bearer_token)
    secrets = [secret.get_secret_value() for secret in given if secret is not None]
    return secrets_in(options.parts, options.headers.values()) + secrets


def targets(options: Options) -> tuple[tuple[str, Options], ...]:
    """Answer with one target per peer, so that one that is away delays no other."""
    return tuple(
        (f"alertmanager-{number}", options.model_copy(update={"urls": (url,)}))
        for number, url in enumerate(options.urls)
    )


def mirrors(options: Options) -> timedelta:
    """Answer with how often all that fires is to be pushed again."""
    return options.every


def build(options: Options, outside: Outside) -> Notifier:
    return Alertmanager(options, outside)


def problems(options: Options) -> list[str]:
    return authority_problems(options.ca_file)

"""Tells any HTTP endpoint, in Alertmanager's webhook format, under a key that shows repeats."""

import json

import httpx

from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import Notifier, NotifierError, Outside, Receipt
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
from tmcwatch.notifiers.webhook.options import Options
from tmcwatch.notifiers.webhook.payload import payload
from tmcwatch.notifiers.webhook.signing import SecretProblem, secret_in, signature
from tmcwatch.telemetry.redaction import redact

IDEMPOTENT = True
READS = "title"

_PERMANENT = {400, 401, 403, 404, 410}
_AUTHENTICATION = {401, 403}
_ASKS_TO_WAIT = {429, 503}


class Webhook:
    def __init__(self, options: Options, outside: Outside) -> None:
        self._options = options
        self._now = outside.now
        self._in_thread = outside.in_thread
        self._client = client_trusting(options.ca_file, outside, verify=options.verify)
        self._host = options.parts.hostname or ""

    async def send(self, message: Message, words: Words) -> Receipt:
        body = json.dumps(payload(message, words)).encode()
        secret = await self._secret()
        try:
            async with self._client.stream(
                "POST",
                self._options.url.get_secret_value(),
                content=body,
                headers=self._headers(message.key, body, secret),
                timeout=httpx.Timeout(self._options.timeout.total_seconds()),
                follow_redirects=False,
            ) as response:
                return await self._receipt(response, secret)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotifierError(f"{self._host}: {in_words(error)}", permanent=False) from error

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _secret(self) -> bytes | None:
        """Answer with what to sign by; a file is read each time, so that a new one counts."""
        if self._options.hmac_secret is not None:
            return self._options.hmac_secret.get_secret_value().encode()
        if self._options.hmac_secret_file is None:
            return None
        try:
            secret = await self._in_thread(secret_in, self._options.hmac_secret_file)
        except SecretProblem as problem:
            text = f"{self._host}: hmac_secret_file: {problem}"
            raise NotifierError(text, permanent=False) from problem
        redact(secret.decode(errors="replace"))
        return secret

    def _headers(self, key: str, body: bytes, secret: bytes | None) -> httpx.Headers:
        given = {name: text.get_secret_value() for name, text in self._options.headers.items()}
        headers = httpx.Headers(given)
        headers.update(
            {
                "Content-Type": "application/json",
                "Idempotency-Key": key,
                "Accept-Encoding": "identity",  # the size of an answer is limited as it arrives
            }
        )
        if secret is not None:
            headers.update(signature(secret, key=key, body=body, at=self._now()))
        return headers

    async def _receipt(self, response: httpx.Response, secret: bytes | None) -> Receipt:
        """Answer with a receipt as soon as the status says accepted, whatever follows it."""
        status = response.status_code
        if response.is_success:
            await finish(response)
            return Receipt(text=f"{status} from {self._host}")
        if response.is_redirect:
            text = f"{self._host}: {status}: it redirects elsewhere, which is not followed"
            raise NotifierError(text, permanent=True)
        hidden = secrets_in(self._options.parts, self._options.headers.values())
        said = shown(
            await beginning(response), [*hidden, (secret or b"").decode(errors="replace")]
        )
        raise NotifierError(
            f"{self._host}: answered {status}{said}",
            permanent=status in _PERMANENT,
            authentication=status in _AUTHENTICATION,
            retry_after=retry_after(response, self._now()) if status in _ASKS_TO_WAIT else None,
        )


def build(options: Options, outside: Outside) -> Notifier:
    return Webhook(options, outside)


def problems(options: Options) -> list[str]:
    return authority_problems(options.ca_file)

"""Tells any HTTP endpoint, in Alertmanager's webhook format, under a key that shows repeats."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from tmcwatch.domain.alert import Alert
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import Notifier, NotifierError, Outside, Receipt
from tmcwatch.notifiers.exchange import (
    Timeout,
    authority_problems,
    beginning,
    client_trusting,
    in_words,
    one_line,
    retry_after,
)

IDEMPOTENT = True

LONGEST_TEXT = 10_000
NOT_ENDED = "0001-01-01T00:00:00Z"
"""What Alertmanager says of an alert that still fires."""
_SHOWN_OF_ANSWER = 200
_PERMANENT = {400, 401, 403, 404, 410}
_AUTHENTICATION = {401, 403}
_ASKS_TO_WAIT = {429, 503}


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


class Options(BaseModel):
    """Where to post, and how to be trusted there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[SecretStr, AfterValidator(_address)]
    headers: Annotated[dict[str, SecretStr], AfterValidator(_headers)] = {}
    timeout: Timeout = timedelta(seconds=10)
    verify: bool = True
    ca_file: Path | None = None

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url.get_secret_value())


class Webhook:
    def __init__(self, options: Options, outside: Outside) -> None:
        self._options = options
        self._now = outside.now
        self._client = client_trusting(options.ca_file, outside, verify=options.verify)
        self._host = options.parts.hostname or ""

    async def send(self, message: Message, words: Words) -> Receipt:
        given = {name: text.get_secret_value() for name, text in self._options.headers.items()}
        headers = httpx.Headers(given)
        headers.update(
            {
                "Content-Type": "application/json",
                "Idempotency-Key": message.key,
                "Accept-Encoding": "identity",  # the size of an answer is limited as it arrives
            }
        )
        try:
            async with self._client.stream(
                "POST",
                self._options.url.get_secret_value(),
                content=json.dumps(payload(message, words)),
                headers=headers,
                timeout=httpx.Timeout(self._options.timeout.total_seconds()),
                follow_redirects=False,
            ) as response:
                return await self._receipt(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotifierError(f"{self._host}: {in_words(error)}", permanent=False) from error

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _receipt(self, response: httpx.Response) -> Receipt:
        """Answer with a receipt as soon as the status says accepted, whatever follows it."""
        status = response.status_code
        if response.is_success:
            return Receipt(text=f"{status} from {self._host}")
        if response.is_redirect:
            text = f"{self._host}: {status}: it redirects elsewhere, which is not followed"
            raise NotifierError(text, permanent=True)
        shown = self._shown(await beginning(response))
        raise NotifierError(
            f"{self._host}: answered {status}{shown}",
            permanent=status in _PERMANENT,
            authentication=status in _AUTHENTICATION,
            retry_after=retry_after(response, self._now()) if status in _ASKS_TO_WAIT else None,
        )

    def _shown(self, answer: bytes) -> str:
        """Answer with the beginning of what the receiver says, without what we sent it."""
        parts = self._options.parts
        secrets = [text.get_secret_value() for text in self._options.headers.values()]
        secrets += [word for text in secrets for word in text.split()]
        secrets += [parts.username or "", parts.password or "", parts.query]
        secrets += [parts.path, *parts.path.split("/"), *parts.query.split("=")]
        text = answer.decode(errors="replace")
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = text.replace(secret, "…")
        line = one_line(text)
        return f": {line[:_SHOWN_OF_ANSWER]}" if line else ""


def payload(message: Message, words: Words) -> dict[str, object]:
    """Answer with the message as Alertmanager's webhook says it, and what we know beyond that."""
    return {
        "version": "4",
        "groupKey": _clean(message.group_key),
        "truncatedAlerts": 0,
        "status": message.status.value,
        "receiver": _clean(message.receiver),
        "groupLabels": _texts(message.group_labels),
        "commonLabels": _in_common([_labels(alert) for alert in message.alerts]),
        "commonAnnotations": _in_common([_texts(alert.annotations) for alert in message.alerts]),
        "externalURL": _clean(message.external_url),
        "alerts": [_alert(alert) for alert in message.alerts],
        "tmcwatch": {
            "messageKey": _clean(message.key),
            "toldBefore": message.told_before,
            "title": _clean(words.title),
            "counts": {_clean(alert.id): alert.count for alert in message.alerts},
            "endReasons": {
                _clean(alert.id): alert.end_reason.value
                for alert in message.alerts
                if alert.end_reason
            },
        },
    }


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "status": alert.status.value,
        "labels": _labels(alert),
        "annotations": _texts(alert.annotations),
        "startsAt": _moment(alert.starts_at),
        "endsAt": _moment(alert.ends_at) if alert.ends_at else NOT_ENDED,
        "generatorURL": _clean(alert.annotations.get("link", "")),
        "fingerprint": _clean(alert.id),
    }


def _labels(alert: Alert) -> dict[str, str]:
    return {"alertname": _clean(alert.rule), **_texts(alert.labels)}


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {_clean(name): _clean(text) for name, text in texts.items()}


def _clean(text: str) -> str:
    """Cut, and without lone surrogates, which strict readers of JSON refuse."""
    cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return cut.encode(errors="replace").decode()


def _in_common(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    shared = set.intersection(*(set(mapping.items()) for mapping in mappings)) if mappings else ()
    return dict(sorted(shared))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def build(options: Options, outside: Outside) -> Notifier:
    return Webhook(options, outside)


def problems(options: Options) -> list[str]:
    return authority_problems(options.ca_file)

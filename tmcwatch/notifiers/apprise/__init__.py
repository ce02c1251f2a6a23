"""Tells Slack, e-mail, Teams and a hundred other services, each by an Apprise URL."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator

from tmcwatch.domain.alert import Severity, Status
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import Notifier, NotifierError, Outside, Receipt
from tmcwatch.notifiers.apprise.fitting import Fitting
from tmcwatch.notifiers.apprise.mail import LOGIN, Mailing, Reply, replies, troubles

IDEMPOTENT = False
READS = "title"
"""What fits a service is put into words for it alone."""

READ_WITHIN = 10.0
CONNECT_WITHIN = 5.0
SEND_WITHIN = 16.0  # inside the 20 seconds that a send has, so that its thread ends before them
LONG_ENOUGH = 6
"""A part of a URL this long may be a secret; a shorter one is a word like `mailto`."""
_DEBUG = 10
_SERIOUS = frozenset({"WARNING", "ERROR", "CRITICAL"})
_TONES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


class Options(BaseModel):
    """The services to tell; a bare list of URLs will do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: tuple[SecretStr, ...]

    @model_validator(mode="before")
    @classmethod
    def _from_bare_list(cls, given: object) -> object:
        return {"urls": given} if isinstance(given, list | tuple) else given

    @field_validator("urls")
    @classmethod
    def _each_with_a_scheme(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not urls:
            raise ValueError("must name at least one URL")
        for number, url in enumerate(urls):
            if not re.match(r"[A-Za-z0-9]{1,20}://", url.get_secret_value()):
                raise ValueError(f"[{number}] must be a URL such as slack://… or mailto://…")
        return urls


class AppriseNotifier:
    """One service, with an Apprise object of its own: another that hangs does not delay it."""

    def __init__(self, url: str, outside: Outside) -> None:
        self._in_thread = outside.in_thread
        service = _service(url)
        self._apprise = _alone(service)
        self._name = str(service.service_name)
        self._fitting = Fitting(service)
        self._mailing = Mailing(service) if self._name == "E-Mail" else None
        parts = [part for part in re.split(r"[/:@?&=]+", url) if len(part) >= LONG_ENOUGH]
        # As they are written, and as Apprise and the service read them.
        spellings = {spelling for part in parts for spelling in (part, unquote(part))}
        self._secrets = sorted(spellings, key=len, reverse=True)

    async def send(self, message: Message, words: Words) -> Receipt:
        result = await self._in_thread(self._notify, message, words)
        if result:
            return Receipt(text=f"accepted by {self._name}")
        said = _said(result)
        for secret in self._secrets:
            said = said.replace(secret, "…")
        raise _refusal(f"{self._name}: {said}", list(replies(_lines(result))))

    def _notify(self, message: Message, words: Words) -> Any:  # noqa: ANN401 - apprise's own result
        over = message.status is Status.RESOLVED
        letter = self._fitting.letter(words)
        if self._mailing:
            self._mailing.prepare(message, words)
        result = self._apprise.notify(
            title=letter.title,
            body=letter.body,
            body_format=letter.body_format,
            notify_type="success" if over else _TONES[message.severity],
            interpret_escapes=False,
            timeout=SEND_WITHIN,
            # Only there it says what a mail server replied; of other services it may tell secrets.
            log_level=_DEBUG if self._mailing else None,
        )
        if self._mailing:
            self._mailing.note(message, _lines(result))
        return result

    async def aclose(self) -> None:
        return None


def _service(url: str) -> Any:  # noqa: ANN401 - apprise's own
    # Imported here: it takes half a second and 29 MiB, which only its users should pay.
    import apprise  # noqa: PLC0415

    asset = apprise.AppriseAsset(
        app_id="tmcwatch",
        app_desc="tmcwatch",
        app_url="",
        image_url_mask="",  # no pictures of Apprise
        interpret_escapes=False,
        interpret_emojis=False,
        secure_logging=True,
    )
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise ValueError("no service has a URL like this")
    if not re.search(r"[?&]rto=", url):
        service.socket_read_timeout = READ_WITHIN
    if not re.search(r"[?&]cto=", url):
        service.socket_connect_timeout = CONNECT_WITHIN
    if not re.search(r"[?&]overflow=", url):
        # What is still too long would be refused by the service, again and again.
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return service


def _alone(service: Any) -> Any:  # noqa: ANN401 - apprise's own
    """Answer with an Apprise object for one service."""
    import apprise  # noqa: PLC0415 - see above

    whole = apprise.Apprise(asset=service.asset)
    whole.add(service)
    return whole


def _refusal(text: str, replied: Sequence[Reply]) -> NotifierError:
    """Judge by what a mail server replied; other services say nothing that could be judged."""
    login = any(reply.number in LOGIN for reply in replied)
    final = bool(replied) and all(reply.is_final for reply in replied)
    return NotifierError(text, permanent=final and not login, authentication=login)


def _said(result: Any) -> str:  # noqa: ANN401 - apprise's own result
    """Answer with what the service's plug-in said, which names no address."""
    warnings = [line for line in _lines(result, _SERIOUS) if "://" not in line]
    lines = dict.fromkeys([*troubles(_lines(result)), *warnings])
    return "; ".join(lines)[:300] or f"not accepted ({result.status.name.lower()})"


def _lines(
    result: Any,  # noqa: ANN401 - apprise's own result
    levels: frozenset[str] | None = None,
) -> list[str]:
    said = [entry for entry in result.logs() if levels is None or entry.level in levels]
    return [" ".join(str(entry.message).split()) for entry in said]


def targets(options: Options) -> tuple[tuple[str, Options], ...]:
    """Answer with one target per URL, so that one that fails does not repeat the others."""
    return tuple(
        (f"apprise-{number}", Options(urls=(url,))) for number, url in enumerate(options.urls)
    )


def build(options: Options, outside: Outside) -> Notifier:
    (url,) = options.urls
    return AppriseNotifier(url.get_secret_value(), outside)


def problems(options: Options) -> list[str]:
    """Compile every URL; the texts say which one by its place, for a URL is a secret."""
    wrong = []
    for number, url in enumerate(options.urls):
        try:
            _service(url.get_secret_value())
        except ValueError as error:
            scheme = url.get_secret_value().split("://", 1)[0]
            wrong.append(f"[{number}]: {scheme}://…: {error}")
    return wrong

"""The ways to tell: what a notifier is, and the kinds there are, imported when first used."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, TypeVar, TypeVarTuple, cast

import httpx
from pydantic import BaseModel

from tmcwatch.domain.message import Message, Words

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

GROUP = "tmcwatch.notifiers"
"""The entry point group by which other packages add kinds: `name = "dotted.module"`."""

_BUILT_IN = {
    "apprise": "tmcwatch.notifiers.apprise",
    "log": "tmcwatch.notifiers.log",
    "services_api": "tmcwatch.notifiers.services_api",
    "tallyfy": "tmcwatch.notifiers.tallyfy",
    "webhook": "tmcwatch.notifiers.webhook",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receiver said when it accepted a message."""

    text: str


class NotifierError(Exception):
    """A message was not accepted; `permanent` says that another attempt cannot help.

    Its text is shown and stored: it names the host, never an address or a secret.
    """

    def __init__(
        self,
        text: str,
        *,
        permanent: bool,
        retry_after: timedelta | None = None,
        authentication: bool = False,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.permanent = permanent
        self.retry_after = retry_after
        self.authentication = authentication


class Notifier(Protocol):
    async def send(self, message: Message, words: Words) -> Receipt:
        """Tell it once. Raises NotifierError where it was not accepted."""
        ...

    async def aclose(self) -> None: ...


class InThread(Protocol):
    """Runs what blocks on a worker thread."""

    def __call__(
        self, work: Callable[[*Arguments], Result], /, *args: *Arguments
    ) -> Awaitable[Result]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What notifiers need of the world."""

    http: Callable[[], httpx.AsyncClient]
    """Makes a new client, which the notifier closes."""
    in_thread: InThread
    now: Callable[[], datetime]


class Kind(Protocol):
    """A module that holds a kind of notifier."""

    Options: type[BaseModel]
    IDEMPOTENT: bool
    """Whether a receiver that gets a message twice can tell by its key."""

    def build(self, options: BaseModel, outside: Outside) -> Notifier: ...

    def problems(self, options: BaseModel) -> list[str]:
        """Say what is wrong with options of the right form, such as an address no service has."""
        ...


def _kinds() -> dict[str, str]:
    others = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    return others | _BUILT_IN


KINDS: Mapping[str, str] = _kinds()
"""Kind to dotted module; a built-in kind cannot be replaced."""


def options_of(kind: str) -> type[BaseModel]:
    return _module(kind).Options


def is_idempotent(kind: str) -> bool:
    return _module(kind).IDEMPOTENT


def build(kind: str, options: BaseModel, outside: Outside) -> Notifier:
    return _module(kind).build(options, outside)


def check(kind: str, options: BaseModel) -> list[str]:
    """Answer with what is wrong with options of the right form; imports what the kind needs."""
    return _module(kind).problems(options)


def targets(kind: str, options: BaseModel) -> tuple[tuple[str, BaseModel], ...]:
    """Split options into independent targets, so that one that fails repeats no other."""
    split = getattr(_module(kind), "targets", None)
    return ((kind, options),) if split is None else tuple(split(options))


def _module(kind: str) -> Kind:
    return cast(Kind, import_module(KINDS[kind]))

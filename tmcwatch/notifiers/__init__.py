"""The ways to tell: what a notifier is, and the kinds there are, imported when first used."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Protocol, TypeVar, TypeVarTuple, cast

import anyio
import httpx
import structlog
from pydantic import AfterValidator, BaseModel, ValidationInfo

from tmcwatch.domain.message import Message, Wish, Words

# Not `log`: that is the name of a kind, whose module would take its place once it is imported.
_logger = structlog.get_logger()

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

PARTS = ("IDEMPOTENT", "Options", "build", "problems")
"""What the module of a kind must have; it may have `targets`, `mirrors`, `READS`, `ONE_BY_ONE`."""
_WORDS = ("title", "text", "markdown", "html")
CLOSE_WITHIN = 5.0
_LONGEST_REASON = 300
_LONGEST_WAIT = timedelta(days=36_500)

GROUP = "tmcwatch.notifiers"
"""The entry point group by which other packages add kinds: `name = "dotted.module"`."""

_BUILT_IN = {
    "alertmanager": "tmcwatch.notifiers.alertmanager",
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

    def __post_init__(self) -> None:
        # Other packages make receipts, too, and may not check their types.
        if not isinstance(self.text, str):
            raise TypeError("the text of a receipt must be a text")
        object.__setattr__(self, "text", _storable(self.text))


def _storable(text: str) -> str:
    """Answer with a text without halves of characters, which no store takes."""
    return text.encode(errors="replace").decode()


def _bounded(wait: timedelta) -> timedelta:
    """Answer with a wait that a calendar can hold: a message is given up long before."""
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)


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
        if retry_after is not None and not isinstance(retry_after, timedelta):
            raise TypeError("retry_after must be a timedelta")
        self.text = _storable(str(text))
        self.permanent = permanent
        self.retry_after = None if retry_after is None else _bounded(retry_after)
        self.authentication = authentication


class NotifierCrashed(NotifierError):
    """A notifier failed in a way of its own: a bug, which another attempt may not meet."""

    def __init__(self, kind: str, error: Exception) -> None:
        # Without the error's own text, which may hold a secret; the log has it, redacted.
        super().__init__(f"the notifier {kind!r} crashed: {type(error).__name__}", permanent=False)


class KindError(Exception):
    """A kind of notifier that cannot be used; the text names it and says why."""


class Notifier(Protocol):
    async def send(self, message: Message, words: Words) -> Receipt:
        """Tell it once. Raises NotifierError where it was not accepted."""
        ...

    async def aclose(self) -> None: ...


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return folder / path if isinstance(folder, Path) else path


FileName = Annotated[Path, AfterValidator(_from_folder)]
"""A file among the options: a relative path starts at the folder of the config file."""


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
    return bool(_module(kind).IDEMPOTENT)


def is_one_by_one(kind: str) -> bool:
    """Tell whether a kind keeps what it was told last, so that no message may overtake another."""
    return bool(getattr(_module(kind), "ONE_BY_ONE", False))


def wish_of(kind: str) -> Wish:
    """Answer with which words a kind reads: those that its module names as `READS`, else all."""
    return Wish(only=getattr(_module(kind), "READS", None))


def mirrored_every(kind: str, options: BaseModel) -> timedelta | None:
    """Answer with how often a mirror is shown the state; None for a kind that is told messages.

    A kind is a mirror if its module has `mirrors(options)`.
    """
    mirrors = getattr(_module(kind), "mirrors", None)
    if mirrors is None:
        return None
    every = mirrors(options)
    if not isinstance(every, timedelta) or every <= timedelta(0):
        raise TypeError("mirrors must answer with a timedelta of more than 0")
    return every


def build(kind: str, options: BaseModel, outside: Outside) -> Notifier:
    """Make a notifier whose failures, whatever they are, are told as NotifierError."""
    try:
        notifier = _module(kind).build(options, outside)
    except Exception as error:  # another package's code may fail in any way
        _logger.exception("notifier_not_built", kind=kind)
        return _Unbuilt(kind, error)
    return _Guarded(kind, notifier)


def check(kind: str, options: BaseModel) -> list[str]:
    """Answer with what is wrong with options of the right form; imports what the kind needs.

    Raises KindError where the kind itself fails.
    """
    try:
        found = [str(problem) for problem in _module(kind).problems(options)]
        if not found:
            targets(kind, options)
            mirrored_every(kind, options)
    except KindError:
        raise
    except Exception as error:
        problem = f"the notifier {kind!r} cannot check its options: {type(error).__name__}"
        raise KindError(problem) from error
    return found


def targets(kind: str, options: BaseModel) -> tuple[tuple[str, BaseModel], ...]:
    """Split options into independent targets, so that one that fails repeats no other."""
    split = getattr(_module(kind), "targets", None)
    return ((kind, options),) if split is None else tuple(split(options))


def _module(kind: str) -> Kind:
    """Import a kind; raises KindError."""
    try:
        module = import_module(KINDS[kind])
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]
        raise KindError(f"the notifier {kind!r} cannot be loaded: {said}") from error
    missing = [part for part in PARTS if not hasattr(module, part)]
    if missing:
        raise KindError(f"the notifier {kind!r} has no {', '.join(missing)} in {KINDS[kind]}")
    if not (isinstance(module.Options, type) and issubclass(module.Options, BaseModel)):
        raise KindError(f"the notifier {kind!r} has Options that are no pydantic model")
    if getattr(module, "READS", None) not in (None, *_WORDS):
        raise KindError(f"the notifier {kind!r} READS none of {', '.join(_WORDS)}")
    return cast(Kind, module)


class _Guarded:
    """A notifier that may be anyone's: its bugs stop neither the others nor the process."""

    def __init__(self, kind: str, notifier: Notifier) -> None:
        self._kind = kind
        self._notifier = notifier

    async def send(self, message: Message, words: Words) -> Receipt:
        try:
            receipt: object = await self._notifier.send(message, words)
        except (NotifierError, TimeoutError):
            raise
        except Exception as error:
            _logger.exception("notifier_crashed", kind=self._kind, key=message.key)
            raise NotifierCrashed(self._kind, error) from error
        if isinstance(receipt, Receipt):
            return receipt
        # It refused nothing: to send it again would tell it twice.
        return Receipt(text=f"the notifier {self._kind!r} gave no receipt")

    async def aclose(self) -> None:
        try:
            with anyio.move_on_after(CLOSE_WITHIN):
                await self._notifier.aclose()
        except Exception:
            _logger.exception("notifier_not_closed", kind=self._kind)


class _Unbuilt:
    """Stands for a notifier that could not be made: what it should tell is postponed."""

    def __init__(self, kind: str, error: Exception) -> None:
        self._text = f"the notifier {kind!r} could not be built: {type(error).__name__}"

    async def send(self, message: Message, words: Words) -> Receipt:  # noqa: ARG002 - untold
        raise NotifierError(self._text, permanent=False)

    async def aclose(self) -> None:
        return None

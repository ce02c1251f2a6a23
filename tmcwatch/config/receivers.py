"""The receivers' part of the model: each kind of notifier brings a key and its options."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from tmcwatch.config.model import Config, Receiver
from tmcwatch.config.values import SOME

OWN_KEYS = frozenset(Receiver.model_fields)


def kinds() -> tuple[str, ...]:
    """Answer with every kind there is, those of other packages included."""
    # Imported here, because the notifiers import an HTTP client and most commands need none.
    from tmcwatch.notifiers import KINDS  # noqa: PLC0415

    return tuple(sorted(set(KINDS) - OWN_KEYS))


def kinds_in(receivers: object) -> frozenset[str]:
    """Answer with the kinds that a list of receivers, checked or not, uses."""
    mappings = receivers if isinstance(receivers, list) else []
    keys = {key for mapping in mappings if isinstance(mapping, dict) for key in mapping}
    return frozenset(keys & set(kinds()))


def options_of(kind: str) -> type[BaseModel]:
    from tmcwatch.notifiers import options_of as options  # noqa: PLC0415 - see above

    return options(kind)


def problems_of(kind: str, options: BaseModel) -> list[str]:
    from tmcwatch.notifiers import check  # noqa: PLC0415 - see above

    return check(kind, options)


def unusable_kinds(used: Iterable[str]) -> Mapping[str, str]:
    """Answer with the kinds whose package does not load, and why."""
    reasons = {}
    for kind in used:
        try:
            options_of(kind)
        except (ImportError, AttributeError) as error:
            reasons[kind] = f"the notifier {kind!r} cannot be loaded: {error}"
    return reasons


@cache
def config_model(used: frozenset[str]) -> type[Config]:
    """Answer with the model of the whole file for receivers of these kinds."""
    # By alias, because a kind need not be a Python name, nor differ from a method of the model.
    fields: dict[str, Any] = {
        f"kind_{number}": (options_of(kind) | None, Field(default=None, alias=kind))
        for number, kind in enumerate(sorted(used))
    }
    receiver = create_model("Receiver", __base__=Receiver, **fields)
    receivers: Any = (Annotated[tuple[receiver, ...], *SOME], ...)
    return create_model("Config", __base__=Config, receivers=receivers)

"""The receivers' part of the model: each kind of notifier brings a key and its options."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)

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


def receiver_files(config: Config) -> Iterator[tuple[Path, str]]:
    """Answer with each file that an option of a notifier names as one to read, and its key."""
    for i, receiver in enumerate(config.receivers):
        for kind, options in receiver.notifiers.items():
            for name, field in type(options).model_fields.items():
                value = getattr(options, name)
                key = field.alias or name
                if isinstance(value, Path) and key.endswith("_file"):
                    yield value, f"receivers[{i}].{kind}.{key}"


def options_of(kind: str) -> type[BaseModel]:
    from tmcwatch.notifiers import options_of as options  # noqa: PLC0415 - see above

    return options(kind)


def problems_of(kind: str, options: BaseModel) -> list[str]:
    from tmcwatch.notifiers import KindError, check  # noqa: PLC0415 - see above

    try:
        return check(kind, options)
    except KindError as error:
        return [str(error)]


def unusable_kinds(used: Iterable[str]) -> Mapping[str, str]:
    """Answer with the kinds whose package does not load, and why."""
    from tmcwatch.notifiers import KindError  # noqa: PLC0415 - see above

    reasons = {}
    for kind in used:
        try:
            options_of(kind)
        except KindError as error:
            reasons[kind] = str(error)
    return reasons


def _checked_options(kind: str) -> Any:  # noqa: ANN401 - a type made while running
    """Answer with the options of a kind; one whose check itself fails is wrong, and no crash."""

    def validated(value: object, validate: ValidatorFunctionWrapHandler) -> object:
        try:
            return validate(value)
        except (ValueError, AssertionError):  # pydantic's own, or what it makes one of its own
            raise
        except Exception as error:
            name = type(error).__name__
            raise ValueError(f"the notifier {kind!r} cannot check its options: {name}") from error

    return Annotated[options_of(kind), WrapValidator(validated)]


@cache
def config_model(used: frozenset[str]) -> type[Config]:
    """Answer with the model of the whole file for receivers of these kinds."""
    # By alias, because a kind need not be a Python name, nor differ from a method of the model.
    fields: dict[str, Any] = {
        f"kind_{number}": (_checked_options(kind) | None, Field(default=None, alias=kind))
        for number, kind in enumerate(sorted(used))
    }
    receiver = create_model("Receiver", __base__=Receiver, **fields)
    receivers: Any = (Annotated[tuple[receiver, ...], *SOME], ...)
    return create_model("Config", __base__=Config, receivers=receivers)

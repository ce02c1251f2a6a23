"""What a model has against a file, in the operator's words: what was found, what is allowed."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tmcwatch.config.document import Document
from tmcwatch.config.problems import WRONG, KeyPath, description, suggestion
from tmcwatch.config.receivers import OWN_KEYS, kinds

# By the beginning of pydantic's name of the error.
_ALLOWED = {
    "string_type": "a text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
}
_SERVICES = {
    **dict.fromkeys(("email", "mail", "smtp", "email_configs"), "mailtos"),
    **dict.fromkeys(("slack", "slack_configs"), "slack"),
    **dict.fromkeys(("teams", "msteams", "msteams_configs"), "workflows"),
    **dict.fromkeys(("pagerduty", "pagerduty_configs"), "pagerduty"),
    **dict.fromkeys(("opsgenie", "opsgenie_configs"), "opsgenie"),
    **dict.fromkeys(("telegram", "telegram_configs"), "tgram"),
    "discord": "discord",
}
"""What people who come from elsewhere write, and how the URL begins by which Apprise does it."""
_SECRET = frozenset({"token", "service_account", "proxy", "url", "external_url"})


def explained(
    error: ValidationError, document: Document, model: type[BaseModel]
) -> Iterator[tuple[KeyPath, str]]:
    """Answer with the place and the explanation of each error."""
    for details in error.errors(include_url=False):
        path = document.path_of(details["loc"])
        match details["type"]:
            case "extra_forbidden":
                yield path, _unknown_key(str(details["loc"][-1]), path, model)
            case "missing":
                yield path, "this key is missing"
            case _:
                text = _wrong_value(details, hidden=_is_hidden(path, document))
                yield at_item(path, text)


def at_item(path: KeyPath, text: str) -> tuple[KeyPath, str]:
    """Take the number of an item, with which a notifier's complaint may begin, into the path."""
    found = re.match(r"\[([0-9]{1,4})\]:?\s+", text)
    return (path, text) if found is None else ((*path, int(found[1])), text[found.end() :])


def _unknown_key(key: str, path: KeyPath, model: type[BaseModel]) -> str:
    keys = _keys_at(path[:-1], model)
    if path[0] == "receivers" and set(keys) >= OWN_KEYS:
        keys = [*OWN_KEYS, *kinds()]
        if key in _SERVICES:
            return f'unknown key; write it as a URL: apprise: ["{_SERVICES[key]}://…"]'
    return f"unknown key; allowed: {', '.join(sorted(keys))}.{suggestion(key, keys)}"


def _wrong_value(details: ErrorDetails, *, hidden: bool) -> str:
    context: dict[str, Any] = details.get("ctx", {})
    found, allowed = description(details["input"]), _allowed(details, context)
    if details["type"] == WRONG:
        found = context["found"]
    if details["type"] == "value_error":
        return allowed
    if hidden and isinstance(details["input"], str):
        return f"this value is not accepted; allowed: {allowed}"
    return f"found {found}; allowed: {allowed}"


def _allowed(details: ErrorDetails, context: dict[str, Any]) -> str:
    kind, message = details["type"], details["msg"]
    if kind == WRONG:
        return str(context["allowed"])
    if kind in {"literal_error", "enum"}:
        return str(context["expected"])
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    near = [text for start, text in _ALLOWED.items() if kind.startswith(start)]
    return near[0] if near else message.removeprefix("Input should be ")


def _is_hidden(path: KeyPath, document: Document) -> bool:
    """Tell whether the value here may hold a secret, and is not to be shown."""
    in_notifier = path[0:1] == ("receivers",) and len(path) > 2 and path[2] not in OWN_KEYS  # noqa: PLR2004
    from_outside = any(place[: len(path)] == path for place in document.filled_in)
    return in_notifier or from_outside or bool(_SECRET & set(path))


def _keys_at(path: KeyPath, model: type[BaseModel]) -> list[str]:
    here: type[BaseModel] | None = model
    for part in path:
        if here is not None and isinstance(part, str):
            fields = here.model_fields.items()
            found = [field for name, field in fields if (field.alias or name) == part]
            here = _model_in(found[0].annotation) if found else None
    if here is None:
        return []
    return [field.alias or name for name, field in here.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in models if model is not None), None)

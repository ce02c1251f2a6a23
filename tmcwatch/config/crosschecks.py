"""What no single value tells: names that must differ or exist, keys that exclude each other.

These look at the file as written, so that they speak even where a value elsewhere is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from tmcwatch.config.document import Plain
from tmcwatch.config.durations import duration_from
from tmcwatch.config.problems import KeyPath, suggestion

Found = Iterator[tuple[KeyPath, str]]
_Mappings = Iterator[tuple[KeyPath, Mapping[str, Plain]]]
_NO = frozenset({"false", "no", "off", "0", "n", "f"})


def crosschecks(config: Plain, kinds: Sequence[str]) -> Found:
    """Answer with where and why the parts of a file do not go together."""
    yield from chain(
        _repeated(config, ("accounts",), "name"),
        _repeated(config, ("receivers",), "name"),
        _repeated(config, ("rules",), "rule"),
        _repeated(config, ("http", "tokens"), "name"),
        _one_of(_mappings(config, ("accounts",)), ("region", "url")),
        _one_of(_mappings(config, ("accounts",)), ("token", "token_file", "service_account")),
        _one_of(_service_accounts(config), ("secret", "secret_file")),
        _one_of(_mappings(config, ("http", "tokens")), ("token", "file")),
        _nothing_watched(config),
        _ceiling_below_floor(config),
        _promotions_of_nobody(config),
        _silent_receivers(config, kinds),
        _routes_to_nobody(config),
    )


def _at(value: Plain, path: KeyPath) -> Plain:
    for part in path:
        value = value.get(str(part)) if isinstance(value, dict) else None
    return value


def _mappings(config: Plain, path: KeyPath) -> _Mappings:
    items = _at(config, path)
    for i, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield (*path, i), item


def _service_accounts(config: Plain) -> _Mappings:
    for here, item in _mappings(config, ("accounts",)):
        given = item.get("service_account")
        if isinstance(given, dict):
            yield (*here, "service_account"), given


def _repeated(config: Plain, path: KeyPath, key: str) -> Found:
    first: dict[str, int] = {}
    for number, (here, item) in enumerate(_mappings(config, path)):
        name = item.get(key)
        if not isinstance(name, str):
            continue
        if name in first:
            yield (*here, key), f"{name!r} is taken already; every {key} must be another one"
        first.setdefault(name, number)


def _one_of(items: _Mappings, keys: Sequence[str]) -> Found:
    for here, item in items:
        given = [key for key in keys if item.get(key) is not None]
        if not given:
            yield here, f"one of {_listed(keys)} is missing"
        elif len(given) > 1:
            both = "both " if len(given) == 2 else ""  # noqa: PLR2004 - both are two
            yield (*here, given[1]), f"found {both}{_listed(given)}; allowed: one of them"


def _listed(keys: Sequence[str]) -> str:
    return f"{', '.join(keys[:-1])} and {keys[-1]}"


def _nothing_watched(config: Plain) -> Found:
    chosen = [str(_at(config, ("watch", kind))).lower() in _NO for kind in ("tasks", "plans")]
    if all(chosen):
        yield ("watch",), "tasks and plans are both off: nothing would be watched"


def _ceiling_below_floor(config: Plain) -> Found:
    floor, ceiling = (
        duration_from(value) if isinstance(value, str) else None
        for value in (_at(config, ("watch", "settle", key)) for key in ("floor", "ceiling"))
    )
    if floor is not None and ceiling is not None and ceiling < floor:
        yield ("watch", "settle", "ceiling"), "it is less than the floor"


def _promotions_of_nobody(config: Plain) -> Found:
    """Tell of executions of promotions that belong to no account, or to which is not said."""
    names = [item.get("name") for _, item in _mappings(config, ("accounts",))]
    known = [name for name in names if isinstance(name, str)]
    path: KeyPath = ("watch", "promotions", "ids")
    given = _at(config, path)
    for i, value in enumerate(given if isinstance(given, list) else []):
        account, slash, _ = value.rpartition("/") if isinstance(value, str) else ("", "", "")
        if slash and account not in known:
            there_are = ", ".join(known) or "none"
            yield (*path, i), f"no account is named {account!r}; there are: {there_are}"
        elif not slash and isinstance(value, str) and len(known) > 1:
            yield (*path, i), "there are several accounts: write account/id"


def _silent_receivers(config: Plain, kinds: Sequence[str]) -> Found:
    for here, item in _mappings(config, ("receivers",)):
        if not any(item.get(kind) not in (None, []) for kind in kinds):
            yield here, f"a way of telling is missing: one or more of {', '.join(kinds)}"


def _routes_to_nobody(config: Plain) -> Found:
    names = [item.get("name") for _, item in _mappings(config, ("receivers",))]
    known = [name for name in names if isinstance(name, str)]
    for path, name in _named_receivers(_at(config, ("route",)), ("route",)):
        if name not in known:
            there_are = ", ".join(known) or "none"
            near = suggestion(name, known)
            yield path, f"no receiver is named {name!r}; there are: {there_are}.{near}"


def _named_receivers(route: Plain, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if not isinstance(route, dict):
        return
    receiver = route.get("receiver")
    if isinstance(receiver, str):
        yield (*path, "receiver"), receiver
    branches = route.get("routes")
    for i, branch in enumerate(branches if isinstance(branches, list) else []):
        yield from _named_receivers(branch, (*path, "routes", i))

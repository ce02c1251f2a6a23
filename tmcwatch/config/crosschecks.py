"""What no single value tells: names that must differ or exist, keys that exclude each other.

These look at the file as written, so that they speak even where a value elsewhere is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from tmcwatch.config.cron import is_endless
from tmcwatch.config.document import Plain
from tmcwatch.config.durations import duration_from
from tmcwatch.config.problems import KeyPath, suggestion
from tmcwatch.config.values import DEFAULT_SHARE, address_of, way_to

Found = Iterator[tuple[KeyPath, str]]
_Mappings = Iterator[tuple[KeyPath, Mapping[str, Plain]]]
_NO = frozenset({"false", "no", "off", "0", "n", "f"})


def crosschecks(config: Plain, kinds: Sequence[str]) -> Found:
    """Answer with where and why the parts of a file do not go together."""
    yield from chain(
        _repeated(config, ("accounts",), "name"),
        _repeated(config, ("receivers",), "name"),
        _repeated(config, ("http", "tokens"), "name"),
        _repeated(config, ("time_intervals",), "name"),
        _repeated(config, ("maintenance",), "name"),
        _one_of(_mappings(config, ("accounts",)), ("region", "url")),
        _one_of(_mappings(config, ("accounts",)), ("token", "token_file", "service_account")),
        _one_of(_service_accounts(config), ("secret", "secret_file")),
        _one_of(_mappings(config, ("http", "tokens")), ("token", "file")),
        _shares_that_differ(config),
        _nothing_watched(config),
        _ceiling_below_floor(config),
        _promotions_of_nobody(config),
        _silent_receivers(config, kinds),
        _routes_to_nobody(config),
        _routes_at_no_time(config),
        _endless_maintenance(config),
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


def _shares_that_differ(config: Plain) -> Found:
    """Tell of accounts that draw on one budget and do not agree how much it is."""
    first: dict[str, tuple[str, float]] = {}
    for here, item in _mappings(config, ("accounts",)):
        budget, name = item.get("budget") or _way(item), item.get("name")
        share = _share(item.get("api_share", DEFAULT_SHARE))
        if not isinstance(budget, str) or not isinstance(name, str) or share is None:
            continue
        other, theirs = first.setdefault(budget, (name, share))
        if share != theirs:
            where = "api_share" if "api_share" in item else "name"
            allowed = "the same for both, or a budget of its own by the key budget"
            has = f"{other!r}, which has an api_share of {theirs:g}, not {share:g}"
            yield (*here, where), f"it shares a budget with account {has}; allowed: {allowed}"


def _share(given: Plain) -> float | None:
    """Read a share, which is a text where it comes from the environment."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        return float(given)
    except (ValueError, OverflowError):  # no number, which is told elsewhere
        return None


def _way(account: Mapping[str, Plain]) -> str | None:
    """Name how the API of an account is reached, as far as the file tells."""
    region, url, proxy = (account.get(key) for key in ("region", "url", "proxy"))
    address = address_of(region) if isinstance(region, str) else url
    if not isinstance(address, str):
        return None
    try:
        return way_to(address.rstrip("/"), proxy if isinstance(proxy, str) else None)
    except ValueError:  # no address of a proxy, which is told elsewhere
        return None


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
    known = _names(config, "receivers")
    fallback = _at(config, ("fallback",))
    if isinstance(fallback, str) and fallback not in known:
        yield ("fallback",), _nothing_named("receiver", fallback, known)
    for here, route in _routes(_at(config, ("route",)), ("route",)):
        name = route.get("receiver")
        if isinstance(name, str) and name not in known:
            yield (*here, "receiver"), _nothing_named("receiver", name, known)


def _routes_at_no_time(config: Plain) -> Found:
    """Tell of routes that name a time interval which there is none of."""
    known = _names(config, "time_intervals")
    for here, route in _routes(_at(config, ("route",)), ("route",)):
        for key in ("mute_time_intervals", "active_time_intervals"):
            given = route.get(key)
            for i, name in enumerate(given if isinstance(given, list) else []):
                if isinstance(name, str) and name not in known:
                    yield (*here, key, i), _nothing_named("time interval", name, known)


def _endless_maintenance(config: Plain) -> Found:
    """Tell of maintenance that begins again before it is over: it would mute for ever."""
    for here, item in _mappings(config, ("maintenance",)):
        cron, given = item.get("cron"), item.get("duration")
        duration = duration_from(given) if isinstance(given, str) else None
        if isinstance(cron, str) and duration is not None and is_endless(cron, duration):
            yield (*here, "duration"), "it would begin again before it is over, and never end"


def _names(config: Plain, key: str) -> list[str]:
    names = [item.get("name") for _, item in _mappings(config, (key,))]
    return [name for name in names if isinstance(name, str)]


def _nothing_named(what: str, name: str, known: Sequence[str]) -> str:
    there_are = ", ".join(known) or "none"
    return f"no {what} is named {name!r}; there are: {there_are}.{suggestion(name, known)}"


def _routes(route: Plain, path: KeyPath) -> _Mappings:
    """Give every route of the tree, parents first."""
    if not isinstance(route, dict):
        return
    yield path, route
    branches = route.get("routes")
    for i, branch in enumerate(branches if isinstance(branches, list) else []):
        yield from _routes(branch, (*path, "routes", i))

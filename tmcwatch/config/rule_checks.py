"""What single values of rules do not tell: what goes together, and which entry is never reached.

These look at the files as written, so that they speak even where a value elsewhere is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence

from tmcwatch.config.document import Document, Plain
from tmcwatch.config.problems import KeyPath
from tmcwatch.domain.built_in import ABOUT_OURSELVES, BUILT_IN, ON_THE_WAY

Written = tuple[Document, KeyPath, Mapping[str, Plain]]
"""One entry, and where it stands."""

_OF_OWN = ("phases", "kinds")
_OF_RUNS = ("matchers", "for", "after", "in_a_row", "labels", "text", "inside_plans")


_OF_ONE = {
    "waiting": "stuck",
    "stopping": "stuck",
    "delay": "started_late",
    "ratio": "rejected_ratio",
    "calm_after": "flapping",
}
"""Keys that only one rule has."""

_COUNTING = ("after", "in_a_row")
_OF_ALERTS = ("for", "labels", "text", "inside_plans")
_HAS_NOT = {
    **{rule.name: _COUNTING for rule in ON_THE_WAY},
    "failing_again": ("after", *_OF_ALERTS),
    "flapping": ("in_a_row", *_OF_ALERTS),
}
"""Keys that some built-in rules do not have, though most do."""


def written_rules(documents: Sequence[Document]) -> list[Written]:
    """Answer with the entries of all files, in the order in which they are asked."""
    return [written for document in documents for written in _written(document)]


def _written(document: Document) -> Iterator[Written]:
    rules = document.value.get("rules") if isinstance(document.value, dict) else None
    for i, item in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(item, dict):
            yield document, ("rules", i), item


def rule_problems(entries: Sequence[Written]) -> Iterator[tuple[Document, KeyPath, str]]:
    """Answer with the file, the place and what is wrong there."""
    for document, here, item in entries:
        for path, text in _alone(here, item):
            yield document, path, text
    yield from _repeated(entries)
    yield from _unreached(entries)


def _alone(here: KeyPath, item: Mapping[str, Plain]) -> Iterator[tuple[KeyPath, str]]:
    given = [key for key in ("rule", "name") if item.get(key) is not None]
    if not given:
        yield here, "one of rule (a built-in one to change) and name (one of your own) is missing"
    elif len(given) > 1:
        yield (*here, "name"), "found both rule and name; allowed: one of them"
    if item.get("after") is not None and item.get("in_a_row") is not None:
        yield (*here, "in_a_row"), "found both after and in_a_row; allowed: one of them"
    for key, rule in _OF_ONE.items():
        if key in item and item.get("rule") != rule:
            yield (*here, key), f"only the rule {rule!r} has this"
    if str(item.get("rule")) in BUILT_IN:
        yield from _of_built_in(here, item)


def _of_built_in(here: KeyPath, item: Mapping[str, Plain]) -> Iterator[tuple[KeyPath, str]]:
    for key in (key for key in _OF_OWN if key in item):
        yield (*here, key), "a built-in rule keeps its own; a rule with a name may have others"
    for key in (key for key in _HAS_NOT.get(str(item["rule"]), ()) if key in item):
        yield (*here, key), f"{item['rule']!r} does not have this"
    if item["rule"] in ABOUT_OURSELVES:
        for key in (key for key in _OF_RUNS if key in item):
            yield (*here, key), f"{item['rule']!r} is not about runs; allowed: enabled, severity"


def _repeated(entries: Sequence[Written]) -> Iterator[tuple[Document, KeyPath, str]]:
    first: dict[str, str] = {}
    for document, here, item in entries:
        name = item.get("name")
        if not isinstance(name, str):
            continue
        if name in first:
            text = f"{name!r} is taken already, at {first[name]}"
            yield document, (*here, "name"), text
        first.setdefault(name, _place(document, here))


def _unreached(entries: Sequence[Written]) -> Iterator[tuple[Document, KeyPath, str]]:
    """Tell of changes to a built-in rule that stand behind one which holds for everything."""
    taken: dict[str, str] = {}
    for document, here, item in entries:
        rule = item.get("rule")
        if not isinstance(rule, str):
            continue
        if rule in taken:
            text = f"never reached: the entry at {taken[rule]} has no matchers and takes all"
            yield document, (*here, "rule"), text
        elif not item.get("matchers"):
            taken[rule] = _place(document, here)


def _place(document: Document, here: KeyPath) -> str:
    return f"{document.file}:{document.mark(here).line}"

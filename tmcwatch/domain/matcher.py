"""Matchers in Alertmanager's syntax: conditions on labels."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_SYNTAX = re.compile(r"^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*$", re.DOTALL)
_ESCAPES = {r"\"": '"', r"\\": "\\", r"\n": "\n"}


class Operator(StrEnum):
    EQUAL = "="
    NOT_EQUAL = "!="
    MATCH = "=~"
    NOT_MATCH = "!~"


class MatcherError(ValueError):
    """A text that is no matcher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on one label; a label that is missing has the empty value."""

    label: str
    operator: Operator
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.label, "")
        match self.operator:
            case Operator.EQUAL:
                return found == self.value
            case Operator.NOT_EQUAL:
                return found != self.value
            case Operator.MATCH:
                return re.fullmatch(self.value, found) is not None
            case Operator.NOT_MATCH:
                return re.fullmatch(self.value, found) is None

    def __str__(self) -> str:
        value = self.value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        return f'{self.label}{self.operator}"{value}"'


def matcher_from(text: str) -> Matcher:
    """Read `name="value"`, `!=`, `=~` or `!~`; the quotes may be left out.

    Raises MatcherError with what is wrong.
    """
    found = _SYNTAX.match(text)
    if found is None:
        raise MatcherError(f'{text!r} is not a matcher such as severity="critical"')
    label, operator, value = found.groups()
    if value.startswith('"'):
        value = _unquoted(text, value)
    if operator in {"=~", "!~"}:
        try:
            re.compile(value)
        except (re.error, OverflowError) as error:
            raise MatcherError(f"{text!r}: {value!r} is no regular expression: {error}") from error
    return Matcher(label=label, operator=Operator(operator), value=value)


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def _unquoted(text: str, value: str) -> str:
    if len(value) < 2 or not re.fullmatch(r'"(?:[^"\\]|\\.)*"', value, re.DOTALL):  # noqa: PLR2004
        raise MatcherError(f"{text!r}: the value is not quoted to its end")
    return re.sub(r"\\.", lambda part: _ESCAPES.get(part[0], part[0]), value[1:-1])

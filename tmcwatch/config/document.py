"""A YAML file as plain values, with the line of each; strict where YAML is lax."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tmcwatch.config.interpolation import ReferenceProblem, Sources, has_reference, interpolated
from tmcwatch.config.problems import ConfigError, KeyPath, Problem, key_text

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | str | int | float | bool | None"

_MOST_VALUES = 20_000  # what a few aliases of aliases would exceed at once
_DEEPEST = 40
_LARGEST_NUMBER = 2**63
_SHORTEST_SECRET = 4
_TAG = "tag:yaml.org,2002:"
# A date stays text, as does a lonely `=`.
_TEXTS = frozenset({_TAG + "str", _TAG + "timestamp", _TAG + "value"})
_READERS: Mapping[str, Callable[[ScalarNode], object]] = {
    _TAG + "int": SafeConstructor().construct_yaml_int,
    _TAG + "float": SafeConstructor().construct_yaml_float,
    _TAG + "bool": SafeConstructor().construct_yaml_bool,
    _TAG + "null": lambda _: None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where something stands, counted from 1."""

    line: int
    column: int


UNREADABLE = object()


class TooLarge(Exception):
    """More values, or deeper ones, than a configuration has."""


@dataclass(slots=True, kw_only=True)
class Document:
    """A file that was read: its values, where they stand, and what was wrong in reading it."""

    file: str
    sources: Sources
    value: Plain = None
    problems: list[Problem] = field(default_factory=list)
    marks: dict[KeyPath, Mark] = field(default_factory=dict)
    broken: set[KeyPath] = field(default_factory=set)
    """Where a problem was found already: no other is told of these."""
    filled_in: set[KeyPath] = field(default_factory=set)
    """Values that came from outside the file, and are not to be shown."""
    references: dict[str, str] = field(default_factory=dict, repr=False)
    """What came from outside, by the reference that asked for it."""

    def reject(self, path: KeyPath, text: str) -> None:
        self.problems.append(self.problem(path, text))
        self.broken.add(path)

    def problem(self, path: KeyPath, text: str) -> Problem:
        mark = self.mark(path)
        return Problem(
            file=self.file,
            line=mark.line,
            column=mark.column,
            key=self.without_secrets(key_text(path)),
            text=self.without_secrets(text),
        )

    def mark(self, path: KeyPath) -> Mark:
        """Answer with the place of a value, or of the nearest one around it."""
        around = (path[:length] for length in range(len(path), -1, -1))
        return next(self.marks[place] for place in around if place in self.marks)

    def without_secrets(self, text: str) -> str:
        for reference, value in self.references.items():
            if len(value) >= _SHORTEST_SECRET:
                text = text.replace(value, reference).replace(repr(value)[1:-1], reference)
        return text

    def path_of(self, location: KeyPath) -> KeyPath:
        """Follow a place in the model as far as the file has it, and skip what it has not."""
        path: list[str | int] = []
        here: Plain = self.value
        for part in location:
            match here:
                case dict() if isinstance(part, str):
                    path.append(part)
                    here = here.get(part)
                case list() if isinstance(part, int):
                    path.append(part)
                    here = here[part] if part < len(here) else None
                case None if isinstance(part, str):
                    path.append(part)
                case _:
                    continue
        return tuple(path)


def document_from(text: str, *, file: str, sources: Sources) -> Document:
    """Read a YAML text; raises ConfigError where it is no YAML mapping at all."""
    root = _composed(text, file)
    document = Document(file=file, sources=sources)
    try:
        document.value = _value(document, root, ())
    except TooLarge as error:
        raise ConfigError([Problem(file=file, text=str(error))]) from error
    return document


def _composed(text: str, file: str) -> Node:
    try:
        root = yaml.SafeLoader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        # Without its cause, which quotes the line, a secret in it included.
        raise ConfigError([_syntax_problem(error, file)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = Problem(file=file, line=line, text="a control character is not allowed here")
        raise ConfigError([problem]) from error
    except RecursionError as error:
        raise ConfigError([Problem(file=file, text="values are nested too deeply")]) from error
    except (ValueError, OverflowError) as error:  # an escape of no Unicode character
        raise ConfigError([Problem(file=file, text=f"no valid YAML: {error}")]) from error
    if root is None:
        raise ConfigError([Problem(file=file, text="the file is empty")])
    if not isinstance(root, MappingNode):
        text = f"found {_KINDS[type(root)]}; allowed: a mapping of keys, such as `accounts:`"
        raise ConfigError([Problem(file=file, line=root.start_mark.line + 1, text=text)])
    return root


_KINDS = {ScalarNode: "a text", SequenceNode: "a list"}


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    # Without YAML's own excerpt of the line, which may hold a secret.
    mark = error.problem_mark or error.context_mark
    words = ", ".join(part for part in (error.context, error.problem) if part)
    return Problem(
        file=file,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        text=f"no valid YAML: {words}",
    )


def _value(document: Document, node: Node, path: KeyPath) -> Plain:
    document.marks.setdefault(path, _mark(node))
    if len(document.marks) > _MOST_VALUES:
        raise TooLarge(f"more than {_MOST_VALUES:,} values; are there aliases of aliases?")
    if len(path) > _DEEPEST:
        raise TooLarge(f"values are nested more than {_DEEPEST} deep; does an alias hold itself?")
    match node:
        case MappingNode() if node.tag == _TAG + "map":
            return _mapping(document, node, path)
        case SequenceNode() if node.tag == _TAG + "seq":
            return [_value(document, item, (*path, i)) for i, item in enumerate(node.value)]
        case ScalarNode():
            return _scalar(document, node, path)
        case _:
            document.reject(path, f"the YAML tag {node.tag!r} is not allowed")
            return None


def _mapping(document: Document, node: MappingNode, path: KeyPath) -> Plain:
    found: dict[str, Plain] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, ScalarNode) else None
        if name is None or key.tag == _TAG + "merge" or not _is_text(name):
            document.reject(path, f"line {key.start_mark.line + 1}: a key must be a plain text")
            continue
        here = (*path, name)
        if name in found:
            first = document.marks[here].line
            document.marks[here] = _mark(key)
            document.reject(here, f"this key stands here twice, first in line {first}")
            continue
        document.marks[here] = _mark(key)
        found[name] = _value(document, value, here)
    return found


def _scalar(document: Document, node: ScalarNode, path: KeyPath) -> Plain:
    text: str = node.value
    if node.tag in _TEXTS and _is_text(text):
        return _filled_in(document, text, path)
    reader = _READERS.get(node.tag)
    try:
        value = reader(node) if reader else UNREADABLE
    except (ValueError, KeyError, IndexError, OverflowError):
        value = UNREADABLE
    if value is UNREADABLE:
        document.reject(path, f"the value does not fit its YAML tag {node.tag!r}")
        return None
    if isinstance(value, int) and abs(value) >= _LARGEST_NUMBER:
        document.reject(path, "the number is too large")
        return None
    return value if isinstance(value, int | float | bool) else None


def _filled_in(document: Document, text: str, path: KeyPath) -> str:
    if has_reference(text):
        document.filled_in.add(path)
    try:
        return interpolated(text, document.sources, document.references.__setitem__)
    except ReferenceProblem as problem:
        document.reject(path, str(problem))
        return text


def _mark(node: Node) -> Mark:
    return Mark(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def _is_text(value: str) -> bool:
    """Tell whether it is Unicode: an escape can make half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in value)

"""Renders the templates of messages, ours and an operator's, safely: escaped, and to an end."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.meta import find_referenced_templates
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tmcwatch.delivering.escaping import Address, hypertext, markdown
from tmcwatch.domain.harmless import plain

NAMES = ("title.j2", "message.txt.j2", "message.md.j2", "message.html.j2")
OUR_FOLDER = "tmcwatch/"
"""Where templates of an operator find ours: `{% extends "tmcwatch/message.html.j2" %}`."""
LONGEST_OUTPUT = 500_000
MOST_ROUNDS = 50_000
"""Rounds of all loops of a template together."""

_ESCAPES: Mapping[str, Callable[[str], str]] = {
    "title.j2": plain,
    "message.txt.j2": plain,
    "message.md.j2": markdown,
    "message.html.j2": hypertext,
}
_rounds: ContextVar[Iterator[int]] = ContextVar("rounds")


class TemplateBroken(Exception):
    """A template that cannot be rendered: which, where, why."""

    def __init__(self, file: str, line: int | None, text: str) -> None:
        super().__init__(f"{file}: {text}" if line is None else f"{file}:{line}: {text}")
        self.file = file
        self.line = line
        self.text = text


class _Rendered(str):
    """What a template has put together of texts that are escaped already."""

    __slots__ = ()

    def __new__(cls, text: str) -> str:  # type: ignore[misc]
        # `format` makes one of its own kind, out of texts that nobody has escaped.
        return str(text)

    @classmethod
    def joined(cls, pieces: Iterable[str]) -> str:
        return str.__new__(cls, "".join(pieces))


class Templates:
    """A set of templates: an operator's where there are any, ours for all else."""

    def __init__(self, texts: Mapping[str, str] | None = None, *, folder: str = "") -> None:
        self._texts = dict(texts or {})
        self._folder = folder
        self._environments = {name: self._environment(name) for name in NAMES}

    @property
    def are_ours(self) -> bool:
        return not self._texts

    @property
    def replaced(self) -> tuple[str, ...]:
        """Which of the four are an operator's."""
        return tuple(name for name in NAMES if name in self._texts)

    def render(self, name: str, pieces: Mapping[str, object]) -> str:
        """Render one of the four templates. Raises TemplateBroken, whatever goes wrong in it."""
        token = _rounds.set(count())
        try:
            template = self._environments[name].get_template(name)
            return _joined(template.generate(pieces)).strip()
        except Exception as error:
            # What an operator's template does is not ours: any error of it is the template's.
            raise self._broken(name, error) from error
        finally:
            _rounds.reset(token)

    def problems(self) -> Iterator[TemplateBroken]:
        """Answer with the templates that are no templates, or of which no message is made."""
        used = set(NAMES)
        environment = self._environments[NAMES[0]]
        for name, text in self._texts.items():
            try:
                used |= {each or "" for each in find_referenced_templates(environment.parse(text))}
                environment.get_template(name)
            except Exception as error:  # noqa: BLE001 - given back, for all of them at once
                yield self._broken(name, error)
                used |= self._texts.keys()  # what it uses is not known
        for name in self._texts.keys() - used:
            allowed = f"{', '.join(NAMES)}, and what these include"
            yield TemplateBroken(self._file(name), None, f"no message uses it; allowed: {allowed}")

    def _environment(self, name: str) -> "_Environment":
        return _Environment(_ESCAPES[name], self._load)

    def _load(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        if name in self._texts:
            return self._texts[name], self._file(name), lambda: True
        ours = name.removeprefix(OUR_FOLDER)
        return (_ours()[ours], f"{OUR_FOLDER}{ours}", lambda: True) if ours in _ours() else None

    def _file(self, name: str) -> str:
        return str(Path(self._folder) / name)

    def _broken(self, name: str, error: Exception) -> TemplateBroken:
        file, line = self._file(name), None
        if isinstance(error, jinja2.TemplateSyntaxError):
            file, line = error.filename or file, error.lineno
        for shown, number in _frames(error):
            if shown in map(self._file, self._texts):
                file, line = shown, number
        return TemplateBroken(file, line, _told(error))


@cache
def _ours() -> Mapping[str, str]:
    folder = files("tmcwatch.delivering") / "templates"
    return {name: (folder / name).read_text(encoding="utf-8") for name in NAMES}


class _Environment(ImmutableSandboxedEnvironment):
    """Escapes every expression, so that no template can forget it, and counts every loop."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(
        self,
        escape: Callable[[str], str],
        load: Callable[[str], tuple[str, str, Callable[[], bool]] | None],
    ) -> None:
        def escaped(value: object) -> str:
            # What a macro or `super()` gives is made of texts that were escaped on their way in.
            if isinstance(value, _Rendered):
                return value
            if isinstance(value, Address) and escape is not hypertext:
                return value
            return escape(str(value))

        super().__init__(
            loader=jinja2.FunctionLoader(load),
            autoescape=False,  # `finalize` escapes, for three formats
            finalize=escaped,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.filters["_counted"] = _counted

    @staticmethod
    def concat(pieces: Iterable[str]) -> str:
        return _Rendered.joined(pieces)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,  # noqa: FBT001, FBT002 - as Jinja calls it
    ) -> str:
        for block in source.find_all(nodes.FilterBlock):
            # What the filter itself is given would not be escaped.
            raise jinja2.TemplateSyntaxError("no filter blocks", block.lineno, name, filename)
        for loop in source.find_all(nodes.For):
            iterated = nodes.Filter(loop.iter, "_counted", [], [], None, None)
            loop.iter = iterated.set_lineno(loop.lineno)
        return super()._generate(source, name, filename, defer_init)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        # A text times a number, or a power, would be a short way to fill the memory.
        if operator == "**" or not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError("only numbers can be multiplied, and there are no powers")
        return super().call_binop(context, operator, left, right)


def _counted(items: Iterable[object]) -> Iterator[object]:
    for item in items:
        if next(_rounds.get()) >= MOST_ROUNDS:
            raise SecurityError(f"its loops take more than {MOST_ROUNDS:,} rounds")
        yield item


def _joined(pieces: Iterable[str]) -> str:
    found, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > LONGEST_OUTPUT:
            raise SecurityError(f"it makes more than {LONGEST_OUTPUT:,} characters")
        found.append(piece)
    return "".join(found)


def _frames(error: Exception) -> Iterator[tuple[str, int]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _told(error: Exception) -> str:
    match error:
        case jinja2.TemplateNotFound():
            return f"there is no template {str(error)!r}"
        case RecursionError():
            return "it calls or includes itself without an end"
        case jinja2.TemplateError() | OverflowError():
            return plain(str(error.message if isinstance(error, jinja2.TemplateError) else error))
        case _:
            return plain(f"{type(error).__name__}: {error}")

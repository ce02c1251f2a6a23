"""Puts a message into words: plain text, Markdown and HTML from one set of templates."""

from collections.abc import Callable
from datetime import tzinfo
from functools import cache

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tmcwatch.delivering.escaping import Address, hypertext, markdown
from tmcwatch.delivering.view import View, view_of
from tmcwatch.domain.harmless import cut, plain
from tmcwatch.domain.message import Message, Words

LONGEST_TITLE = 200


def words_for(message: Message, *, time_zone: tzinfo) -> Words:
    view = view_of(message, time_zone=time_zone)
    return Words(
        title=cut(_render("title.j2", plain, view).replace("\n", " "), LONGEST_TITLE),
        text=_render("message.txt.j2", plain, view),
        markdown=_render("message.md.j2", markdown, view),
        html=_render("message.html.j2", hypertext, view),
    )


def _render(template: str, escape: Callable[[str], str], view: View) -> str:
    pieces = {name: getattr(view, name) for name in View.__slots__}
    return _environment(escape).get_template(template).render(pieces).strip()


@cache
def _environment(escape: Callable[[str], str]) -> ImmutableSandboxedEnvironment:
    """Answer with an environment in which every expression is escaped: no template can forget."""

    def escaped(value: object) -> str:
        if isinstance(value, Address) and escape is not hypertext:
            return value
        return escape(str(value))

    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("tmcwatch.delivering"),
        autoescape=False,  # `finalize` escapes, for three formats
        finalize=escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

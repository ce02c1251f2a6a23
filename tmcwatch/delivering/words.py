"""Puts a message into words: plain text, Markdown and HTML from one set of templates."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import islice

import structlog

from tmcwatch.delivering.brevity import Brevity, brevities
from tmcwatch.delivering.rendering import TemplateBroken, Templates
from tmcwatch.delivering.samples import SAMPLES
from tmcwatch.delivering.view import View, reference_of, view_of
from tmcwatch.domain.harmless import cut
from tmcwatch.domain.message import IN_FULL, Message, Wish, Words

log = structlog.get_logger()

LONGEST_TITLE = 200
OURS = Templates()
_FORMATS = {"text": "message.txt.j2", "markdown": "message.md.j2", "html": "message.html.j2"}


def words_for(
    message: Message, wish: Wish = IN_FULL, *, time_zone: tzinfo, templates: Templates = OURS
) -> Words:
    """Put a message into words; a template that breaks never loses it: ours takes its place."""
    words = _Speaker(message, time_zone, templates).words(wish)
    assert words is not None  # noqa: S101 - unshortened words there always are
    return words


@dataclass(frozen=True, slots=True)
class _Speaker:
    """One message, to be put into words as often as a service finds them too long."""

    message: Message
    time_zone: tzinfo
    templates: Templates
    broken: dict[str, TemplateBroken] = field(default_factory=dict)

    def words(self, wish: Wish) -> Words | None:
        count = max(len(self.message.alerts), 1)
        brevity = next(islice(brevities(count), wish.shortened, None), None)
        if brevity is None:
            return None

        def view(note: str) -> View:
            return view_of(
                self.message,
                time_zone=self.time_zone,
                brevity=brevity,
                below_title=wish.below_title,
                note=note,
            )

        formats = {
            name: self._render(template, view) if wish.only in {None, name} else ""
            for name, template in _FORMATS.items()
        }
        return Words(
            title=cut(self._render("title.j2", view).replace("\n", " "), LONGEST_TITLE),
            **formats,
            reference=reference_of(self.message),
            reworded=self.words,
        )

    def _render(self, name: str, view: Callable[[str], View]) -> str:
        if name not in self.broken:
            try:
                return self.templates.render(name, pieces_of(view("")))
            except TemplateBroken as error:
                if self.templates.are_ours:
                    raise
                log.warning("template_broken", file=error.file, line=error.line, text=error.text)
                self.broken[name] = error
        note = f"The template could not be used: {self.broken[name]}"
        return OURS.render(name, pieces_of(view(cut(note, LONGEST_TITLE))))


def pieces_of(view: View) -> dict[str, object]:
    """Answer with what a template may speak of, by name."""
    return {name: getattr(view, name) for name in View.__slots__}


def tried(templates: Templates) -> Iterator[TemplateBroken]:
    """Answer with what breaks as sample messages are put into words, long and short."""
    for message in SAMPLES.values():
        shortest = list(brevities(len(message.alerts)))[-1]
        for brevity, below_title in ((Brevity(), False), (shortest, True)):
            view = view_of(message, time_zone=UTC, brevity=brevity, below_title=below_title)
            for name in templates.replaced:
                try:
                    templates.render(name, pieces_of(view))
                except TemplateBroken as error:
                    yield error

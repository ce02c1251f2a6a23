"""An operator's templates: read with the config, tried before they are used, followed like it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import structlog

from tmcwatch.config import Config, Problem
from tmcwatch.config.interpolation import FileProblem, text_of
from tmcwatch.delivering import words_for
from tmcwatch.delivering.rendering import Templates
from tmcwatch.delivering.words import tried
from tmcwatch.domain.message import Message, Words

log = structlog.get_logger()

_KEY = "templates.folder"


def template_files(config: Config) -> tuple[Path, ...]:
    """Answer with the templates there are, in an order that stays."""
    folder = config.templates.folder
    return () if folder is None else tuple(sorted(folder.glob("*.j2")))


def template_problems(config: Config) -> list[Problem]:
    """Answer with all that would break: files, syntax, and what sample messages run into."""
    folder = config.templates.folder
    if folder is None:
        return []
    if not template_files(config):
        text = f"{folder}: there is no template (*.j2) in this folder"
        return [config.places.problem(_KEY, text)]
    unreadable = list(_unreadable(config))
    return unreadable or list(_broken(_templates(config)))


def words_of(config: Config) -> Callable[[Message], Words]:
    """Answer with what puts messages into words, as the templates are now."""
    try:
        templates = _templates(config)
    except FileProblem as problem:
        # It was readable when the config was checked: ours take its place, and nothing is lost.
        log.warning("templates_unreadable", problem=str(problem))
        templates = Templates()
    return partial(words_for, time_zone=config.time_zone, templates=templates)


def _templates(config: Config) -> Templates:
    texts = {file.name: text_of(file) for file in template_files(config)}
    return Templates(texts, folder=str(config.templates.folder or ""))


def _unreadable(config: Config) -> Iterator[Problem]:
    for file in template_files(config):
        try:
            text_of(file)
        except FileProblem as problem:
            yield Problem(file=str(file), text=str(problem))


def _broken(templates: Templates) -> Iterator[Problem]:
    told = set()
    found = [*templates.problems(), *tried(templates)]
    for broken in sorted(found, key=lambda one: (one.file, one.line or 0)):
        if (broken.file, broken.line) not in told:
            told.add((broken.file, broken.line))
            yield Problem(file=broken.file, line=broken.line, text=broken.text)

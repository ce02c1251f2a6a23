"""An operator's templates: read with the config, tried before they are used, followed like it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from tmcwatch.config import Config, Problem
from tmcwatch.config.interpolation import FileProblem, text_of
from tmcwatch.delivering import words_for
from tmcwatch.delivering.rendering import Templates
from tmcwatch.delivering.words import OURS, tried
from tmcwatch.domain.message import Message, Wish, Words

log = structlog.get_logger()


def template_files(config: Config) -> tuple[Path, ...]:
    """Answer with the templates there are, in an order that stays."""
    return tuple(file for folder in _folders(config) for file in _files_in(folder))


def template_problems(config: Config) -> list[Problem]:
    """Answer with all that would break: files, syntax, and what sample messages run into."""
    return [
        problem
        for folder, key in _folders(config).items()
        for problem in _problems(config, folder, key)
    ]


def words_of(config: Config) -> Callable[[Message, Wish], Words]:
    """Answer with what puts messages into words, by the templates of each receiver as they are."""
    sets = {folder: _usable(folder) for folder in _folders(config)}
    chosen = {one.name: one.templates.folder or _folder(config) for one in config.receivers}

    def words(message: Message, wish: Wish) -> Words:
        folder = chosen.get(message.receiver, _folder(config))
        templates = OURS if folder is None else sets[folder]
        return words_for(message, wish, time_zone=config.time_zone, templates=templates)

    return words


def _folder(config: Config) -> Path | None:
    return config.templates.folder


def _folders(config: Config) -> dict[Path, str]:
    """Answer with each folder of templates, and the key that first names it."""
    named = [(_folder(config), "templates.folder")]
    named += [
        (receiver.templates.folder, f"receivers[{i}].templates.folder")
        for i, receiver in enumerate(config.receivers)
    ]
    return {folder: key for folder, key in reversed(named) if folder is not None}


def _files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.j2"))


def _problems(config: Config, folder: Path, key: str) -> list[Problem]:
    if not _files_in(folder):
        missing = "there is no template (*.j2) in this folder"
        text = f"{folder}: {missing if folder.is_dir() else 'there is no such folder'}"
        return [config.places.problem(key, text)]
    return list(_unreadable(folder)) or list(_broken(_templates(folder)))


def _unreadable(folder: Path) -> Iterator[Problem]:
    for file in _files_in(folder):
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


def _usable(folder: Path) -> Templates:
    try:
        return _templates(folder)
    except FileProblem as problem:
        # It was readable when the config was checked: ours take its place, and nothing is lost.
        log.warning("templates_unreadable", folder=str(folder), problem=str(problem))
        return OURS


def _templates(folder: Path) -> Templates:
    return Templates({file.name: text_of(file) for file in _files_in(folder)}, folder=str(folder))

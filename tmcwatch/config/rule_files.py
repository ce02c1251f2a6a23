"""The files of rules: found by patterns, read like the config, followed like it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from tmcwatch.config.document import Document, document_from
from tmcwatch.config.explaining import explained
from tmcwatch.config.interpolation import FileProblem, text_of
from tmcwatch.config.model import Config
from tmcwatch.config.problems import ConfigError, KeyPath
from tmcwatch.config.rule_settings import RuleSetting
from tmcwatch.config.section import Section

_WILD = frozenset("*?[")
_INNER = ".."
"""What names begin with that a mounted ConfigMap is made of: its files are links through these."""


class RuleFile(Section):
    """A whole file of rules."""

    rules: tuple[RuleSetting, ...]


def rule_files(config: Config) -> tuple[Path, ...]:
    """Answer with the files of rules that are there at present."""
    folder = Path(config.places.file).absolute().parent
    return found_by(config.rule_files, folder=folder)


def found_by(patterns: Sequence[Path], *, folder: Path) -> tuple[Path, ...]:
    """Answer with the files that patterns name, in their order and each once.

    One without wildcards is there even if it does not exist, so that this is told. `folder` is
    the config's own, whose name is no pattern. Raises ValueError for what is no pattern.
    """
    found = (path for pattern in patterns for path in _found(pattern, folder))
    return tuple(dict.fromkeys(found))


def _found(pattern: Path, folder: Path) -> list[Path]:
    start = folder if pattern.is_relative_to(folder) else Path(pattern.anchor)
    wanted = str(pattern.relative_to(start))
    if not _WILD & set(wanted):
        return [pattern]
    return sorted(path for path in start.glob(wanted) if not _is_inner(path.relative_to(start)))


def _is_inner(path: Path) -> bool:
    return any(part.startswith(_INNER) and part != _INNER for part in path.parts)


def rule_documents(config: Document) -> Iterator[Document | ConfigError]:
    """Read the files of rules that a config names; it is told which of them cannot be read.

    A pattern that is no text is left to the check of the config itself.
    """
    value = config.value.get("rule_files") if isinstance(config.value, dict) else None
    read: set[Path] = set()
    for i, text in enumerate(value if isinstance(value, list) else []):
        usable = isinstance(text, str) and text and "\0" not in text
        try:
            files = (
                found_by([config.sources.folder / str(text)], folder=config.sources.folder)
                if usable
                else ()
            )
        except ValueError as error:
            config.reject(("rule_files", i), f"{text}: {error}")
            continue
        for file in files:
            if file in read:
                continue
            read.add(file)
            try:
                yield document_from(text_of(file), file=str(file), sources=config.sources)
            except FileProblem as problem:
                config.reject(("rule_files", i), f"{file}: {problem}")
            except ConfigError as error:
                yield error


def rules_in(document: Document) -> tuple[RuleSetting, ...]:
    """Answer with the rules of a file; raises ValidationError."""
    context = {"folder": document.sources.folder}
    return RuleFile.model_validate(document.value, context=context).rules


def complaints(error: ValidationError, document: Document) -> Iterator[tuple[KeyPath, str]]:
    return explained(error, document, RuleFile)

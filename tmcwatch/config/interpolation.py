"""Values from outside the file: `${NAME}` from the environment, `${file:PATH}` from a file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE = 1_000_000
_REFERENCE = re.compile(r"\$\$|\$\{(?P<inside>[^{}]*)\}|\$\{")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE = "file:"


class ReferenceProblem(Exception):
    """A reference that leads to nothing usable."""


class FileProblem(Exception):
    """A file that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What references are looked up in."""

    environ: Mapping[str, str]
    folder: Path
    """Relative paths start here: the config file's own folder."""


def has_reference(text: str) -> bool:
    return any(found[0] != "$$" for found in _REFERENCE.finditer(text))


def interpolated(text: str, sources: Sources, note: Callable[[str, str], None]) -> str:
    """Fill in every reference; `$$` stands for one dollar sign.

    `note` is told each reference and its value, so that no message shows the value.
    Raises ReferenceProblem.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        answer = _looked_up(found[0], found["inside"], sources)
        note(found[0], answer)
        return answer

    return _REFERENCE.sub(value, text)


def referenced_files(text: str, folder: Path) -> list[Path]:
    """Answer with the files that a config text refers to by `${file:…}`."""
    inside = (found["inside"] or "" for found in _REFERENCE.finditer(text))
    return [folder / name.removeprefix(_FILE) for name in inside if name.startswith(_FILE)]


def content_of(path: Path) -> bytes:
    """Read a file of at most 1 MB; raises FileProblem."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise FileProblem("the file does not exist") from None
    except IsADirectoryError:
        raise FileProblem("this is a directory, not a file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileProblem(f"the file cannot be read: {reason}") from error
    if len(content) > LARGEST_FILE:
        raise FileProblem("the file is larger than 1 MB")
    return content


def text_of(path: Path) -> str:
    """Read a text of at most 1 MB in UTF-8; raises FileProblem."""
    try:
        return content_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(f"the file is not UTF-8 (byte {error.start + 1})") from error


def _looked_up(reference: str, inside: str | None, sources: Sources) -> str:
    if inside is not None and inside.startswith(_FILE):
        return _from_file(reference, inside.removeprefix(_FILE), sources.folder)
    if inside is None or not _NAME.fullmatch(inside):
        raise ReferenceProblem(
            f"found {reference!r}; allowed: ${{NAME}}, ${{file:PATH}}, and $$ for a dollar sign"
        )
    if inside not in sources.environ:
        raise ReferenceProblem(f"the environment variable {inside} is not set")
    if not sources.environ[inside]:
        raise ReferenceProblem(f"the environment variable {inside} is empty")
    return sources.environ[inside]


def _from_file(reference: str, name: str, folder: Path) -> str:
    if not name:
        raise ReferenceProblem(f"{reference} names no file")
    try:
        text = text_of(folder / name).removesuffix("\n").removesuffix("\r")
    except FileProblem as problem:
        raise ReferenceProblem(f"{reference}: {problem}") from problem
    if not text:
        raise ReferenceProblem(f"{reference}: the file is empty")
    return text

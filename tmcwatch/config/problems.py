"""What is wrong with a configuration: every problem at once, each with its file, line and key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeAlias

from pydantic_core import PydanticCustomError

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: `("receivers", 1, "apprise", 0)`."""

WRONG = "wrong"
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to put right; lines and columns count from 1."""

    file: str
    line: int | None = None
    column: int | None = None
    key: str = ""
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.text) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the keys of a file stand, for what is found wrong after it was read."""

    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)

    def problem(self, key: str, text: str) -> Problem:
        """Place a problem at its key, or where that is not written, at the nearest one around."""
        around = key
        while around and around not in self.lines:
            around = around[: max(around.rfind("."), around.rfind("["), 0)]
        line = self.lines.get(around, 1 if self.lines else None)
        return Problem(file=self.file, line=line, key=key, text=text)


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def wrong(found: object, allowed: str) -> PydanticCustomError:
    """Make the error that a validator raises; what was found is left out where it is secret."""
    context = {"found": description(found), "allowed": allowed}
    return PydanticCustomError(WRONG, "found {found}; allowed: {allowed}", context)


def description(found: object) -> str:
    match found:
        case None:
            return "nothing"
        case bool():
            return "true" if found else "false"
        case str():
            return repr(found if len(found) <= _SHOWN else f"{found[:_SHOWN]}…")
        case int() | float():
            return f"the number {found}"
        case list():
            return "a list" if found else "an empty list"
        case _:
            return "a mapping"


def key_text(path: KeyPath) -> str:
    """Write a path as people do: `receivers[1].apprise[0]`."""
    text = ""
    for part in path:
        shown = part if isinstance(part, int) or part.isprintable() else repr(part)
        text += f"[{shown}]" if isinstance(part, int) else f".{shown}" if text else str(shown)
    return text


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """Answer with ` Did you mean 'x'?`, or nothing where no allowed word is near."""
    near = get_close_matches(word, list(allowed), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""

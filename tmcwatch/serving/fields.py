"""Fields of bodies, forms and queries: each read strictly, and named where it is wrong."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from starlette.exceptions import HTTPException

from tmcwatch.domain.matcher import Matcher, MatcherError, matcher_from

LONGEST_TEXT = 2_000
LONGEST_NAME = 64
LONGEST_MATCHER = 1_000
MOST_MATCHERS = 20

Value = TypeVar("Value")


class Fields:
    """The fields of one request; those that are not known are refused."""

    def __init__(self, values: object, known: Collection[str]) -> None:
        if not isinstance(values, dict):
            raise wrong(f"a JSON object is needed, with {', '.join(known)}")
        unknown = sorted(values.keys() - set(known))
        if unknown:
            raise wrong(f"{unknown[0][:80]}: not known; allowed: {', '.join(known)}")
        self._values: Mapping[str, object] = values

    def text(self, name: str, *, most: int = LONGEST_TEXT) -> str | None:
        """Answer with a text, None where the field is not there."""
        if name not in self._values:
            return None
        value = self._values[name]
        if not isinstance(value, str) or not is_sound(value):
            raise wrong(f"{name}: a text is needed")
        if len(value) > most:
            raise wrong(f"{name}: at most {most:,} characters")
        return value.strip()

    def needed(self, name: str, *, most: int = LONGEST_TEXT) -> str:
        found = self.text(name, most=most)
        if not found:
            raise wrong(f"{name}: is needed, and not to be empty")
        return found

    def author(self, name: str, token: str) -> str:
        """Answer with who did it: the token's name, and who that says to have been."""
        by = self.text(name, most=LONGEST_NAME)
        if by is None:
            return token
        if not by or not by.isprintable():
            raise wrong(f"{name}: a name of 1 to {LONGEST_NAME} characters is needed")
        return f"{token}/{by}"

    def matchers(self, name: str) -> tuple[Matcher, ...]:
        """Answer with at least one matcher."""
        texts = self._values.get(name)
        if not isinstance(texts, list) or not 0 < len(texts) <= MOST_MATCHERS:
            raise wrong(f"{name}: a list of 1 to {MOST_MATCHERS} matchers is needed")
        return tuple(matcher(f"{name}[{place}]", text) for place, text in enumerate(texts))


def matcher(name: str, text: object) -> Matcher:
    """Read a matcher in Alertmanager's syntax; `name` is what the complaint calls it."""
    if not isinstance(text, str) or len(text) > LONGEST_MATCHER or not is_sound(text):
        raise wrong(f"{name}: a text of at most {LONGEST_MATCHER:,} characters is needed")
    try:
        return matcher_from(text)
    except (MatcherError, OverflowError, RecursionError) as error:
        raise wrong(f"{name}: {error}") from error


def one_of(name: str, text: str, choices: Mapping[str, Value]) -> Value:
    if text not in choices:
        raise wrong(f"{name}: one of {', '.join(choices)} is needed")
    return choices[text]


def wrong(text: str) -> HTTPException:
    return HTTPException(400, text)


def is_sound(text: str) -> bool:
    """Tell whether a text can be kept: JSON can write halves of characters, which nobody can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

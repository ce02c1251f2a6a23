"""Labels of an alert as people write them: `severity="critical",name="x"`."""

from collections.abc import Iterator, Mapping

from tmcwatch.domain.matcher import Matcher, MatcherError, Operator, matcher_from


def labels_from(text: str) -> dict[str, str]:
    """Read `severity="critical",name="x"`. Raises MatcherError with what is wrong."""
    labels: dict[str, str] = {}
    for part in _parts(text.strip().removeprefix("{").removesuffix("}")):
        found = matcher_from(part)
        if found.operator is not Operator.EQUAL:
            raise MatcherError(f'{part!r}: an alert has values, such as severity="critical"')
        if labels.setdefault(found.label, found.value) != found.value:
            raise MatcherError(f"{part!r}: {found.label} is given twice")
    return labels


def labels_text(labels: Mapping[str, str]) -> str:
    made = (
        Matcher(label=name, operator=Operator.EQUAL, value=text) for name, text in labels.items()
    )
    return ", ".join(str(one) for one in made) or "no labels"


def _parts(text: str) -> Iterator[str]:
    """Part at commas that stand outside of quotes."""
    part, is_quoted, is_escaped = "", False, False
    for sign in text:
        if sign == "," and not is_quoted:
            yield part
            part = ""
            continue
        if sign == '"' and not is_escaped:
            is_quoted = not is_quoted
        is_escaped = sign == "\\" and not is_escaped
        part += sign
    if part.strip():
        yield part

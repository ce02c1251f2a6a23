"""Ids as people read and write them: short, as long as they are the only ones that begin so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tmcwatch.cli.ending import wrong_usage

SHORT = 8


def shortened(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Answer with the same, each `id` cut to where all of them still differ."""
    length = _length(one["id"] for one in found)
    return [{**one, "id": one["id"][:length]} for one in found]


def checked_id(text: str) -> str:
    """Answer with an id that can stand in a path."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise wrong_usage(f"{text[:80]!r} is not an id, nor the beginning of one")
    return text


def _length(ids: Iterable[str]) -> int:
    whole = set(ids)
    longest = max((len(id_) for id_ in whole), default=SHORT)
    fitting = (
        length
        for length in range(SHORT, longest)
        if len({i[:length] for i in whole}) == len(whole)
    )
    return next(fitting, longest)

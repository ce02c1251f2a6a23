"""What the shipped dashboards ask Prometheus, with a value in the place of each variable."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tests.deploy.dashboards.shipped import FOLDER

_VALUES = {"__range": "1h", "__rate_interval": "5m", "__interval": "1m"}
_ANY = ".*"
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_OF_VARIABLE = re.compile(r"(?:label_values\((?P<of>.*), (?P<label>\w+)\)|query_result\((.*)\))")


class Query(NamedTuple):
    """One question of one panel, or of a variable."""

    dashboard: str
    panel: str
    expr: str


@cache
def dashboards() -> list[dict[str, Any]]:
    """Answer with the dashboards as they are checked in."""
    return [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give all but the rows, those folded away too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries() -> list[Query]:
    """Answer with what all panels ask, ready for a Prometheus that scrapes tmcwatch."""
    return [
        Query(dashboard["title"], panel["title"], _filled(target["expr"]))
        for dashboard in dashboards()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def with_exemplars() -> list[Query]:
    """Answer with those whose graph shows single runs besides."""
    return [
        Query(dashboard["title"], panel["title"], _filled(target["expr"]))
        for dashboard in dashboards()
        for panel in panels(dashboard)
        for target in panel["targets"]
        if target.get("exemplar")
    ]


def choices() -> list[Query]:
    """Answer with what all variables ask; what they offer is in the labels of the answer."""
    return [
        Query(dashboard["title"], variable["label"], _filled(_inner(variable["query"]["query"])))
        for dashboard in dashboards()
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]


def _filled(text: str) -> str:
    return _VARIABLE.sub(lambda found: _VALUES.get(found[1], _ANY), text)


def _inner(text: str) -> str:
    found = _OF_VARIABLE.fullmatch(text)
    assert found is not None, text
    if found["label"] is None:
        return found[3]
    return f"count by ({found['label']}) ({found['of']})"

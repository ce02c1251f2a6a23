"""Metrics as lines of text: of thousands of tasks, objects would take ten times as long."""

from collections.abc import Mapping
from enum import Enum

from prometheus_client.samples import Exemplar

from tmcwatch.telemetry.blank import stem, writable
from tmcwatch.telemetry.families import Family, Type

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Form(Enum):
    """What a scraper accepts."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def head(family: Family, form: Form) -> str:
    """Answer with the lines that stand before the series of a metric."""
    name, type_ = stem(family), family.type
    if form is Form.TEXT:
        name, type_ = family.name, Type.GAUGE if type_ is Type.INFO else type_
    return f"# HELP {name} {family.help}\n# TYPE {name} {type_.value}\n"


def label(name: str, value: str) -> str:
    return f'{name}="{writable(value).translate(_ESCAPES)}"'


def labels(of: Mapping[str, str]) -> str:
    return ",".join(label(name, value) for name, value in of.items())


def line(name: str, of: str, value: float) -> str:
    """Answer with one series, whose labels are written already."""
    return f"{name}{{{of}}} {float(value)!r}\n"


def with_exemplar(written: str, exemplar: Exemplar) -> str:
    """Answer with the line of a series and what an example of it is."""
    of, value, at = labels(exemplar.labels), exemplar.value, exemplar.timestamp
    return f"{written[:-1]} # {{{of}}} {float(value)!r} {at!r}\n"

"""Blank metrics, as the table of all metrics has them, and texts that can be written into them."""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from tmcwatch.telemetry.families import Family, named


def blank_gauge(name: str) -> GaugeMetricFamily:
    family = named(name)
    return GaugeMetricFamily(family.name, family.help, labels=family.labels)


def blank_counter(name: str) -> CounterMetricFamily:
    family = named(name)
    return CounterMetricFamily(stem(family), family.help, labels=family.labels)


def stem(family: Family) -> str:
    """Answer with a name as the library takes it: it adds the suffix of the type itself."""
    return family.name.removesuffix("_total").removesuffix("_info")


def writable(text: str) -> str:
    """Replace the lone half of a surrogate pair: one in a name must not cost the whole answer."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()

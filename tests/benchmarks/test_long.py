"""The long benchmark still runs: a few minutes of a small tenant, with every figure it prints."""

from datetime import timedelta

from tests.benchmarks.long import watch_and_tell
from tmcwatch.simulator import small


def test_the_long_benchmark_watches_and_tells(tmp_path):
    span = timedelta(minutes=20)
    lines = list(watch_and_tell(small(), "trigger", tmp_path, span, beat=30))
    told = {line[:44].strip(): float(line[44:56].replace(",", "")) for line in lines if wide(line)}
    assert told["ends in the last hours"] > 0
    assert told["of them missed"] == 0
    assert told["executions stored"] > 0
    assert told["memory, most"] > told["memory, at the end"] / 2


def wide(line):
    """Tell whether a line holds a figure in its column."""
    return line[44:56].strip().replace(",", "").replace(".", "").removeprefix("-").isdigit()

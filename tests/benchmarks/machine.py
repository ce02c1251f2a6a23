"""What a figure was measured on, and figures in words."""

import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def machine() -> str:
    """Answer with processor, cores, Python and date, without which a figure says nothing."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, Python {python}, {datetime.now(UTC):%Y-%m-%d}"


def figure(name: str, value: float, unit: str, *, wanted: float, at_least: bool = False) -> str:
    """Answer with a line that sets a figure against what is wanted of it."""
    sign = "≥" if at_least else "≤"
    ratio = value / wanted if wanted else value
    return f"{name:<44}{value:>12,.2f} {unit:<8} wanted {sign} {wanted:g}, ratio {ratio:.2f}"


def plain(name: str, value: float, unit: str) -> str:
    return f"{name:<44}{value:>12,.2f} {unit}"


def quantile(values: Sequence[float], share: float) -> float:
    """Answer with the value that `share` of all do not exceed; the worst one of a few."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)

"""Measures and prints: `python -m tests.benchmarks [NAME…]`; asserts nothing."""

import argparse
from collections.abc import Callable, Mapping
from functools import partial

import anyio

from tests.benchmarks import absorbing, long, scraping, sizing, soaking, starting, storm, tenant
from tests.benchmarks.comparing import measuring
from tests.benchmarks.machine import machine

MINUTES = 10.0
DAYS = 3.0
HOURS = 2.0
BEAT = 30
WINDOWS = ("overlap", "trigger")
NAMES = (
    "help",
    "ready",
    "absorb",
    "scrape",
    "storm",
    "tenant",
    "compare",
    "sizing",
    "long",
    "soak",
)
ONLY_BY_NAME = frozenset({"sizing", "long", "soak"})
"""What takes too long to be among all of them."""


def main() -> None:
    parser = _parser()
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    print(machine(), flush=True)
    benchmarks = _benchmarks(given)
    for name in given.names or [name for name in NAMES if name not in ONLY_BY_NAME]:
        print(f"\n{name}", flush=True)
        benchmarks[name]()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    minutes = "tenant, sizing: real time to watch a tenant for; default: %(default)s"
    parser.add_argument("--minutes", type=float, default=MINUTES, help=minutes)
    days = "long: virtual time to watch the very large tenant for; default: %(default)s"
    parser.add_argument("--days", type=float, default=DAYS, help=days)
    hours = "soak: virtual time of each soak; default: %(default)s"
    parser.add_argument("--hours", type=float, default=HOURS, help=hours)
    window = "long: how that tenant reads from and to; default: %(default)s"
    parser.add_argument("--window", choices=WINDOWS, default=WINDOWS[0], help=window)
    beat = "long: seconds between two looks; default: %(default)s"
    parser.add_argument("--beat", type=int, default=BEAT, help=beat)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    return parser


def _benchmarks(given: argparse.Namespace) -> Mapping[str, Callable[[], None]]:
    return {
        "help": partial(anyio.run, starting.measure_help),
        "ready": partial(anyio.run, starting.measure_ready),
        "absorb": partial(anyio.run, absorbing.measure),
        "scrape": partial(anyio.run, scraping.measure),
        "storm": partial(anyio.run, storm.measure),
        "tenant": lambda: anyio.run(tenant.measure, given.minutes),
        "sizing": lambda: anyio.run(sizing.measure, given.minutes),
        "compare": measuring.measure,  # on a clock of its own
        "long": lambda: anyio.run(long.measure, given.days, given.window, given.beat),
        "soak": lambda: soaking.measure(given.hours),  # on a clock of its own
    }


if __name__ == "__main__":
    main()

"""Measures and prints: `python -m tests.benchmarks [NAME…] [--minutes N]`; asserts nothing."""

import argparse
from collections.abc import Callable
from functools import partial

import anyio

from tests.benchmarks import absorbing, scraping, starting, storm, tenant
from tests.benchmarks.comparing import measuring
from tests.benchmarks.machine import machine

MINUTES = 10.0


def main() -> None:
    benchmarks: dict[str, Callable[[], None]] = {
        "help": partial(anyio.run, starting.measure_help),
        "ready": partial(anyio.run, starting.measure_ready),
        "absorb": partial(anyio.run, absorbing.measure),
        "scrape": partial(anyio.run, scraping.measure),
        "storm": partial(anyio.run, storm.measure),
        "tenant": lambda: anyio.run(tenant.measure, given.minutes),
        "compare": measuring.measure,  # on a clock of its own
    }
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    minutes = "real time to watch the large tenant for; default: %(default)s"
    parser.add_argument("--minutes", type=float, default=MINUTES, help=minutes)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(benchmarks))
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in benchmarks]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    print(machine(), flush=True)
    for name in given.names or benchmarks:
        print(f"\n{name}", flush=True)
        benchmarks[name]()


if __name__ == "__main__":
    main()

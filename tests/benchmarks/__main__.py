"""Measures and prints: `python -m tests.benchmarks [NAME…] [--minutes N]`; asserts nothing."""

import argparse
from functools import partial

import anyio

from tests.benchmarks import absorbing, scraping, starting, storm, tenant
from tests.benchmarks.machine import machine

def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    minutes = "real time to watch the large tenant for"
    parser.add_argument("--minutes", type=float, default=10.0, help=minutes)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    given = parser.parse_args()
    benchmarks = BENCHMARKS | {"tenant": partial(tenant.measure, given.minutes)}
    unknown = [name for name in given.names if name not in benchmarks]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    print(machine(), flush=True)
    for name in given.names or benchmarks:
        anyio.run(benchmarks[name])
        print(flush=True)


if __name__ == "__main__":
    main()

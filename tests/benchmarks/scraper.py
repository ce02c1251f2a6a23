"""A scraper: `python -m tests.benchmarks.scraper URL text|openmetrics TIMES EVERY`."""

import json
import sys
import time
from urllib.request import Request, urlopen

import anyio

ACCEPT = {"text": "text/plain", "openmetrics": "application/openmetrics-text; version=1.0.0"}


async def scrape(url: str, form: str, times: int, every: float) -> None:
    """Scrape so many times and print when each began and ended, and how much came."""
    request = Request(url, headers={"Accept": ACCEPT[form]})
    found = []
    for _ in range(times):
        began = time.perf_counter()
        with urlopen(request, timeout=60) as answer:  # noqa: ASYNC210 - nothing else runs
            content = answer.read()
        found.append((began, time.perf_counter(), len(content), content.count(b"\ntmcwatch_")))
        await anyio.sleep(every)
    print(json.dumps(found))


if __name__ == "__main__":
    anyio.run(scrape, sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))

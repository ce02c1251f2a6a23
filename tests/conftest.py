"""What every test shares: virtual time on Trio, and wall time that moves with it."""

import os
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import settings
from trio.testing import MockClock

if "CI" not in os.environ:  # where hypothesis loads a profile of its own
    # How long an example takes says how busy the machine is.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def anyio_backend():
    """Run on Trio, with a clock that jumps ahead whenever every task is waiting."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(scope="session")  # hypothesis refuses function-scoped fixtures
def now():
    """Wall time that moves with anyio's clock, so the two jump together."""
    return lambda: EPOCH + timedelta(seconds=anyio.current_time())

"""What every test shares: virtual time on Trio, and wall time that moves with it."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest
from trio.testing import MockClock

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def anyio_backend():
    """Run on Trio, with a clock that jumps ahead whenever every task is waiting."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(scope="session")  # hypothesis refuses function-scoped fixtures
def now():
    """Wall time that moves with anyio's clock, so the two jump together."""
    return lambda: EPOCH + timedelta(seconds=anyio.current_time())

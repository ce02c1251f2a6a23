"""What the services' tests share: a store on a file, and a list that is watched."""

from datetime import timedelta

import pytest
import structlog

from tests.services.house import House
from tests.services.lists import FakeList, Watching
from tmcwatch.store.opening import open_store


@pytest.fixture
def store(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'watch.db'}")
    yield store
    store.close()


@pytest.fixture
def watching(store, now):
    """Make a list that is watched: `watching(by_trigger=True)`."""

    def make(*, refreshes: int = 10, history: timedelta = timedelta(), **facts) -> Watching:
        fake = FakeList(clock=now, **facts)
        return Watching(tmc=fake, store=store, now=now, history=history, refreshes=refreshes)

    return make


@pytest.fixture
def house(store, now):
    with structlog.testing.capture_logs():
        yield House(store, now)

"""What tests of real processes share: programs of others, got once."""

import pytest

from tests.process.debian import program


@pytest.fixture(scope="session")
def alertmanager_binary():
    return program("prometheus-alertmanager", package="prometheus-alertmanager")

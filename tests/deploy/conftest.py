"""What tests of the shipped files share: the programs that check them."""

import subprocess
from collections.abc import Callable

import pytest

from tests.process.debian import program


@pytest.fixture(scope="session")
def promtool():
    return checking("promtool", package="prometheus")


@pytest.fixture(scope="session")
def amtool():
    return checking("amtool", package="prometheus-alertmanager")


def checking(name: str, *, package: str) -> Callable[..., None]:
    """Answer with what runs a program, and fails with what it says if that finds something."""
    path = program(name, package=package)

    def check(*words: str, text: str = "") -> None:
        done = subprocess.run(
            [path, *words], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return check

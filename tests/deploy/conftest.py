"""What tests of the shipped files share: the programs that check them."""

import subprocess

import pytest

from tests.process.debian import program


@pytest.fixture(scope="session")
def promtool():
    path = program("promtool", package="prometheus")

    def check(*words: str, text: str = "") -> None:
        done = subprocess.run(
            [path, *words], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return check

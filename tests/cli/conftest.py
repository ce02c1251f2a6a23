"""How tests call a command, and what they give it."""

import pytest
import structlog
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner

from tmcwatch.app import real_world
from tmcwatch.cli.commands import tmcwatch
from tmcwatch.simulator import Simulator, served, small

CONFIG = """\
accounts:
  - {name: prod, region: eu, token: a-token}
route: {receiver: team}
receivers:
  - name: team
    log: {}
http: {listen: "127.0.0.1:0"}
"""


@pytest.fixture
def call():
    """Call `tmcwatch` with these words."""
    yield lambda *words, **env: CliRunner().invoke(tmcwatch, list(words), env=env)
    # What a command logs to is closed by now.
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path):
    """Write a configuration, some of its text replaced; answers with its path as text."""

    def write(*replaced, text=CONFIG):
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def simulator():
    return Simulator(small(), now=real_world({}).now)


@pytest.fixture
def tmc(simulator):
    """Serve a simulated TMC from a thread of its own; answers with its addresses."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(served(simulator)) as addresses,
    ):
        yield addresses

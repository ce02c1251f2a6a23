"""The daemon's own tokens in files: what becomes of their file closes doors and opens none."""

import pytest

from tests.threads import inline
from tmcwatch.app import Daemon, World
from tmcwatch.config import load
from tmcwatch.serving.access import May, refusal
from tmcwatch.telemetry.metrics import Metrics

CONFIG = """
accounts: [{name: prod, region: eu, token: a-token}]
route: {receiver: team}
receivers: [{name: team, log: {}}]
http:
  listen: "127.0.0.1:0"
  tokens: [{name: dashboard, file: dashboard, may: read}]
"""


@pytest.fixture
async def daemon(tmp_path, now):
    path, file = tmp_path / "tmcwatch.yaml", tmp_path / "dashboard"
    path.write_text(CONFIG)
    file.write_text("r-secret")
    world = World(now=now, in_thread=inline, random=lambda: 0.5, environ={})
    daemon = Daemon(path, load(path, environ={}), world, Metrics(version="test"))
    yield daemon
    daemon._sock.close()
    daemon.parts.store.close()


def answered(daemon, authorization):
    """Answer with the status of what is asked for with this header."""
    refused = refusal(authorization, daemon._tokens(), needed=May.READ)
    return 200 if refused is None else refused.status


async def test_the_token_in_the_file_counts_as_it_is_now(daemon, tmp_path):
    assert (answered(daemon, None), answered(daemon, "Bearer r-secret")) == (401, 200)
    (tmp_path / "dashboard").write_text("another\n")
    assert answered(daemon, "Bearer r-secret") == 401
    assert answered(daemon, "Bearer another") == 200


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
async def test_a_file_without_a_token_does_not_open_reading_to_all(daemon, tmp_path, content):
    file = tmp_path / "dashboard"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    for authorization in (None, "Bearer r-secret", "Bearer ", "Bearer"):
        assert answered(daemon, authorization) == 401

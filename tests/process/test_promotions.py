"""A pipeline starts a promotion, tells a real daemon of it, and waits for its end."""

from contextlib import contextmanager

import httpx

from tests.process.processes import CONFIG, Command, Daemon, eventually, simulated, started

TOKENS = '\nhttp: {listen: "127.0.0.1:0", tokens: [{name: ci, token: ci-secret, may: change}]}'


@contextmanager
def watching(folder, api):
    path, token = folder / "tmcwatch.yaml", folder / "token"
    listen = '\nhttp: {listen: "127.0.0.1:0"}'
    assert listen in CONFIG
    path.write_text(CONFIG.replace(listen, TOKENS) % {"api": api, "token": "token: demo"})
    token.write_text("ci-secret")
    with started(Daemon, folder, "run", "--config", str(path), is_forked=True) as daemon:
        daemon.until_fresh()
        yield daemon, token


def promote(control, **wish):
    wish |= {"promotion_id": "TEST to PROD", "lasts_seconds": 3}
    return httpx.post(f"{control}/promotion-runs", json=wish).json()["executionId"]


def waited(folder, daemon, token, run):
    words = ("promotion", "watch", run, "--token-file", str(token), "--wait", "--timeout", "30s")
    with started(Command, folder, *words, TMCWATCH_URL=daemon.url) as command:
        return command.ends(within=40), command.output


def test_a_pipeline_waits_for_its_promotions_and_the_daemon_tells_of_the_failed_one(tmp_path):
    with (
        simulated(tmp_path, "--scenario", "small") as (api, control),
        watching(tmp_path, api) as (daemon, token),
    ):
        failing = promote(control, ends="PROMOTION_FAILED", error="no engine")
        code, said = waited(tmp_path, daemon, token, failing)
        assert code == 1
        assert said.startswith("promotion TEST to PROD failed: promotion failed: 1 of ")
        assert "no engine" in said
        assert waited(tmp_path, daemon, token, promote(control)) == (
            0,
            "promotion TEST to PROD was made\n",
        )
        opened = eventually(
            lambda: [e for e in daemon.logged("alert_opened") if e["rule"] == "promotion_failed"]
        )
        assert opened[0]["name"] == "TEST to PROD"
        body = {"execution": failing}
        assert httpx.post(f"{daemon.url}/api/v1/promotions", json=body).status_code == 401

"""`promotion watch`: a daemon is told of a promotion, and a pipeline waits for its end."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tmcwatch.cli import promotion

ID = "00000000-0000-4000-8000-000000009001"
FOLLOWED = {"account": "prod", "execution": ID, "watching": True}
ONE = {
    "account": "prod",
    "execution": ID,
    "name": "TEST to PROD",
    "phase": "running",
    "since": "2026-11-20T15:00:00Z",
    "source": "request",
    "asked_at": "2026-11-20T15:00:00Z",
    "given_up": False,
    "error": None,
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(promotion, "ASK_EVERY", 0.01)


@contextmanager
def daemon(*lists, status=202, content=FOLLOWED, told=None):
    """Answer like a daemon: `lists` one after the other, the last one again and again.

    None in their place is an answer of a gateway.
    """
    waiting = list(lists)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if told is not None:
                told.append((self.path, json.loads(body), self.headers["Authorization"]))
            self.answer(status, content)

        def do_GET(self):
            found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            self.answer(502 if found is None else 200, found)

        def answer(self, code, content):
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ended(phase, **changes):
    return [{**ONE, "execution": "other", "phase": "failed"}, {**ONE, "phase": phase, **changes}]


def test_the_daemon_is_told_of_the_promotion(call, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n")
    told: list[object] = []
    with daemon([], told=told) as url:
        words = ("--url", url, "--account", "prod", "--token-file", str(token))
        result = call("promotion", "watch", ID, *words)
    assert (result.exit_code, result.output) == (0, f"following promotion {ID}\n")
    body = {"execution": ID, "account": "prod"}
    assert told == [("/api/v1/promotions", body, "Bearer secret")]


def test_as_json_it_is_what_the_daemon_says(call):
    with daemon([], status=200) as url:
        result = call("promotion", "watch", ID, "--json", TMCWATCH_URL=url)
    assert json.loads(result.output) == FOLLOWED


@pytest.mark.parametrize(
    ("phase", "code", "words"),
    [
        ("succeeded", 0, "promotion TEST to PROD was made"),
        ("analysed", 0, "promotion TEST to PROD was analysed"),
        ("failed", 1, "promotion TEST to PROD failed"),
        ("rejected", 1, "promotion TEST to PROD ended with warnings"),
        ("defective", 1, "promotion TEST to PROD was made with defects"),
    ],
)
def test_who_waits_learns_how_it_ended(call, phase, code, words):
    with daemon([], [ONE], [{**ONE, "phase": "unknown"}], ended(phase)) as url:
        result = call("promotion", "watch", ID, "--wait", "--url", url)
    assert (result.exit_code, result.stdout) == (code, f"{words}\n")


def test_what_failed_is_said_in_one_line(call):
    with daemon(ended("failed", error="1 of 2 objects\nfailed: task a: no")) as url:
        result = call("promotion", "watch", ID, "--wait", "--url", url)
    assert result.stdout == "promotion TEST to PROD failed: 1 of 2 objects failed: task a: no\n"


def test_as_json_the_end_is_what_the_daemon_knows(call):
    with daemon(ended("failed")) as url:
        result = call("promotion", "watch", ID, "--wait", "--json", "--url", url)
    assert (result.exit_code, json.loads(result.stdout)["phase"]) == (1, "failed")


def test_what_is_not_over_in_time_is_said(call):
    with daemon([ONE]) as url:
        result = call("promotion", "watch", ID, "--wait", "--timeout", "100ms", "--url", url)
    assert (result.exit_code, result.stderr) == (1, f"promotion {ID}: not over in time\n")


def test_a_daemon_that_is_away_for_a_moment_is_waited_for(call):
    with daemon(None, None, ended("succeeded")) as url:
        result = call("promotion", "watch", ID, "--wait", "--url", url)
    assert result.exit_code == 0


def test_a_daemon_that_stays_away_is_unreachable(call, monkeypatch):
    monkeypatch.setattr(promotion, "OUT_OF_REACH_FOR", 0.2)
    with daemon(None) as url:
        result = call("promotion", "watch", ID, "--wait", "--url", url)
    assert result.exit_code == 3
    assert "502" in result.stderr


def test_a_daemon_that_is_not_there_is_unreachable(call):
    result = call("promotion", "watch", ID, "--url", "http://127.0.0.1:1")
    assert result.exit_code == 3


@pytest.mark.parametrize(("status", "hint"), [(400, ""), (401, " (see --token-file)")])
def test_a_refusal_is_wrong_usage_with_the_daemons_words(call, status, hint):
    with daemon([], status=status, content={"error": "no such account"}) as url:
        result = call("promotion", "watch", ID, "--url", url)
    assert (result.exit_code, result.stderr) == (2, f"{url}: no such account{hint}\n")


def test_a_timeout_that_is_none_is_wrong_usage(call):
    result = call("promotion", "watch", ID, "--wait", "--timeout", "soon")
    assert result.exit_code == 2
    assert "'soon' is not a duration" in result.stderr


def test_help_shows_an_example(call):
    output = call("promotion", "watch", "--help").output
    assert f"tmcwatch promotion watch {ID} --account prod --wait --timeout 30m" in output

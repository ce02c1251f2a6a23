"""A daemon, or a TMC, as a command meets it over HTTP: fixed answers on a real port."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

FRESH = {"fresh": True, "reasons": []}
STALE = {"fresh": False, "reasons": ["account prod: tasks: never read"]}
STATUS = {
    "version": "0.1.0",
    "at": "2026-11-20T00:00:00Z",
    "accounts": [
        {
            "name": "prod",
            "requests_per_second": 6.0,
            "granted_per_second": 6.0,
            "paused_until": None,
            "lists": [
                {
                    "kind": "task",
                    "watermark": "2026-11-19T23:59:57Z",
                    "watermark_age_seconds": 3.2,
                    "head_age_seconds": 310.0,
                    "history_from": None,
                    "history_to": None,
                    "away_from": "2026-11-20T09:00:00Z",
                    "away_to": "2026-11-20T11:00:00Z",
                    "second_pass": "2026-11-19T23:00:00Z",
                    "settle_seconds": 10.0,
                    "reading": "overlap",
                    "beat_seconds": 10.0,
                    "open": {"running": 2},
                    "subjects": 20,
                    "executions": {"succeeded": 7, "failed": 1, "other": 0},
                },
            ],
        },
        {
            "name": "new",
            "requests_per_second": 6.0,
            "granted_per_second": 6.0,
            "paused_until": None,
            "lists": [],
        },
    ],
    "alerts_firing": [{"rule": "failed", "severity": "critical", "number": 2}],
    "outbox": [{"receiver": "team", "pending": 1, "oldest": None, "dead": 0}],
}


@contextmanager
def answering(status=(200, STATUS), fresh=(200, FRESH), *, token=None):
    """Answer like a daemon while the block runs; gives its URL."""
    with serving({"/api/v1/status": status, "/-/fresh": fresh}, token=token) as url:
        yield url


@contextmanager
def serving(answers, *, token=None, asked=None):
    """Answer with a status and a body by path; gives the URL. `asked` keeps what was asked."""

    kept = [] if asked is None else asked

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.append(json.loads(body))
            self.answer()

        def do_DELETE(self):
            kept.append(f"DELETE {self.path}")
            self.answer()

        def do_GET(self):
            kept.append(self.path)
            self.answer()

        def answer(self):
            code, content = answers[self.path.partition("?")[0]]
            if token and self.headers["Authorization"] != f"Bearer {token}":
                code, content = 401, {"error": "a bearer token is needed"}
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
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

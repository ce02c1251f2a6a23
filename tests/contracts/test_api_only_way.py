"""No request reaches TMC but by the one way: built by the connection, sent within a slot.

The source is read, not run: what tests run cannot show that nothing else exists.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "tmcwatch"

SPEAK_HTTP = {
    "api/connection.py": "builds and sends the requests to TMC",
    "api/body.py": "reads their answers",
    "api/proxy.py": "leads them through a proxy",
    "api/client.py": "is handed the HTTP client that its connection uses",
    "app/world.py": "names the type of a network that tests replace",
    "app/wiring.py": "hands HTTP clients to the connection and to receivers",
    "cli/asking.py": "asks tmcwatch's own daemon",
    "cli/demo.py": "hands a transport without proxies to the daemon of the demo",
    "notifiers/__init__.py": "names the type of what receivers are told with",
    "notifiers/alertmanager/__init__.py": "tells Alertmanager",
    "notifiers/exchange.py": "makes the client of a receiver with an authority of its own",
    "notifiers/keeping.py": "tells services that keep a task",
    "notifiers/webhook/__init__.py": "tells receivers",
}
MAKE_CLIENTS = {
    "api/connection.py": "of the accounts",
    "api/proxy.py": "a transport, for those",
    "app/wiring.py": "of the receivers",
    "cli/asking.py": "of tmcwatch's own daemon",
    "notifiers/exchange.py": "of one receiver",
}
KNOW_THE_CONNECTION = {
    "api/client.py": "makes it",
    "api/asking.py": "sends through it, within a slot of the budget",
    "app/wiring.py": "makes the HTTP client that it uses",
}
BUILD_REQUESTS = {"api/connection.py"}
SEND_IN_A_SLOT = {"api/asking.py"}

OTHER_WAYS = frozenset(
    {"aiohttp", "ftplib", "h11", "httpcore", "http.client", "requests", "smtplib"}
    | {"telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc"}
)
CONNECTING = frozenset({"connect_tcp", "connect_tls", "create_connection", "open_connection"})
MAKING = frozenset({"AsyncClient", "Client", "AsyncHTTPTransport", "HTTPTransport"})
AT_ONCE = frozenset(
    {"delete", "get", "head", "options", "patch", "post", "put", "request", "stream"}
)


def breaches(place: str, source: str) -> list[str]:
    """Answer with what a module does that the one way forbids it."""
    tree = ast.parse(source)
    return [*_of_imports(place, tree), *_of_calls(place, tree), *_of_sending(place, tree)]


def _of_imports(place: str, tree: ast.AST) -> Iterator[str]:
    for name in _imported(tree):
        if _is_of(name, {"httpx"}) and place not in SPEAK_HTTP:
            yield "speaks HTTP"
        if name.startswith("httpx."):
            # So that every use of it names it, and is seen below.
            yield f"takes a part of httpx: {name}"
        if _is_of(name, OTHER_WAYS):
            yield f"has another way out: {name}"
        if _is_of(name, {"tmcwatch.api.connection"}) and place not in KNOW_THE_CONNECTION:
            yield "knows the connection"


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _name(node.func).endswith("import_module"):
            yield from (str(one.value) for one in node.args if isinstance(one, ast.Constant))


def _is_of(name: str, modules: set[str] | frozenset[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _of_calls(place: str, tree: ast.AST) -> Iterator[str]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        owner, _, name = _name(call.func).rpartition(".")
        if name in CONNECTING:
            yield f"opens a connection of its own: {name}"
        if name == "build_request" and place not in BUILD_REQUESTS:
            yield "builds a request"
        if owner == "httpx" and name in MAKING and place not in MAKE_CLIENTS:
            yield f"makes an HTTP client: {name}"
        if owner == "httpx" and name in AT_ONCE:
            yield f"asks without a client: httpx.{name}"


def _of_sending(place: str, tree: ast.AST) -> Iterator[str]:
    within = {
        id(call)
        for block in ast.walk(tree)
        if isinstance(block, ast.AsyncWith) and any(map(_is_slot, block.items))
        for call in ast.walk(block)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        owner, _, name = _name(call.func).rpartition(".")
        if name not in {"send", "request"} or not owner.lower().endswith("connection"):
            continue
        if place not in SEND_IN_A_SLOT:
            yield f"uses the connection: {name}"
        elif name == "send" and id(call) not in within:
            yield "sends without a slot"


def _is_slot(item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and _name(call.func).endswith("budget.slot")


def _name(function: ast.expr) -> str:
    return ast.unparse(function)


MODULES = sorted(str(file.relative_to(ROOT)) for file in ROOT.rglob("*.py"))


def test_all_of_the_package_is_looked_at():
    assert {*SPEAK_HTTP, *MAKE_CLIENTS, *KNOW_THE_CONNECTION} <= set(MODULES)
    assert len(MODULES) > 150


@pytest.mark.parametrize("place", MODULES)
def test_a_module_goes_no_way_but_the_one(place):
    assert breaches(place, (ROOT / place).read_text()) == []


@pytest.mark.parametrize(
    ("place", "source", "found"),
    [
        ("polling/a.py", "import httpx", "speaks HTTP"),
        ("polling/a.py", "from httpx import get", "speaks HTTP"),
        ("polling/a.py", "import_module('httpx')", "speaks HTTP"),
        ("app/wiring.py", "from httpx import AsyncClient as C", "takes a part of httpx"),
        ("polling/a.py", "def f():\n import urllib.request", "has another way out"),
        ("api/a.py", "from urllib import request", "has another way out: urllib.request"),
        ("api/a.py", "from http import client", "has another way out: http.client"),
        ("app/a.py", "from tmcwatch.api.connection import http_client", "knows the connection"),
        ("app/a.py", "from tmcwatch.api import connection", "knows the connection"),
        ("polling/a.py", "await anyio.connect_tcp(host, 443)", "opens a connection of its own"),
        ("app/a.py", "client._connection._http.build_request('GET', url)", "builds a request"),
        ("app/world.py", "httpx.AsyncClient().get(url)", "makes an HTTP client"),
        ("api/client.py", "httpx.get(url)", "asks without a client"),
        ("polling/a.py", "await client._connection.send('o', r)", "uses the connection: send"),
        ("api/client.py", "self._connection.request('/')", "uses the connection: request"),
        ("api/asking.py", "await self._connection.send('o', r)", "sends without a slot"),
        (
            "api/asking.py",
            "async def f():\n async with limit():\n  await self._connection.send('o', r)",
            "sends without a slot",
        ),
    ],
)
def test_a_way_past_the_budget_is_found(place, source, found):
    assert any(one.startswith(found) for one in breaches(place, source))


def test_sending_within_a_slot_is_the_way():
    source = """
async def exchange(self):
    async with self._budget.slot(family, purpose) as slot:
        try:
            await self._connection.send("workspaces", request)
        finally:
            pass
"""
    assert breaches("api/asking.py", source) == []

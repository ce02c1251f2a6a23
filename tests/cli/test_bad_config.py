"""A configuration, a port or a store that cannot be used: a line each, never a traceback."""

import socket
import sqlite3

import pytest

from tmcwatch.store.opening import open_store

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

COMMANDS = [["run"], ["check-config"], ["notify", "test", "team"]]


@pytest.fixture(params=COMMANDS, ids=" ".join)
def refused(request, call):
    """Call each command that takes a configuration; answers with the lines it says."""

    def refuse(path):
        result = call(*request.param, "--config", path)
        assert result.exit_code == 2
        assert result.stdout == ""
        return result.stderr.splitlines()

    return refuse


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("region: eu", "region: mars"), "c.yaml:2: accounts[0].region: found 'mars'"),
        (("region: eu", "regoin: eu"), "c.yaml:2: accounts[0].regoin: "),
        (("route: {", "watch: {beat: 30}\nroute: {"), "c.yaml:3: watch.beat: found the number 30"),
        (("route: {", "nope: 1\nroute: {"), "c.yaml:3: nope: "),
        (("{receiver: team}", "{receiver: tem}"), "c.yaml:3: route.receiver: "),
        (("log: {}", "log: {}\n  - {name: team, log: {}}"), "c.yaml:7: receivers[1].name: "),
        (("log: {}", 'apprise: ["nosuch://x"]'), "c.yaml:6: receivers[0].apprise[0]: "),
        (
            ("token: a-token", "token: '${NOT_SET}'"),
            "c.yaml:2: accounts[0].token: the environment",
        ),
        (("token: a-token", "token_file: nope"), "c.yaml:2: accounts[0].token_file: "),
        (
            ("token: a-token", "service_account: {id: i, secret_file: nope}"),
            "c.yaml:2: accounts[0].service_account.secret_file: ",
        ),
    ],
)
def test_each_problem_is_a_line_with_file_and_key(refused, config, change, said):
    lines = refused(config(change))
    assert any(said in line for line in lines), lines


def test_an_empty_token_file_is_named(refused, config, tmp_path):
    (tmp_path / "empty").write_text("\n")
    [line] = refused(config(("token: a-token", "token_file: empty")))
    place = f"{tmp_path}/c.yaml:2: accounts[0].token_file"
    assert line == f"{place}: {tmp_path}/empty: the file is empty"


@pytest.mark.parametrize("text", ["- a\n- list\n", "a: [1\n", ""])
def test_what_is_no_configuration_at_all_is_one_line(refused, config, text):
    [line] = refused(config(text=text))
    assert "c.yaml" in line


def test_a_file_that_is_missing_is_named(refused, tmp_path):
    [line] = refused(str(tmp_path / "nope.yaml"))
    assert "nope.yaml: " in line


def test_a_folder_is_no_configuration(refused, tmp_path):
    [line] = refused(str(tmp_path))
    assert line.startswith(f"{tmp_path}: ")


def test_the_file_may_come_from_the_environment(call, config):
    result = call("check-config", TMCWATCH_CONFIG=config())
    assert result.exit_code == 0


@pytest.fixture
def cannot_run(call):
    def run(path):
        result = call("run", "--config", path)
        assert result.exit_code == 3
        [line] = result.stderr.splitlines()
        return line

    return run


def test_a_port_in_use_is_one_line(cannot_run, config):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        line = cannot_run(config(("127.0.0.1:0", listen)))
    assert line == f"http.listen {listen}: address already in use"


def test_a_store_of_a_newer_version_is_one_line(cannot_run, config, tmp_path):
    open_store(f"sqlite:///{tmp_path}/tmcwatch.db").close()
    with sqlite3.connect(tmp_path / "tmcwatch.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("UPDATE compatibility SET readable_by = '9998'")
    database.close()
    assert "the store has schema 9999, written by a newer tmcwatch" in cannot_run(config())


def test_a_store_without_its_folder_is_one_line(cannot_run, config):
    path = config(("http:", "store: {url: 'sqlite:///nope/t.db'}\nhttp:"))
    assert "there is no folder" in cannot_run(path)


def test_a_folder_is_no_store(cannot_run, config, tmp_path):
    (tmp_path / "tmcwatch.db").mkdir()
    assert "is a folder, not a file" in cannot_run(config())


def test_a_file_that_is_no_database_is_no_store(cannot_run, config, tmp_path):
    (tmp_path / "tmcwatch.db").write_text("no database at all " * 1000)
    assert "file is not a database" in cannot_run(config())

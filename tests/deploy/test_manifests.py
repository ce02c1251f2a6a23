"""The chart and the Kustomize base are what Kubernetes takes and what tmcwatch understands."""

import json
import shutil
from pathlib import Path

import anyio
import click
import httpx
import pytest
import yaml

from tests.deploy.manifests import (
    CHART,
    FOREIGN,
    FULL,
    ROOT,
    container_of,
    kustomized,
    only,
    pod_of,
    rendered,
)
from tests.deploy.tools import helm, installed, run
from tests.serving.daemon import READER, answering
from tmcwatch.cli.commands import tmcwatch
from tmcwatch.config import load
from tmcwatch.serving.application import application
from tmcwatch.telemetry.health import Health

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

ENVIRON = {"TEAM_URL": "json://team.example.org", "HOOK_URL": "https://team.example.org/hook"}
WAYS = {
    "the chart": rendered,
    "the chart with every value": lambda: rendered("--values", str(FULL)),
    "the base": lambda: kustomized("base"),
    "the example": lambda: kustomized("example"),
}
RULES = """groups:
  - name: made up
    rules:
      - {alert: Late, expr: "up == 0", annotations: {summary: "{{ $labels.account }} is late"}}
"""


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def manifests(request):
    return request.param()


def answered(path):
    """Answer with the status that the application has for a kubelet, which carries no token."""

    async def ask():
        app = application(answering(Health()), lambda: [READER])
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://pod") as kubelet:
            return (await kubelet.get(path)).status_code

    return anyio.run(ask)


def content_of(manifest):
    """Answer with what a manifest says, besides of itself."""
    return {key: value for key, value in manifest.items() if key != "metadata"}


def is_explained(text, key, start):
    """Tell whether the line of a key, the first from there on, stands below a comment."""
    lines = f"\n{text}"[start:].splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith(f"{key}:"))
    return lines[index - 1].lstrip().startswith("# ")


def test_helm_has_nothing_to_say_against_the_chart():
    for words in ([], ["--values", str(FULL)]):
        done = helm("lint", "--strict", str(CHART), *words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_knows_every_field(manifests):
    validate = installed("kubernetes-validate", package="kubernetes-validate==1.37.0")
    own = [each for each in manifests if each["apiVersion"] != FOREIGN]
    done = run([validate, "--strict", "-"], stdin=yaml.safe_dump_all(own))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("passed") == len(own)


def test_probes_ask_what_the_application_answers(manifests):
    container = container_of(manifests)
    (port,) = container["ports"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert answered(asked["path"]) in (200, 503)
        assert asked["port"] == port["name"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/-/healthy"
    assert container["readinessProbe"]["httpGet"]["path"] == "/-/ready"
    assert answered("/-/reddy") == 404
    assert answered("/api/v1/status") == 401


def test_arguments_are_a_command_with_its_options(manifests):
    name, *words = container_of(manifests)["args"]
    command = tmcwatch.get_command(click.Context(tmcwatch), name)
    assert command is not None
    parsed = command.make_context(name, words).params
    assert parsed["path"] == Path("/etc/tmcwatch/tmcwatch.yaml")


def test_the_config_loads_and_fits_the_pod(manifests, tmp_path):
    pod, container = pod_of(manifests), container_of(manifests)
    (name,) = (each["configMap"]["name"] for each in pod["volumes"] if each["name"] == "config")
    (files,) = (
        each["data"]
        for each in manifests
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name
    )
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    config = load(tmp_path / "tmcwatch.yaml", environ=ENVIRON)
    assert config.http.host == "0.0.0.0"
    assert config.http.port == container["ports"][0]["containerPort"]
    assert config.grace.total_seconds() < pod["terminationGracePeriodSeconds"]
    written = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert str(config.store.path.parent) in written
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    named = (
        *(one.token_file for one in config.accounts),
        *(one.file for one in config.http.tokens),
    )
    assert {str(file.parent) for file in named if file} == {"/run/secrets/tmcwatch"} <= mounted


def test_secrets_and_config_are_folders_that_change_with_their_content(manifests):
    mounts = {each["name"]: each for each in container_of(manifests)["volumeMounts"]}
    assert mounts["config"]["mountPath"] == "/etc/tmcwatch"
    assert mounts["secret"]["mountPath"] == "/run/secrets/tmcwatch"
    assert not any("subPath" in each for each in mounts.values())
    assert {each["name"] for each in pod_of(manifests)["volumes"]} == set(mounts)


def test_the_pod_may_do_nothing_that_it_need_not(manifests):
    pod, container = pod_of(manifests), container_of(manifests)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert only(manifests, "ServiceAccount")["automountServiceAccountToken"] is False


def test_one_pod_at_a_time_writes_the_store(manifests):
    spec = only(manifests, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_service_and_the_policy_lead_to_the_pod(manifests):
    labels = only(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    policy, service = only(manifests, "NetworkPolicy")["spec"], only(manifests, "Service")["spec"]
    budget = only(manifests, "PodDisruptionBudget")["spec"]
    for selector in (
        service["selector"],
        policy["podSelector"]["matchLabels"],
        budget["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert service["ports"][0]["targetPort"] == "http" == policy["ingress"][0]["ports"][0]["port"]
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert {443, 53} <= ports <= {443, 53, 587}


def test_the_base_is_what_the_chart_makes_with_its_defaults():
    ours, theirs = (
        {each["kind"]: each for each in made} for made in (kustomized("base"), rendered())
    )
    assert ours.keys() == theirs.keys()
    for kind in ours.keys() - {"ConfigMap"}:
        assert content_of(ours[kind]) == content_of(theirs[kind])
        assert (
            ours[kind]["metadata"]["labels"].items() <= theirs[kind]["metadata"]["labels"].items()
        )
    config, same = (
        yaml.safe_load(each["ConfigMap"]["data"]["tmcwatch.yaml"]) for each in (ours, theirs)
    )
    assert config == same


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("replicas=2", "a file that belongs to one process: set replicas to 1"),
        ("config.http.listen=127.0.0.1:10477", "which neither probes nor the Service reach"),
        ("replica=1", "'replica' not allowed"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
    ],
)
def test_a_value_that_cannot_work_is_refused(setting, said):
    done = helm("template", "tmcwatch", str(CHART), "--set", setting)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_changed_config_restarts_the_pod_only_by_the_switch():
    def annotations(*words):
        deployment = only(rendered("--set", "config.grace=20s", *words), "Deployment")
        return deployment["spec"]["template"]["metadata"].get("annotations", {})

    switch = ("--set", "restartOnConfigChange=true")
    assert annotations() == {}
    assert annotations(*switch) != annotations(*switch, "--set", "config.grace=10s")


def test_every_value_is_explained_and_in_the_schema():
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    known = json.loads((CHART / "values.schema.json").read_text())["properties"]
    assert set(values) == set(known) - {"global"}
    for name, value in values.items():
        if is_explained(text, name, 0):
            continue
        assert set(value) == set(known[name]["properties"])
        assert [
            key for key in value if not is_explained(text, f"  {key}", text.index(f"\n{name}:"))
        ] == []


def test_prometheus_operator_gets_what_the_switches_say(tmp_path):
    chart = tmp_path / "tmcwatch"
    shutil.copytree(CHART, chart)
    for name in ("tmcwatch", "tasks"):
        (chart / f"files/rules/{name}.yaml").write_text(RULES)
    (chart / "files/dashboards/overview.json").write_text('{"title": "{{ account }}"}\n')

    def foreign(*words):
        made = rendered(*words, chart=chart)
        return {each["metadata"]["name"]: each for each in made if each["apiVersion"] == FOREIGN}

    assert foreign() == {}
    own = foreign("--set", "prometheusRule.enabled=true")
    assert "tmcwatch-tmcwatch" in own
    assert "tmcwatch-tasks" not in own
    every = foreign("--values", str(FULL))
    assert {"watch", "watch-tmcwatch", "watch-tasks"} <= set(every)
    assert every["watch-tasks"]["spec"] == yaml.safe_load(RULES)
    assert every["watch-tasks"]["metadata"]["labels"]["release"] == "prometheus"
    endpoint = every["watch"]["spec"]["endpoints"][0]
    assert (endpoint["path"], endpoint["port"]) == ("/metrics", "http")
    boards = [
        each
        for each in rendered("--values", str(FULL), chart=chart)
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    ]
    shown = {name: text for each in boards for name, text in each["data"].items()}
    assert shown["overview.json"].strip() == '{"title": "{{ account }}"}'


def test_the_chart_has_the_rules_and_dashboards_as_they_are():
    for source, copies, pattern in (
        ("deploy/prometheus/rules", "files/rules", "*.yaml"),
        ("deploy/grafana", "files/dashboards", "*.json"),
    ):
        theirs = {path.name: path.read_text() for path in (ROOT / source).glob(pattern)}
        ours = {path.name: path.read_text() for path in (CHART / copies).glob(pattern)}
        assert ours == theirs, "deploy/helm/copy.sh renews them"


def test_the_script_copies_what_is_new_and_drops_what_is_gone(tmp_path):
    copied = tmp_path / "deploy"
    shutil.copytree(ROOT / "deploy/helm", copied / "helm")
    for path in ("prometheus/rules/new.yaml", "grafana/new.json"):
        (copied / path).parent.mkdir(parents=True)
        (copied / path).write_text("new\n")
    files = copied / "helm/tmcwatch/files"
    (files / "rules/gone.yaml").write_text("gone\n")
    done = run(["sh", str(copied / "helm/copy.sh")])
    assert done.returncode == 0, done.stderr
    assert {path.name for path in files.rglob("*.*") if path.suffix} == {"new.yaml", "new.json"}

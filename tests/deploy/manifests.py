"""The manifests as Kubernetes would be given them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.tools import helm, kubectl

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/tmcwatch"
KUSTOMIZE = ROOT / "deploy/kustomize"
FULL = ROOT / "tests/deploy/values-full.yaml"
FOREIGN = "monitoring.coreos.com/v1"
"""Kinds of Prometheus Operator, which Kubernetes itself does not know."""

Manifest = Mapping[str, Any]


def rendered(*words: str, chart: Path = CHART) -> list[Manifest]:
    """What Helm makes of the chart."""
    done = helm("template", "tmcwatch", str(chart), "--namespace", "monitoring", *words)
    assert done.returncode == 0, done.stderr
    return _all_of(done.stdout)


def kustomized(name: str) -> list[Manifest]:
    """What kubectl makes of a folder."""
    done = kubectl("kustomize", str(KUSTOMIZE / name))
    assert done.returncode == 0, done.stderr
    return _all_of(done.stdout)


def only(manifests: Iterable[Manifest], kind: str) -> Any:
    """The one manifest of a kind."""
    (found,) = (each for each in manifests if each["kind"] == kind)
    return found


def pod_of(manifests: Iterable[Manifest]) -> Any:
    return only(manifests, "Deployment")["spec"]["template"]["spec"]


def container_of(manifests: Iterable[Manifest]) -> Any:
    (found,) = pod_of(manifests)["containers"]
    return found


def _all_of(text: str) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(text) if each is not None]

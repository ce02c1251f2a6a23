"""The shipped rules, taken apart: what they ask for, and the labels they name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import promql_parser
import yaml

from tests.deploy.expressions import grouping, selectors

SHIPPED = Path(__file__).parents[2] / "deploy/prometheus"
RULES = sorted((SHIPPED / "rules").glob("*.yaml"))
TESTS = sorted((SHIPPED / "tests").glob("*.test.yaml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alert or recording, whose name is unique among all files."""

    name: str
    is_alert: bool
    expression: str
    wait: str
    severity: str
    texts: dict[str, str]

    @property
    def selectors(self) -> list[promql_parser.VectorSelector]:
        return selectors(self.expression)

    @property
    def metrics(self) -> set[str]:
        return {str(selector.name) for selector in self.selectors}

    @property
    def grouping(self) -> set[str]:
        """Labels that are kept, left out or joined by."""
        return grouping(self.expression)

    @property
    def told(self) -> set[str]:
        """Labels that the texts for people name."""
        return set(re.findall(r"\$labels\.(\w+)", " ".join(self.texts.values())))


def rules_in(path: Path) -> Iterator[Rule]:
    for group in yaml.safe_load(path.read_text())["groups"]:
        for rule in group["rules"]:
            yield Rule(
                name=rule.get("alert") or rule["record"],
                is_alert="alert" in rule,
                expression=rule["expr"],
                wait=rule.get("for", ""),
                severity=rule.get("labels", {}).get("severity", ""),
                texts=rule.get("annotations", {}),
            )


def hurried(path: Path, folder: Path) -> None:
    """Copy a file of rules without what they wait for."""
    content = yaml.safe_load(path.read_text())
    for group in content["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "0s"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / path.name).write_text(yaml.safe_dump(content))

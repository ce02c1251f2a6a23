"""Links to a run in TMC: a template per account, never a promise."""

from collections.abc import Mapping
from string import Formatter
from urllib.parse import quote

DEFAULT = (
    "https://tmc.{region}.cloud.talend.com/jobs-and-plans/{environment_id}/workspace/"
    "{workspace_id}/standard/{id}/execution/{execution_id}/run-overview/logs"
)
"""Seen in public code for task runs; unknown for plans."""

FIELDS = frozenset({"region", "environment_id", "workspace_id", "kind", "id", "execution_id"})


def fields_of(template: str) -> frozenset[str]:
    """Answer with the fields that a template names. Raises ValueError if it is malformed."""
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name is not None)


def run_link(template: str, values: Mapping[str, str | None]) -> str:
    """Answer with the link, empty where a field that the template names is not known."""
    wanted = fields_of(template) if template else frozenset()
    found = {name: quote(value, safe="") for name in wanted if (value := values.get(name))}
    return template.format(**found) if wanted and len(found) == len(wanted) else ""

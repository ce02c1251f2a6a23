"""Puts the config's schema into that of the values: `python -m tests.deploy.values_schema`.

So Helm refuses a wrong key of the config before anything is changed, not the pod after it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.deploy.manifests import CHART, ROOT

VALUES = CHART / "values.schema.json"
CONFIG = ROOT / "config/tmcwatch.schema.json"
REFERENCE = r"\$\{"
"""What a value holds that is filled in only in the pod: no schema knows its type."""
CHOSEN = {"type": "string", "pattern": REFERENCE}


def with_config(values: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Answer with the schema of the values in which `config` has this schema."""
    definitions = {name: _loosened(one) for name, one in config["$defs"].items()}
    # Other packages may bring further ways of telling.
    del definitions["Receiver"]["additionalProperties"]
    whole = {name: one for name, one in config.items() if not name.startswith("$")}
    definitions["Config"] = _loosened(whole)
    return {**values, "$defs": dict(sorted(definitions.items()))}


def _loosened(schema: Any) -> Any:
    """Answer with a schema that lets references through, and says nothing of defaults."""
    if isinstance(schema, list):
        return [_loosened(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: _loosened(each) for name, each in one.items()}
        if key == "properties"
        else _loosened(one)
        for key, one in schema.items()
        if key not in {"default", "title"}
    }
    if found.get("type") in ("boolean", "integer", "number"):
        return found | {"type": [found["type"], "string"], "pattern": REFERENCE}
    if "enum" in found or "const" in found:
        return {"anyOf": [found, CHOSEN]}
    if "pattern" in found:
        # Helm's expressions know no looking ahead, nor more than a thousand times.
        pattern = re.sub(r"\(\?=.*?\)", "", str(found["pattern"]))
        pattern = re.sub(r"\{1,[0-9]{4,}\}", "+", pattern)
        return found | {"pattern": f"{pattern}|{REFERENCE}"}
    return found


def main() -> None:
    values = json.loads(VALUES.read_text())
    whole = with_config(values, json.loads(CONFIG.read_text()))
    VALUES.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()

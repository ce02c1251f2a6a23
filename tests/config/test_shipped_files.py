"""The example and the schema that are shipped say what the model says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from tmcwatch.cli.doubts import written_doubts
from tmcwatch.config import json_schema, load

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

FOLDER = Path(__file__).parents[2] / "config"
EXAMPLE, SCHEMA = FOLDER / "tmcwatch.example.yaml", FOLDER / "tmcwatch.schema.json"
ENVIRON = {
    "TMC_TRIAL_TOKEN": "trial-token",
    "TMC_PROXY": "http://proxy.example:3128",
    "TMC_ARCHIVE_ID": "archive-id",
    "TMC_SANDBOX_ID": "sandbox-id",
    "TMC_SANDBOX_SECRET": "sandbox-secret",
    "TEAM_URL": "json://localhost/team",
    "ONCALL_TOKEN": "oncall-token",
    "DASHBOARD_TOKEN": "dashboard-token",
    "TALLYFY_TOKEN": "tallyfy-token",
    "SERVICES_SECRET": "services-secret",
}


def keys_of(schema):
    """Every key that a schema knows, wherever it stands."""
    for definition in (schema, *schema["$defs"].values()):
        yield from definition.get("properties", {})


def test_the_schema_is_the_models():
    assert json.loads(SCHEMA.read_text()) == json_schema(), "python -m tmcwatch.config renews it"


def test_the_command_writes_the_schema():
    command = [sys.executable, "-W", "error", "-m", "tmcwatch.config"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == json_schema()


def test_the_example_loads():
    config = load(EXAMPLE, environ=ENVIRON)
    assert [each.name for each in config.accounts] == ["production", "trial", "archive", "sandbox"]
    assert set(config.receivers[0].notifiers) == {"apprise", "log"}


def test_the_example_asks_for_nothing_that_no_alert_has():
    assert list(written_doubts(load(EXAMPLE, environ=ENVIRON))) == []


def test_the_example_fits_the_schema():
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), json_schema())


@pytest.mark.parametrize("key", sorted(set(keys_of(json_schema())) - {"urls"}))
def test_every_key_is_in_the_example(key):
    assert re.search(rf"(^|[\s{{-]){re.escape(key)}:", EXAMPLE.read_text())


def test_the_schema_refuses_what_loading_refuses():
    wrong = yaml.safe_load(EXAMPLE.read_text()) | {"grace": 25}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json_schema())
